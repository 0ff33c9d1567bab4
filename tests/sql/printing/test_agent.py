"""The way of a job through the hands of its agent: claim, begin, bytes, proof."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.printing import (
    AGENT,
    OTHER_AGENT,
    act,
    add_printer,
    begin,
    bring,
    claim,
    confirm,
    evidence,
    history,
    job,
    labels_of,
    mark_sent,
    new_job,
    refusal,
    route,
    second_agent,
    state_of,
    steps,
    sweep,
    taken_job,
)
from tests.support.rpc import call


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    second_agent(db)
    add_printer(db)
    route(db, "prn-1")


# Claiming -----------------------------------------------------------------------------------


def test_a_label_goes_from_the_request_to_the_proof(db: psycopg.Connection) -> None:
    job_id = new_job(db, "SKU-7")
    taken = claim(db)
    assert taken is not None
    assert taken["job_id"] == job_id
    assert (taken["printer"], taken["language"], taken["dpi"]) == ("prn-1", "zpl", 203)
    assert (taken["copies"], taken["labels"], taken["evidence_required"]) == (1, 1, 2)
    assert taken["payload"].startswith("^XA")
    assert taken["send_window_s"] == 20
    assert 25 < taken["lease_seconds"] <= 30
    begun = begin(db, taken)
    assert (begun["changed"], begun["state"]) == (True, "sending")
    assert 15 < begun["send_seconds"] <= 20
    assert mark_sent(db, taken)["state"] == "sent"
    done = confirm(db, taken)
    assert (done["changed"], done["state"]) == (True, "printed")
    assert steps(db, job_id) == ["queued", "claimed", "sending", "sent", "printed"]
    row = job(db, job_id)
    assert row["evidence_level"] == 2
    assert row["evidence_before"]["odometer"] == 100
    assert row["finished_at"] is not None
    assert labels_of(db, job_id) == ["printed"]


def test_nothing_to_do_is_an_answer_of_nulls(db: psycopg.Connection) -> None:
    assert claim(db) is None


def test_the_same_nonce_gets_the_same_job(db: psycopg.Connection) -> None:
    """Scenario 6: the answer was lost, the agent asks again."""
    new_job(db, "SKU-1")
    new_job(db, "SKU-2")
    nonce = uuid4()
    first, again = claim(db, nonce=nonce), claim(db, nonce=nonce)
    assert first is not None
    assert again is not None
    assert (first["job_id"], first["fence"]) == (again["job_id"], again["fence"]) == (1, 1)
    assert job(db, first["job_id"])["attempts"] == 1
    assert claim(db) is None, "one job at a time has the printer"


def test_another_agent_gets_nothing_from_a_foreign_printer(db: psycopg.Connection) -> None:
    new_job(db)
    assert claim(db, OTHER_AGENT) is None
    assert claim(db, OTHER_AGENT, p_printers=["prn-1"]) is None
    assert claim(db, AGENT, p_printers=["prn-1"]) is not None


def test_only_the_named_printers_are_served(db: psycopg.Connection) -> None:
    add_printer(db, "prn-2")
    new_job(db, "SKU-1")
    two = new_job(db, "SKU-2", p_printer="prn-2")
    taken = claim(db, p_printers=["prn-2"])
    assert taken is not None
    assert taken["job_id"] == two
    other = claim(db)
    assert other is not None
    assert other["printer"] == "prn-1"


def test_who_waits_is_served_before_bulk_and_then_by_age(db: psycopg.Connection) -> None:
    bulk = new_job(db, "SKU-1", p_priority=90)
    normal = new_job(db, "SKU-2", p_priority=50)
    first, second = new_job(db, "SKU-3"), new_job(db, "SKU-4")
    order = []
    for _ in range(4):
        taken = claim(db)
        assert taken is not None
        order.append(taken["job_id"])
        act(db, "fail_print", taken, p_reason="x")
    assert order == [first, second, normal, bulk]


def test_bulk_work_rises_every_ten_minutes_and_does_not_starve(db: psycopg.Connection) -> None:
    bulk = new_job(db, "SKU-1", p_priority=90)
    sweep(db)
    assert job(db, bulk)["priority"] == 90
    sweep(db, "11 minutes")
    assert job(db, bulk)["priority"] == 50
    sweep(db, "12 minutes")
    assert job(db, bulk)["priority"] == 50
    sweep(db, "22 minutes")
    assert job(db, bulk)["priority"] == 10


@pytest.mark.parametrize("rpc", ["halt_printer", "remove_printer"])
def test_a_printer_out_of_service_is_not_served(db: psycopg.Connection, rpc: str) -> None:
    new_job(db)
    call(db, "planner", rpc, p_printer="prn-1")
    assert claim(db) is None


def test_a_halt_between_claim_and_begin_stops_the_label(db: psycopg.Connection) -> None:
    taken = taken_job(db)
    call(db, "supervisor", "halt_printer", p_printer="prn-1", p_reason="cleaning")
    assert refused(db, "begin_send", taken, p_evidence=evidence()) == "409 print.halted"
    assert act(db, "release_print", taken, p_reason="halted")["state"] == "queued"
    call(db, "supervisor", "resume_printer", p_printer="prn-1")
    wait_over(db, taken["job_id"])
    assert claim(db) is not None


# Beginning ----------------------------------------------------------------------------------


def refused(
    db: psycopg.Connection, rpc: str, taken: dict[str, Any], who: str = AGENT, **more: Any
) -> str | None:
    return refusal(db, who, rpc, p_job_id=taken["job_id"], p_fence=taken["fence"], **more)


def wait_over(db: psycopg.Connection, job_id: int) -> None:
    db.execute("update public.print_jobs set run_after = now() where id = %s", (job_id,))


NOT_READY = [
    {"idle": False},
    {"idle": None},
    {"faults": ["media-empty"]},
    {"partial": True},
    {"formats": 1},
    {"remaining": 3},
    {"odometer": None},
]


@pytest.mark.parametrize("reading", NOT_READY)
def test_nothing_is_begun_without_evidence(db: psycopg.Connection, reading: dict[str, Any]) -> None:
    taken = taken_job(db)
    said = refused(db, "begin_send", taken, p_evidence=evidence() | reading)
    assert said == "412 print.no_evidence"
    assert state_of(db, taken["job_id"]) == "claimed"


MALFORMED: list[Any] = [
    {"idle": "yes"}, {"odometer": "many"}, {"odometer": 1.5}, {"odometer": -1}, {"faults": "none"},
    {"boot_id": 7}, {"uptime_s": "long"}, {"formats": []}, {"dpi": "203"}, {"x": "y" * 5000},
]  # fmt: skip


@pytest.mark.parametrize("reading", MALFORMED)
@pytest.mark.parametrize("rpc", ["begin_send", "confirm_print", "print_unknown"])
def test_evidence_that_cannot_be_read_is_refused(
    db: psycopg.Connection, rpc: str, reading: dict[str, Any]
) -> None:
    taken = bring(db, "claimed" if rpc == "begin_send" else "sent")
    said = refused(db, rpc, taken, p_evidence=evidence() | reading)
    assert said == "422 print.bad_evidence"


def test_another_resolution_than_the_label_was_made_for_is_refused(db: psycopg.Connection) -> None:
    taken = taken_job(db)
    said = refused(db, "begin_send", taken, p_evidence=evidence(dpi=300))
    assert said == "412 print.wrong_resolution"


def test_a_printer_without_a_counter_needs_none(db: psycopg.Connection) -> None:
    add_printer(db, p_evidence_level=1)
    taken = taken_job(db)
    assert begin(db, taken, None)["state"] == "sending"


def test_a_repeated_begin_tells_what_is_left(db: psycopg.Connection) -> None:
    """Scenario 5: the reply of begin_send was lost."""
    taken = taken_job(db)
    first = begin(db, taken)
    again = begin(db, taken)
    assert (again["changed"], again["state"]) == (False, "sending")
    assert again["send_seconds"] <= first["send_seconds"]
    asked = act(db, "print_job_state", taken)
    assert (asked["changed"], asked["state"]) == (False, "sending")
    assert history(db, taken["job_id"]).count(("claimed", "sending")) == 1


def test_a_claim_that_ran_out_cannot_begin(db: psycopg.Connection) -> None:
    taken = taken_job(db)
    db.execute("update public.print_jobs set lease_until = now() - interval '1 second'")
    assert refused(db, "begin_send", taken, p_evidence=evidence()) == "409 print.lease_over"


def test_a_job_that_became_too_old_cannot_begin(db: psycopg.Connection) -> None:
    taken = taken_job(db)
    db.execute("update public.print_jobs set expires_at = now() - interval '1 second'")
    assert refused(db, "begin_send", taken, p_evidence=evidence()) == "409 print.expired"
    act(db, "release_print", taken)
    assert claim(db) is None
    sweep(db)
    assert state_of(db, taken["job_id"]) == "expired"


def test_a_cancelled_claim_cannot_begin_and_ends_cancelled(db: psycopg.Connection) -> None:
    taken = taken_job(db)
    answer = call(db, "operator", "cancel_print", p_job_id=taken["job_id"])
    assert answer["changed"]
    assert refused(db, "begin_send", taken, p_evidence=evidence()) == "409 print.cancelled"
    assert act(db, "release_print", taken)["state"] == "cancelled"
    assert labels_of(db, taken["job_id"]) == ["void"]


# Giving back --------------------------------------------------------------------------------


def test_a_release_does_not_count_as_a_try(db: psycopg.Connection) -> None:
    """Scenario 10: the head was open; attempts are not burned."""
    taken = taken_job(db)
    released = act(db, "release_print", taken, p_reason="cover-open", p_retry_s=1)
    assert released["state"] == "queued"
    row = job(db, taken["job_id"])
    assert (row["attempts"], row["why"]) == (0, "cover-open")
    assert claim(db) is None, "not before its time"
    wait_over(db, taken["job_id"])
    again = claim(db)
    assert again is not None
    assert again["fence"] == taken["fence"] + 1


@pytest.mark.parametrize("state", ["claimed", "sending", "unknown"])
def test_an_abort_without_a_byte_goes_back_to_the_queue(db: psycopg.Connection, state: str) -> None:
    taken = bring(db, state)
    assert act(db, "abort_send", taken, p_reason="connection refused")["state"] == "queued"
    assert job(db, taken["job_id"])["attempts"] == 0
    again = act(db, "abort_send", taken)
    assert (again["changed"], again["state"]) == (False, "queued")


def test_an_abort_after_all_bytes_left_is_refused(db: psycopg.Connection) -> None:
    taken = bring(db, "sent")
    assert refused(db, "abort_send", taken) == "409 print.wrong_state"
    act(db, "print_unknown", taken)
    assert refused(db, "abort_send", taken) == "409 print.wrong_state"


def test_too_few_bytes_are_not_sent(db: psycopg.Connection) -> None:
    taken = bring(db, "sending")
    length = len(taken["payload"].encode())
    assert refused(db, "mark_sent", taken, p_bytes=length - 1) == "422 print.bytes"


def test_a_failure_before_the_first_byte_is_final(db: psycopg.Connection) -> None:
    taken = bring(db, "claimed")
    failed = act(db, "fail_print", taken, p_reason="the payload is damaged")
    assert (failed["state"], failed["why"]) == ("failed", "the payload is damaged")
    assert act(db, "fail_print", taken, p_reason="again")["changed"] is False
    assert refused(db, "fail_print", bring(db, "sending", "SKU-2"), p_reason="x") == (
        "409 print.wrong_state"
    )


def test_five_lost_claims_are_enough(db: psycopg.Connection) -> None:
    job_id = new_job(db)
    for n in range(1, 6):
        assert claim(db) is not None
        sweep(db, "31 seconds")
        assert job(db, job_id)["attempts"] == n
    assert state_of(db, job_id) == "failed"
    assert "five times" in job(db, job_id)["why"]


def test_the_lease_is_extended_while_the_agent_is_at_it(db: psycopg.Connection) -> None:
    """Scenario 11: paused for a quarter of an hour, no unknown, no requeue."""
    taken = bring(db, "sent")
    db.execute("update public.print_jobs set lease_until = now() + interval '1 second'")
    extended = act(db, "extend_print", taken)
    assert extended["lease_seconds"] > 25
    sweep(db, "20 seconds")
    assert state_of(db, taken["job_id"]) == "sent"


def test_a_lost_lease_cannot_be_extended(db: psycopg.Connection) -> None:
    taken = bring(db, "sending")
    sweep(db, "1 hour")
    assert refused(db, "extend_print", taken) == "409 print.lease_over"
