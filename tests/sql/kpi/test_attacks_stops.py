"""Stops under bad luck and bad will: a hoax that leaves a loss, time that is planned away, a tap
that is lost or meant otherwise, a shift that somebody else signs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.sql.kpi import plant
from tests.sql.kpi.plant import START, at, figures, machine, pattern, shift, state, stop
from tests.support.maintenance import bring, token
from tests.support.printing import attempt
from tests.support.rpc import Refused, call

HOUR = 3600
END = at(START, 8 * HOUR)
LATER = at(START, 390 * 24 * HOUR)


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works around the clock and has run since 06:00."""
    machine(db)
    plant.around_the_clock(db)
    state(db, "running", START)
    return db


def report(db: psycopg.Connection, hours: float, **more: Any) -> int:
    """An operator says that it has stood since so many hours after 06:00."""
    given: dict[str, Any] = {"p_machine": "m1", "p_symptom": "stopped"} | more
    answer = call(db, "operator", "report_repair", **given, p_occurred_at=at(START, hours * HOUR))
    return int(answer["repair"]["id"])


def reject(db: psycopg.Connection, repair: int, how: str = "rejected") -> None:
    if how == "not down":
        call(db, "technician", "update_repair", p_id=repair, p_is_down=False)
    else:
        call(db, "technician", "dismiss_repair", p_id=repair, p_as=how, p_reason="A joke")


def rows(db: psycopg.Connection) -> list[Any]:
    db.execute("reset role")
    return db.execute(
        "select reason, time_class, is_failure, classified_by is null from public.stops"
        " order by lower(during)"
    ).fetchall()


def failures(db: psycopg.Connection) -> tuple[int, int]:
    """As MTTR and as MTBF count them."""
    asked: dict[str, Any] = {"p_machine": "m1", "p_from": START}
    (mttr,) = call(db, "viewer", "get_mttr", **asked)
    (mtbf,) = call(db, "viewer", "get_mtbf", **asked)
    return mttr["failures"], mtbf["failures"]


# A hoax -----------------------------------------------------------------------------------------

HOWS = pytest.mark.parametrize("how", ["rejected", "cancelled", "not down"])
UNSAID = (None, None, False, True)


@HOWS
def test_a_hoax_that_opened_a_stop_leaves_no_loss_and_no_failure(
    m1: psycopg.Connection, how: str
) -> None:
    """The machine said all the time that it runs."""
    before = figures(m1, START, END)
    repair = report(m1, 3)
    assert figures(m1, START, END)["availability_loss_s"] == 5 * HOUR
    reject(m1, repair, how)
    assert figures(m1, START, END) == before
    assert rows(m1) == [UNSAID]
    assert failures(m1) == (0, 0)
    assert m1.execute("select count(*) from public.downtimes").fetchone() == (0,)
    assert m1.execute("select status from public.machine_status").fetchone() == ("operational",)


def test_a_hoax_by_the_qr_code_leaves_nothing(m1: psycopg.Connection) -> None:
    qr = token(m1, "m1")
    ticket = call(m1, "anon", "report_problem", p_token=qr, p_symptom="danger", p_is_down=True)
    assert [r[0] for r in rows(m1)] == ["breakdown"]
    reject(m1, ticket["repair_id"])
    assert rows(m1) == [UNSAID]
    assert failures(m1) == (0, 0)


@HOWS
def test_a_stop_that_a_hoax_joined_is_unclassified_again(m1: psycopg.Connection, how: str) -> None:
    there = stop(m1, at(START, 3 * HOUR), at(START, 5 * HOUR))
    repair = report(m1, 4)
    assert rows(m1)[0][0] == "breakdown"
    reject(m1, repair, how)
    assert rows(m1)[0] == UNSAID
    assert failures(m1) == (0, 0)
    f = figures(m1, START, END)
    assert (f["availability_loss_s"], f["unclassified_s"]) == (2 * HOUR, 2 * HOUR)
    (row,) = call(m1, "viewer", "get_stops", p_machine="m1", p_from=START, p_to=END)
    assert row["version"] > there["version"], "who saw the breakdown does not overwrite blindly"


@HOWS
def test_a_reason_that_people_gave_outlives_the_hoax(m1: psycopg.Connection, how: str) -> None:
    stop(m1, at(START, 1 * HOUR), at(START, 2 * HOUR), "material")
    seen = stop(m1, at(START, 3 * HOUR), at(START, 4 * HOUR))
    confirmed = stop(m1, at(START, 5 * HOUR), at(START, 6 * HOUR))
    repair = report(m1, 0.5)
    call(m1, "operator", "classify_stop", p_reason="jam", p_stop_id=seen["id"])
    sure = call(m1, "operator", "classify_stop", p_reason="breakdown", p_stop_id=confirmed["id"])
    assert sure["changed"], "now a person says so"
    reject(m1, repair, how)
    assert [r[0] for r in rows(m1)][:3] == ["material", "jam", "breakdown"]
    assert failures(m1) == (1, 1), "the one that a person saw"


