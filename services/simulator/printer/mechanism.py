"""What is common to all label printers: a buffer, a head, a roll, a counter, and their faults.

Nothing here runs by itself: `advance()` brings everything up to the time of the injected clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from services.simulator.printer.batch import Batch, Event, Running
from services.simulator.printer.faults import Condition, Fault, Kind, Script
from services.simulator.printer.paper import Paper
from services.simulator.printer.spec import Spec

_STOPS_FEED = {Condition.PAPER_OUT, Condition.RIBBON_OUT, Condition.HEAD_OPEN}
# Only these leave a half label that is printed again (Zebra, ^JZ).
_REPRINTED = {Condition.PAPER_OUT, Condition.RIBBON_OUT, Condition.HEAD_OPEN}


class Mechanism:
    """The moving parts. Times are those of `clock`, in seconds."""

    def __init__(self, spec: Spec, clock: Callable[[], float], paper: Paper) -> None:
        self.spec, self.paper = spec, paper
        self.conditions: set[Condition] = set()
        self.powered = True
        self.boots = 1
        self.openings = 0  # how often the lid was opened
        self.roll: int | None = None  # labels left on it; None = enough
        self.on_event: Callable[[Event], None] = lambda event: None
        self.on_line_fault: Callable[[Fault], None] = lambda fault: None
        self.on_fault_end: Callable[[Kind], None] = lambda kind: None
        self._clock = clock
        self._since = clock()
        self._script = Script()
        self._queue: deque[Batch] = deque()
        self._running: Running | None = None
        self._deferred: list[Fault] = []  # strike when the label in motion is out
        self._feeds = 0
        self._counted = spec.odometer
        self._labels = 0  # with ink, since it was made
        self._lagging: deque[float] = deque()
        self._last = self._since  # when something last happened by itself

    # -- what can be asked ----------------------------------------------------------------------

    @property
    def odometer(self) -> int:
        """Labels over the life of the printer, as it tells them."""
        now = self._clock()
        return self._counted - sum(at > now for at in self._lagging)

    @property
    def formats(self) -> int:
        """Formats in the buffer, without the one that is being printed."""
        return len(self._queue)

    @property
    def remaining(self) -> int:
        """Labels that remain of the batch, the one in motion included."""
        if self._running is None:
            return 0
        return self._running.left - int(self.spec.remaining_without_current and self.is_moving)

    @property
    def is_moving(self) -> bool:
        """Is a label on its way?"""
        return self._running is not None and self._running.out_at is not None

    @property
    def labels(self) -> int:
        """Labels with ink that came out here, spoiled ones included."""
        return self._labels

    @property
    def uptime_s(self) -> int:
        return int(self._clock() - self._since)

    @property
    def has_room(self) -> bool:
        """False when the receive buffer is full: the line is not read any more."""
        return sum(len(batch.source) for batch in self._queue) < self.spec.buffer_bytes

    # -- time -----------------------------------------------------------------------------------

    def advance(self) -> None:
        """Do everything that was due up to now."""
        now = self._clock()
        while (due := self.next_due()) is not None and due <= now:
            self._step(due)
        while self._lagging and self._lagging[0] <= now:
            self._lagging.popleft()

    def next_due(self) -> float | None:
        """When something happens without anybody's doing."""
        times = [self._script.next_time(self._labels, self._last)]
        if self._running is not None:
            times += [self._running.out_at, self._running.spoils and self._running.spoils[0]]
        return min((at for at in times if at is not None), default=None)

    def _step(self, at: float) -> None:
        self._last = at
        running = self._running
        if running is not None and running.spoils is not None and running.spoils[0] <= at:
            fault, running.spoils = running.spoils[1], None
            self._strike(fault, at)
        elif running is not None and running.out_at is not None and running.out_at <= at:
            self._ink(running)
            self._count(at)
            self._finish_label(running, at)
        for kind in self._script.take_ended(at):
            self._end(kind)
        self._take_due(at)
        self._go_on(at)

    # -- printing -------------------------------------------------------------------------------

    def print(self, batch: Batch) -> None:
        """Put a batch into the buffer."""
        self._queue.append(batch)
        self._go_on(self._clock())

    def _go_on(self, at: float) -> None:
        """Begin the next label when nothing is in the way."""
        if not self.powered or self.is_moving or self.conditions:
            return
        if self._running is None and self._queue:
            batch = self._queue.popleft()
            self._running = Running(batch, batch.copies)
        if self._running is not None:
            self._running.out_at = at + self.spec.label_s
            fault = self._script.take_for_label(self._labels, at)
            if fault is not None:
                self._running.spoils = (at + self.spec.label_s / 2, fault)

    def _ink(self, running: Running, *, spoiled: bool = False) -> None:
        """A label with ink on it leaves the printer."""
        batch, copy = running.batch, running.done + 1
        self.paper.add("label", self.spec, batch.source, batch.zpl, copy=copy, spoiled=spoiled)
        running.out_at = running.spoils = None
        self._labels += 1
        self._use_roll()

    def _finish_label(self, running: Running, at: float) -> None:
        """What follows the end of a label, before the next one begins."""
        batch, feeds, self._feeds = running.batch, self._feeds, 0
        running.done, running.left = running.done + 1, running.left - 1
        pauses = batch.pause_every > 0 and running.done % batch.pause_every == 0
        if running.left <= 0:
            self._running = None
            feeds, pauses = feeds + batch.feeds, batch.pauses
            self.on_event(Event("batch_done"))
        if pauses:
            self._set(Condition.PAUSED)
        deferred, self._deferred = self._deferred, []
        for fault in deferred:
            self._strike(fault, at)
        for _ in range(feeds):
            self._feed_now(at)

    def _count(self, at: float) -> None:
        self._counted += 1
        if self.spec.counter_lag_s:
            self._lagging.append(at + self.spec.counter_lag_s)

    def _use_roll(self) -> None:
        if self.roll is not None:
            self.roll -= 1
            if self.roll <= 0:
                self._set(Condition.PAPER_OUT)

    # -- faults ---------------------------------------------------------------------------------

    def plan(self, fault: Fault) -> None:
        """Let a fault happen, at once or when its time comes."""
        self.advance()
        now = self._clock()
        self._script.plan(fault, self._labels, now)
        self._take_due(now)

    def clear(self, kind: Kind | None = None) -> None:
        """End a fault and forget what is planned of it; all of them without a `kind`."""
        self.advance()
        self._script.forget(kind)
        self.end(*(self.conditions if kind is None else [kind]))

    def end(self, *kinds: Kind) -> None:
        """End what holds now; what is planned stays planned."""
        self.advance()
        for kind in tuple(kinds):
            self._end(kind)
        self._go_on(self._clock())

    def _take_due(self, at: float) -> None:
        for fault in self._script.take(self._labels, at, moving=self.is_moving):
            self._strike(fault, at)

    def _strike(self, fault: Fault, at: float) -> None:
        kind = fault.kind
        if not isinstance(kind, Condition):
            self.on_line_fault(fault)
        elif self.is_moving and not fault.strikes_mid_label:
            self._deferred.append(fault)
            return
        else:
            self._set(kind)
            if self._running is not None and self.is_moving:
                self._spoil(self._running, kind, at)
        if fault.lasts_s is not None:
            self._script.end(kind, at + fault.lasts_s)

    def _spoil(self, running: Running, condition: Condition, at: float) -> None:
        """The label in motion stays half printed; whether it is printed again, ^JZ decides."""
        self._ink(running, spoiled=True)
        self._count(at)
        if not (running.batch.reprints and condition in _REPRINTED):
            self._finish_label(running, at)

    def _set(self, condition: Condition) -> None:
        if condition not in self.conditions:
            self.conditions.add(condition)
            self.openings += condition is Condition.HEAD_OPEN
            self.on_event(Event("struck", condition))

    def _end(self, kind: Kind) -> None:
        if not isinstance(kind, Condition):
            self.on_fault_end(kind)
        self._deferred = [fault for fault in self._deferred if fault.kind != kind]
        if isinstance(kind, Condition) and kind in self.conditions:
            self.conditions.remove(kind)
            self.on_event(Event("cleared", kind))

    # -- the hands of the operator, and commands ------------------------------------------------

    def pause(self) -> None:
        """Stop after the label in motion."""
        self.plan(Fault(Condition.PAUSED))

    def resume(self) -> None:
        self.end(Condition.PAUSED)

    def load(self, labels: int | None = None) -> None:
        """Put in a new roll of `labels`, and a ribbon; the lid is closed afterwards."""
        self.roll = labels
        self.end(*_STOPS_FEED)

    def feed(self, times: int = 1) -> None:
        """Move on by blank labels: the feed button, or a calibration."""
        self.advance()
        if self.is_moving:
            self._feeds += times
            return
        for _ in range(times):
            self._feed_now(self._clock())

    def _feed_now(self, at: float) -> None:
        if not self.powered or self.conditions & _STOPS_FEED:
            return
        self.paper.add("blank", self.spec)
        if self.spec.feed_counts:
            self._count(at)
        self._use_roll()

    def print_text(self, text: bytes) -> None:
        """Print bytes as they are: what a printer in another language does with commands."""
        if self.powered and not self.conditions:
            self.paper.add("text", self.spec, text)
            self._labels += 1
            self._count(self._clock())
            self._use_roll()

    def cancel_all(self) -> None:
        """Empty the buffer; the batch ends with the label in motion."""
        self.advance()
        self._queue.clear()
        self._stop_batch()

    def cancel_one(self) -> None:
        """Drop the batch that is being printed, or else the oldest one in the buffer."""
        self.advance()
        if self._running is not None:
            self._stop_batch()
        elif self._queue:
            self._queue.popleft()
        self._go_on(self._clock())

    def _stop_batch(self) -> None:
        if self._running is not None and self.is_moving:
            self._running.left = 1
        else:
            self._running = None

    def power_off(self) -> None:
        """The buffer is lost; a label in motion stays half printed and is not counted."""
        self.advance()
        if self._running is not None and self.is_moving:
            self._ink(self._running, spoiled=True)
        self.powered = False
        self._queue.clear()
        self._running = None
        self._deferred, self._feeds = [], 0
        self._lagging.clear()
        self.conditions.discard(Condition.PAUSED)

    def power_on(self) -> None:
        """Start again: the odometer stays, the uptime begins at nought."""
        self.powered = True
        self.boots += 1
        self._since = self._clock()
