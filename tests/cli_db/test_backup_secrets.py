"""24: a stolen backup signs nobody in."""

from __future__ import annotations

import gzip
from pathlib import Path

import psycopg
import pytest

from cli.db import archive, tables
from services.local.postgres import SUPERUSER
from tests.support.databases import Clone

TOKENS = ("confirmation_token", "recovery_token", "reauthentication_token")
SECRET = "a-code-under-way"


@pytest.fixture
def signed_in(clone: Clone) -> Clone:
    """A database with codes under way and an open session."""
    with psycopg.connect(clone.url(SUPERUSER), autocommit=True) as connection:
        for token in TOKENS:
            connection.execute(f"update auth.users set {token} = %s || id", (SECRET,))
        connection.execute(
            "insert into auth.sessions (id, user_id)"
            " select gen_random_uuid(), id from auth.users limit 1"
        )
        connection.execute(
            "insert into auth.refresh_tokens (id, token, user_id, session_id)"
            " select '1', %s, user_id, id from auth.sessions",
            (SECRET,),
        )
    return clone


def test_24_no_code_and_no_session_is_in_a_backup(signed_in: Clone, tmp_path: Path) -> None:
    file = tmp_path / "b.takt"
    manifest = archive.write(signed_in.url(), file, "2026-11-21T00:00:00Z", lambda _: None)
    kept = {f"{t['schema']}.{t['name']}": t["rows"] for t in manifest["tables"]}
    assert kept["auth.users"] > 0
    assert not {"auth.sessions", "auth.refresh_tokens", "auth.one_time_tokens"} & kept.keys()
    assert SECRET.encode() not in gzip.decompress(file.read_bytes())
    archive.verify(file)


def test_24_what_was_empty_stays_what_it_was(signed_in: Clone) -> None:
    with psycopg.connect(signed_in.url(SUPERUSER), autocommit=True) as connection:
        connection.execute("update auth.users set recovery_token = null")
        users = tables.Table("auth", "users", ("recovery_token", "confirmation_token"))
        assert set(tables.lines(connection, users)) == {b"\\N\t\n"}
