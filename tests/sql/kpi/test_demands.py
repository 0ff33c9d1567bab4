"""What the brief demands of figures, each by name: response, ratios, six losses, plans, plants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

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


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works 06–14 with a break 10:00–10:30 and 14–22, and runs since the day before."""
    machine(db)
    pattern(
        db, shift("early", "06:00", "14:00", [("10:00", "10:30")]), shift("late", "14:00", "22:00")
    )
    state(db, "running", at(START, -DAY))
    ideal(db, 60)
    return db


# Reported, acknowledged, begun ------------------------------------------------------------------


def repair(db: psycopg.Connection, reported: datetime, **more: Any) -> None:
    """An unscheduled repair as a row; `acknowledged`, `started`, `closed`: seconds afterwards."""
    told = {
        name: None if more.get(name) is None else at(reported, more[name])
        for name in ("acknowledged", "started", "closed")
    }
    db.execute("reset role; alter table public.repairs disable trigger _500_stops")
    db.execute(
        "insert into public.repairs (machine, site, type, source, status, is_down, occurred_at,"
        " reported_at, acknowledged_at, started_at, repaired_at, verified_at, closed_at,"
        " runs_again, status_since) values ('m1', 'main', %(type)s, 'staff', %(status)s,"
        " %(down)s, %(at)s, %(at)s, %(acknowledged)s, %(started)s, %(closed)s, %(closed)s,"
        " %(closed)s, true, %(at)s)",
        {
            "type": more.get("type", "unscheduled"), "down": more.get("down", True),
            "status": "closed" if told["closed"] else "in_repair" if told["started"]
            else "acknowledged" if told["acknowledged"] else "reported",
            "at": reported, **told,
        },
    )  # fmt: skip
    db.execute("alter table public.repairs enable trigger _500_stops")


