"""Who is called to a machine that stands, since when, and who answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.sql.kpi import plant
from tests.support.rpc import Refused, call


@pytest.fixture
def m1(db: psycopg.Connection) -> psycopg.Connection:
    """m1 works around the clock; a supervisor is called after 10 minutes, a manager after 30."""
    plant.machine(db, zone=plant.zone_where_it_is(12), call_supervisor_min=10, call_manager_min=30)
    plant.around_the_clock(db, since=datetime.now(UTC).date() - timedelta(days=2))
    return db


def stands(db: psycopg.Connection, minutes: float, **more: Any) -> None:
    plant.state(db, "running", ago(db, minutes + 60))
    plant.state(db, "stopped", ago(db, minutes), **more)


def ago(db: psycopg.Connection, minutes: float) -> datetime:
    row = db.execute("select now() - %s * interval '1 minute'", (minutes,)).fetchone()
    assert row is not None
    return datetime.fromisoformat(str(row[0]))


def wall(db: psycopg.Connection) -> dict[str, Any]:
    (row,) = call(db, "viewer", "get_andon", p_machine="m1")
    return dict(row)


def called(db: psycopg.Connection) -> str | None:
    role: str | None = wall(db)["called_role"]
    return role


def raised(db: psycopg.Connection, later: float = 0) -> list[str]:
    """The job runs so many minutes from now; roles that were ever called."""
    db.execute("reset role")
    db.execute("select private.raise_andon_calls(now() + %s * interval '1 minute')", (later,))
    found = db.execute(
        "select payload ->> 'role' from public.events where event = 'machine.called' order by id"
    )
    return [row[0] for row in found.fetchall()]


@pytest.mark.parametrize(
    ("minutes", "role"), [(9, None), (11, "supervisor"), (29, "supervisor"), (31, "manager")]
)
def test_the_ladder_goes_by_minutes(
    m1: psycopg.Connection, minutes: float, role: str | None
) -> None:
    stands(m1, minutes)
    assert called(m1) == role
    assert raised(m1) == ([role] if role else [])


def test_each_step_is_raised_once(m1: psycopg.Connection) -> None:
    stands(m1, 5)
    assert raised(m1, 6) == ["supervisor"]
    assert raised(m1, 20) == ["supervisor"]
    assert raised(m1, 26) == ["supervisor", "manager"]
    assert raised(m1, 60) == ["supervisor", "manager"]


def test_the_next_stop_calls_again(m1: psycopg.Connection) -> None:
    stands(m1, 60)
    assert raised(m1, -45) == ["supervisor"]
    plant.state(m1, "running", ago(m1, 44))
    plant.state(m1, "stopped", ago(m1, 20))
    assert raised(m1) == ["supervisor", "supervisor"]


def test_who_answers_first_has_it(m1: psycopg.Connection) -> None:
    stands(m1, 15)
    first = call(m1, "technician", "answer_stop", p_machine="m1")
    assert first["changed"]
    second = call(m1, "operator", "answer_stop", p_machine="m1")
    assert (second["changed"], second["stop"]) == (False, first["stop"])
    row = wall(m1)
    assert (row["called_role"], row["answered_by_name"]) == (None, "Technician")
    assert row["reason"] is None, "answering says nothing about why"
    assert raised(m1) == []


def test_a_known_reason_needs_nobody_a_breakdown_does(m1: psycopg.Connection) -> None:
    stands(m1, 15)
    said = call(m1, "operator", "classify_stop", p_reason="material", p_machine="m1")["stop"]
    assert called(m1) is None
    call(m1, "operator", "classify_stop", p_reason="breakdown", p_stop_id=said["id"])
    assert called(m1) == "supervisor"


def test_an_acknowledged_repair_is_an_answer(m1: psycopg.Connection) -> None:
    stands(m1, 15)
    repair = call(m1, "operator", "report_repair", p_machine="m1", p_symptom="stopped")["repair"]
    assert called(m1) == "supervisor", "reported, and nobody has seen it"
    call(m1, "technician", "acknowledge_repair", p_id=repair["id"])
    row = wall(m1)
    assert (row["called_role"], row["answered_by_name"]) == (None, "Technician")


def test_nobody_is_called_in_a_break_or_to_a_machine_that_runs(m1: psycopg.Connection) -> None:
    assert called(m1) is None, "nobody knows whether it ever ran"
    stands(m1, 40)
    plant.plan(m1, ago(m1, 30), ago(m1, -5), "meeting")
    assert called(m1) is None
    m1.execute("reset role")
    m1.execute(
        "update public.planned_stops"
        " set during = tstzrange(lower(during), now() - interval '12 minutes')"
    )
    assert called(m1) == "supervisor", "minutes count from the end of the break"
    plant.state(m1, "running", ago(m1, 1))
    assert called(m1) is None


def test_nobody_is_called_outside_of_shifts_or_where_nobody_shall_be(
    db: psycopg.Connection,
) -> None:
    plant.machine(db, zone=plant.zone_where_it_is(12), call_supervisor_min=10, call_manager_min=0)
    stands(db, 600)
    assert called(db) is None
    plant.around_the_clock(db, since=datetime.now(UTC).date() - timedelta(days=2))
    assert called(db) == "supervisor", "0 minutes: no manager"


def test_there_is_nothing_to_answer_while_it_runs(m1: psycopg.Connection) -> None:
    plant.state(m1, "running", ago(m1, 60))
    with pytest.raises(Refused, match=r"stop\.none_then"):
        call(m1, "technician", "answer_stop", p_machine="m1")
    with pytest.raises(Refused, match=r"auth\.forbidden"):
        call(m1, "viewer", "answer_stop", p_machine="m1")
