"""Who may report prints, and what cannot be kept."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.farm.farm import NOON, SERIAL, machine, mapping, part, report
from tests.sql.inventory.stock import refused
from tests.support.rpc import call


@pytest.fixture
def farm(db: psycopg.Connection) -> psycopg.Connection:
    """One printer, one part, one file of four."""
    part(db)
    machine(db)
    mapping(db)
    return db


# Who may report what --------------------------------------------------------------------------


def test_a_printer_nobody_announced_is_registered_and_its_print_kept(
    db: psycopg.Connection,
) -> None:
    part(db)
    mapping(db)
    answer = report(db, printer_serial=" 01s00new ", source="moonraker")
    assert answer["status"] == "recorded"
    row = db.execute("select code, kind, serial, site from public.print_machines").fetchone()
    assert row == ("01s00new", "moonraker", "01S00NEW", "main")


@pytest.mark.parametrize(
    "fields",
    [
        {"idempotency_key": ""},
        {"idempotency_key": "k" * 301},
        {"source": "usb"},
        {"source": "manual"},
        {"printer_serial": " "},
        {"outcome": "finished"},
        {"evidence": "rumour"},
        {"finished_at": NOON.replace(year=1970)},
        {"finished_at": NOON.replace(year=2099)},
    ],
)
def test_a_report_that_cannot_be_kept_is_refused_for_good(
    farm: psycopg.Connection, fields: dict[str, Any]
) -> None:
    arguments: dict[str, Any] = {
        "idempotency_key": "k", "source": "bambu_auto", "printer_serial": SERIAL,
        "outcome": "success", **fields,
    }  # fmt: skip
    named = {f"p_{n}": v for n, v in arguments.items()}
    refusal = refused(farm, "bambu_bridge", "record_print_completion", **named)
    assert (refusal.status, refusal.code) == (422, "print_run.bad_report")


@pytest.mark.parametrize("who", ["operator", "admin", "service", "print_agent", "kiosk"])
def test_only_bridges_report(farm: psycopg.Connection, who: str) -> None:
    for rpc, arguments in (
        ("bridge_heartbeat", {}),
        (
            "record_print_completion",
            {
                "p_idempotency_key": "k",
                "p_source": "bambu_auto",
                "p_printer_serial": SERIAL,
                "p_outcome": "success",
            },
        ),
    ):
        refusal = refused(farm, who, rpc, **arguments)
        assert refusal.code == "auth.forbidden" or refusal.sqlstate == "42501"


def test_a_bridge_reports_only_for_its_site(farm: psycopg.Connection) -> None:
    farm.execute("insert into public.sites (code, name) values ('second', 'Second')")
    farm.execute("update public.devices set site = 'second' where kind = 'bambu_bridge'")
    arguments = {"p_idempotency_key": "k", "p_source": "bambu_auto", "p_outcome": "success"}
    refusal = refused(
        farm, "bambu_bridge", "record_print_completion", p_printer_serial=SERIAL, **arguments
    )
    assert refusal.code == "auth.other_site"


def test_parts_go_to_the_place_of_the_printer(farm: psycopg.Connection) -> None:
    call(farm, "planner", "upsert_location", p_code="shelf-3", p_kind="station", p_site="main")
    machine(farm, location="shelf-3")
    report(farm)
    row = farm.execute("select location, ref_stream from public.inventory_txn").fetchone()
    assert row == ("shelf-3", "print_run")
