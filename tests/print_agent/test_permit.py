"""The right to send ends with time, on a clock that goes on while the computer sleeps."""

from __future__ import annotations

import time

import pytest

from print_agent import clock
from print_agent.delivery import Permit


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "now", made)
    return made


def test_the_first_byte_only_within_the_window(at: Time) -> None:
    assert Permit(1000, 20, 30).may_go()
    late = Permit(1000, 20, 30)
    at.now += 20
    assert not late.may_go()


def test_a_laptop_lid_in_between_ends_it(at: Time) -> None:
    permit = Permit(1000, 20, 30)
    at.now += 600
    assert not permit.may_go()


def test_what_has_begun_goes_on_as_long_as_the_lease(at: Time) -> None:
    permit = Permit(1000, 20, 30)
    at.now += 19
    assert permit.may_go()
    at.now += 10
    assert permit.may_go()
    permit.extend(at.now)
    at.now += 29
    assert permit.may_go()
    at.now += 1
    assert not permit.may_go()


def test_a_lease_that_was_over_does_not_come_back(at: Time) -> None:
    permit = Permit(1000, 20, 30)
    assert permit.may_go()
    at.now += 600  # asleep; the answer to the extension was on its way meanwhile
    permit.extend(at.now - 1)
    assert not permit.may_go()


def test_a_job_that_was_lost_is_lost(at: Time) -> None:
    permit = Permit(1000, 20, 30)
    assert permit.may_go()
    permit.lost = True
    assert not permit.may_go()


def test_the_clock_counts_suspend() -> None:
    assert abs(clock.now() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1
    assert clock.machine_boot() == clock.machine_boot()
