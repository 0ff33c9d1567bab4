"""What the readings before and after decide, and who settles what they leave open."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.printing import (
    Row,
    act,
    add_printer,
    alarms,
    begin,
    bring,
    claim,
    confirm,
    events,
    evidence,
    history,
    job,
    mark_sent,
    new_job,
    refusal,
    rest,
    route,
    state_of,
    steps,
    sweep,
    taken_job,
)
from tests.support.rpc import call


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")


def batch(db: psycopg.Connection, count: int = 10) -> Row:
    """A claimed job of different labels."""
    labels = [{"subject": f"S-{n}", "data": {"name": "Jar", "sku": f"S-{n}"}} for n in range(count)]
    call(db, "operator", "request_prints", p_label_type="item", p_labels=Jsonb(labels))
    taken = claim(db)
    assert taken is not None
    return taken


# A counter ----------------------------------------------------------------------------------

REBOOT = {"boot_id": "boot-2", "uptime_s": 5}
# (labels asked for, counter moved by, other readings) → from sent, from unknown
COUNTS: list[tuple[int, int, Row, str, str]] = [
    (1, 1, {}, "printed", "printed"),
    (3, 3, {}, "printed", "printed"),
    (1, 0, {}, "queued", "queued"),
    (1, 0, REBOOT, "queued", "queued"),  # switched off with the job in its buffer
    (3, 2, {}, "unknown", "unknown"),
    (3, 2, REBOOT, "unknown", "unknown"),
    (3, 3, REBOOT, "unknown", "unknown"),  # two labels and a calibration look the same
    (3, 3, {"uptime_s": 5}, "unknown", "unknown"),
    (1, 4, {}, "printed", "unknown"),  # the feed button (scenario 19); without "sent" nobody knows
    (1, -1, {}, "unknown", "unknown"),  # another printer at the address
    (1, 1, {"idle": False}, "sent", "unknown"),
    (1, 1, {"faults": ["cover-open"]}, "sent", "unknown"),
    (1, 1, {"formats": 1}, "sent", "unknown"),
    (1, 1, {"remaining": 1}, "sent", "unknown"),
    (1, 1, {"partial": True}, "sent", "unknown"),
    (1, 1, {"odometer": None}, "sent", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize("case", COUNTS)
@pytest.mark.parametrize("before", ["sent", "unknown"])
def test_the_counter_decides(
    db: psycopg.Connection, before: str, case: tuple[int, int, Row, str, str]
) -> None:
    copies, moved, reading, sent, unknown = case
    taken = bring(db, before, p_copies=copies)
    rest(db, taken["job_id"])
    verdict = act(db, "confirm_print", taken, p_evidence=evidence(100 + moved) | reading)
    assert verdict["state"] == (sent if before == "sent" else unknown), verdict
    extra = max(0, moved - copies) if verdict["state"] == "printed" else 0
    assert job(db, taken["job_id"])["extra_labels"] == extra


BOOTS: list[tuple[Row, Row, str]] = [
    # A replaced computer works the moment out anew, from an uptime cut to whole seconds.
    ({"boot_id": "SN1@1700000000"}, {"boot_id": "SN1@1700000003", "uptime_s": 1004}, "printed"),
    ({"boot_id": "SN1@1700000003"}, {"boot_id": "SN1@1700000000", "uptime_s": 1004}, "printed"),
    ({"boot_id": "SN1@1700000000"}, {"boot_id": "SN1@1700000004", "uptime_s": 1004}, "unknown"),
    ({"boot_id": "SN1@1700000000"}, {"boot_id": "SN1@1700000002", "uptime_s": 999}, "unknown"),
    ({"boot_id": "SN1@1700000000"}, {"boot_id": "SN2@1700000000", "uptime_s": 1004}, "unknown"),
    ({"boot_id": "SN1@1700000000"}, {"boot_id": None, "uptime_s": 1004}, "unknown"),
    ({"boot_id": "SN1@1700000000"}, {"boot_id": "SN1@soon", "uptime_s": 1004}, "unknown"),
    ({"boot_id": None}, {"boot_id": None, "uptime_s": 1004}, "printed"),
]


@pytest.mark.parametrize(("before", "after", "state"), BOOTS)
def test_an_agent_without_memory_names_the_same_boot_a_second_later(
    db: psycopg.Connection, before: Row, after: Row, state: str
) -> None:
    taken = bring(db, "claimed")
    act(db, "begin_send", taken, p_evidence=evidence(100) | before)
    mark_sent(db, taken)
    rest(db, taken["job_id"])
    verdict = act(db, "confirm_print", taken, p_evidence=evidence(101) | after)
    assert verdict["state"] == state, verdict


def test_extra_labels_are_an_alarm(db: psycopg.Connection) -> None:
    taken = bring(db, "sent")
    verdict = confirm(db, taken, 104)
    assert (verdict["state"], verdict["extra_labels"]) == ("printed", 3)
    assert "duplicate" in verdict["why"]
    assert alarms(db) == ["print.extra"]


def test_a_counter_that_stands_still_needs_time_to_be_believed(db: psycopg.Connection) -> None:
    taken = bring(db, "sent")
    early = confirm(db, taken, 100)
    assert (early["changed"], early["state"]) == (False, "sent")
    rest(db, taken["job_id"])
    late = confirm(db, taken, 100)
    assert (late["changed"], late["state"]) == (True, "queued")
    assert steps(db, taken["job_id"])[-3:] == ["sent", "unknown", "queued"]
    again = claim(db)
    assert again is not None
    assert (again["job_id"], again["fence"]) == (taken["job_id"], 2)
    assert job(db, taken["job_id"])["attempts"] == 2


def test_what_never_comes_out_fails_after_five_tries(db: psycopg.Connection) -> None:
    """A format that the printer swallows: it must not go round for ever."""
    job_id = new_job(db)
    for _ in range(5):
        taken = claim(db)
        assert taken is not None
        begin(db, taken)
        mark_sent(db, taken)
        rest(db, job_id)
        confirm(db, taken, 100)
    assert state_of(db, job_id) == "failed"
    assert "five times" in job(db, job_id)["why"]


def test_a_job_still_being_sent_is_only_moved_to_printed(db: psycopg.Connection) -> None:
    """A second look must not queue what an agent is sending this very moment."""
    taken = bring(db, "sending")
    rest(db, taken["job_id"])
    assert confirm(db, taken, 100)["state"] == "sending"
    assert confirm(db, taken, 99)["state"] == "sending"
    assert confirm(db, taken, 101)["state"] == "printed"
    assert steps(db, taken["job_id"])[-3:] == ["sending", "sent", "printed"]


def test_the_counter_is_heard_once(db: psycopg.Connection) -> None:
    """Three of ten came out; seven presses of the feed button must not make it ten."""
    taken = batch(db)
    begin(db, taken)
    mark_sent(db, taken)
    assert confirm(db, taken, 103)["state"] == "unknown"
    assert confirm(db, taken, 110)["state"] == "unknown"
    before = history(db, taken["job_id"])
    assert confirm(db, taken, 110)["changed"] is False
    assert history(db, taken["job_id"]) == before
    rows = call(db, "print_agent", "my_unsettled_prints")
    assert [(r["job_id"], r["wants_evidence"]) for r in rows] == [(taken["job_id"], False)]


def test_an_unknown_job_is_judged_once_too(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown", p_copies=3)
    assert call(db, "print_agent", "my_unsettled_prints")[0]["wants_evidence"] is True
    assert confirm(db, taken, 101)["state"] == "unknown"
    assert confirm(db, taken, 103)["state"] == "unknown"
    assert ("unknown", "unknown") in history(db, taken["job_id"])


# No counter ---------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1])
def test_without_a_counter_an_idle_printer_that_got_all_bytes_has_printed(
    db: psycopg.Connection, level: int
) -> None:
    add_printer(db, p_evidence_level=level)
    taken = taken_job(db)
    begin(db, taken, None)
    mark_sent(db, taken)
    assert confirm(db, taken, None, formats=1)["state"] == "sent"
    assert confirm(db, taken, None)["state"] == "printed"
    assert job(db, taken["job_id"])["evidence_level"] == level


def test_drained_proves_nothing_after_a_power_cycle(db: psycopg.Connection) -> None:
    add_printer(db, p_evidence_level=1)
    taken = taken_job(db)
    begin(db, taken, None)
    mark_sent(db, taken)
    assert confirm(db, taken, None, **REBOOT)["state"] == "unknown"


def test_without_a_counter_nothing_prints_by_itself(db: psycopg.Connection) -> None:
    """Scenario 4: it stays unknown and the station asks."""
    add_printer(db, p_evidence_level=0)
    taken = taken_job(db)
    begin(db, taken, None)
    sweep(db, "1 hour")
    rest(db, taken["job_id"])
    for _ in range(3):
        assert confirm(db, taken, None)["state"] == "unknown"
    assert alarms(db) == ["print.unknown"]
    assert claim(db) is None
    sweep(db, "10 days")
    assert state_of(db, taken["job_id"]) == "unknown"


def test_a_counter_counts_even_where_none_is_required(db: psycopg.Connection) -> None:
    add_printer(db, p_evidence_level=0)
    taken = taken_job(db)
    begin(db, taken, 100)
    mark_sent(db, taken)
    rest(db, taken["job_id"])
    assert confirm(db, taken, 100)["state"] == "queued"


# Leases -------------------------------------------------------------------------------------


def test_only_a_claim_goes_back_to_the_queue_by_itself(db: psycopg.Connection) -> None:
    """hmis#23818, alma-print-daemon#23: what may have begun was queued again and printed again."""
    for state, expected in [("claimed", "queued"), ("sending", "unknown"), ("sent", "unknown")]:
        taken = bring(db, state, f"SKU-{state}")
        sweep(db, "1 hour")
        assert state_of(db, taken["job_id"]) == expected
        call(db, "supervisor", "cancel_print", p_job_id=taken["job_id"])
        if expected == "unknown":
            call(db, "operator", "resolve_print", p_job_id=taken["job_id"], p_outcome="came_out")


