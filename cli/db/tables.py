"""What a backup holds: which tables and sequences, and how their rows are read and counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

# Rows of the platform that are ours to keep. Sessions are not: people sign in again.
_PLATFORM = ("auth.users", "auth.identities", "storage.buckets", "storage.objects")

# Whoever reads a backup must not be able to sign in with it: codes and links that are under way.
_BLANK = {
    "auth.users": frozenset(
        {"confirmation_token", "recovery_token", "reauthentication_token", "phone_change_token"}
        | {"email_change_token_new", "email_change_token_current"}
    )
}

_TABLES = """\
select n.nspname, c.relname, array(
    select a.attname::text from pg_catalog.pg_attribute a
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     order by a.attnum)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not c.relispartition
   and (n.nspname in ('public', 'private') or n.nspname || '.' || c.relname = any (%s))
   and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype = 'e'
     and d.classid = 'pg_catalog.pg_class'::regclass)
 order by 1, 2
"""
_SEQUENCES = """\
select n.nspname, c.relname from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'S' and n.nspname in ('public', 'private')
   and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype = 'e'
     and d.classid = 'pg_catalog.pg_class'::regclass)
 order by 1, 2
"""
# The text of a value depends on these; both sides of a backup use the same.
_TEXT = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "statement_timeout": "0",
}


@dataclass
class Tally:
    """Rows of a table as a number that does not depend on their order."""

    rows: int = 0
    total: int = 0

    def add(self, line: bytes) -> None:
        digest = hashlib.sha256(line).digest()
        self.rows += 1
        self.total = (self.total + int.from_bytes(digest[:16], "big")) % (1 << 128)

    @property
    def checksum(self) -> str:
        return f"{self.total:032x}"


@dataclass(frozen=True)
class Table:
    """`columns` are those that can be written (no generated ones), in order."""

    schema: str
    name: str
    columns: tuple[str, ...]
    tally: Tally = field(default_factory=Tally, compare=False)

    @property
    def shown(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> sql.Composed:
        return sql.SQL("{}.{}").format(sql.Identifier(self.schema), sql.Identifier(self.name))

    @property
    def column_list(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(c) for c in self.columns)

    @property
    def read_list(self) -> sql.Composed:
        """Like `column_list`, with an empty text where the value must not leave the database."""
        blank = _BLANK.get(self.shown, frozenset())
        return sql.SQL(", ").join(
            # Auth cannot read a null where it wrote none.
            sql.SQL("left({}, 0)").format(sql.Identifier(c)) if c in blank else sql.Identifier(c)
            for c in self.columns
        )


def set_text(connection: psycopg.Connection) -> None:
    """Make every value read and write the same on every server, for this session."""
    for name, value in _TEXT.items():
        connection.execute("select set_config(%s, %s, false)", (name, value))


def tables(connection: psycopg.Connection) -> list[Table]:
    """Every table of ours, and those of the platform that a restore needs."""
    rows = connection.execute(_TABLES, (list(_PLATFORM),)).fetchall()
    return [Table(schema, name, tuple(columns)) for schema, name, columns in rows]


def lines(connection: psycopg.Connection, table: Table) -> Iterator[bytes]:
    """The rows as COPY text, one at a time; secrets that are under way are blank."""
    query = sql.SQL("copy (select {} from {}) to stdout").format(table.read_list, table.quoted)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for piece in copy:
            yield bytes(piece)


def tally(connection: psycopg.Connection, table: Table) -> Tally:
    """Count what a table holds now."""
    found = Tally()
    for line in lines(connection, table):
        found.add(line)
    return found


def sequences(connection: psycopg.Connection) -> list[dict[str, object]]:
    """{schema, name, last_value, is_called} of every sequence."""
    found: list[dict[str, object]] = []
    for schema, name in connection.execute(_SEQUENCES).fetchall():
        query = sql.SQL("select last_value, is_called from {}.{}").format(
            sql.Identifier(schema), sql.Identifier(name)
        )
        row = connection.execute(query).fetchone()
        if row is not None:
            found.append(
                {"schema": schema, "name": name, "last_value": row[0], "is_called": row[1]}
            )
    return found
