"""On Debian's PostgreSQL 15: migrations by the real CLI, pgTAP, `db lint`, `db advisors`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.local import prepare_database
from services.local.migrations import push, run_cli
from services.local.postgres import SUPERUSER, PostgresServer
from takt.ports import free_port
from tests.sql.catalog.test_catalog_checks import findings
from tests.support.databases import Clone

ROOT = Path(__file__).parents[3]
DEBIAN = Path("/usr/lib/postgresql/15")
EXTENSIONS = Path("/usr/share/postgresql/15/extension")
REVIEWED = json.loads((Path(__file__).parent / "reviewed_lints.json").read_text())
DATABASE = "takt"


def need(what: Path | str | None, package: str) -> None:
    """Skip by name when a Debian package is missing; in CI that is a failure."""
    if what is not None and Path(what).exists():
        return
    message = f"the Debian package {package} is not installed"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def debian() -> Iterator[PostgresServer]:
    """PostgreSQL 15 with our migrations."""
    need(DEBIAN / "bin" / "postgres", "postgresql-15")
    with tempfile.TemporaryDirectory(prefix="takt-15-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(
            Path(folder) / "data",
            free_port(),
            bin_dir=DEBIAN / "bin",
            settings={"fsync": "off"},
        )
        server.init()
        server.start()
        try:
            prepare_database(server, DATABASE)
            push(server.url("postgres", DATABASE))
            yield server
        finally:
            server.stop("immediate")


def test_the_migrations_apply_on_postgres_15(debian: PostgresServer) -> None:
    with psycopg.connect(debian.url("postgres", DATABASE)) as connection:
        applied = connection.execute(
            "select version from supabase_migrations.schema_migrations order by 1"
        ).fetchall()
        version = connection.execute("show server_version_num").fetchone()
        assert findings(connection) == []
    files = sorted((ROOT / "supabase" / "migrations").glob("*.sql"))
    assert [row[0] for row in applied] == [file.name.split("_")[0] for file in files]
    assert version is not None
    assert version[0].startswith("15")


def test_the_pgtap_set_passes(debian: PostgresServer) -> None:
    need(EXTENSIONS / "pgtap.control", "postgresql-15-pgtap")
    prove = shutil.which("pg_prove")
    need(prove, "libtap-parser-sourcehandler-pgtap-perl")
    with psycopg.connect(debian.url(SUPERUSER, DATABASE), autocommit=True) as connection:
        connection.execute("create extension if not exists pgtap with schema extensions")
    done = subprocess.run(
        [str(prove), "--dbname", DATABASE, "--host", "127.0.0.1", "--port", str(debian.port),
         "--username", "postgres", *map(str, sorted((ROOT / "supabase" / "tests").glob("*.sql")))],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PGPASSWORD": debian.passwords["postgres"], "PGOPTIONS": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Result: PASS" in done.stdout


def ask(*arguments: str, remote: str) -> list[dict[str, Any]]:
    """The results of a `supabase db …` command."""
    said = run_cli("db", *arguments, "--output-format", "json", remote=remote)
    results = json.loads(said)["results"]
    assert isinstance(results, list)
    return results


def test_db_lint_finds_only_what_was_reviewed(debian: PostgresServer) -> None:
    need(EXTENSIONS / "plpgsql_check.control", "postgresql-15-plpgsql-check")
    found = ask(
        "lint", "--schema", "public,private", "--level", "warning",
        remote=debian.url("postgres", DATABASE),
    )  # fmt: skip
    issues = [(f["function"], issue) for f in found for issue in f["issues"]]
    assert issues, "plpgsql_check looked at the functions"
    reviews = [
        next((n for n, r in enumerate(REVIEWED["lint"]) if _is_lint(r, function, issue)), None)
        for function, issue in issues
    ]
    fresh = [i for i, review in zip(issues, reviews, strict=True) if review is None]
    assert fresh == []
    assert set(reviews) == set(range(len(REVIEWED["lint"]))), "a review is no longer needed"


def _is_lint(review: dict[str, str], function: str, issue: dict[str, Any]) -> bool:
    return (
        review["function"] in ("*", function)
        and review["message"] == issue["message"]
        and str(issue.get("detail", "")).startswith(review.get("detail", ""))
    )


def advice(url: str) -> list[str]:
    """What `db advisors` says beyond the reviewed list."""
    reviewed = {(r["name"], r["object"]) for r in REVIEWED["advisors"]}
    fresh = []
    for item in ask("advisors", "--level", "info", remote=url):
        schema, name = item["metadata"]["schema"], item["metadata"]["name"]
        objects = {"*", f"{schema}.*", f"{schema}.{name}"}
        if not any((item["name"], o) in reviewed for o in objects):
            fresh.append(f"{item['name']}: {item['detail']}")
    return fresh


def test_db_advisors_finds_only_what_was_reviewed_on_15(debian: PostgresServer) -> None:
    assert advice(debian.url("postgres", DATABASE)) == []


def test_db_advisors_finds_only_what_was_reviewed_on_ours(clone: Clone) -> None:
    assert advice(clone.url()) == []


def test_db_advisors_can_still_find_something(clone: Clone) -> None:
    with clone.connect() as connection:
        connection.execute("create table public.open_to_all (id integer primary key)")
        connection.execute("grant select on public.open_to_all to anon")
    assert any(a.startswith("rls_disabled_in_public") for a in advice(clone.url()))
