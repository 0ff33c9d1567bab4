"""What happens to a routed order, in plain Python: three steps, one order, scarce parts.

Written from the rules (docs/production.md), not from the SQL: it keeps no sums that it could work
out, and undoes by doing the opposite.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PARTS = {"PANEL": 1, "LEG": 4}  # per table
STEPS = (10, 20, 30)
PLANNED = 12


class No(Exception):
    """The command must be refused with this code."""


@dataclass
class Step:
    """Pieces at one step; everything else is worked out from these."""

    part: str | None = None
    released: int = 0
    started: int = 0
    good: int = 0
    scrap: int = 0
    rework: int = 0
    held: int = 0
    is_paused: bool = False
    is_ended: bool = False

    @property
    def in_process(self) -> int:
        return self.started - self.good - self.scrap

    @property
    def waiting(self) -> int:
        return self.in_process - self.rework - self.held


@dataclass(eq=False)  # two alike are two
class Record:
    """Pieces in rework or held, until somebody has decided about all of them."""

    step: int
    kind: str
    quantity: int
    open: int


@dataclass
class Change:
    """What one command did to a step, so that it can be taken back."""

    step: int
    started: int = 0
    good: int = 0
    scrap: int = 0
    rework: int = 0
    held: int = 0
    paused: bool = False
    ended: bool = False
    made: Record | None = None
    took: tuple[Record, int] | None = None


@dataclass
class Order:
    """One order of PLANNED tables; `stock` are the parts that are free."""

    stock: dict[str, int]
    steps: list[Step] = field(default_factory=lambda: [Step("PANEL"), Step("LEG"), Step()])
    records: list[Record] = field(default_factory=list)
    commands: list[list[Change]] = field(default_factory=list)
    planned: int = PLANNED
    is_closed: bool = False

    # What follows from the pieces -----------------------------------------------------------

    @property
    def lost(self) -> int:
        return sum(s.scrap for s in self.steps)

    @property
    def status(self) -> str:
        first, last = self.steps[0], self.steps[-1]
        on_the_way = first.started - last.good - self.lost
        if self.is_closed:
            return "CLOSED"
        if first.started == 0 and not first.is_ended:
            return "OPEN_NOT_STARTED"
        if on_the_way:
            return "IN_PROGRESS"
        if last.good >= self.planned:
            return "CLOSED"
        all_in = first.is_ended or first.started == self.planned
        return "OPEN_PARTIAL" if all_in else "IN_PROGRESS"

    def step_status(self, k: int) -> str:
        step = self.steps[k]
        if self.is_done(k):
            return "COMPLETED"
        if step.is_paused and step.started:
            return "PAUSED"
        return "IN_PROGRESS" if step.started else "NOT_STARTED"

    def is_done(self, k: int) -> bool:
        step = self.steps[k]
        came = self.steps[k - 1].good if k else self.planned
        before = self.is_done(k - 1) if k else True
        return step.is_ended or (before and step.started == came and not step.in_process)

    def can_start(self, k: int) -> int:
        step = self.steps[k]
        came = self.steps[k - 1].good if k else step.released
        return 0 if step.is_ended else max(min(step.released, came) - step.started, 0)

    # Release --------------------------------------------------------------------------------

    def _can_come(self, k: int) -> int:
        """Pieces that came to a step or can still come."""
        first = self.steps[0]
        come = first.started if first.is_ended else self.planned
        return come - sum(s.scrap for s in self.steps[:k])

    def _fit(self) -> None:
        """No step keeps sets for pieces that cannot come any more."""
        for k, step in enumerate(self.steps):
            if step.part:
                sets = max(step.released - self._can_come(k), 0)
                step.released -= sets
                self.stock[step.part] += sets * PARTS[step.part]

    def release(self) -> None:
        """Every step gets the sets that are there for pieces that can still come."""
        for k, step in enumerate(self.steps):
            if step.is_ended:
                continue
            if step.part is None:
                step.released = self.planned
                continue
            sets = max(self._can_come(k) - step.released, 0)
            sets = min(sets, self.stock[step.part] // PARTS[step.part])
            step.released += sets
            self.stock[step.part] -= sets * PARTS[step.part]

    def _wants(self, k: int, pieces: float) -> None:
        if self.steps[k].released < self.planned and self.can_start(k) < pieces:
            self.release()

    def _ready(self, k: int) -> None:
        step = self.steps[k]
        if step.in_process or self.can_start(k):
            return
        if self.is_done(k):
            raise No("production.step_completed")
        if k and self.steps[k - 1].good <= step.started:
            raise No("production.previous_step")
        raise No("production.parts_missing")

    # Commands -------------------------------------------------------------------------------

    def _open(self) -> None:
        if self.status == "CLOSED":
            raise No("production.closed")

    def _book(self, change: Change) -> None:
        step = self.steps[change.step]
        if change.started > self.can_start(change.step):
            done = step.is_ended
            raise No("production.step_completed" if done else "production.more_than_input")
        step.started += change.started
        step.good += change.good
        step.scrap += change.scrap
        step.rework += change.rework
        step.held += change.held
        after = self.steps[change.step + 1].started if change.step < 2 else 0
        if step.good < after:
            raise No("production.used_further")
        if min(step.waiting, step.good, step.scrap, step.rework, step.held, step.started) < 0:
            raise No("production.more_than_in_process")
        if change.scrap:
            self._fit()

    def start(self, k: int, quantity: int | None) -> None:
        self._open()
        step = self.steps[k]
        was_paused = self.step_status(k) == "PAUSED"
        self._wants(k, float("inf") if quantity is None else quantity)
        self._ready(k)
        quantity = self.can_start(k) if quantity is None else quantity
        if not quantity and not was_paused:
            return
        step.is_paused = False
        if quantity:
            self._book(change := Change(k, started=quantity))
            self.commands.append([change])

    def report(self, k: int, good: int, scrap: int, rework: int, by_machine: bool = False) -> None:
        self._open()
        total = good + scrap + rework
        if not total:
            raise No("production.nothing")
        if self.step_status(k) == "PAUSED" and not by_machine:
            raise No("production.step_paused")
        self._wants(k, total - self.steps[k].waiting)
        self._ready(k)
        changes = [Change(k, started=max(total - self.steps[k].waiting, 0), good=good)]
        self._book(changes[0])
        if scrap:
            changes.append(Change(k, scrap=scrap))
            self._book(changes[-1])
        if rework:
            changes.append(self._set_aside(k, "rework", rework))
        self.commands.append(changes)

    def _set_aside(self, k: int, kind: str, quantity: int, started: int = 0) -> Change:
        record = Record(k, kind, quantity, quantity)
        change = Change(k, started=started, made=record)
        setattr(change, "held" if kind == "hold" else "rework", quantity)
        self._book(change)
        self.records.append(record)
        return change

    def quality(self, k: int, kind: str, quantity: int) -> None:
        """Pieces found while they are made."""
        self._open()
        if self.step_status(k) == "PAUSED":
            raise No("production.step_paused")
        started = max(quantity - self.steps[k].waiting, 0)
        if kind == "scrap":
            self._book(change := Change(k, started=started, scrap=quantity))
        else:
            change = self._set_aside(k, kind, quantity, started)
        self.commands.append([change])

    def decide(self, record: Record, kind: str, quantity: int) -> None:
        """Open pieces are good now, or scrap."""
        self._open()
        if not record.open:
            raise No("quality.decided")
        if quantity > record.open:
            raise No("quality.too_many")
        change = Change(record.step, took=(record, quantity))
        setattr(change, "good" if kind == "accept" else "scrap", quantity)
        setattr(change, "held" if record.kind == "hold" else "rework", -quantity)
        self._book(change)
        record.open -= quantity
        self.commands.append([change])

    def pause(self, k: int) -> None:
        self._open()
        if self.step_status(k) not in ("IN_PROGRESS", "PAUSED"):
            raise No("production.not_running")
        if not self.steps[k].is_paused:
            self.steps[k].is_paused = True
            self.commands.append([Change(k, paused=True)])

    def end_first(self) -> None:
        self._open()
        if self.is_done(0):
            return
        if self.steps[0].in_process:
            raise No("production.in_process")
        self.steps[0].is_ended = True
        self._fit()
        self.commands.append([Change(0, ended=True)])

    def undo(self) -> None:
        standing = [  # a pause that is over is nothing to take back
            command
            for command in self.commands
            if not command[0].paused or self.step_status(command[0].step) == "PAUSED"
        ]
        if self.is_closed:
            raise No("production.closed" if standing else "undo.nothing")
        if not standing:
            raise No("undo.nothing")
        for change in reversed(standing[-1]):
            if change.made and change.made.open != change.made.quantity:
                raise No("undo.blocked")
            self._take_back(change)
        self.commands = [command for command in self.commands if command is not standing[-1]]

    def _take_back(self, change: Change) -> None:
        back = Change(
            change.step, -change.started, -change.good, -change.scrap, -change.rework, -change.held
        )
        try:
            self._book(back)
        except No as no:
            raise No("undo.blocked") from no
        if change.paused:
            self.steps[change.step].is_paused = False
        if change.ended:
            self.steps[change.step].is_ended = False
        if change.made:
            self.records.remove(change.made)
        if change.took:
            change.took[0].open += change.took[1]

    def close(self) -> None:
        if self.status == "CLOSED":
            return
        if any(s.in_process for s in self.steps):
            raise No("production.in_process")
        self.is_closed = True

    def settle(self) -> None:
        """What follows by itself from any command."""
        for k, step in enumerate(self.steps):
            if not step.started or self.is_done(k):
                step.is_paused = False
        if self.status == "CLOSED":
            self._give_back()

    def _give_back(self) -> None:
        """An order that has ended keeps no set that no piece was started with."""
        for step in self.steps:
            if step.part:
                self.stock[step.part] += (step.released - step.started) * PARTS[step.part]
                step.released = step.started

    def reopen(self) -> None:
        if self.status != "CLOSED":
            return
        if not self.is_closed:
            raise No("production.complete")
        self.is_closed = False
        self.steps[0].is_ended = False
        self.commands = [command for command in self.commands if not command[0].ended]
