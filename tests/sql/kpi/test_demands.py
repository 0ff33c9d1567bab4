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
    machine,
    state,
)
from tests.support.rpc import call

MINUTE, HOUR = 60, 3600
DAY = 24 * HOUR
END = at(START, 8 * HOUR)


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
