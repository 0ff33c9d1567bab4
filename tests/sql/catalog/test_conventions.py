"""What the house rules ask of every object, read from the catalog."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.databases import Clone

RPC_GRANTS = Path(__file__).parent / "rpc_grants.json"
COMMENT_LINES = ("Permission:", "Errors", "Idempotency:", "Locks:")

# Commands without p_request_id, each with the reason why a repeat is harmless without one.
NO_REQUEST_ID = {
    "bootstrap_admin": "works once: the second call is refused",
    "create_device": "a repeat makes a new code and the old one stops working",
    "redeem_enrolment": "a code works once",
    "device_heartbeat": "says the same again",
    "claim_work": "an unsettled claim comes back when its lease ends",
    "complete_work": "the fence settles a job once",
    "complete_and_claim_work": "the fence settles a job once",
    "fail_work": "the fence settles a job once",
    "extend_work": "says the same again",
    "receive_webhook": "a delivery is stored once, by source, store and delivery id",
    "process_webhook": "the inbox row says that it is done",
    "identify_by_pin": "every call is a guess, and is counted",
    "identify_by_badge": "a repeat replaces the station's session",
    "keep_person": "says the same again",
    "leave_station": "a repeat finds nobody",
    "set_pin": "sets the same PIN again; no secret is kept with a request",
    "issue_badge": "every call makes a new badge",
    "tick": "a job runs once per interval, whoever calls",
    "agent_heartbeat": "says the same again",
    "claim_print_job": "the same nonce gets the same job",
    "begin_send": "the fence begins a job once",
    "abort_send": "the fence settles a job once",
    "mark_sent": "the fence settles a job once",
    "confirm_print": "a settled job answers changed = false",
    "print_unknown": "the fence settles a job once",
    "release_print": "the fence settles a job once",
    "fail_print": "the fence settles a job once",
    "extend_print": "says the same again",
    "print_job_state": "changes nothing, it waits for a call that is still running",
    "begin_stock_push": "a look at what is to be told",
    "finish_stock_push": "says the same again",
    "bridge_heartbeat": "says the same again",
    "record_print_completion": "the idempotency key names the physical run",
}

# Columns whose name and type say everything, in every table.
SELF_EVIDENT = re.compile(
    r"^(id|row_id|code|name|title|description|email|full_name|created_at|updated_at|version|store|"
    r"site|stage|status|role|permission|is_active|user_id|[a-z_]+_id|[a-z_]+_at|[a-z_]+_key)$"
)


@pytest.fixture(scope="module")
def db(module_clone: Clone) -> Any:
    with module_clone.connect() as connection:
        yield connection


def rows(db: psycopg.Connection, query: str) -> list[Any]:
    """The rows of a query; single columns unwrapped."""
    return [r[0] if len(r) == 1 else r for r in db.execute(query).fetchall()]


_RPCS = (
    "from pg_catalog.pg_proc p where p.pronamespace = 'public'::regnamespace and not exists"
    " (select from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e')"
)
_TABLES = (
    "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    " where n.nspname in ('public', 'private') and c.relkind in ('r', 'p') and not c.relispartition"
)


def test_every_rpc_says_what_it_needs(db: psycopg.Connection) -> None:
    found = rows(db, f"select p.proname, obj_description(p.oid, 'pg_proc') {_RPCS}")
    assert found
    wrong = {}
    for name, comment in found:
        lines = (comment or "").split("\n")
        missing = [w for w in COMMENT_LINES if sum(x.startswith(w) for x in lines) != 1]
        if missing or not lines[0].strip() or lines[0].startswith(COMMENT_LINES):
            wrong[name] = missing
    assert wrong == {}


def test_the_rpcs_and_who_may_call_them_are_the_reviewed_list(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select p.proname, array(select a.grantee::regrole::text from aclexplode(p.proacl) a"
        f" where a.grantee <> p.proowner order by 1) {_RPCS} order by 1",
    )
    assert dict(found) == json.loads(RPC_GRANTS.read_text())


def test_private_functions_are_granted_only_to_policies(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select p.proname, a.grantee::regrole::text from pg_catalog.pg_proc p,"
        " aclexplode(p.proacl) a where p.pronamespace = 'private'::regnamespace"
        " and a.grantee <> p.proowner order by 1",
    )
    helpers = (
        "blind_skus",
        "may",
        "may_attach",
        "may_listen",
        "may_read_photo",
        "may_upload_photo",
        "readable_machines",
        "readable_printers",
        "readable_sites",
        "readable_stores",
        "readable_work_centres",
        "reads_every_store",
        "standing_since",  # for the view machine_status, which runs as its reader
    )
    to_anon = [("may_attach", "anon")]  # uploads by the QR code of a machine
    assert sorted(found) == sorted([(name, "authenticated") for name in helpers] + to_anon)


def test_commands_take_a_request_id(db: psycopg.Connection) -> None:
    found = rows(
        db, f"select p.proname, coalesce(p.proargnames, '{{}}') {_RPCS} and p.provolatile = 'v'"
    )
    without = {name for name, arguments in found if "p_request_id" not in arguments}
    assert without == set(NO_REQUEST_ID)


def test_reads_take_no_request_id(db: psycopg.Connection) -> None:
    found = rows(
        db,
        f"select p.proname {_RPCS} and p.provolatile <> 'v'"
        " and 'p_request_id' = any (p.proargnames)",
    )
    assert found == []


def test_a_request_id_is_optional(db: psycopg.Connection) -> None:
    found = rows(
        db,
        f"select p.proname {_RPCS} and 'p_request_id' = any (p.proargnames)"
        " and array_position(p.proargnames, 'p_request_id') <= p.pronargs - p.pronargdefaults",
    )
    assert found == []


def test_arguments_are_called_p_something(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select p.oid::regprocedure::text, a from pg_catalog.pg_proc p, unnest(p.proargnames)"
        " with ordinality as x (a, n) where p.pronamespace in ('public'::regnamespace,"
        " 'private'::regnamespace) and not exists (select from pg_catalog.pg_depend d"
        " where d.objid = p.oid and d.deptype = 'e') and coalesce(p.proargmodes[n], 'i') = 'i'"
        r" and a not like 'p\_%' and p.proname <> 'order_blockers'",  # one letter: a row in a query
    )
    assert found == []


def test_every_table_and_view_has_a_comment(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select c.oid::regclass::text from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'v')"
        " and not c.relispartition and c.relnamespace in ('public'::regnamespace,"
        " 'private'::regnamespace) and obj_description(c.oid, 'pg_class') is null order by 1",
    )
    assert found == []


def test_columns_that_hold_a_shape_are_explained(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select c.relname || '.' || a.attname from pg_catalog.pg_class c"
        " join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        " and a.atttypid in ('jsonb'::regtype, 'text[]'::regtype, 'interval'::regtype)"
        " and col_description(c.oid, a.attnum) is null order by 1",
    )
    assert [c for c in found if not SELF_EVIDENT.match(c.split(".")[1])] == []


def test_constraints_are_named_after_their_table(db: psycopg.Connection) -> None:
    suffix = {"p": "pkey", "u": "key", "f": "fkey", "c": "check", "x": "excl"}
    found = rows(
        db,
        "select c.relname, k.conname, k.contype::text from pg_catalog.pg_constraint k"
        " join pg_catalog.pg_class c on c.oid = k.conrelid"
        " where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
        " and not c.relispartition and k.contype = any ('{p,u,f,c,x}')",
    )
    assert found
    wrong = [
        name
        for table, name, kind in found
        if not re.fullmatch(rf"{table}_(\w+_)?{suffix[kind]}", name)
    ]
    assert wrong == []


def test_constraints_are_named_in_the_sources() -> None:
    """A name that Postgres made up would change with the column."""
    wrong = []
    for file in sorted((Path(__file__).parents[3] / "sql").glob("M*/*.sql")):
        for line in file.read_text().split("\n"):
            code = line.split("--")[0].split("'")[0].replace("with check (", "with (")  # policies
            if re.search(
                r"\b((?<!with )check \(|references |primary key|unique( nulls not distinct)? \()",
                code,
            ):
                before = re.split(r"\b(check \(|references|primary key|unique)", code)[0]
                if "constraint " not in before and not _continues(file, line):
                    wrong.append(f"{file.name}: {line.strip()}")
    assert wrong == []


def _continues(file: Path, line: str) -> bool:
    """Does the line finish a constraint named on the line before it?"""
    lines = file.read_text().split("\n")
    return "constraint " in lines[lines.index(line) - 1]


def test_every_foreign_key_has_an_index_and_says_what_deletes_do(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select k.conname from pg_catalog.pg_constraint k join pg_catalog.pg_class c"
        " on c.oid = k.conrelid where k.contype = 'f' and not c.relispartition"
        " and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
        " and (k.confdeltype = 'a' or not exists (select from pg_catalog.pg_index i"
        "   where i.indrelid = k.conrelid and (i.indpred is null"
        "     or pg_get_expr(i.indpred, i.indrelid) ~ 'IS NOT NULL')"
        "   and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)) order by 1",
    )
    assert found == []


def test_indexes_are_named_after_their_table(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select t.relname, c.relname, i.indisunique from pg_catalog.pg_index i"
        " join pg_catalog.pg_class c on c.oid = i.indexrelid"
        " join pg_catalog.pg_class t on t.oid = i.indrelid"
        " where t.relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
        " and not t.relispartition and not exists"
        " (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid)",
    )
    wrong = [
        name
        for table, name, is_unique in found
        if not re.fullmatch(rf"{table}_\w+_{'key' if is_unique else 'idx'}", name)
    ]
    assert wrong == []


def test_triggers_say_when_they_fire_and_what_they_do(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select t.tgname, c.relname, p.proname from pg_catalog.pg_trigger t"
        " join pg_catalog.pg_class c on c.oid = t.tgrelid"
        " join pg_catalog.pg_proc p on p.oid = t.tgfoid"
        " where not t.tgisinternal and c.relnamespace in ('public'::regnamespace,"
        " 'private'::regnamespace) and t.tgparentid = 0 and not c.relispartition",
    )
    assert found
    wrong = [
        (name, function)
        for name, table, function in found
        if not re.fullmatch(r"_[1-9]\d\d_[a-z_]+", name)
        or not re.fullmatch(rf"tg(_{table})?__[a-z_]+", function)
    ]
    assert wrong == []


def test_policies_are_small_and_say_for_whom(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select p.polrelid::regclass::text, p.polname, p.polcmd::text, p.polpermissive,"
        " array(select r::regrole::text from unnest(p.polroles) r),"
        " coalesce(pg_get_expr(p.polqual, p.polrelid, true), '')"
        " || coalesce(pg_get_expr(p.polwithcheck, p.polrelid, true), '')"
        " from pg_catalog.pg_policy p join pg_catalog.pg_class c on c.oid = p.polrelid"
        " where c.relnamespace::regnamespace::text in ('public', 'private', 'realtime')",
    )
    commands = {"r": "select", "a": "insert", "w": "update", "d": "delete"}
    assert found
    for table, name, command, permissive, roles, _ in found:
        assert re.fullmatch(rf"{commands.get(command, 'never for all')}_[a-z]+", name), (
            table,
            name,
        )
        assert permissive, (table, name)
        assert len(roles) == 1, (table, name)
    keys = [(table, command, roles[0]) for table, _, command, _, roles, _ in found]
    assert len(keys) == len(set(keys)), "one policy per table, command and role"


def test_a_policy_expression_has_at_most_three_lines() -> None:
    long = []
    for file in sorted((Path(__file__).parents[3] / "sql").glob("M*/policies.sql")):
        for statement in re.findall(r"create policy .*?;", file.read_text(), re.S):
            expression = re.split(r"\b(?=using|with check)", statement, maxsplit=1)[1]
            if expression.count("\n") > 2:
                long.append(statement)
    assert long == []


def test_no_domain_points_to_a_later_one() -> None:
    root = Path(__file__).parents[3] / "sql"
    home = {
        table: file.parent.name
        for file in sorted(root.glob("M*/*.sql"))
        for table in re.findall(r"^create table ((?:public|private)\.\w+)", file.read_text(), re.M)
    }
    late = [
        (file.parent.name, target)
        for file in sorted(root.glob("M*/*.sql"))
        for target in re.findall(r"references ((?:public|private)\.\w+)", file.read_text())
        if home[target] > file.parent.name
    ]
    assert late == []


def test_partitions_of_events_are_out_of_reach(db: psycopg.Connection) -> None:
    found = rows(
        db,
        "select c.oid::regclass::text from pg_catalog.pg_inherits i"
        " join pg_catalog.pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = 'public.events'::regclass"
        " and (c.relnamespace <> 'private'::regnamespace or not c.relrowsecurity or exists"
        " (select from"
        " aclexplode(c.relacl) a where a.grantee <> c.relowner))",
    )
    assert found == []
