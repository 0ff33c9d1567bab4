"""The checks behind the matrices. Each returns what is wrong, so that a broken schema can be
shown to be noticed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.sql.rls.grid import IDENTITIES, readers
from tests.sql.rls.rpc_grid import ARGUMENTS, BY_NAME, BY_TYPE, OPEN, PERMISSIONS, role_of
from tests.support.databases import STORES, USER_IDS
from tests.support.kpi import populate_kpi
from tests.support.lots import populate_lots
from tests.support.maintenance import populate_maintenance
from tests.support.orders import make_order
from tests.support.printing import add_printer, new_job, route
from tests.support.production import populate_production
from tests.support.rpc import Refused, acting_as, call
from tests.support.trace import populate_trace
from tests.support.units import populate_units

DENIED = "permission denied"
GRANTS: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[1] / "catalog" / "rpc_grants.json").read_text()
)
WRITES = ("insert", "update", "delete", "truncate")


def populate(db: psycopg.Connection) -> None:
    """At least one row in every table and view, of both stores where rows have one."""
    for store in STORES:
        make_order(db, f"{store}-18617")
        call(db, "operator", "scan", p_code=f"{store}-18617", p_request_id=uuid4())
        call(db, "planner", "create_manual_order", p_store=store, p_product_title="Bun")
        call(
            db,
            "admin",
            "set_setting",
            p_key="monitor.density",
            p_value=Jsonb("compact"),
            p_store=store,
        )
    call(db, "admin", "set_setting", p_key="undo.minutes", p_value=Jsonb(5), p_site="main")
    call(db, "manager", "create_device", p_code="new", p_kind="kiosk", p_name="New", p_site="main")
    call(db, "admin", "register_station", p_code="fill-1", p_name="Filling", p_site="main")
    call(db, "operator", "set_pin", p_pin="4711")
    call(db, "operator", "start_photo", p_about="print_run", p_site="main")
    operator = USER_IDS["operator"]
    call(db, "kiosk", "identify_by_pin", p_user_id=operator, p_pin="4711")
    call(db, "service", "tick")
    db.execute("select private.enqueue('demo')")
    _populate_shops(db)
    _populate_stock(db)
    _populate_farm(db)
    _populate_printing(db)
    populate_units(db)
    populate_trace(db)
    populate_lots(db)
    populate_production(db)
    # Books that do not agree, so that the self-check has a row.
    db.execute("update public.production_order_progress set lost = lost + 1")
    populate_maintenance(db)
    populate_kpi(db)
    db.execute(
        "insert into public.events (at, site, stream, stream_id, event)"
        " values ('2099-01-01', '-', 'order', 'far-1', 'far.away')"  # beyond every partition
    )
    # Partitions made ahead of time have a row too, so that seeing nothing means something.
    db.execute(
        "insert into public.events (at, site, stream, stream_id, event)"
        " select now() + n * interval '1 month', '-', 'order', 'far-1', 'far.away'"
        " from generate_series(1, 3) n"
    )


def _populate_shops(db: psycopg.Connection) -> None:
    for store in STORES:
        call(db, "admin", "save_shop", p_store=store, p_source="generic")
        call(
            db,
            "admin",
            "set_shop_secret",
            p_store=store,
            p_kind="webhook",
            p_secret="s3cret",
            headers={"x-takt-secrets-key": "a key for tests"},
        )
        db.execute(
            "insert into private.webhook_inbox (source, store, topic, delivery_id, headers, raw,"
            " raw_sha256, verified)"
            " values ('generic', %s, 'orders/create', '1', '{}', '', '', true)",
            (store,),
        )
        db.execute("insert into public.sync_runs (store, kind) values (%s, 'import')", (store,))
        db.execute(
            "insert into public.channel_orders (store, external_order_id, source, order_number)"
            " values (%s, '1', 'shopify', '1')",
            (store,),
        )


def _populate_stock(db: psycopg.Connection) -> None:
    rows = Jsonb([{"sku": "FLOUR", "on_hand": "5"}, {"sku": "CANDLE", "on_hand": "5"}])
    for sku in ("FLOUR", "CANDLE"):
        call(db, "planner", "upsert_item", p_sku=sku, p_title=sku)
    call(db, "planner", "import_stock", p_rows=rows, p_dry_run=False)
    lines = Jsonb([{"sku": "FLOUR", "quantity": 1, "stage": "Filling"}])
    call(db, "planner", "save_requirements", p_lines=lines, p_title="Bun")
    for store in (*STORES, None):
        call(
            db,
            "admin",
            "save_deduction_rule",
            p_pattern="candle",
            p_sku="CANDLE",
            p_store=store,
        )
    for store in STORES:
        db.execute("insert into public.stock_pushes (store, sku) values (%s, 'CANDLE')", (store,))
        key, value = "inventory.tracking_enabled", Jsonb(True)
        call(db, "admin", "set_setting", p_key=key, p_value=value, p_store=store)
    call(db, "planner", "create_manual_order", p_store="bannos", p_product_title="Bun")
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-M2")
    call(db, "operator", "complete_filling", p_order_id="bannos-M2")
    call(db, "operator", "start_count", p_skus=["FLOUR"])


def _populate_farm(db: psycopg.Connection) -> None:
    call(db, "planner", "upsert_part", p_sku="BRACKET", p_title="Bracket")
    for store in (*STORES, None):
        call(
            db, "planner", "create_production_order", p_product_sku="BRACKET", p_store=store,
            p_site="main",
        )  # fmt: skip
    machine = {"p_kind": "bambu", "p_serial": "01S00A"}
    call(db, "planner", "upsert_print_machine", p_code="a1", **machine)
    parts = Jsonb([{"sku": "BRACKET", "quantity": 4}])
    call(db, "planner", "map_gcode", p_gcode_filename="bracket.3mf", p_parts=parts)
    gap = {"id": str(uuid4()), "from": "2026-11-01T10:00Z", "to": "2026-11-01T11:00Z"}
    printers = Jsonb([{"serial": "01S00A", "connected": True, "gaps": [gap]}])
    call(db, "bambu_bridge", "bridge_heartbeat", p_printers=printers)
    call(
        db, "bambu_bridge", "record_print_completion", p_idempotency_key="bambu:01S00A:1",
        p_source="bambu_auto", p_printer_serial="01S00A", p_outcome="success",
        p_gcode_filename="bracket.3mf",
    )  # fmt: skip


def _populate_printing(db: psycopg.Connection) -> None:
    """Two printers, one of the agent; labels of both stores and of none on each."""
    for name, owner in (("prn-1", "print_agent"), ("prn-2", None)):
        add_printer(db, name, p_device=owner)
        new_job(db, f"SKU-{name}", p_printer=name)
    route(db, "prn-1", "prn-2")
    for store, name in zip(STORES, ("prn-1", "prn-2"), strict=True):
        new_job(db, f"{store}-18617", p_label_type="order_ticket", p_printer=name)
    db.execute(
        "insert into private.print_refusals (label_type, subject, site, code, message)"
        " values ('box', 'bannos-18617', 'main', 'print.no_printer', 'No printer.')"
    )


@dataclass(frozen=True)
class Relation:
    """A table or view: qualified name, relkind, a column that an update may name."""

    name: str
    kind: str
    column: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(*self.name.split("."))


def relations(db: psycopg.Connection) -> list[Relation]:
    """Every table, partition, view, materialized view and foreign table of ours."""
    rows = db.execute(
        "select n.nspname || '.' || c.relname, c.relkind::text, (select a.attname"
        "   from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0"
        "   and not a.attisdropped and a.attidentity = '' order by a.attnum limit 1)"
        " from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname in ('public', 'private') and c.relkind = any ('{r,p,v,m,f}')"
        " and not exists (select from pg_catalog.pg_depend d"
        "   where d.objid = c.oid and d.deptype = 'e') order by 1"
    ).fetchall()
    return [Relation(*row) for row in rows]


def table_violations(db: psycopg.Connection, only: Iterable[str] | None = None) -> list[str]:
    """Cells of relation × command × identity that differ from the grid; needs `populate`d data.

    `only` keeps it to some relations. A relation without rows is a violation: its denials would
    prove nothing.
    """
    wrong: list[str] = []
    for relation in relations(db):
        if only is not None and relation.name not in only:
            continue
        declared = readers(relation.name)
        if declared is None:
            wrong.append(f"{relation.name} is not declared in grid.py")
            continue
        if _count(db, relation, "true") == 0:
            wrong.append(f"{relation.name} has no row: seeing none proves nothing")
        for who in IDENTITIES:
            wrong += _read_violations(db, relation, who, declared)
            for command in WRITES if relation.kind in "rp" else WRITES[:-1]:
                got = _attempt(db, who, _statement(relation, command))
                if got != DENIED:
                    wrong.append(f"{relation.name} {command} {who}: {got}, expected {DENIED}")
    return wrong


def _read_violations(
    db: psycopg.Connection, relation: Relation, who: str, declared: dict[str, str]
) -> list[str]:
    """[] or the one mismatch of what `who` sees."""
    got = _attempt(db, who, sql.SQL("select 1 from {}").format(relation.identifier))
    if not declared or who in ("anon", "service"):
        expected: str | int = DENIED
    else:
        expected = _count(db, relation, declared.get(who, "false"))
        if who in declared and declared[who] != "false" and expected == 0:
            return [f"{relation.name}: no row that {who} may see: no positive control"]
    return [] if got == expected else [f"{relation.name} select {who}: {got}, expected {expected}"]


def _count(db: psycopg.Connection, relation: Relation, condition: str) -> int:
    """Rows that hold, counted by the owner."""
    row = db.execute(
        sql.SQL("select count(*) from {} where ").format(relation.identifier) + sql.SQL(condition)
    ).fetchone()
    assert row is not None
    return int(row[0])


def _statement(relation: Relation, command: str) -> sql.Composed:
    """An unfiltered write: a filtered one could pass for want of readable rows."""
    forms = {
        "insert": "insert into {t} default values",
        "update": "update {t} set {c} = {c}",
        "delete": "delete from {t}",
        "truncate": "truncate {t} cascade",
    }
    return sql.SQL(forms[command]).format(t=relation.identifier, c=sql.Identifier(relation.column))


def _attempt(db: psycopg.Connection, who: str, statement: sql.Composed) -> str | int:
    """Rows touched or seen, or why not. Always rolled back."""
    try:
        with db.transaction(force_rollback=True), acting_as(db, who):
            return db.execute(statement).rowcount
    except Refused as refused:
        # 55000: a view that nobody can write through, whatever is granted.
        return DENIED if refused.sqlstate in ("42501", "55000") else str(refused)


# RPCs -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rpc:
    """An exposed function: its name, its required arguments with their types, all arguments."""

    name: str
    required: dict[str, str]
    arguments: tuple[str, ...]


def rpcs(db: psycopg.Connection) -> list[Rpc]:
    """Every function of schema public that is ours."""
    rows = db.execute(
        "select p.proname, coalesce(p.proargnames[1:p.pronargs], '{}'),"
        " array(select format_type(t, null) from unnest(p.proargtypes) t),"
        " p.pronargs - p.pronargdefaults from pg_catalog.pg_proc p"
        " where p.pronamespace = 'public'::regnamespace and not exists (select from"
        " pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e') order by 1"
    ).fetchall()
    return [
        Rpc(name, dict(list(zip(names, types, strict=True))[:n]), tuple(names))
        for name, names, types, n in rows
    ]


def rpc_violations(db: psycopg.Connection, only: Iterable[str] | None = None) -> list[str]:
    """Cells of RPC × identity whose outcome is not what the reviewed grants and role_permissions
    promise."""
    granted = set(db.execute("select role, permission from public.role_permissions").fetchall())
    wrong: list[str] = []
    for rpc in rpcs(db):
        if only is not None and rpc.name not in only:
            continue
        if rpc.name not in PERMISSIONS:
            wrong.append(f"{rpc.name} is not declared in rpc_grid.py")
            continue
        for who in (i for i in IDENTITIES if i != "flourlane_operator"):
            got, expected = _call(db, rpc, who), _expected(rpc, who, granted)
            if got != expected:
                wrong.append(f"{rpc.name} {who}: {got}, expected {expected}")
    return wrong


def _expected(rpc: Rpc, who: str, granted: set[tuple[str, str]]) -> str:
    database_role = {"anon": "anon", "service": "service_role"}.get(who, "authenticated")
    if database_role not in GRANTS.get(rpc.name, ()):
        return DENIED
    if rpc.name in OPEN:
        return "allowed"
    role = role_of(who)
    if role is None:
        return "auth.not_staff"
    # Where an RPC knows two permissions, the call in ARGUMENTS asks for the first.
    return "allowed" if (role, PERMISSIONS[rpc.name][0]) in granted else "auth.forbidden"


def minimal_call(rpc: Rpc) -> sql.Composed:
    """A call with just the required arguments, shaped by type and name."""
    values = {
        name: BY_NAME.get(name, BY_TYPE.get(kind)) for name, kind in rpc.required.items()
    } | ARGUMENTS.get(rpc.name, {})
    arguments = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in values.items()
    )
    return sql.SQL("select * from public.{}({})").format(sql.Identifier(rpc.name), arguments)


def _call(db: psycopg.Connection, rpc: Rpc, who: str) -> str:
    """`allowed` (it came past the guard), the guard's code, or what went wrong."""
    try:
        with db.transaction(force_rollback=True), acting_as(db, who):
            db.execute(minimal_call(rpc))
    except Refused as refused:
        if refused.sqlstate == "42501":
            return DENIED
        if (refused.code or "").startswith("auth."):
            return str(refused.code)
        # A rule or a constraint spoke: past the guard. Anything else is a fault of ours.
        return "allowed" if refused.status or refused.sqlstate[:2] == "23" else str(refused)
    return "allowed"
