"""What happens to the printers: lids, rolls, switches, lines, answers; and hands that repair it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from services.simulator.printer.device import Device
from services.simulator.printer.thread import RunningPrinter

_BETWEEN_POWER = 8.0  # a printer needs so long to start; its uptime has whole seconds
Act = Callable[[RunningPrinter], None]


@dataclass
class Trouble:
    """Strikes one printer about every `every` seconds. `blind`: printers without a counter."""

    printers: dict[str, RunningPrinter]
    blind: frozenset[str]
    rng: random.Random
    calm: threading.Event
    every: float
    struck: Counter[str] = field(default_factory=Counter)
    _power_at: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        while not self.calm.wait(self.rng.expovariate(1 / self.every)):
            code = self.rng.choice(sorted(self.printers))
            self._strike(code, self.printers[code])
        for printer in self.printers.values():
            printer.do(_repair)

    def _strike(self, code: str, printer: RunningPrinter) -> None:
        kinds = dict(self._anywhere())
        if code not in self.blind:
            # Nothing but a counter can tell what became of bytes that a printer took and lost.
            kinds |= self._with_counter()
        name = self.rng.choice(sorted(kinds))
        if name.startswith("power"):
            if time.monotonic() - self._power_at.get(code, 0.0) < _BETWEEN_POWER:
                return
            self._power_at[code] = time.monotonic()
        self.struck[name] += 1
        kinds[name](printer)

    def _anywhere(self) -> dict[str, Act]:
        some = self.rng.uniform(0.5, 6.0)
        later = self.rng.randint(0, 4)
        return {
            "out of labels": lambda p: p.strike("paper_out", after_labels=later, lasts_s=some),
            "lid opened between labels": lambda p: p.strike(
                "head_open", after_labels=later, mid_label=False, lasts_s=some
            ),
            "lid opened in a label": lambda p: p.strike(
                "head_open", after_labels=later, mid_label=True, lasts_s=some
            ),
            "paused": lambda p: p.strike("paused", after_labels=later, lasts_s=some),
            "no answers": lambda p: p.strike("silent", times=self.rng.randint(1, 3)),
            "garbled answers": lambda p: p.strike(
                self.rng.choice(("garbage", "two_frames", "wrong_counts", "cut")),
                times=self.rng.randint(1, 4),
            ),
            "late answer": lambda p: p.strike("late", delay_s=2.5, times=1),
            "refuses": lambda p: p.strike("refuse", lasts_s=some),
        }

    def _with_counter(self) -> dict[str, Act]:
        after = self.rng.randint(0, 900)
        return {
            "line reset": lambda p: p.strike("reset", after_bytes=after, times=1),
            "line ended": lambda p: p.strike("early_fin", after_bytes=after, times=1),
            "line half open": lambda p: p.strike("half_open", after_bytes=after, times=1),
            "deaf": lambda p: p.strike("deaf", times=1),
            "slow": lambda p: p.strike("slow_read", rate=600, times=3),
            "power cycle": lambda p: p.do(Device.power_cycle),
            "power cycle in a batch": lambda p: _when_moving(p, self.calm),
            "power off for a while": lambda p: _off(p, self.rng.uniform(1, 4), self.calm),
        }


def _when_moving(printer: RunningPrinter, calm: threading.Event) -> None:
    """Switch it off and on in the middle of a label, or after a second anyhow."""
    end = time.monotonic() + 1.0
    while time.monotonic() < end and not calm.is_set():
        if printer.do(_cycle_if_moving):
            return
        calm.wait(0.004)
    printer.do(Device.power_cycle)


def _cycle_if_moving(device: Device) -> bool:
    device.mechanism.advance()
    if not device.mechanism.is_moving:
        return False
    device.power_cycle()
    return True


def _off(printer: RunningPrinter, seconds: float, calm: threading.Event) -> None:
    printer.do(Device.power_off)
    calm.wait(seconds)
    printer.do(Device.power_on)


def _repair(device: Device) -> None:
    device.power_on()
    device.clear()
    device.load()
