"""What the brief demands of figures, each by name: bookings, plants, plans."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest

from tests.sql.kpi import plant
from tests.sql.kpi.plant import (
    START,
    at,
    count,
    figures,
    ideal,
    machine,
    oee,
    pattern,
    shift,
    state,
)
from tests.support.databases import USER_IDS
from tests.support.rpc import call

MINUTE, HOUR = 60, 3600
DAY = 24 * HOUR
END = at(START, 8 * HOUR)


# One booking for a long time ---------------------------------------------------------------------


@pytest.fixture
def silent(db: psycopg.Connection) -> psycopg.Connection:
    """m1 never says what it does: people book what it made."""
    machine(db)
    pattern(
        db, shift("early", "06:00", "14:00", [("10:00", "10:30")]), shift("late", "14:00", "22:00")
    )
    return db


def test_an_order_of_a_machine_without_states_is_not_booked_to_one_shift(
    silent: psycopg.Connection,
) -> None:
    last = at(START, 16 * HOUR)
    count(silent, {"at": last, "from": START.isoformat(), "good": 930})
    rows = oee(silent, START, last, by="shift")
    assert [r["inputs"]["good"] for r in rows] == [450, 480]
    assert figures(silent, START, at(last, 1))["unscheduled_pieces"] == 0


def test_a_booking_goes_round_the_stops_that_people_told(silent: psycopg.Connection) -> None:
    plant.stop(silent, END, at(END, 6 * HOUR), "breakdown")
    last = at(START, 16 * HOUR)
    count(silent, {"at": last, "from": START.isoformat(), "good": 950})
    assert [r["inputs"]["good"] for r in oee(silent, START, last, by="shift")] == [750, 200]


def test_a_booking_outside_of_shifts_is_unscheduled_where_it_was_made(
    silent: psycopg.Connection,
) -> None:
    """Nothing was planned and nothing says that it ran: it is flagged, day by day."""
    begin = at(START, 5 * DAY + 18 * HOUR)
    silent.execute("reset role; delete from public.shift_instances")
    count(silent, {"at": at(begin, 2 * DAY), "from": begin.isoformat(), "good": 48})
    days = oee(silent, begin, at(begin, 2 * DAY), by="day")
    assert [r["inputs"]["unscheduled_pieces"] for r in days] == [24, 24]


# Plants side by side -----------------------------------------------------------------------------


@pytest.fixture
def plants(m1: psycopg.Connection) -> psycopg.Connection:
    """m1 in main, n1 in north, s1 in south; the viewer works in main and north."""
    for code in ("north", "south"):
        call(m1, "admin", "register_site", p_code=code, p_name=code.title(), p_time_zone="Etc/UTC")
        name = f"{code[0]}1"
        call(m1, "planner", "save_machine", p_code=name, p_name=name, p_site=code)
        state(m1, "running", at(START, -DAY), name)
    m1.execute("reset role")
    m1.execute(
        "insert into public.stores (code, site, name, scan_prefix, currency)"
        " values ('northshop', 'north', 'North', 'N', 'AUD')"
    )
    m1.execute(
        "update public.staff_shared set stores = array['flourlane', 'northshop']"
        " where user_id = %s",
        (USER_IDS["viewer"],),
    )
    return m1


def test_plants_are_compared_by_who_works_there(plants: psycopg.Connection) -> None:
    rows = oee(plants, START, END, code=None, by="site")
    assert [(r["key"], r["machines"]) for r in rows] == [("main", 1), ("north", 1)]
    (main,) = oee(plants, START, END, code=None, site="main")
    assert (rows[0]["inputs"], rows[0]["ratios"]) == (main["inputs"], main["ratios"])
    (only,) = oee(plants, START, END, by="site")
    assert only["key"] == "main"
    with pytest.raises(Exception, match="other_site"):
        oee(plants, START, END, code=None, by="site", site="south")


def test_each_plant_has_its_own_day(plants: psycopg.Connection) -> None:
    plants.execute("reset role")
    plants.execute("update public.sites set time_zone = 'Pacific/Kiritimati' where code = 'north'")
    rows = call(plants, "viewer", "get_oee", p_by="site")
    assert {r["key"] for r in rows} == {"main", "north"}
    assert len({r["starts_at"] for r in rows}) == 2


# The shift board ---------------------------------------------------------------------------------


def board(db: psycopg.Connection, day: datetime = START, name: str = "early") -> list[Any]:
    named = {"p_machine": "m1", "p_shift_date": day.date(), "p_shift": name}
    return list(call(db, "viewer", "get_shift_board", **named))


def test_a_change_of_product_does_not_plan_past_hours_anew(m1: psycopg.Connection) -> None:
    for sku, seconds in (("X", 60), ("Y", 180)):
        call(m1, "planner", "upsert_item", p_sku=sku, p_title=sku)
        ideal(m1, seconds, sku=sku)
    count(m1, {"at": at(START, 10), "good": 1, "sku": "X"})
    before = [row["target"] for row in board(m1)]
    assert before == [51, 51, 51, 51, 25.5, 51, 51, 51]
    count(m1, {"at": at(START, 3 * HOUR), "good": 1, "sku": "X"})
    count(m1, {"at": at(START, 5 * HOUR), "good": 1, "sku": "Y"})
    # Time belongs to the item that comes out next: from the last X on it is set up for Y.
    assert [row["target"] for row in board(m1)] == [51, 51, 51, 17, 8.5, 17, 17, 17]


def test_an_hour_of_two_products_is_planned_by_both(m1: psycopg.Connection) -> None:
    for sku, seconds in (("X", 60), ("Y", 180)):
        call(m1, "planner", "upsert_item", p_sku=sku, p_title=sku)
        ideal(m1, seconds, sku=sku)
    count(m1, {"at": at(START, HOUR / 2), "good": 1, "sku": "X"})
    count(m1, {"at": at(START, HOUR), "good": 1, "sku": "Y"})
    assert board(m1)[0]["target"] == pytest.approx((30 + 10) * 0.85, abs=0.1)


def test_an_ideal_cycle_changed_at_noon_does_not_plan_the_morning_anew(
    m1: psycopg.Connection,
) -> None:
    count(m1, {"at": at(START, 10), "good": 1})
    ideal(m1, 120)
    count(m1, {"at": at(START, 6 * HOUR), "good": 1})
    assert [r["target"] for r in board(m1)] == [51, 51, 51, 51, 25.5, 51, 25.5, 25.5]


def test_what_is_due_by_now_is_not_due_in_the_break(db: psycopg.Connection) -> None:
    machine(db)
    row = db.execute("select now()").fetchone()
    assert row is not None
    now = row[0]
    begin, end = at(now, -2 * HOUR), at(now, 2 * HOUR)
    db.execute("reset role")
    db.execute(
        "insert into public.shift_instances (machine, site, work_centre, shift, title, shift_date,"
        " during) values ('m1', 'main', 'CNC-1', 'early', 'Early', %s, tstzrange(%s, %s))",
        (begin.date(), begin, end),
    )
    ideal(db, 60)
    plant.plan(db, at(now, -0.5 * HOUR), at(now, 0.5 * HOUR), "break")
    rows = board(db, begin)
    last = rows[-1]
    assert last["due_by_now"] == pytest.approx(90 * 0.85, abs=0.1 * len(rows))
    assert last["target_so_far"] == pytest.approx(180 * 0.85, abs=0.1 * len(rows))
    for one in rows:
        assert one["due_by_now"] <= one["target_so_far"]
        if datetime.fromisoformat(one["ends_at"]) <= now:
            assert one["due_by_now"] == one["target_so_far"]


def test_the_main_loss_of_an_hour_is_a_code_beside_its_title(m1: psycopg.Connection) -> None:
    plant.stop(m1, at(START, 100), at(START, 1000), "jam")
    state(m1, "setup", at(START, HOUR))
    state(m1, "running", at(START, HOUR + 600))
    told = [(r["main_loss"], r["main_loss_title"], r["main_loss_s"]) for r in board(m1)[:3]]
    assert told == [("jam", "Jam", 900), ("changeover", "Changeover", 600), (None, None, None)]


# §0 of the brief, what test_defects and test_renar do not name -----------------------------------


def test_defect_12_micro_stops_and_tables_are_no_stubs(m1: psycopg.Connection) -> None:
    state(m1, "stopped", at(START, HOUR))
    state(m1, "running", at(START, HOUR + 60))
    told = call(m1, "viewer", "get_microstops", p_machine="m1", p_from=START, p_to=END)
    assert (told["micro_stops"], told["seconds"], told["average_s"]) == (1, 60, 60)
    (table,) = call(
        m1, "viewer", "get_table_utilization", p_work_centre="CNC-1", p_from=START, p_to=END
    )
    assert (table["capacity"], table["occupied"], table["utilisation"]) == (1, 0, 0)
