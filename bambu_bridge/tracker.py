"""Which prints a Bambu printer made: reports in, decided runs out. No I/O, no clock of its own.

FINISH is a level that stays for days and may already carry the next job's name, so a print is
counted only at the end of a run that was seen open; what ended unseen is recovered with the
doubt it deserves. Nothing is decided before a full report after each (re)connect.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bambu_bridge import ending
from bambu_bridge.dispatch import Dispatch
from bambu_bridge.identity import Identity, Match
from bambu_bridge.memory import Ending, Gap, Held, Memory, Phase, Shown
from bambu_bridge.merge import Ack, Picture, Snapshot, Status
from bambu_bridge.run import Decision, Evidence, Instant, Outcome, Run

GRACE = 15.0  # the code that says "cancelled" may come so long after the state
SETTLE = 30.0  # so long the name may come after the state
UNSEEN_HOLD = 300.0  # a finish nobody saw may be the old one with the next job's name
UNSEEN_GAP = 120.0  # nothing starts and ends in a shorter blind window
STUCK_FINISH = 600.0
FRESH_ATTACH = 300.0
COVERAGE_GAP = 180.0
LONG_SILENCE = 120.0

_STARTING = frozenset({"PREPARE", "SLICING"})
_ACTIVE = _STARTING | {"RUNNING", "PAUSE"}
_KNOWN = _ACTIVE | {"FINISH", "FAILED", "IDLE"}
OFFLINE = "superseded while offline"


@dataclass
class Tracker:
    """Feed it everything one printer says, in order. `mint` makes run ids.

    `changed` is True when the memory holds something that must not be lost, `gaps` grows by each
    blind window; whoever stores them sets them back.
    """

    memory: Memory = field(default_factory=Memory)
    mint: Callable[[], str] = lambda: uuid.uuid4().hex
    synced: bool = False
    changed: bool = False
    snapshot: Snapshot | None = None
    gaps: list[Gap] = field(default_factory=list)
    _picture: Picture = field(default_factory=Picture)
    _dispatch: Dispatch = field(default_factory=Dispatch)

    def reset(self) -> None:
        """The connection is gone or new: nothing counts until the next full report."""
        self.synced = False
        self._picture = Picture()

    def feed(self, message: Status | Ack, now: Instant) -> list[Decision]:
        """Runs that this message ended."""
        if isinstance(message, Ack):
            return self._heard(message, now)
        if not self.synced and not (message.full and message.fields.get("gcode_state") in _KNOWN):
            return []
        snapshot = self.snapshot = self._dispatch.with_plate(self._picture.apply(message), now)
        if snapshot.state not in _KNOWN:
            return []
        self._note_gap(now)
        before = self.memory.state
        handle = self._step if self.synced else self._first
        self.synced = True
        decided = handle(snapshot, now)
        self.memory.known, self.memory.last_seen = True, now
        self.changed = self.changed or bool(decided) or before != self.memory.state
        return decided

    def tick(self, now: Instant) -> list[Decision]:
        """Runs whose time to be sure is over. Call it every second or so."""
        memory, decided = self.memory, []
        if memory.ending is not None and _since(memory.ending.at.steady, now) >= GRACE:
            decided += self._end()
        if not self.synced:
            return self._noted(decided)
        if memory.held is not None and _since(memory.held.since, now) >= UNSEEN_HOLD:
            decided += self._release()
        if memory.stuck_since is not None and _since(memory.stuck_since, now) >= STUCK_FINISH:
            shown = memory.run.identity if memory.run else Identity()
            decided += self._lose(now, Evidence.LOST, "FINISH, but it was never seen running")
            memory.shown = Shown("FINISH", shown)
        return self._noted(decided)

    def _noted(self, decided: list[Decision]) -> list[Decision]:
        self.changed = self.changed or bool(decided)
        return decided

    # Replies of the printer to somebody's commands

    def _heard(self, ack: Ack, now: Instant) -> list[Decision]:
        run = self.memory.run
        self._dispatch.hear(ack, now)
        if ack.ok and ack.command == "stop" and run is not None:
            run.stopped_at, self.changed = now.steady, True
            return self._end()
        return []

    def _note_gap(self, now: Instant) -> None:
        last = self.memory.last_seen
        if last is not None and _since(last.steady, now) >= COVERAGE_GAP and now.wall > last.wall:
            self.gaps.append(Gap(uuid.uuid4().hex, last.wall, now.wall))
            self.changed = True

    # The first full report after a (re)connect

    def _first(self, snapshot: Snapshot, now: Instant) -> list[Decision]:
        run = self.memory.run
        if run is None:
            return self._first_without_run(snapshot, now)
        if self.memory.phase is Phase.ENDING:
            return self._while_ending(snapshot, now, start_seen=False)
        match = run.identity.compare(snapshot.identity)
        active = snapshot.state in _ACTIVE
        if active and not run.settled and _since(run.opened, now) < FRESH_ATTACH:
            return self._go_on(snapshot, now)
        gone = match is Match.DIFFERENT and snapshot.state != "IDLE"
        if gone or (active and run.has_regressed(snapshot)):
            lost = self._lose(now, Evidence.SUPERSEDED, OFFLINE)
            return [*lost, *self._first_without_run(snapshot, now)]
        return self._same(snapshot, now, offline=True)

    def _first_without_run(self, snapshot: Snapshot, now: Instant) -> list[Decision]:
        memory = self.memory
        if snapshot.state in _ACTIVE:
            return [*self._settle_held(snapshot), *self._open(snapshot, now, start_seen=False)]
        last = memory.last_seen
        if (
            snapshot.state == "FINISH"
            and last is not None
            and _since(last.steady, now) >= UNSEEN_GAP
            and memory.held is None
            and not snapshot.identity.is_empty
            and not self._is_shown(snapshot)
        ):
            skipped = tuple(sorted(snapshot.skipped))
            memory.held = Held(
                *(snapshot.identity, skipped, snapshot.percent, now.steady, now.wall, last.wall)
            )
            return []
        return self._show(snapshot, now)

    # Reports while connected

    def _step(self, snapshot: Snapshot, now: Instant) -> list[Decision]:
        run, active = self.memory.run, snapshot.state in _ACTIVE
        if run is None:
            if active:
                return [*self._settle_held(snapshot), *self._open(snapshot, now, start_seen=True)]
            return self._show(snapshot, now)
        if self.memory.phase is Phase.ENDING:
            return self._while_ending(snapshot, now, start_seen=True)
        if active and self._is_another(run, snapshot, now):
            lost = self._lose(now, Evidence.SUPERSEDED, "another job took its place")
            seen = snapshot.state in _STARTING
            return [*lost, *self._open(snapshot, now, start_seen=seen)]
        return self._same(snapshot, now, offline=False)

    def _same(self, snapshot: Snapshot, now: Instant, *, offline: bool) -> list[Decision]:
        """The open run goes on, or ends."""
        if snapshot.state in _ACTIVE:
            return self._go_on(snapshot, now)
        if snapshot.state != "FINISH":
            return self._start_ending(snapshot, now, self._last_wall() if offline else None)
        if not self._run.saw_running:
            return self._stuck(now)
        if offline:
            return self._finish(snapshot, now, Evidence.RECOVERED, "finished while offline")
        return self._finish(snapshot, now, Evidence.OBSERVED, "finished")

    def _is_another(self, run: Run, snapshot: Snapshot, now: Instant) -> bool:
        if not run.saw_running:
            return False
        if run.settled and run.identity.compare(snapshot.identity) is Match.DIFFERENT:
            return True
        last = self.memory.last_seen
        silent = last is not None and _since(last.steady, now) > LONG_SILENCE
        return (silent or snapshot.state in _STARTING) and run.has_regressed(snapshot)

    def _open(self, snapshot: Snapshot, now: Instant, *, start_seen: bool) -> list[Decision]:
        run = Run.open(self.mint(), snapshot, now, start_seen)
        run.dispatch_seen = self._dispatch.seen_for(snapshot.identity, now)
        self.memory.run = run
        return self._go_on(snapshot, now)

    def _go_on(self, snapshot: Snapshot, now: Instant) -> list[Decision]:
        memory, run = self.memory, self._run
        memory.stuck_since = None
        if not run.settled:
            if not snapshot.identity.is_empty:
                run.identity = snapshot.identity
        elif run.identity.compare(snapshot.identity) is not Match.DIFFERENT:
            run.identity = run.identity.filled_from(snapshot.identity)
        run.observe(snapshot, now)
        if snapshot.state == "PAUSE":
            run.pause(now)
            memory.phase = Phase.PAUSED
        elif snapshot.state == "RUNNING":
            run.resume(now)
            memory.phase = Phase.PRINTING
        elif not run.saw_running:
            memory.phase = Phase.STARTING
        if run.saw_running and _since(run.opened, now) >= SETTLE:
            run.settled = True
        return []

    def _stuck(self, now: Instant) -> list[Decision]:
        """FINISH before it ever ran is the last job's; when it stays, nobody knows."""
        if self.memory.stuck_since is None:
            self.memory.stuck_since = (self.memory.last_seen or now).steady
        return self.tick(now)

    def _start_ending(
        self, snapshot: Snapshot, now: Instant, not_before: float | None
    ) -> list[Decision]:
        memory, run = self.memory, self._run
        run.observe_codes(snapshot, now)
        memory.phase, memory.ending = Phase.ENDING, Ending(snapshot.state, now, not_before)
        memory.stuck_since = None
        return self._end() if run.cancel_reason(now.steady) else []

    def _while_ending(
        self, snapshot: Snapshot, now: Instant, *, start_seen: bool
    ) -> list[Decision]:
        memory, run, stopped = self.memory, self._run, self.memory.ending
        if snapshot.state in _ACTIVE or stopped is None:
            return [*self._end(), *self._open(snapshot, now, start_seen=start_seen)]
        run.observe_codes(snapshot, now)
        same = run.saw_running and run.identity.compare(snapshot.identity) is Match.SAME
        if same and (stopped.state, snapshot.state) == ("IDLE", "FINISH"):
            return self._finish(snapshot, now, Evidence.OBSERVED, "finished, after IDLE")
        if snapshot.state == "FAILED":
            memory.ending = replace(stopped, state="FAILED")
        return self._end() if run.cancel_reason(now.steady) else self.tick(now)

    def _show(self, snapshot: Snapshot, now: Instant) -> list[Decision]:
        """No run is open: remember the end that is shown, it may stay for days."""
        memory, held, decided = self.memory, self.memory.held, []
        if held is not None:
            same = held.identity.compare(snapshot.identity) is not Match.DIFFERENT
            if snapshot.state == "FINISH" and same:
                return self.tick(now)
            decided = self._settle_held(snapshot)
        if snapshot.state in ("FINISH", "FAILED"):
            memory.shown = Shown(snapshot.state, snapshot.identity)
        return decided

    def _is_shown(self, snapshot: Snapshot) -> bool:
        shown = self.memory.shown
        if shown is None or shown.state != "FINISH":
            return False
        return shown.identity.compare(snapshot.identity) is not Match.DIFFERENT

    # Decisions

    @property
    def _run(self) -> Run:
        if self.memory.run is None:
            raise RuntimeError("no run is open")
        return self.memory.run

    def _last_wall(self) -> float | None:
        return self.memory.last_seen.wall if self.memory.last_seen else None

    def _settle_held(self, snapshot: Snapshot) -> list[Decision]:
        """The printer shows something else now: was the held finish real?"""
        held = self.memory.held
        if held is None:
            return []
        begins = snapshot.state in _ACTIVE or snapshot.state == "FAILED"
        if begins and held.identity.compare(snapshot.identity) is not Match.DIFFERENT:
            self.memory.held = None  # it was the name of this job, which only now begins
            return []
        return self._release()

    def _release(self) -> list[Decision]:
        memory, held = self.memory, self.memory.held
        if held is None:
            return []
        decision = ending.unseen(self.mint(), held, memory.last_finished)
        memory.held, memory.shown = None, Shown("FINISH", held.identity)
        memory.last_finished = decision.finished_at
        return [decision]

    def _finish(
        self, snapshot: Snapshot, now: Instant, evidence: Evidence, reason: str
    ) -> list[Decision]:
        run = self._run
        if run.identity.compare(snapshot.identity) is not Match.DIFFERENT:
            run.identity = run.identity.filled_from(snapshot.identity)
            run.observe_skipped(snapshot)
            run.observe_percent(snapshot)
        not_before = self._last_wall() if evidence is Evidence.RECOVERED else None
        decided = self._decide(now, Outcome.SUCCESS, evidence, reason, not_before)
        self.memory.shown = Shown("FINISH", snapshot.identity)
        return decided

    def _end(self) -> list[Decision]:
        """The grace of an end is over, or needs no waiting."""
        memory, run, stopped = self.memory, self.memory.run, self.memory.ending
        if run is None or stopped is None:
            return []
        outcome, reason = ending.classify_end(run, stopped, self.snapshot)
        unseen = stopped.not_before is not None
        evidence = Evidence.LOST if unseen else Evidence.OBSERVED
        if unseen and outcome is not Outcome.UNKNOWN:
            evidence = Evidence.RECOVERED
        shown = Shown(stopped.state, run.identity)
        decided = self._decide(stopped.at, outcome, evidence, reason, stopped.not_before)
        memory.shown = shown
        return decided

    def _lose(self, now: Instant, evidence: Evidence, reason: str) -> list[Decision]:
        return self._decide(now, Outcome.UNKNOWN, evidence, reason, self._last_wall())

    def _decide(
        self,
        end: Instant,
        outcome: Outcome,
        evidence: Evidence,
        reason: str,
        not_before: float | None,
    ) -> list[Decision]:
        memory = self.memory
        decision = ending.of_run(
            *(self._run, outcome, evidence, reason, end),
            floor=memory.last_finished,
            not_before=not_before,
            snapshot=self.snapshot,
        )
        memory.run, memory.phase, memory.ending = None, Phase.IDLE, None
        memory.stuck_since = None
        memory.last_finished = decision.finished_at
        return [decision]


def _since(then: float, now: Instant) -> float:
    return now.steady - then
