from __future__ import annotations

from takt.backoff import CAP_SECONDS, full_jitter


def test_waits_grow_and_stay_under_the_cap() -> None:
    for attempt, ceiling in (
        (0, 0.5),
        (1, 1.0),
        (3, 4.0),
        (20, CAP_SECONDS),
        (10_000, CAP_SECONDS),
    ):
        waits = [full_jitter(attempt) for _ in range(200)]
        assert min(waits) >= 0
        assert max(waits) <= ceiling
        assert max(waits) > ceiling / 2  # the whole range is used


def test_no_cap_may_exceed_a_minute() -> None:
    assert max(full_jitter(30, cap=3600) for _ in range(200)) <= CAP_SECONDS