def mttr(db: psycopg.Connection, begin: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    named = {"p_machine": "m1", "p_from": begin, "p_to": end, **more}
    (row,) = call(db, "viewer", "get_mttr", **named)
    return dict(row)


def test_an_open_repair_that_was_acknowledged_is_in_the_mean(m1: psycopg.Connection) -> None:
    repair(m1, START, acknowledged=300, started=900)
    row = mttr(m1, START, END)
    assert (row["mtta_s"], row["response_s"], row["restored"]) == (300, 900, 0)


def test_a_repair_beside_which_the_machine_runs_has_a_response(m1: psycopg.Connection) -> None:
    repair(m1, START, acknowledged=100, started=500, closed=4000, down=False)
    repair(m1, START, acknowledged=300, started=None)
    row = mttr(m1, START, END)
    assert (row["mtta_s"], row["response_s"], row["failures"]) == (200, 500, 1)


def test_a_response_is_in_the_window_in_which_it_came(m1: psycopg.Connection) -> None:
    repair(m1, at(START, -HOUR), acknowledged=2 * HOUR, started=10 * HOUR)
    assert [
        (row["mtta_s"], row["response_s"])
        for row in (
            mttr(m1, at(START, -2 * HOUR), START),
            mttr(m1, START, END),
            mttr(m1, END, at(END, 8 * HOUR)),
            mttr(m1, START, END, p_as_of=at(START, HOUR - 1)),
        )
    ] == [(None, None), (2 * HOUR, None), (None, 10 * HOUR), (None, None)]


def test_work_by_plan_has_no_response(m1: psycopg.Connection) -> None:
    repair(m1, START, acknowledged=300, started=900, type="scheduled", down=False)
    row = mttr(m1, START, END)
    assert (row["mtta_s"], row["response_s"]) == (None, None)


# Corrective and preventive on one base -----------------------------------------------------------


def test_an_outage_of_ten_days_is_clipped_to_the_window_in_the_ratio(
    m1: psycopg.Connection,
) -> None:
    """Restored one second into the window: one second of it is corrective there."""
    plant.stop(m1, at(START, 1 - 10 * DAY), at(START, 1), "breakdown")
    plant.plan(m1, at(START, -HOUR), at(START, 3), "planned_maintenance")
    row = mttr(m1, START, END)
    assert (row["corrective_s"], row["preventive_s"], row["corrective_ratio"]) == (1, 3, 0.25)
    assert (row["restored"], row["mttr_s"]) == (1, 10 * DAY)


def test_an_outage_that_lasts_is_corrective_as_far_as_it_is_over(m1: psycopg.Connection) -> None:
    plant.stop(m1, at(START, HOUR), None, "breakdown")
    repair(m1, at(START, 2 * HOUR), acknowledged=1, closed=HOUR)  # at the same time: once
    assert mttr(m1, START, END)["corrective_s"] == 7 * HOUR
    assert mttr(m1, START, END, p_as_of=at(START, 3 * HOUR))["corrective_s"] == 2 * HOUR


def test_windows_side_by_side_have_their_part_of_an_outage(m1: psycopg.Connection) -> None:
    plant.stop(m1, at(START, HOUR), at(START, 3 * HOUR), "breakdown")
    cuts = [at(START, h * HOUR) for h in (0, 2, 8)]
    parts = [mttr(m1, a, b)["corrective_s"] for a, b in pairwise(cuts)]
    assert parts == [HOUR, HOUR]


# The status is what the wall says ----------------------------------------------------------------


def status(db: psycopg.Connection) -> tuple[str, datetime | None]:
    page = call(db, "viewer", "get_machines", p_site="main")
    (row,) = page["machines"]
    db.execute("reset role")
    assert db.execute("select status from public.machine_status").fetchone() == (row["status"],)
    found = call(db, "viewer", "get_machines", p_site="main", p_status=row["status"])
    assert [x["machine"]["code"] for x in found["machines"]] == ["m1"]
    return row["status"], row["since"] and datetime.fromisoformat(row["since"])


@pytest.fixture
def now(db: psycopg.Connection) -> datetime:
    """m1 works around the clock; the instant of the transaction."""
    machine(db)
    plant.around_the_clock(db, since=datetime.now(UTC).date() - timedelta(days=3))
    row = db.execute("select now()").fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("said", ["fault", "idle", "starved"])
def test_a_machine_in_fault_without_a_stop_is_not_operational(
    db: psycopg.Connection, now: datetime, said: str
) -> None:
    state(db, "running", at(now, -5 * HOUR))
    assert status(db)[0] == "operational"
    state(db, said, at(now, -3 * HOUR))
    assert status(db) == ("stopped", at(now, -3 * HOUR))


def test_a_silent_machine_is_not_operational(db: psycopg.Connection, now: datetime) -> None:
    said = [{"machine": "m1", "state": "running", "at": at(now, -3 * HOUR).isoformat()}]
    call(db, "service", "record_machine_states", p_events=Jsonb(said))
    (wall,) = call(db, "viewer", "get_andon", p_site="main")
    assert wall["state"] == "no_data"
    assert status(db) == ("stopped", datetime.fromisoformat(wall["since"]))


def test_a_machine_in_its_break_is_not_stopped(db: psycopg.Connection, now: datetime) -> None:
    state(db, "idle", at(now, -HOUR))
    plant.plan(db, at(now, -HOUR), at(now, HOUR), "meeting")
    (wall,) = call(db, "viewer", "get_andon", p_site="main")
    assert (wall["state"], status(db)) == ("planned", ("operational", None))


def test_a_machine_that_never_spoke_is_as_people_say(db: psycopg.Connection, now: datetime) -> None:
    assert status(db) == ("operational", None)
    plant.stop(db, at(now, -HOUR), None, "material")
    assert status(db) == ("stopped", at(now, -HOUR))


# Six losses --------------------------------------------------------------------------------------


def losses(db: psycopg.Connection, **more: Any) -> list[dict[str, Any]]:
    asked = {"p_machine": "m1", "p_from": START, "p_to": END, **more}
    return list(call(db, "viewer", "get_losses", **asked))


def test_the_six_big_losses_each_have_their_bar(m1: psycopg.Connection) -> None:
    plant.stop(m1, at(START, HOUR), at(START, HOUR + 600), "breakdown")
    state(m1, "setup", at(START, 2 * HOUR))
    state(m1, "running", at(START, 2 * HOUR + 300))
    state(m1, "stopped", at(START, 3 * HOUR))
    state(m1, "running", at(START, 3 * HOUR + 60))
    count(
        m1,
        {"at": at(START, 3 * HOUR), "good": 100, "scrap": 3, "reason": "KNOT"},
        {"at": at(START, 3 * HOUR + 10), "rework": 2, "reason": "SCRATCH"},
        {"at": at(START, 3 * HOUR + 20), "scrap": 4, "rework": 1, "reason": "SETUP"},
        {"at": at(START, 4 * HOUR + 60), "scrap": 50, "reason": "SETUP"},  # in the break
    )
    bars = {row["kind"]: (row["big_loss"], row["seconds"]) for row in losses(m1)}
    ideal_s = 110 * 60
    assert bars == {
        "planned": ("none", 1800),
        "stop": ("breakdown", 600),
        "setup": ("setup", 300),
        "micro": ("minor_stop", 60),
        "speed": ("speed", 7.5 * HOUR - 600 - 300 - 60 - ideal_s),
        "scrap": ("defects", 3 * 60),
        "rework": ("defects", 2 * 60),
        "startup": ("startup", 5 * 60),
    }
    f = figures(m1, START, END)
    lost = sum(row["seconds"] for row in losses(m1) if row["policy"] != "excluded")
    assert lost + f["ideal_good_s"] == f["planned_s"]


def test_a_start_up_reject_stays_one_when_its_reason_changes(m1: psycopg.Connection) -> None:
    count(m1, {"at": START, "scrap": 1, "reason": "SETUP"})
    call(m1, "planner", "save_quality_reason", p_code="SETUP", p_is_startup=False)
    call(m1, "planner", "save_quality_reason", p_code="KNOT", p_is_startup=True)
    count(
        m1,
        {"at": at(START, 1), "scrap": 2, "reason": "SETUP"},
        {"at": at(START, 2), "scrap": 4, "reason": "KNOT"},
    )
    bars = {row["kind"]: row["seconds"] for row in losses(m1)}
    assert (bars["startup"], bars["scrap"]) == (5 * 60, 2 * 60)


def test_what_was_taken_back_is_no_start_up_loss(m1: psycopg.Connection) -> None:
    count(m1, {"at": START, "key": "a", "scrap": 4, "reason": "SETUP"})
    count(m1, {"at": START, "key": "b", "reverses": "a"})
    assert {"startup", "scrap"}.isdisjoint(row["kind"] for row in losses(m1))


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
