"""Addresses of an external database and of its roles, and what is refused about it."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from services.local.database import BadAddress, Database, normalise
from services.local.external import Facts, refusal

GOOD = Facts("15.4", 15, True, "postgres", "UTF8", False, False, [], [])


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (GOOD, None),
        (replace(GOOD, version="14.9", major=14), "is Postgres 14.9; Takt needs 15 or newer"),
        (replace(GOOD, encoding="SQL_ASCII"), "has the encoding SQL_ASCII"),
        (replace(GOOD, standby=True), "is a standby"),
        (replace(GOOD, schemas=["auth"]), "not Takt's: schema auth"),
        (replace(GOOD, prepared=True, relations=["orders"], schemas=["auth"]), None),
    ],
)
def test_refusals(facts: Facts, said: str | None) -> None:
    sentence = refusal(facts, "db:5432/takt")
    assert (sentence is None) if said is None else (said in str(sentence))


def test_addresses_of_roles() -> None:
    url = normalise("postgres://boss:a%40b c@db.plant/takt?sslmode=require")
    assert url == "postgresql://boss:a%40b%20c@db.plant:5432/takt?sslmode=require"
    database = Database(url, {"authenticator": "x/y"}, {"lite": ["search_path=lite, public"]})
    assert database.where == "db.plant:5432/takt"
    assert database.sign_in("boss") == database.sign_in("supabase_admin") == url
    assert database.sign_in("authenticator", "other") == (
        "postgresql://authenticator:x%2Fy@db.plant:5432/other?sslmode=require"
    )
    taken = psycopg.conninfo.conninfo_to_dict(database.sign_in("lite"))
    assert taken["options"] == r"-c role=lite -c search_path=lite,\ public"
    assert (taken["user"], taken["sslmode"]) == ("boss", "require")
    assert "a%40b" not in repr(database)


@pytest.mark.parametrize(
    "url", ["", "mysql://a@b/c", "postgresql://b/c", "postgresql://a@b", "postgresql://a@b:x/c"]
)
def test_no_addresses(url: str) -> None:
    with pytest.raises(BadAddress, match="must look like"):
        normalise(url)
