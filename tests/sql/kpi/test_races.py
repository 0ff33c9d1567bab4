"""Two at once: one stop has one reason, one call one answer, and no piece is counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.sql.kpi import plant
from tests.support.databases import Clone
from tests.support.rpc import Refused, call

MINUTE = timedelta(minutes=1)


@pytest.fixture
def db(clone: Clone) -> Iterator[psycopg.Connection]:
    """m1 stood for 20 minutes, an hour ago; nobody has said why."""
    with clone.connect() as connection:
        plant.machine(connection, silence_s=86400)
        for name, minutes in (("running", 120), ("stopped", 60), ("running", 40)):
            plant.state(connection, name, _ago(minutes))
        yield connection


def _ago(minutes: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - minutes * MINUTE


def at_once(clone: Clone, *acts: Callable[[psycopg.Connection], Any]) -> list[Any]:
    """Each in a session of its own; their answers, or what refused them."""

    def run(session: psycopg.Connection, n: int) -> Any:
        try:
            return acts[n](session)
        except Refused as refused:
            return refused

    return together(clone, len(acts), run)


def _stops(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    return db.execute("select reason, source from public.stops order by lower(during)").fetchall()


def test_two_say_at_once_why_a_stop_was_and_one_is_told(
    db: psycopg.Connection, clone: Clone
) -> None:
    """Both saw version 1; the later one gets 409 and the reason that holds."""
    shown = call(db, "operator", "classify_stop", p_reason="other", p_machine="m1", p_at=_ago(50))
    seen: dict[str, Any] = {"p_stop_id": shown["stop"]["id"], "p_version": shown["stop"]["version"]}
    answers = at_once(
        clone,
        lambda one: call(one, "operator", "classify_stop", p_reason="jam", **seen),
        lambda two: call(two, "technician", "classify_stop", p_reason="material", **seen),
    )
    (refused,) = [a for a in answers if isinstance(a, Refused)]
    (change,) = [a for a in answers if not isinstance(a, Refused)]
    assert (refused.status, refused.code) == (409, "stop.changed")
    assert change["changed"]
    assert refused.detail["reason"] == change["stop"]["reason"]
    assert _stops(db) == [(change["stop"]["reason"], "signal")]


def test_the_first_taps_at_once_make_one_row(db: psycopg.Connection, clone: Clone) -> None:
    answers = at_once(
        clone,
        *[
            lambda s: call(
                s, "operator", "classify_stop", p_reason="jam", p_machine="m1", p_at=_ago(50)
            )
        ]
        * 4,
    )
    assert sorted(a["changed"] for a in answers) == [False, False, False, True]
    assert len({a["stop"]["id"] for a in answers}) == 1
    assert _stops(db) == [("jam", "signal")]


def test_states_come_in_while_the_stop_is_classified(db: psycopg.Connection, clone: Clone) -> None:
    """Whoever is first, the stop ends where the machine ran again, and no figure is lost."""
    plant.state(db, "stopped", _ago(10))
    again = _ago(2)
    runs = {"machine": "m1", "at": again.isoformat(), "state": "running"}
    answers = at_once(
        clone,
        lambda one: call(one, "operator", "classify_stop", p_reason="jam", p_machine="m1"),
        lambda two: call(two, "equipment", "record_machine_states", p_events=Jsonb([runs])),
    )
    refused = [a for a in answers if isinstance(a, Refused)]
    found = db.execute("select reason, upper(during) from public.stops").fetchall()
    if refused:  # it ran before the tap
        assert (refused[0].code, found) == ("stop.none_then", [])
    else:
        assert found == [("jam", again)]


def test_twins_of_a_batch_of_counts_are_counted_once(db: psycopg.Connection, clone: Clone) -> None:
    rows = [
        {"machine": "m1", "key": f"k{n}", "at": _ago(30).isoformat(), "good": 2, "scrap": 1}
        for n in range(100)
    ]
    answers = at_once(
        clone, *[lambda s: call(s, "equipment", "record_counts", p_counts=Jsonb(rows))] * 4
    )
    assert sum(a["accepted"] for a in answers) == 100
    assert sum(a["duplicates"] for a in answers) == 300
    assert _counted(db) == (100, 200, 100, 300)


def test_counters_are_not_read_and_written_back(db: psycopg.Connection, clone: Clone) -> None:
    """Other counts of the same minute at the same moment: none is lost (§0 number 11)."""

    def tell(n: int) -> Callable[[psycopg.Connection], Any]:
        rows = [
            {"machine": "m1", "key": f"{n}/{k}", "at": _ago(30).isoformat(), "scrap": 1}
            for k in range(50)
        ]
        return lambda s: call(s, "equipment", "record_counts", p_counts=Jsonb(rows))

    answers = at_once(clone, *[tell(n) for n in range(4)])
    assert [a["accepted"] for a in answers] == [50] * 4
    assert _counted(db) == (200, 0, 200, 200)


def test_a_count_is_written_whole_or_not_at_all(db: psycopg.Connection) -> None:
    """RENAR swallowed the second insert: here what fails takes its first half back (§0 11)."""
    db.execute("alter table public.count_minute add constraint test_full_check check (good < 5)")
    rows = [
        {"machine": "m1", "key": f"k{n}", "at": _ago(30).isoformat(), "good": 3} for n in range(2)
    ]
    with pytest.raises(Refused, match="test_full_check"):
        call(db, "equipment", "record_counts", p_counts=Jsonb(rows))
    assert _counted(db) == (0, None, None, None)


def _counted(db: psycopg.Connection) -> tuple[Any, ...] | None:
    """(events, good and scrap by minute, cycles of the machine)"""
    db.execute("reset role")
    return db.execute(
        "select (select count(*) from public.count_events), sum(good), sum(scrap),"
        " (select cycles from public.machine_counters where machine = 'm1' and cycles > 0)"
        " from public.count_minute"
    ).fetchone()


def test_two_answer_a_call_and_one_has_it(db: psycopg.Connection, clone: Clone) -> None:
    plant.state(db, "fault", _ago(10))
    answers = at_once(
        clone,
        *[
            lambda s, who=who: call(s, who, "answer_stop", p_machine="m1")
            for who in ("technician", "supervisor")
        ],
    )
    assert sorted(a["changed"] for a in answers) == [False, True]
    assert answers[0]["stop"] == answers[1]["stop"]


def test_two_end_a_stop_and_the_repair_closes(db: psycopg.Connection, clone: Clone) -> None:
    """Machine, then stop: no order of the three waits for ever, and the stop ends once."""
    plant.stop(db, _ago(10))
    repair = call(db, "operator", "report_repair", p_machine="m1", p_symptom="stopped")["repair"]
    for rpc, more in (
        ("start_repair", {}),
        ("complete_repair", {"p_actions_taken": "x"}),
        ("verify_repair", {"p_is_ok": True}),
    ):
        call(db, "technician", rpc, p_id=repair["id"], **more)
    answers = at_once(
        clone,
        lambda s: call(s, "operator", "end_stop", p_machine="m1"),
        lambda s: call(s, "supervisor", "end_stop", p_machine="m1"),
        lambda s: call(s, "technician", "close_repair", p_id=repair["id"]),
    )
    assert [a for a in answers if isinstance(a, Refused)] == []
    ended = db.execute("select count(*) from public.events where event = 'stop.ended'").fetchone()
    assert ended == (1,)
    assert db.execute("select bool_and(not upper_inf(during)) from public.stops").fetchone() == (
        True,
    )