def test_the_dead_agents_job_is_settled_by_the_counter(db: psycopg.Connection) -> None:
    """Scenarios 2 and 3: killed before the first and after the last byte."""
    for moved, expected in [(0, "queued"), (1, "printed")]:
        taken = bring(db, "sending", f"SKU-{moved}")
        sweep(db, "1 hour")
        rest(db, taken["job_id"])
        assert confirm(db, taken, 100 + moved)["state"] == expected
        call(db, "supervisor", "cancel_print", p_job_id=taken["job_id"]) if not moved else None


def test_a_late_mark_sent_is_remembered(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown")
    late = mark_sent(db, taken)
    assert (late["changed"], late["state"]) == (False, "unknown")
    assert "print.sent_late" in events(db, str(taken["job_id"]))
    assert confirm(db, taken, 101)["state"] == "printed"


# One counter, several jobs ------------------------------------------------------------------


def test_an_unknown_job_keeps_the_printer_for_a_minute(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown")
    new_job(db, "SKU-2")
    assert claim(db) is None
    rest(db, ago="54 seconds")
    assert claim(db) is None
    rest(db, ago="56 seconds")
    assert claim(db) is not None
    assert state_of(db, taken["job_id"]) == "unknown"


@pytest.mark.parametrize(
    ("moved", "expected"), [(1, "printed"), (0, "queued"), (2, "unknown"), (5, "unknown")]
)
def test_the_next_begin_settles_the_unknown_job_before_it(
    db: psycopg.Connection, moved: int, expected: str
) -> None:
    """A unknown with 0 labels, B prints 1: the counter must not say that A was printed."""
    first = bring(db, "unknown")
    rest(db, ago="2 minutes")
    second = taken_job(db, "SKU-2")
    begin(db, second, 100 + moved)
    assert state_of(db, first["job_id"]) == expected
    mark_sent(db, second)
    assert confirm(db, second, 101 + moved)["state"] == "printed"
    assert state_of(db, first["job_id"]) == expected


def test_a_job_that_was_overtaken_is_for_a_person(db: psycopg.Connection) -> None:
    add_printer(db, p_evidence_level=1)
    first = bring(db, "unknown")  # with a counter
    second = taken_job_past(db)
    begin(db, second, None)  # a reading without a counter settles nothing
    mark_sent(db, second)
    confirm(db, second, None)
    assert confirm(db, first, 101)["state"] == "unknown"
    assert "no longer speaks" in job(db, first["job_id"])["why"]


def taken_job_past(db: psycopg.Connection) -> Row:
    rest(db, ago="2 minutes")
    return taken_job(db, "SKU-2")


# Late truth ---------------------------------------------------------------------------------


def test_late_truth_does_not_move_what_a_person_decided(db: psycopg.Connection) -> None:
    """wcpos#1790: a late result lands; it never overwrites a decision, it becomes an alarm."""
    taken = bring(db, "unknown")
    call(db, "operator", "resolve_print", p_job_id=taken["job_id"], p_outcome="did_not_come_out")
    late = confirm(db, taken, 101)
    assert (late["changed"], late["state"]) == (False, "failed")
    assert alarms(db) == ["print.late_truth"]
    assert "print.late_truth" in events(db, str(taken["job_id"]))


def test_late_truth_lands_on_an_unknown_job(db: psycopg.Connection) -> None:
    taken = bring(db, "sent")
    sweep(db, "1 hour")
    assert state_of(db, taken["job_id"]) == "unknown"
    assert confirm(db, taken, 101)["state"] == "printed"
    assert confirm(db, taken, 101)["changed"] is False


def test_a_stale_fence_says_nothing(db: psycopg.Connection) -> None:
    taken = bring(db, "sent")
    rest(db, taken["job_id"])
    confirm(db, taken, 100)
    again = claim(db)
    assert again is not None
    said = refusal(
        db, "print_agent", "confirm_print",
        p_job_id=taken["job_id"], p_fence=taken["fence"], p_evidence=evidence(101),
    )  # fmt: skip
    assert said == "409 print.stale_fence"
