"""Any story of prints, cancels, breaks and restarts: nothing is counted twice or invented."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import booleans, integers, sampled_from

from tests.bambu.story import CANCEL, Story, cloud


class Farm(RuleBasedStateMachine):
    """One X1 that prints cloud jobs, and the bridge that may be blind now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.linked = True
        self.state = "IDLE"
        self.job: dict[str, Any] = {}
        self.jobs = 0
        self.percent = 0
        self.watched = False  # the bridge saw all of the print so far
        self.truth: list[str] = []
        self.certain: list[str] = []
        self.story.connect(0)
        self.tell()

    def tell(self, **fields: Any) -> None:
        if self.linked:
            said = {"mc_percent": self.percent, **self.job, **fields}
            self.story.full(self.story.at, self.state, **said)
        else:
            self.watched = False

    def over(self, state: str, outcome: str, **fields: Any) -> None:
        self.state = state
        self.truth.append(outcome)
        self.tell(**fields)
        if self.watched:
            self.certain.append(outcome)
        self.pass_time(60)

    @rule(seconds=sampled_from([5, 60, 1_000, 90_000]))
    def pass_time(self, seconds: int) -> None:
        self.story.wait(self.story.at + seconds)

    @rule(name=sampled_from(["A", "B"]), prepare=booleans(), reprint=booleans())
    @precondition(lambda self: self.state in ("IDLE", "FINISH", "FAILED"))
    def start(self, name: str, prepare: bool, reprint: bool) -> None:
        if not (reprint and self.job):
            self.jobs += 1
            self.job = cloud(name, 1, self.jobs)
        self.watched = self.linked
        if self.state == "FINISH" and prepare:
            self.tell()  # the old state with the new name
        self.percent = 0
        for state in ("PREPARE", "RUNNING") if prepare else ("RUNNING",):
            self.state = state
            self.pass_time(5)
            self.tell()

    @rule(percent=integers(1, 30))
    @precondition(lambda self: self.state == "RUNNING")
    def go_on(self, percent: int) -> None:
        self.percent = min(99, self.percent + percent)
        self.pass_time(100)
        self.tell()

    @rule()
    @precondition(lambda self: self.state == "RUNNING")
    def pause(self) -> None:
        self.state = "PAUSE"
        self.tell()
        self.pass_time(100)
        self.state = "RUNNING"
        self.tell()

    @rule()
    @precondition(lambda self: self.state == "RUNNING")
    def finish(self) -> None:
        self.percent = 100
        self.over("FINISH", "success")

    @rule(late=booleans())
    @precondition(lambda self: self.state == "RUNNING")
    def cancel(self, late: bool) -> None:
        if late:
            self.state = "FAILED"
            self.tell()
            self.pass_time(4)
        else:
            self.tell(print_error=CANCEL)
        self.over("FAILED", "cancelled", print_error=CANCEL if late else 0)

    @rule()
    @precondition(lambda self: self.state == "RUNNING")
    def fail(self) -> None:
        self.over("FAILED", "failed")

    @rule(times=integers(1, 3))
    def repeat(self, times: int) -> None:
        for _ in range(times):
            self.tell()

    @rule()
    @precondition(lambda self: self.linked)
    def drop(self) -> None:
        self.story.lose(self.story.at)
        self.linked = False

    @rule()
    @precondition(lambda self: not self.linked)
    def come_back(self) -> None:
        self.story.connect(self.story.at)
        self.linked = True
        self.tell()

    @rule()
    def restart(self) -> None:
        self.story.restart(self.story.at)
        self.tell()

    @invariant()
    def every_run_is_told_once(self) -> None:
        keys = [decision.key("S") for decision in self.story.decided]
        assert len(keys) == len(set(keys))

    @invariant()
    def nothing_is_invented(self) -> None:
        for outcome in ("success", "cancelled"):
            assert self.story.outcomes.count(outcome) <= self.truth.count(outcome)

    @invariant()
    def what_was_seen_is_told(self) -> None:
        told = [d.outcome.value for d in self.story.decided if d.evidence == "observed"]
        for outcome in ("success", "cancelled", "failed"):
            assert told.count(outcome) >= self.certain.count(outcome)

    @invariant()
    def times_run_forward(self) -> None:
        ends = [decision.finished_at for decision in self.story.decided]
        assert ends == sorted(ends)


TestFarm = Farm.TestCase
TestFarm.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
