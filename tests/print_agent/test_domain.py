"""The agent's decisions, from facts alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from print_agent.domain import (
    DRAINED_SECONDS,
    SETTLE_SECONDS,
    Claim,
    Go,
    Health,
    Next,
    Pace,
    Reading,
    Settle,
    Step,
    Watch,
    before_send,
    next_boot,
    poll_wait,
    probe_wait,
    settle,
)

IDLE = Reading(
    Health.IDLE, 100.0, formats=0, remaining=0, partial=False, odometer=50, dpi=203, sized=True
)
PAYLOAD = "^XA^FDüñ^FS^XZ"


def row(**changes: Any) -> dict[str, Any]:
    made = {
        "job_id": 7,
        "fence": 2,
        "printer": "PRN-1",
        "payload": PAYLOAD,
        "payload_sha256": hashlib.sha256(PAYLOAD.encode()).hexdigest(),
        "copies": 2,
        "labels": 3,
        "dpi": 203,
        "send_window_s": 20,
    }
    return {**made, **changes}


def test_a_claim_counts_paper_and_knows_its_payload() -> None:
    claim = Claim.of(row())
    assert (claim.labels, claim.payload, claim.is_intact) == (6, PAYLOAD.encode(), True)
    assert not Claim.of(row(payload="^XA^XZ")).is_intact


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (IDLE, (Go.SEND, "")),
        (replace(IDLE, health=Health.BUSY, formats=1), (Go.WAIT, "printing")),
        (replace(IDLE, formats=1), (Go.WAIT, "printing")),
        (replace(IDLE, remaining=2), (Go.WAIT, "printing")),
        (replace(IDLE, partial=True), (Go.CLEAR, "partial-format")),
        (replace(IDLE, dpi=300), (Go.RELEASE, "resolution-changed")),
        (replace(IDLE, dpi=None), (Go.RELEASE, "resolution-unknown")),
        (Reading(Health.FAULT, 1, ("cover-open",), sized=True), (Go.RELEASE, "cover-open")),
        (Reading(Health.UNREACHABLE, 1), (Go.RELEASE, "unreachable")),
        (Reading(Health.UNREADABLE, 1), (Go.RELEASE, "unreadable")),
        (Reading(Health.FOREIGN, 1), (Go.RELEASE, "not-a-printer")),
        (Reading(Health.IDLE, 1), (Go.SEND, "")),  # cannot say its size: the admin's word counts
    ],
)
def test_before_the_first_byte(reading: Reading, expected: tuple[Go, str]) -> None:
    assert before_send(Claim.of(row()), reading) == expected


@given(
    health=st.sampled_from(Health),
    faults=st.sampled_from([(), ("paused",)]),
    partial=st.sampled_from([None, False, True]),
    formats=st.sampled_from([None, 0, 1]),
    dpi=st.sampled_from([None, 203, 300]),
    sized=st.booleans(),
)
def test_nothing_is_sent_without_evidence(  # noqa: PLR0917
    health: Health,
    faults: tuple[str, ...],
    partial: bool | None,
    formats: int | None,
    dpi: int | None,
    sized: bool,
) -> None:
    reading = Reading(health, 1.0, faults, formats=formats, partial=partial, dpi=dpi, sized=sized)
    go, _ = before_send(Claim.of(row()), reading)
    evidence = reading.evidence(None)
    if go is Go.SEND:
        assert evidence["idle"]
        assert not partial
        assert not formats
        assert dpi == 203 or not sized
    if health is not Health.IDLE:
        assert not evidence["idle"]
        assert evidence["faults"] or health is Health.BUSY or not faults


def look(at: float, odometer: int | None = None, **changes: Any) -> Reading:
    return replace(IDLE, at=at, odometer=odometer, **changes)


def test_the_counter_says_when_it_is_over() -> None:
    watch = Watch(labels=3, before=50, sent_at=0)
    assert watch.next(look(0.1, 50))[0] is Next.WAIT
    assert watch.next(look(0.5, 51, health=Health.BUSY, formats=1))[0] is Next.WAIT
    assert watch.next(look(1.0, 53, health=Health.BUSY, formats=0))[0] is Next.WAIT
    assert watch.next(look(1.2, 53))[0] is Next.CONFIRM


def test_a_counter_that_lags_has_time_and_one_that_stands_still_is_told() -> None:
    watch = Watch(labels=2, before=50, sent_at=0)
    assert watch.next(look(1, 51))[0] is Next.WAIT
    assert watch.next(look(1 + SETTLE_SECONDS - 0.1, 51))[0] is Next.WAIT
    assert watch.next(look(1 + SETTLE_SECONDS, 51))[0] is Next.CONFIRM
    moving = Watch(labels=3, before=50, sent_at=0)
    assert moving.next(look(1, 51))[0] is Next.WAIT
    assert moving.next(look(1 + SETTLE_SECONDS, 52))[0] is Next.WAIT  # it moved: again so long


def test_extra_labels_are_over_too() -> None:
    assert Watch(labels=1, before=50, sent_at=0).next(look(0.2, 54))[0] is Next.CONFIRM


def test_without_a_counter_busy_then_idle_is_drained() -> None:
    watch = Watch(labels=1, before=None, sent_at=0)
    assert watch.next(look(0.1))[0] is Next.WAIT
    assert watch.next(look(0.2, health=Health.BUSY))[0] is Next.WAIT
    assert watch.next(look(0.3))[0] is Next.CONFIRM
    quick = Watch(labels=1, before=None, sent_at=0)
    assert quick.next(look(0.1))[0] is Next.WAIT
    assert quick.next(look(0.1 + DRAINED_SECONDS))[0] is Next.CONFIRM


def test_a_fault_that_can_be_seen_has_all_the_time_but_silence_has_not() -> None:
    watch = Watch(labels=10, before=50, sent_at=0)
    for minute in range(15):
        reading = Reading(Health.FAULT, minute * 60.0, ("paused",))
        assert watch.next(reading)[0] is Next.WAIT
    gone = Reading(Health.UNREACHABLE, 14 * 60 + 19.0)
    assert watch.next(gone)[0] is Next.WAIT
    assert watch.next(replace(gone, at=14 * 60 + 21.0)) == (Next.UNKNOWN, "unreachable")


def test_what_strikes_is_remembered_in_its_order() -> None:
    watch = Watch(labels=3, before=50, sent_at=0)
    out, both = ("media-empty",), ("media-empty", "cover-open")
    for at, faults in enumerate([out, out, both, ("cover-open",), (), ("cover-open",)]):
        health = Health.FAULT if faults else Health.BUSY
        assert watch.next(Reading(health, float(at), faults))[0] is Next.WAIT
        watch.next(Reading(Health.UNREACHABLE, at + 0.5))  # says nothing about faults
    assert watch.struck == ["media-empty", "cover-open", "cover-open"]
    at_once = Watch(labels=3, before=50, sent_at=0)
    at_once.next(Reading(Health.FAULT, 1.0, both))
    assert at_once.struck == ["cover-open", "media-empty"]  # the worse of two orders


def test_half_a_label_that_stays_is_thrown_away() -> None:
    watch = Watch(labels=1, before=50, sent_at=0)
    half = look(0.1, None, partial=True)
    assert watch.next(half)[0] is Next.WAIT
    assert watch.next(replace(half, at=0.1 + DRAINED_SECONDS))[0] is Next.CLEAR
    assert watch.next(look(3, 50))[0] is Next.WAIT
    assert watch.next(look(3 + SETTLE_SECONDS, 50))[0] is Next.CONFIRM


def test_a_way_without_answers_is_told_at_once() -> None:
    watch = Watch(labels=1, before=None, sent_at=0)
    assert watch.next(Reading(Health.IDLE, 0.0, mute=True))[0] is Next.CONFIRM


@pytest.mark.parametrize(
    ("state", "step", "deaf", "counted", "reading", "expected"),
    [
        ("sending", Step.BEGUN, False, True, IDLE, Settle.ABORT),
        ("unknown", Step.BEGUN, True, True, Reading(Health.UNREACHABLE, 1), Settle.ABORT),
        ("sending", Step.NOTHING, False, False, IDLE, Settle.ABORT),
        ("sending", Step.HANDING, False, True, IDLE, Settle.TELL_UNKNOWN),
        ("sending", Step.HANDED, False, True, IDLE, Settle.TELL_UNKNOWN),
        ("sending", Step.SENT, False, True, IDLE, Settle.WATCH),
        ("sent", Step.SENT, False, True, IDLE, Settle.WATCH),
        ("sent", Step.SENT, False, False, IDLE, Settle.TELL_UNKNOWN),  # no counter: who knows
        ("sent", Step.SHOWN, True, False, Reading(Health.UNREACHABLE, 1), Settle.SHOW),
        ("unknown", Step.SHOWN, True, True, IDLE, Settle.SHOW),
        ("unknown", Step.SENT, False, True, IDLE, Settle.WATCH),
        ("unknown", None, False, True, IDLE, Settle.WATCH),
        ("unknown", None, False, False, IDLE, Settle.LEAVE),
        ("unknown", Step.SENT, False, True, replace(IDLE, health=Health.BUSY), Settle.LEAVE),
        ("sent", Step.SENT, False, True, Reading(Health.FAULT, 1, ("paused",)), Settle.LEAVE),
        ("unknown", Step.SENT, True, True, IDLE, Settle.LEAVE),
        ("sent", Step.SENT, True, True, IDLE, Settle.TELL_UNKNOWN),
        ("unknown", Step.SENT, False, False, replace(IDLE, mute=True), Settle.LEAVE),
        ("sent", Step.SENT, False, False, replace(IDLE, mute=True), Settle.TELL_UNKNOWN),
    ],
)
def test_what_the_resolver_does(  # noqa: PLR0917
    state: str, step: Step | None, deaf: bool, counted: bool, reading: Reading, expected: Settle
) -> None:
    assert settle(state, step, deaf, counted, reading) is expected


def up(uptime: int | None, at: float, unique_id: str | None = "D1") -> Reading:
    return replace(IDLE, uptime_s=uptime, at=at, unique_id=unique_id)


def boot_ids(*readings: tuple[Reading, str, float]) -> list[str]:
    known, found = None, []
    for reading, machine, wall in readings:
        known = next_boot(known, reading, machine, wall)
        assert known is not None
        found.append(known.boot_id)
    return found


def test_one_boot_stays_one_boot() -> None:
    seen = boot_ids(
        (up(100, 1000.0), "m", 5000.0),
        (up(160, 1061.2), "m", 5061.2),  # cut seconds, a slow answer
        (up(86_560, 87_475.0), "m", 91_490.0),  # a day of drift
        (up(86_660, 60.0), "after restart", 91_591.0),
    )
    assert len(set(seen)) == 1


@pytest.mark.parametrize(
    "second",
    [
        (up(3, 1200.0), "m", 5200.0),  # it counts from the start again
        (up(150, 1400.0), "m", 5400.0),  # it has been on for less than has passed
        (up(400, 1300.0, "D2"), "m", 5300.0),  # another printer
        (up(400, 50.0), "after restart", 9000.0),
    ],
)
def test_a_power_cycle_is_another_boot(second: tuple[Reading, str, float]) -> None:
    assert len(set(boot_ids((up(100, 1000.0), "m", 5000.0), second))) == 2


def test_without_an_uptime_there_is_no_boot() -> None:
    assert next_boot(None, up(None, 1.0), "m", 1.0) is None


def test_how_often_it_asks() -> None:
    assert all(0.8 <= poll_wait(10, quiet) <= 1.2 for quiet in (0, 50, 5000))
    assert 4.0 <= poll_wait(1000, 50) <= 6.0
    assert 0.8 <= poll_wait(1000, 0) <= 1.2


def test_how_often_it_looks() -> None:
    assert probe_wait(IDLE, 0, Pace()) == 10
    assert probe_wait(Reading(Health.FAULT, 1, ("paused",)), 0, Pace()) == 5
    mute = Reading(Health.UNREADABLE, 1, silent=True)
    assert [probe_wait(mute, looks, Pace()) for looks in (1, 3, 4)] == [5, 5, 60]


def test_words_for_people() -> None:
    stopped = Reading(Health.FAULT, 1, ("cover-open", "paused"), ("media-low",), sized=True)
    assert (stopped.status, stopped.reasons) == ("stopped", ("cover-open", "paused", "media-low"))
    assert replace(IDLE, dpi=None).status == "stopped"
    assert replace(IDLE, dpi=None).reasons == ("resolution-unknown",)
    assert Reading(Health.UNREACHABLE, 1).status == "unreachable"
    assert (IDLE.status, IDLE.reasons) == ("idle", ())