def test_of_two_reports_one_hoax_leaves_the_other(m1: psycopg.Connection) -> None:
    first, second = report(m1, 3), report(m1, 3, p_symptom="damage")
    reject(m1, first)
    assert [r[0] for r in rows(m1)] == ["breakdown"]
    assert failures(m1) == (1, 1)
    assert figures(m1, START, END)["availability_loss_s"] == 5 * HOUR
    reject(m1, second)
    assert rows(m1) == [UNSAID]
    assert figures(m1, START, END)["availability_loss_s"] == 0
    m1.execute("reset role")
    assert m1.execute("select status from public.machine_status").fetchone() == ("operational",)


def test_a_duplicate_leaves_the_breakdown_to_the_repair_that_goes_on(
    m1: psycopg.Connection,
) -> None:
    first, second = report(m1, 3), report(m1, 3, p_symptom="damage")
    call(
        m1, "technician", "dismiss_repair", p_id=first, p_as="duplicate", p_reason="The same",
        p_duplicate_of=second,
    )  # fmt: skip
    bring(m1, second)
    assert [r[0] for r in rows(m1)] == ["breakdown"]
    assert failures(m1) == (1, 1)


def test_both_halves_of_a_stop_forget_the_hoax(m1: psycopg.Connection) -> None:
    repair = report(m1, 3)
    m1.execute("reset role")
    (number,) = m1.execute("select id from public.stops").fetchone() or (0,)
    call(m1, "operator", "split_stop", p_stop_id=number, p_at=at(START, 4 * HOUR))
    reject(m1, repair)
    assert rows(m1) == [UNSAID, UNSAID]
    assert figures(m1, START, END)["availability_loss_s"] == 0


def test_said_down_again_the_stop_counts_again(m1: psycopg.Connection) -> None:
    repair = report(m1, 3)
    reject(m1, repair, "not down")
    call(m1, "technician", "update_repair", p_id=repair, p_is_down=True)
    assert figures(m1, START, END)["availability_loss_s"] == 5 * HOUR
    assert failures(m1) == (1, 1)


def test_what_turned_worse_stands_from_then_on_and_not_since_it_was_first_seen(
    m1: psycopg.Connection,
) -> None:
    report(m1, 3, p_symptom="noise", p_is_down=False)
    call(m1, "operator", "report_repair", p_machine="m1", p_symptom="noise", p_is_down=True)
    assert figures(m1, START, END)["availability_loss_s"] == 0
    assert [r[0] for r in rows(m1)] == ["breakdown"]


# Time that is planned away ------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["operator", "technician"])
def test_an_operator_does_not_plan_a_stop_away(m1: psycopg.Connection, who: str) -> None:
    """A meeting leaves planned time. Of an operator it is a request: the time stays a loss."""
    stop(m1, at(START, HOUR), at(START, 2 * HOUR))
    stop(m1, at(START, 3 * HOUR), at(START, 5 * HOUR), "jam")
    before = figures(m1, START, END)
    numbers = [row["stop_id"] for row in _shown(m1)]
    say: dict[str, Any] = {"p_reason": "meeting"}
    said = call(m1, who, "classify_stop", **say, p_stop_id=numbers[1])["stop"]
    assert (said["reason"], said["time_class"]) == ("meeting", "unclassified")
    call(m1, who, "split_stop", **say, p_stop_id=numbers[0], p_at=at(START, 4 * HOUR))
    call(m1, who, "start_stop", **say, p_machine="m1", p_at=at(START, 6 * HOUR),
         p_ended_at=at(START, 7 * HOUR))  # fmt: skip
    after = figures(m1, START, END)
    assert after["planned_s"] == before["planned_s"] == 8 * HOUR
    assert after["availability_loss_s"] == before["availability_loss_s"] + HOUR
    assert not call(m1, who, "classify_stop", **say, p_stop_id=numbers[1])["changed"]
    asked = _shown(m1, "supervisor")
    assert [row["reason"] for row in asked] == ["meeting"] * 3, "who may plan sees what is asked"
    assert _shown(m1, who, p_only_unclassified=True) == []
    for row in asked:
        seen = {"p_stop_id": row["stop_id"], "p_version": row["version"]}
        assert call(m1, "supervisor", "classify_stop", **say, **seen)["changed"]
    assert figures(m1, START, END)["planned_s"] == 5 * HOUR
    assert _shown(m1, "supervisor") == []
    more = {"p_stop_id": numbers[1], "p_comment": "Fire drill"}
    word = call(m1, who, "classify_stop", **say, **more)["stop"]
    assert (word["time_class"], word["comment"]) == ("meeting", "Fire drill"), "it stays confirmed"


