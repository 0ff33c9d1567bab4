"""A fault in the middle of a label: the counter counts half a label like a whole one."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.printing import (
    Row,
    add_printer,
    alarms,
    begin,
    bring,
    claim,
    confirm,
    heartbeat,
    job,
    mark_sent,
    new_job,
    refusal,
    rest,
    route,
    state_of,
    steps,
    taken_job,
)
from tests.support.rpc import call

# What the agent saw since the last byte, in that order → what an exact count then says.
STRUCK: list[tuple[list[str], str]] = [
    ([], "printed"),
    (["media-empty"], "printed"),  # a roll ends between two labels (scenario 8)
    (["media-empty", "cover-open"], "printed"),  # … and is changed
    (["media-empty", "cover-open", "paused"], "printed"),
    (["paused"], "printed"),  # scenario 11
    (["head-over-temp"], "printed"),
    (["cover-open"], "unknown"),
    (["cover-open", "media-empty"], "unknown"),
    (["media-empty", "cover-open", "cover-open"], "unknown"),  # once more, while it printed again
    (["paused", "cover-open"], "unknown"),  # many pause by themselves when a lid is closed
    (["marker-supply-empty"], "unknown"),
    (["media-jam"], "unknown"),
]


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")


@pytest.mark.parametrize(("struck", "expected"), STRUCK)
def test_what_struck_decides_what_a_count_is_worth(
    db: psycopg.Connection, struck: list[str], expected: str
) -> None:
    taken = bring(db, "sent")
    verdict = confirm(db, taken, struck=struck)
    assert verdict["state"] == expected, verdict
    assert ("print.unknown" in alarms(db)) == (expected == "unknown")
    if expected == "unknown":
        assert "half" in verdict["why"]


# (openings before, after, seen) → what an exact count then says
OPENINGS: list[tuple[int | None, int | None, list[str], str]] = [
    (7, 7, [], "printed"),
    (7, 8, [], "unknown"),  # nobody saw it, the printer knows it
    (7, 8, ["media-empty"], "printed"),
    (7, 8, ["media-empty", "cover-open"], "printed"),
    (7, 9, ["media-empty", "cover-open"], "unknown"),
    (7, 0, [], "unknown"),  # somebody set the counter back
    (None, 8, [], "printed"),
    (7, None, [], "printed"),
]


@pytest.mark.parametrize(("before", "after", "struck", "expected"), OPENINGS)
def test_the_lid_has_a_counter_too(
    db: psycopg.Connection, before: int | None, after: int | None, struck: list[str], expected: str
) -> None:
    taken = taken_job(db)
    begin(db, taken, openings=before)
    mark_sent(db, taken)
    assert confirm(db, taken, openings=after, struck=struck)["state"] == expected


def test_more_labels_than_expected_prove_nothing_once_the_lid_was_open(
    db: psycopg.Connection,
) -> None:
    """Half a label, and a blank one that was fed when the lid was closed."""
    taken = bring(db, "sent")
    verdict = confirm(db, taken, 102, struck=["cover-open"])
    assert (verdict["state"], alarms(db)) == ("unknown", ["print.unknown"])


def test_without_a_counter_a_lid_is_a_question_too(db: psycopg.Connection) -> None:
    add_printer(db, p_evidence_level=1)
    taken = taken_job(db)
    begin(db, taken, None)
    mark_sent(db, taken)
    assert confirm(db, taken, None, struck=["cover-open"])["state"] == "unknown"


def test_what_the_agent_reported_counts_when_it_forgot(db: psycopg.Connection) -> None:
    """It saw the lid, told it in a heartbeat, and died before it told the outcome."""
    taken = bring(db, "sent")
    heartbeat(db, {"code": "prn-1", "status": "stopped", "reasons": ["media-empty", "cover-open"]})
    heartbeat(db, {"code": "prn-1", "status": "idle"})
    assert confirm(db, taken)["state"] == "unknown"  # both at once: nobody knows which was first


def test_a_lid_that_opens_over_an_unknown_job_is_remembered(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown")
    heartbeat(db, {"code": "prn-1", "status": "stopped", "reasons": ["cover-open"]})
    heartbeat(db, {"code": "prn-1", "status": "idle"})
    rest(db, taken["job_id"])
    assert confirm(db, taken)["state"] == "unknown"
    assert "half" in job(db, taken["job_id"])["why"]


def test_the_next_job_does_not_settle_a_spoilt_one(db: psycopg.Connection) -> None:
    first = taken_job(db)
    begin(db, first, openings=7)
    call(db, "print_agent", "print_unknown", p_job_id=first["job_id"], p_fence=1, p_reason="gone")
    rest(db, ago="2 minutes")
    second = taken_job(db, "SKU-2")
    begin(db, second, 101, openings=8)
    assert state_of(db, first["job_id"]) == "unknown"


@pytest.mark.parametrize(
    "found", [{"boot_id": "boot-2", "uptime_s": 5}, {"openings": 8}, {"struck": ["cover-open"]}]
)
def test_a_label_cut_in_half_and_sent_again_is_told(db: psycopg.Connection, found: Row) -> None:
    """The counter left it out: a whole one follows by itself, and the half one can be scanned."""
    taken = taken_job(db)
    begin(db, taken, openings=7)
    mark_sent(db, taken)
    rest(db, taken["job_id"])
    assert confirm(db, taken, 100, **found)["state"] == "queued"
    assert steps(db, taken["job_id"])[-3:] == ["sent", "unknown", "queued"]
    again = claim(db)
    assert again is not None
    begin(db, again)
    mark_sent(db, again)
    assert confirm(db, again)["state"] == "printed"
    (alarm,) = call(db, "operator", "get_print_alarms")
    assert (alarm["kind"], alarm["job_id"]) == ("print.half", taken["job_id"])
    assert "destroy" in alarm["message"]


def test_a_job_that_was_sent_again_for_another_reason_is_no_alarm(db: psycopg.Connection) -> None:
    taken = bring(db, "sent")
    rest(db, taken["job_id"])
    assert confirm(db, taken, 100)["state"] == "queued"
    again = claim(db)
    assert again is not None
    begin(db, again)
    mark_sent(db, again)
    assert confirm(db, again)["state"] == "printed"
    assert alarms(db) == []


@pytest.mark.parametrize("odd", [{"openings": -1}, {"openings": "7"}, {"struck": "cover-open"}])
def test_evidence_that_cannot_be_read_is_refused(db: psycopg.Connection, odd: Row) -> None:
    taken = bring(db, "sent")
    said = refusal(
        db,
        "print_agent",
        "confirm_print",
        p_job_id=taken["job_id"],
        p_fence=taken["fence"],
        p_evidence={"idle": True, **odd},
    )
    assert said == "422 print.bad_evidence"
    assert new_job(db, "SKU-9")


def test_two_spoilt_labels_of_one_job_are_two_reprints(db: psycopg.Connection) -> None:
    """While the first one was on its way the second was answered with it, and never came."""
    labels = [{"subject": f"S-{n}", "data": {"name": "Jar", "sku": f"S-{n}"}} for n in range(4)]
    call(db, "operator", "request_prints", p_label_type="item", p_labels=Jsonb(labels))
    taken = claim(db)
    assert taken is not None
    begin(db, taken)
    mark_sent(db, taken)
    confirm(db, taken, 104)

    def again(*subjects: str) -> tuple[bool, int, list[str]]:
        wish = {"p_job_id": taken["job_id"], "p_reason": "jam", "p_subjects": list(subjects)}
        answer = call(db, "supervisor", "reprint", **wish)
        found = answer["job"]["id"]
        query = "select subject from public.print_job_labels where job_id = %s order by seq"
        return answer["changed"], found, [row[0] for row in db.execute(query, (found,)).fetchall()]

    changed, first, printed = again("S-1")
    assert (changed, printed) == (True, ["S-1"])
    assert again("S-1") == (False, first, ["S-1"])
    changed, second, printed = again("S-1", "S-3")  # the one is on its way, the other is not
    assert (changed, second != first, printed) == (True, True, ["S-3"])
    assert again("S-3", "S-1")[0] is False
