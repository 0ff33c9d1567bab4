"""Which migration files are refused before anything runs, and where the fault is."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.db import statements

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("create table a (id int);\nbegin;\n", 2, "BEGIN"),
        ("begin transaction;", 1, "BEGIN"),
        ("select 1;\n\nstart transaction;", 3, "START"),
        ("select 1;/* x */\nCOMMIT;", 2, "COMMIT"),
        ("select 'a;b';\nrollback", 2, "ROLLBACK"),
        ("select 1;\nend;", 2, "END"),
        ("select 1;\nsavepoint a;", 2, "SAVEPOINT"),
        ("create table a (id int);\ncreate index concurrently i on a (id);", 2, "CREATE INDEX"),
        ("create unique index concurrently i on a (b);\nselect 1;", 1, "CREATE UNIQUE INDEX"),
        ("drop index concurrently i;\nselect 1", 1, "DROP INDEX"),
        ("reindex table concurrently a;select 1", 1, "REINDEX"),
        ("alter table a\n detach partition b concurrently;select 1", 1, "ALTER TABLE"),
        ("select 1;\nvacuum (analyze) a;", 2, "VACUUM"),
        ("vacuum a;\nvacuum b;", 1, "VACUUM"),
    ],
)
def test_named_with_file_and_line(text: str, line: int, word: str) -> None:
    found = statements.problems("1_a.sql", text)
    assert found[0].startswith(f"1_a.sql:{line}: {word}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-- commit;\n/* begin; /* commit; */ vacuum; */ select 1;",
        "select 'it''s; commit;', E'\\'; commit;', \"a;commit;\";",
        "create function f() returns void language plpgsql as $$ begin commit; end $$;",
        "create function f() returns void language plpgsql as $body$ begin $$x$$; end $body$;",
        "create function f() returns int language sql begin atomic"
        " select case when true then 1 end; select 2; end;\nselect 1;",
        "create rule r as on insert to a do also (select 1; select 2);select 1;",
        "create index concurrently i on a (id);",
        "-- why\nvacuum a;\n-- done\n",
        "refresh materialized view concurrently m; select 1;",
        "comment on table a is 'create index concurrently';select 1;",
        "do $do$ begin perform 1; end $do$;",
    ],
)
def test_left_alone(text: str) -> None:
    assert statements.problems("1_a.sql", text) == []


def test_the_migrations_of_this_checkout_are_fine() -> None:
    for file in sorted((ROOT / "supabase" / "migrations").glob("*.sql")):
        text = file.read_text()
        assert statements.problems(file.name, text) == []
        assert statements.is_transaction(text)
        assert len(statements.split(text)) > 10
