"""The print farm under bad luck and bad will: swapped printers, odd clocks, a stolen token."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.farm.farm import NOON, SERIAL, beat, machine, mapping, part, report, run_of
from tests.sql.inventory.stock import on_hand, refused
from tests.support.rpc import call


@pytest.fixture
def farm(db: psycopg.Connection) -> psycopg.Connection:
    part(db)
    machine(db)
    mapping(db)
    return db


def booked_to(db: psycopg.Connection) -> list[str]:
    return [r[0] for r in db.execute("select location from public.inventory_txn order by id")]


def test_a_printer_that_comes_back_after_it_was_swapped_is_kept(db: psycopg.Connection) -> None:
    """It was registered under its serial, whose row is the new printer's now."""
    part(db)
    mapping(db)
    report(db, printer_serial="OLD1")
    machine(db, "old1", serial="NEW1")
    answer = report(db, printer_serial="OLD1")
    assert answer["status"] == "recorded"
    codes = dict(db.execute("select serial, code from public.print_machines").fetchall())
    assert codes["NEW1"] == "old1"
    assert codes["OLD1"] != "old1"


@pytest.mark.parametrize("serial", [".A1", "-", "_x", "A.B", "A:B", "9" * 100])
def test_every_serial_that_is_taken_makes_a_printer(db: psycopg.Connection, serial: str) -> None:
    part(db)
    mapping(db)
    report(db, printer_serial="A-B")
    report(db, printer_serial="9" * 99)
    assert report(db, printer_serial=serial)["status"] == "recorded"


def test_a_printer_that_moves_leaves_its_shelf_behind(farm: psycopg.Connection) -> None:
    farm.execute("insert into public.sites (code, name) values ('second', 'Second')")
    call(farm, "planner", "upsert_location", p_code="shelf-3", p_kind="station", p_site="main")
    machine(farm, location="shelf-3")
    call(farm, "admin", "upsert_print_machine", p_code="a1", p_site="second")
    farm.execute("update public.devices set site = 'second' where kind = 'bambu_bridge'")
    report(farm)
    assert booked_to(farm) == ["second"]


def test_a_place_out_of_use_gets_no_parts(farm: psycopg.Connection) -> None:
    call(farm, "planner", "upsert_location", p_code="shelf-3", p_kind="station", p_site="main")
    machine(farm, location="shelf-3")
    call(farm, "planner", "upsert_location", p_code="shelf-3", p_is_active=False)
    run = report(farm)["print_run_id"]
    assert booked_to(farm) == ["main"]
    call(farm, "planner", "upsert_location", p_code="shelf-3", p_is_active=True)
    good = {"p_good": Jsonb(3), "p_reason": "Warped"}
    call(farm, "operator", "confirm_plate", p_run_id=run, **good)
    assert booked_to(farm) == ["main", "main"], "a reject leaves the place it was booked to"


@pytest.mark.parametrize("started", ["0001-01-01", "1970-01-01"])
def test_a_start_that_no_clock_can_have_seen_is_not_known(
    farm: psycopg.Connection, started: str
) -> None:
    answer = report(farm, started_at=started)
    later = run_of(farm, answer["print_run_id"])["finished_at"]
    assert answer["status"] == "recorded"
    assert run_of(farm, answer["print_run_id"])["started_at"] is None
    begin = datetime.fromisoformat(later) + timedelta(minutes=1)
    assert report(farm, start=begin)["status"] == "recorded", "and it is in nobody's way"


@pytest.mark.parametrize("field", ["finished_at", "finished_not_before", "started_at"])
def test_for_ever_is_no_time(farm: psycopg.Connection, field: str) -> None:
    fields = {f"p_{field}": "infinity", "p_idempotency_key": "k", "p_source": "bambu_auto"}
    refusal = refused(
        farm, "bambu_bridge", "record_print_completion", p_printer_serial=SERIAL,
        p_outcome="success", **fields,
    )  # fmt: skip
    assert refusal.code == "print_run.bad_report"


@pytest.mark.parametrize(
    "odd",
    [
        {"gaps": [{"id": "x", "from": "2026-11-20T10:00:00Z", "to": "2026-11-20T11:00:00Z"}]},
        {"gaps": [{"id": str(uuid4()), "from": "-infinity", "to": "infinity"}]},
        {"gaps": ["x", None, 3]},
        {"last_report_at": "infinity"},
        {"plate": 1e12, "remaining_min": 999999999},
        {"plate": "99999999999"},
    ],
)
def test_what_a_stolen_token_says_silences_no_bridge_and_breaks_no_page(
    farm: psycopg.Connection, odd: dict[str, Any]
) -> None:
    assert beat(farm, odd)["printers"][0]["owned"] is True
    [row] = call(farm, "viewer", "get_print_machines")
    assert "infinity" not in str(row)


def test_a_stolen_token_fills_no_disk_with_its_spool(farm: psycopg.Connection) -> None:
    big = {"last_error": "x" * 200_000}
    call(farm, "bambu_bridge", "bridge_heartbeat", p_printers=Jsonb([]), p_spool=big)
    [size] = farm.execute(
        "select length(status::text) from public.devices where kind = 'bambu_bridge'"
    ).fetchone() or [0]
    assert size < 10_000
    live = {f"field_{n}": "y" * 1000 for n in range(500)}
    beat(farm, live)
    [size] = farm.execute(
        "select length(live::text) from public.print_machine_states"
    ).fetchone() or [0]
    assert size < 20_000


def test_a_clock_that_was_ahead_makes_later_prints_wait_not_count_twice(
    farm: psycopg.Connection,
) -> None:
    now = farm.execute("select now()").fetchone()
    assert now is not None
    ahead = report(farm, start=now[0] + timedelta(hours=8))
    real = report(farm, start=now[0] + timedelta(hours=8, minutes=30), idempotency_key="real")
    assert (ahead["status"], real["status"], real["reasons"]) == ("recorded", "review", ["overlap"])
    assert on_hand(farm, "BRACKET") == 4


def test_a_double_tap_clears_a_plate_once(farm: psycopg.Connection) -> None:
    run = report(farm)["print_run_id"]
    tap = {"p_run_id": run, "p_good": Jsonb(3), "p_reason": "Warped"}
    answers = [call(farm, "operator", "confirm_plate", **tap)["changed"] for _ in range(2)]
    assert (answers, on_hand(farm, "BRACKET")) == ([True, False], 3)


def test_a_long_silence_is_no_print_of_a_year(farm: psycopg.Connection) -> None:
    """A battery-less clock begins in the past: what the printer did meanwhile stays countable."""
    begin = NOON - timedelta(days=200)
    long = report(farm, started_at=begin, finished_at=NOON)
    assert long["status"] == "recorded"
    before = report(farm, start=NOON - timedelta(days=3), idempotency_key="before")
    assert before["status"] == "recorded"


def test_the_server_says_whether_it_knows_the_last_print_of_a_bridge(
    farm: psycopg.Connection,
) -> None:
    report(farm, idempotency_key="bambu:known")
    for told, knows in (("bambu:known", True), ("bambu:lost with the backup", False), (None, True)):
        assert beat(farm, {"told": told})["printers"][0]["knows"] is knows
