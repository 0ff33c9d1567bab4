"""Print agents in their own processes: killed at every step, stopped, doubled, started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults import crash
from bench.faults.wire import Wire
from takt.device import Credentials
from tests.print_agent.plant import Plant
from tests.takt.processes import ROOT

_CODE = "from bench.faults import crash\ncrash.arm()\nfrom print_agent.cli import main\nmain()"
_HELD, _START = 10.0, 60.0


@dataclass
class AgentProcess:
    """One program with one journal. `start` again after a crash finds the same journal."""

    plant: Plant
    wire: Wire
    home: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, step: str = "", count: int = 1) -> None:
        """`step`: where it will kill itself, at the `count`-th time."""
        env = {
            **self.plant.environment(),
            "TAKT_PRINT_HOME": str(self.home),
            "SUPABASE_URL": self.wire.url,
            crash.STEP: step,
            crash.COUNT: str(count),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _CODE, "run"], cwd=ROOT, env=env, stdout=log, stderr=log
            )

    @property
    def is_ready(self) -> bool:
        """Has this very process reported itself? Starting takes long on a busy machine."""
        try:
            said = json.loads((self.home / "state.json").read_text())
        except (OSError, ValueError):
            return False
        return self.process is not None and said["pid"] == self.process.pid

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: int) -> None:
        """To this process only, and only while it runs."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)

    def end(self, number: int = signal.SIGKILL) -> None:
        self.send(signal.SIGCONT)
        self.send(number)
        if self.process is not None:
            self.process.wait(90)


@dataclass
class Keeper:
    """Keeps one agent alive, and sees to it that it dies. `armed`: share of starts with a step."""

    plant: Plant
    wire: Wire
    rng: random.Random
    stop: threading.Event
    calm: threading.Event
    armed: float
    struck: Counter[str] = field(default_factory=Counter)
    _steps: list[str] = field(default_factory=list)
    _twins: int = 0

    def __post_init__(self) -> None:
        credentials = Credentials.read(self.plant.sign_in)
        reached = Credentials(self.wire.url, *_rest(credentials))
        reached.write(self.plant.sign_in)
        self.agent = self._process("main")

    def _process(self, name: str) -> AgentProcess:
        folder = self.plant.folder
        return AgentProcess(self.plant, self.wire, folder / name, folder / "agent.log")

    def run(self) -> None:
        """Until the stop; once it is calm the agent just lives."""
        while not self.stop.is_set():
            if self.calm.is_set():
                if not self.agent.runs:
                    self.agent.start()
                self.stop.wait(0.2)
                continue
            self._live()
        self.agent.end(signal.SIGTERM)

    def _live(self) -> None:
        """One life: until its step, its time, or the end of the storm."""
        step = self._next_step() if self.rng.random() < self.armed else ""
        self.agent.start(step, self.rng.randint(1, 12))
        patience = time.monotonic() + _START
        while self.agent.runs and not self.agent.is_ready and time.monotonic() < patience:
            self.stop.wait(0.1)
        end = time.monotonic() + self.rng.uniform(6, 26)
        while self.agent.runs and time.monotonic() < end and not self.calm.is_set():
            self.stop.wait(0.2)
            if self.rng.random() < 0.008:
                self._suspend()
            elif self.rng.random() < 0.008:
                self._double()
            elif self.rng.random() < 0.006:
                self.wire.cut(self.rng.choice((0.0, 2.0, 8.0)))
        if self.calm.is_set() and self.agent.runs:
            return
        if self.agent.runs:
            gently = self.rng.random() < 0.15
            self.struck["ended by SIGTERM" if gently else "killed at any moment"] += 1
            self.agent.end(signal.SIGTERM if gently else signal.SIGKILL)
        else:
            self.struck[f"killed {step}" if step else "ended by itself"] += 1
        self.stop.wait(self.rng.choice((0.0, 0.0, 1.0, 4.0)))

    def _next_step(self) -> str:
        if not self._steps:
            self._steps = list(crash.STEPS)
            self.rng.shuffle(self._steps)
        return self._steps.pop()

    def _suspend(self) -> None:
        """As a laptop lid: sometimes longer than every lease."""
        self.struck["suspended"] += 1
        self.agent.send(signal.SIGSTOP)
        self.stop.wait(self.rng.choice((0.5, 2.0, _HELD, 2 * _HELD)))
        self.agent.send(signal.SIGCONT)

    def _double(self) -> None:
        """A second program with the same sign-in fights for the same printers."""
        self.struck["doubled"] += 1
        self._twins += 1
        twin = self._process(f"twin-{self._twins % 2}")
        twin.start()
        try:
            patience = time.monotonic() + _START
            while twin.runs and not twin.is_ready and time.monotonic() < patience:
                self.stop.wait(0.1)
            self.stop.wait(self.rng.uniform(2, 6))
        finally:
            twin.end(self.rng.choice((signal.SIGKILL, signal.SIGTERM)))


def _rest(credentials: Credentials) -> tuple[str, str, str, str]:
    return (
        credentials.publishable_key,
        credentials.email,
        credentials.password,
        credentials.device,
    )
