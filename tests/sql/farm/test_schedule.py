"""What to print next, how often, and when it will be done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.sql.farm.farm import beat, machine, mapping, part, report
from tests.sql.inventory.production import plan, produce, produce_lines
from tests.sql.inventory.stock import item
from tests.sql.production.test_attacks import move_stranger_north
from tests.support.rpc import call


@pytest.fixture
def farm(db: psycopg.Connection) -> psycopg.Connection:
    """A part of four to a plate, 90 minutes and 50 g each, and one printer."""
    part(db, print_minutes=90, grams_per_print=50, parts_per_print=4, material="PETG")
    machine(db)
    return db


def schedule(db: psycopg.Connection) -> list[dict[str, Any]]:
    return list(call(db, "viewer", "get_schedule"))


def test_prints_required_is_the_deficit_in_whole_plates(farm: psycopg.Connection) -> None:
    call(farm, "operator", "receive_stock", p_sku="BRACKET", p_quantity=3)
    produce(farm, quantity=12)
    [row] = call(farm, "viewer", "get_part_demand")
    assert (row["demand"], row["available"], row["deficit"]) == (12, 3, 9)
    assert (row["prints_required"], row["minutes_required"], row["grams_required"]) == (3, 270, 150)
    assert (row["files"], row["by_priority"]) == ([], {"normal": 9})
    view = farm.execute(
        "select demand, available, deficit, prints_required from public.part_demand"
    ).fetchone()
    assert view == (12, 3, 9, 3)


def test_a_plate_for_the_critical_serves_the_next_too(farm: psycopg.Connection) -> None:
    normal = produce(farm, quantity=3, due_date="2026-12-24")
    rush = produce(farm, quantity=2, priority="rush")
    critical = produce(farm, quantity=5, priority="critical")
    rows = schedule(farm)
    assert [(r["priority"], r["deficit"], r["prints_required"]) for r in rows] == [
        ("critical", 5, 2), ("rush", 2, 0), ("normal", 3, 1),
    ]  # fmt: skip
    assert sum(r["prints_required"] for r in rows) == 3  # ceil(10 / 4)
    assert [r["orders"][0]["code"] for r in rows] == [critical, rush, normal]
    assert rows[2]["orders"] == [{"code": normal, "missing": 3, "due_date": "2026-12-24"}]
    assert (rows[0]["material"], rows[0]["minutes_required"], rows[0]["has_file"]) == (
        "PETG", 180, False,
    )  # fmt: skip
    mapping(farm)
    assert schedule(farm)[0]["has_file"] is True


def test_a_covered_part_is_not_on_the_schedule(farm: psycopg.Connection) -> None:
    order = produce(farm, quantity=4)
    assert len(schedule(farm)) == 1
    call(farm, "operator", "receive_stock", p_sku="BRACKET", p_quantity=4)
    assert schedule(farm) == []
    plan(farm, "ship", order)
    assert schedule(farm) == []


def test_the_shelf_comes_last(farm: psycopg.Connection) -> None:
    part(farm, min_stock=6)
    produce(farm, quantity=1)
    produce(farm, quantity=2, type="REPLENISHMENT")
    rows = schedule(farm)
    assert [(r["priority"], r["deficit"], r["prints_required"]) for r in rows] == [
        ("normal", 1, 1), ("stock", 2, 0), ("minimum", 6, 2),
    ]  # fmt: skip


def test_the_prints_that_one_order_needs(farm: psycopg.Connection) -> None:
    item(farm, "SCREW")
    call(farm, "operator", "receive_stock", p_sku="BRACKET", p_quantity=3)
    first = produce_lines(farm, {"BRACKET": 8, "SCREW": 2})
    second = produce(farm, quantity=9, store="bannos")
    expected = {"sku": "BRACKET", "has_file": False}
    rows = call(farm, "viewer", "get_order_prints", p_codes=[second, first])
    assert rows == [
        {"code": first, "missing": 5, "prints_required": 2, "minutes_required": 180, **expected},
        {"code": second, "missing": 9, "prints_required": 3, "minutes_required": 270, **expected},
    ]
    for codes, store_operator in (([first], 1), ([second], 0)):
        seen = call(farm, "flourlane_operator", "get_order_prints", p_codes=codes)
        assert len(seen) == store_operator
    call(farm, "operator", "receive_stock", p_sku="BRACKET", p_quantity=14)
    assert call(farm, "viewer", "get_order_prints", p_codes=[first, second]) == []


def test_what_is_not_printed_is_not_on_the_schedule(farm: psycopg.Connection) -> None:
    item(farm, "SCREW")
    produce(farm, "SCREW", quantity=100)
    assert schedule(farm) == []


def test_a_running_print_is_told(farm: psycopg.Connection) -> None:
    mapping(farm)
    produce(farm, quantity=9)
    beat(farm, {"phase": "printing", "filename": "bracket.3mf", "remaining_min": 30})
    assert schedule(farm)[0]["printing_now"] == 1
    assert call(farm, "viewer", "get_part_demand")[0]["printing_now"] == 1


# The forecast ----------------------------------------------------------------------------------


def next_start(db: psycopg.Connection, at: str) -> str:
    row = db.execute(
        "select private.next_start(m, %s::timestamptz) at time zone 'Australia/Sydney'"
        " from public.print_machines m",
        (at,),
    ).fetchone()
    assert row is not None
    return f"{row[0]:%a %d %b %H:%M}"


@pytest.mark.parametrize(
    ("at", "start"),
    [
        ("2026-11-20 10:00+11", "Fri 20 Nov 10:00"),  # within hours
        ("2026-11-20 05:00+11", "Fri 20 Nov 08:00"),  # before
        ("2026-11-20 17:00+11", "Mon 23 Nov 08:00"),  # after, and a weekend between
        ("2026-11-21 12:00+11", "Mon 23 Nov 08:00"),
        ("2026-10-02 23:00+10", "Mon 05 Oct 08:00"),  # through the change to summer time
    ],
)
def test_a_print_starts_while_somebody_is_there(
    farm: psycopg.Connection, at: str, start: str
) -> None:
    machine(farm, work_days=[1, 2, 3, 4, 5], work_from="08:00", work_until="17:00")
    assert next_start(farm, at) == start


def test_an_ejecting_printer_starts_by_itself(farm: psycopg.Connection) -> None:
    machine(farm, work_from="08:00", work_until="17:00", needs_plate_clear=False)
    assert next_start(farm, "2026-11-20 23:00+11") == "Fri 20 Nov 23:00"


def planned(db: psycopg.Connection, now: datetime) -> list[tuple[Any, ...]]:
    """(rank, prints, hours to the first start, hours to the last finish, machines, unplanned)."""
    rows = db.execute(
        "select rank, prints, extract(epoch from first_start - %(n)s)::integer / 3600.0,"
        " extract(epoch from last_finish - %(n)s)::integer / 3600.0, machines, unplanned"
        " from private.plan_prints('main', %(n)s)",
        {"n": now},
    ).fetchall()
    return [
        (*row[:2], row[2] and float(row[2]), row[3] and float(row[3]), *row[4:]) for row in rows
    ]


NOW = datetime(2026, 11, 19, 22, tzinfo=UTC)  # a Friday, 9:00 in Sydney


def test_printers_share_the_work_and_stop_at_night(farm: psycopg.Connection) -> None:
    hours = {"work_days": [1, 2, 3, 4, 5, 6], "work_from": "09:00", "work_until": "17:00"}
    machine(farm, **hours)
    machine(farm, "a2", "01S00B", **hours)
    part(farm, print_minutes=360)
    produce(farm, quantity=4 * 5)
    # Two at 9:00, two at 15:00 that run on to 21:00, the fifth the next morning.
    assert planned(farm, NOW) == [(2, 5, 0.0, 30.0, ["a1", "a2"], 0)]


def test_only_printers_that_may_print_the_material(farm: psycopg.Connection) -> None:
    machine(farm, materials=["PLA"])
    produce(farm, quantity=1)
    assert planned(farm, NOW) == [(2, 1, None, None, [], 1)]
    machine(farm, "a2", "01S00B", materials=["PLA", "PETG"])
    assert planned(farm, NOW)[0][4] == ["a2"]
    machine(farm, "a2", "01S00B", is_in_maintenance=True)
    assert planned(farm, NOW)[0][5] == 1


def test_the_most_urgent_is_printed_first_and_after_the_running_job(
    farm: psycopg.Connection,
) -> None:
    beat(farm, {"phase": "printing", "filename": "x", "remaining_min": 60})
    produce(farm, quantity=4)
    produce(farm, quantity=4, priority="critical")
    assert [(p[0], p[2], p[3]) for p in planned(farm, NOW)] == [(0, 1.0, 2.5), (2, 2.5, 4.0)]


def test_the_minute_plan_ends_after_500_prints(farm: psycopg.Connection) -> None:
    produce(farm, quantity=4 * 620)
    assert planned(farm, NOW)[0][5] == 120


def test_late_is_after_the_due_date(farm: psycopg.Connection) -> None:
    produce(farm, quantity=4, due_date="2001-01-01")
    assert schedule(farm)[0]["is_late"] is True
    produce(farm, quantity=4, due_date="2101-01-01", priority="critical")
    assert schedule(farm)[0]["is_late"] is False


def test_other_stores_orders_are_not_named(farm: psycopg.Connection) -> None:
    produce(farm, quantity=5, store="bannos")
    [row] = call(farm, "flourlane_operator", "get_schedule")
    assert (row["deficit"], row["orders"]) == (5, [])
    mapping(farm)
    report(farm)
    for who, orders in (("viewer", 1), ("flourlane_operator", 0)):
        [run] = call(farm, who, "get_print_runs")
        assert (len(run["orders"]), run["lines"][0]["qty"]) == (orders, 4)


def test_orders_of_no_store_are_named_at_their_site_only(farm: psycopg.Connection) -> None:
    """Whoever worked at another site read their codes, dates and what they miss."""
    made = produce(farm, quantity=5)
    mapping(farm)
    report(farm)
    who = "flourlane_operator"
    assert [len(run["orders"]) for run in call(farm, who, "get_print_runs")] == [1]
    assert len(call(farm, who, "get_schedule")[0]["orders"]) == 1
    move_stranger_north(farm)
    assert call(farm, who, "get_order_prints", p_codes=[made]) == []
    assert [row["orders"] for row in call(farm, who, "get_schedule")] == [[]]
    assert call(farm, who, "get_print_runs") == []


def test_who_works_at_two_sites_sees_no_prints_of_a_third(farm: psycopg.Connection) -> None:
    """Without one site of their own they were shown those of all."""
    report(farm)
    move_stranger_north(farm)
    farm.execute("insert into public.sites (code, name) values ('south', 'South')")
    farm.execute(
        "insert into public.stores (code, site, name, scan_prefix)"
        " values ('southstore', 'south', 'S', 'S')"
    )
    farm.execute(
        "update public.staff_shared set stores = '{northstore,southstore}'"
        " where email like 'flourlane_op%'"
    )
    assert call(farm, "flourlane_operator", "get_print_runs") == []
