"""What H.O.M. got wrong and must not come back, each by name (prior art, A5 "to beat")."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.sql.rls.matrix import rpcs
from tests.support.maintenance import bring, line, machine, plan, report, status_of
from tests.support.printing import attempt
from tests.support.rpc import Refused, call

REPAIR_RPCS = ("acknowledge_repair", "start_repair", "close_repair", "get_repair")


@pytest.mark.parametrize("rpc", REPAIR_RPCS)
def test_repair_routes_had_no_auth(db: psycopg.Connection, rpc: str) -> None:
    repair = report(db, machine(db))
    with pytest.raises(Refused, match="permission denied"):
        call(db, "anon", rpc, p_id=repair)
    for who in ("stranger", "disabled", "revoked_device"):
        assert attempt(db, who, rpc, p_id=repair) == (403, "auth.not_staff")


def test_only_the_qr_code_needs_no_account(db: psycopg.Connection) -> None:
    open_to_anon = {
        row[0]
        for row in db.execute(
            "select p.proname from pg_catalog.pg_proc p"
            " where p.pronamespace = 'public'::regnamespace"
            " and has_function_privilege('anon', p.oid, 'execute')"
            " and p.proname = any (%s)",
            ([r.name for r in rpcs(db)],),
        ).fetchall()
    }
    assert open_to_anon == {"get_report_form", "report_problem"}


def test_machine_and_line_status_were_not_derived_from_open_repairs(
    db: psycopg.Connection,
) -> None:
    line(db)
    machine(db, "press-1", p_line="line-1")
    machine(db, "press-2", p_line="line-1")

    def state() -> tuple[str, str]:
        [row] = call(db, "viewer", "get_lines")
        return status_of(db, "press-1"), str(row["status"])

    assert state() == ("operational", "working")
    order = call(db, "technician", "start_work_order", p_plan_id=plan(db, "press-1")["id"])
    assert state() == ("operational", "working"), "planned is not begun"
    bring(db, order["repair"]["id"], "in_repair")
    assert state() == ("maintenance", "maintenance")
    repair = report(db, "press-1", p_is_down=True)
    assert state() == ("broken", "stopped")
    bring(db, repair, "repaired")
    assert state() == ("broken", "stopped"), "until somebody tried it"
    bring(db, repair, "verified")
    assert state() == ("maintenance", "maintenance")
    bring(db, repair)
    bring(db, order["repair"]["id"])
    assert state() == ("operational", "working")
    report(db, "press-1", "noise")
    assert state() == ("operational", "working"), "it runs with it"
    columns = db.execute(
        "select table_name from information_schema.columns where table_schema = 'public'"
        " and table_name in ('machines', 'lines') and column_name = 'status'"
    ).fetchall()
    assert columns == [], "never stored"


def test_there_is_no_default_account(db: psycopg.Connection) -> None:
    """Nobody but the people of the test: the migrations bring no admin with a known password."""
    strange = db.execute(
        "select email from auth.users where email not like '%@takt.localhost'"
    ).fetchall()
    assert strange == []


def test_bootstrap_race_and_permission(db: psycopg.Connection) -> None:
    """The first admin is made once, by the server alone."""
    make = {"p_user_id": "00000000-0000-0000-0000-00000000a009", "p_full_name": "Eve",
            "p_email": "eve@takt.localhost"}  # fmt: skip
    assert attempt(db, "service", "bootstrap_admin", **make)[0] == 409
    with pytest.raises(Refused, match="permission denied"):
        call(db, "admin", "bootstrap_admin", **make)


def test_audit_logged_password_hashes(db: psycopg.Connection) -> None:
    """What is remembered of a change names the change and its actor, and no secret."""
    machine(db)
    call(db, "operator", "set_pin", p_pin="4711")
    token = call(db, "admin", "renew_machine_qr", p_machine="press-1")["token"]
    rows = db.execute("select actor_id::text, payload::text from public.events").fetchall()
    text = json.dumps(rows)
    hashes = db.execute("select to_jsonb(s)::text from private.staff_secrets s").fetchall()
    secrets = [
        value
        for row in hashes
        for name, value in json.loads(row[0]).items()
        if "hash" in name and value
    ]
    assert secrets
    assert token
    assert [secret for secret in (*secrets, token, "4711") if str(secret) in text] == []
    assert all(actor for actor, _ in rows), "who did it is in every one"


def test_downtime_is_not_typed_in(db: psycopg.Connection) -> None:
    """H.O.M. had a field for hours; here they follow from the instants."""
    repair = report(db, machine(db), p_is_down=True)
    db.execute(
        "update public.repairs set occurred_at = occurred_at - interval '90 minutes' where id = %s",
        (repair,),
    )
    bring(db, repair, "repaired")
    assert call(db, "viewer", "get_repair", p_id=repair)["downtime_h"] == 1.5