def _shown(db: psycopg.Connection, who: str = "viewer", **more: Any) -> list[dict[str, Any]]:
    """Stops of the eight hours, the latest first; to a supervisor only those to be confirmed."""
    asked: dict[str, Any] = {"p_machine": "m1", "p_from": START, "p_to": END}
    only = {"p_only_unclassified": True} if who == "supervisor" else more
    return list(call(db, who, "get_stops", **asked, **only))


def test_working_through_a_break_is_overtime_that_somebody_approves(db: psycopg.Connection) -> None:
    machine(db)
    pattern(db, shift("early", "06:00", "14:00", [("10:00", "10:30")]))
    db.execute("reset role")
    (rest,) = db.execute("select min(id) from public.planned_stops").fetchone() or (0,)
    refused = attempt(db, "planner", "cancel_planned_stop", p_id=rest)
    assert refused == (409, "stop.needs_overtime")
    other = plant.plan(db, at(START, HOUR), at(START, 2 * HOUR), "meeting")
    assert call(db, "planner", "cancel_planned_stop", p_id=other["id"])["is_active"] is False


# Taps -------------------------------------------------------------------------------------------


def test_a_reason_for_a_stop_that_is_open_already_is_kept_or_refused(
    m1: psycopg.Connection,
) -> None:
    there = stop(m1, at(START, 3 * HOUR))
    begin: dict[str, Any] = {"p_machine": "m1", "p_reason": "material", "p_comment": "No bars"}
    said = call(m1, "operator", "start_stop", **begin)
    assert (said["changed"], said["stop"]["id"]) == (True, there["id"])
    assert (said["stop"]["reason"], said["stop"]["comment"]) == ("material", "No bars")
    assert not call(m1, "operator", "start_stop", **begin)["changed"]
    with pytest.raises(Refused) as refused:
        call(m1, "technician", "start_stop", p_machine="m1", p_reason="tool")
    assert (refused.value.status, refused.value.code) == (409, "stop.changed")
    assert refused.value.detail["reason"] == "material"
    assert not call(m1, "technician", "start_stop", p_machine="m1")["changed"]


def test_a_first_reason_is_taken_away_again(m1: psycopg.Connection) -> None:
    state(m1, "stopped", at(START, 3 * HOUR))
    state(m1, "running", at(START, 4 * HOUR))
    tap: dict[str, Any] = {"p_machine": "m1", "p_at": at(START, 3.5 * HOUR)}
    said = call(m1, "operator", "classify_stop", p_reason="jam", **tap)["stop"]
    undo: dict[str, Any] = {"p_reason": None}
    blind = attempt(m1, "technician", "classify_stop", **undo, **tap)
    assert blind == (409, "stop.changed"), "without a version only a first reason is given"
    old = {"p_stop_id": said["id"], "p_version": said["version"] - 1}
    assert attempt(m1, "technician", "classify_stop", **undo, **old) == (409, "stop.changed")
    seen = {"p_stop_id": said["id"], "p_version": said["version"]}
    gone = call(m1, "operator", "classify_stop", **undo, **seen)
    assert (gone["changed"], gone["stop"]["reason"], gone["stop"]["time_class"]) == (
        *(True, None, None),
    )
    assert gone["stop"]["classified_by"] is None
    assert not call(m1, "operator", "classify_stop", **undo, p_stop_id=said["id"])["changed"]
    assert figures(m1, START, END)["unclassified_s"] == HOUR


def test_a_reason_taken_away_leaves_what_a_repair_says(m1: psycopg.Connection) -> None:
    repair = report(m1, 3)
    m1.execute("reset role")
    (number,) = m1.execute("select id from public.stops").fetchone() or (0,)
    said = call(m1, "operator", "classify_stop", p_reason="jam", p_stop_id=number)["stop"]
    undo = {"p_stop_id": number, "p_reason": None, "p_version": said["version"]}
    assert call(m1, "operator", "classify_stop", **undo)["stop"]["reason"] == "breakdown"
    reject(m1, repair)
    assert rows(m1) == [UNSAID]


# Handing over -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("hour", "name"), [(13, "early"), (14, "early"), (21, "late")])
def test_around_the_change_the_shift_that_ends_is_handed_over(
    db: psycopg.Connection, hour: int, name: str
) -> None:
    """Not the one that has just begun, whoever is a few minutes late with the signature."""
    zone = plant.zone_where_it_is(hour)
    machine(db, zone=zone)
    today = datetime.now(ZoneInfo(zone)).date()
    names = (("early", "06:00", "14:00"), ("late", "14:00", "22:00"), ("night", "22:00", "06:00"))
    pattern(db, *(shift(*one) for one in names), since=today - timedelta(days=1))
    given = call(db, "operator", "shift_handover", p_work_centre="CNC-1")["handover"]
    assert (given["shift"], given["shift_date"]) == (name, today.isoformat())
    assert call(db, "operator", "shift_handover", p_work_centre="CNC-1")["changed"] is False
