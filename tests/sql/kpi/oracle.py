"""What a machine did, second by second: slow, and written without looking at the SQL."""

from __future__ import annotations

from dataclasses import dataclass, field

RUNS = ("running", "setup")
Island = tuple[tuple[str, int] | None, int, int]


@dataclass(frozen=True)
class Said:
    """A state from second `at` on; `holds`: a person said it, so it needs no repeat."""

    at: int
    state: str
    holds: bool


@dataclass(frozen=True)
class Day:
    """Seconds from the beginning of the story; ranges are half-open; `end` is now."""

    end: int
    said: tuple[Said, ...]
    shifts: tuple[tuple[int, int], ...]
    planned: tuple[tuple[int, int], ...] = ()
    stops: tuple[tuple[int, int, str | None], ...] = ()  # (from, to, reason)
    silence_s: int = 300
    micro_s: int = 120


@dataclass
class Sums:
    """Seconds of a window."""

    window_s: int = 0
    scheduled_s: int = 0
    planned_s: int = 0
    run_s: int = 0
    setup_s: int = 0
    availability_loss_s: int = 0
    micro_s: int = 0
    pending_s: int = 0
    no_data_s: int = 0
    unclassified_s: int = 0
    kinds: list[str] = field(default_factory=list)


def _states(day: Day) -> tuple[list[str], list[bool]]:
    """(state of each second, does the machine say at this second that it runs)"""
    states, says = ["no_data"] * day.end, [False] * day.end
    order = sorted((s for s in day.said if s.at <= day.end), key=lambda s: (s.at, s.state))
    last = [s for n, s in enumerate(order) if n + 1 == len(order) or order[n + 1].at > s.at]
    for n, one in enumerate(last):
        until = last[n + 1].at if n + 1 < len(last) else day.end
        silent = not one.holds and one.state != "off" and until - one.at > day.silence_s
        for second in range(one.at, until):
            states[second] = "no_data" if silent else one.state
        if one.at < day.end:
            says[one.at] = one.state in RUNS
    return states, says


def _islands(day: Day, states: list[str], says: list[bool]) -> list[Island]:
    """Of each second: (what stop it is part of, its first second, the second after its last)."""
    keys: list[tuple[str, int] | None] = []
    number = 0
    for second in range(day.end):
        row = next((n for n, s in enumerate(day.stops) if s[0] <= second < s[1]), None)
        down = states[second] not in RUNS
        if down and (second == 0 or states[second - 1] in RUNS or says[second]):
            number += 1
        keys.append(("row", row) if row is not None else ("shown", number) if down else None)
    found: list[Island] = []
    first = 0
    for second in range(day.end + 1):
        if second == day.end or keys[second] != keys[first]:
            # What stood when the story begins has never run.
            since = -(10**6) if first == 0 and keys[0] == ("shown", 1) else first
            found += [(keys[first], since, second)] * (second - first)
            first = second
    return found


def sums(day: Day, begin: int, end: int) -> Sums:
    """What kpi_window has to say about [begin, end)."""
    states, says = _states(day)
    islands = _islands(day, states, says)
    total = Sums()
    for second in range(begin, min(end, day.end)):
        total.window_s += 1
        if not any(a <= second < b for a, b in day.shifts):
            continue
        total.scheduled_s += 1
        if any(a <= second < b for a, b in day.planned):
            continue
        total.planned_s += 1
        _judge(day, states[second], islands[second], total)
    return total


def _judge(day: Day, state: str, island: Island, total: Sums) -> None:
    key, first, last = island
    if key is None:
        total.run_s += state == "running"
        total.setup_s += state == "setup"
        total.availability_loss_s += state == "setup"
        return
    kind, number = key
    reason = day.stops[number][2] if kind == "row" else None
    if reason is None and last - first <= day.micro_s:
        total.run_s += 1
        total.pending_s += last == day.end
        total.micro_s += last < day.end
        return
    total.availability_loss_s += 1
    if reason is None:
        unknown = state == "no_data" and kind == "shown"
        total.no_data_s += unknown
        total.unclassified_s += not unknown
