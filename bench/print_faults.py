"""A randomised fault run: labels printed through real agents while everything goes wrong.

`python -m bench.print_faults --jobs 2000 --seed 1`. Real Postgres and PostgREST, agents in their
own processes, virtual printers. The truth is the paper itself. Exit code 1 when a label came out
twice or was lost without a person being told. A seed draws the same faults again; which job they
meet depends on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from bench.faults import truth
from bench.faults.agents import Keeper
from bench.faults.people import Eyes, Hands, Wishes
from bench.faults.trouble import Trouble
from bench.faults.wire import Wire
from bench.harness import Ratio
from services.local.postgres import PostgresServer
from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers
from tests.print_agent.plant import Plant
from tests.services.stack import Stack

_OPEN = ("queued", "held", "claimed", "sending", "sent", "unknown")
_CLAIM_SECONDS = 8  # a dead agent's claims come back soon; also less than an agent's own rhythm
# How firmware is known, or feared, to differ.
_KINDS: tuple[dict[str, object], ...] = (
    {},
    {"counter_lag_s": 1.2, "counts_openings": False},
    {"remaining_without_current": True},
    {"hs_talks_in_fault": True, "answers_hqes": False, "counts_openings": False},
    {"partial_survives": False, "second_connection": "refuse"},
)
_TELL_EVERY = 15.0
_SMALL = 100
BLIND, SHARED = "blind", "shared"


class Actor(Protocol):
    """Somebody who acts in a thread of its own, and counts what it did."""

    @property
    def struck(self) -> Counter[str]: ...
    def run(self) -> None: ...


@dataclass
class Options:
    """`every`: seconds between two faults of printers; `armed`: share of agents' lives that end at
    a named step; `lost`: share of calls that the network spoils; `limit` in seconds."""

    jobs: int = 2000
    seed: int = 1
    printers: int = 12
    every: float = 0.6
    armed: float = 0.6
    lost: float = 0.02
    limit: float = 1500.0


@dataclass
class Storm:
    """One run: what takes part, and what came of it."""

    options: Options
    stack: Stack
    folder: Path
    real: dict[str, RunningPrinter]
    stop: threading.Event = field(default_factory=threading.Event)
    calm: threading.Event = field(default_factory=threading.Event)
    errors: list[str] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    _quiet_since: int | None = None

    @property
    def faults(self) -> int:
        """How often something was broken, people's own acts left out."""
        people = ("a person", "serials", "clicked", "cancelled", "reprint", "printer given")
        return sum(n for what, n in self.struck.items() if not what.startswith(people))

    def rng(self, name: str) -> random.Random:
        return random.Random(f"{self.options.seed}/{name}")

    def run(self) -> None:
        """Storm until all jobs were asked for, then calm until all of them are settled."""
        plants = [self._plant(name) for name in ("red", "blue")]
        codes = self._make_printers(plants)
        printers = {code: self.real[name] for name, code in codes.items()}
        paper = truth.PaperIndex(printers)
        wires = [self._wire(plant) for plant in plants]
        keepers = [self._keeper(p, w) for p, w in zip(plants, wires, strict=True)]
        jobs, every = self.options.jobs, self.options.every
        wishes = Wishes(plants[0], sorted(codes.values()), jobs, self.rng("wishes"), self.calm)
        eyes = Eyes(plants[1], printers, paper, self.stop)
        agents, address = [plant.agent for plant in plants], self.real[SHARED].address
        hands = Hands(plants[0], agents, codes[SHARED], address, self.rng("hands"), self.calm)
        blind = frozenset({codes[BLIND]})
        trouble = Trouble(printers, blind, self.rng("trouble"), self.calm, every)
        actors: list[Actor] = [*keepers, wishes, eyes, hands, trouble]
        began = time.monotonic()
        threads = [self._begin(actor.run) for actor in actors]
        try:
            self._wait(wishes.done.is_set, self.options.limit, paper)
            for wire in wires:
                wire.healthy = True
            self.calm.set()
            self._wait(lambda: self._is_settled(eyes), self.options.limit / 2, paper)
        finally:
            self.calm.set()
            self.stop.set()
            for thread in threads:
                thread.join(120)
            for wire in wires:
                wire.close()
        self.seconds = time.monotonic() - began
        for struck in [actor.struck for actor in actors] + [wire.struck for wire in wires]:
            self.struck.update(struck)
        self._judge(paper, eyes)

    def _wire(self, plant: Plant) -> Wire:
        gateway = urlsplit(self.stack.url)
        rng = self.rng(f"wire of {plant.folder.name}")
        wire = Wire(gateway.hostname or "", gateway.port or 0, rng, self.options.lost)
        wire.start()
        return wire

    def _keeper(self, plant: Plant, wire: Wire) -> Keeper:
        rng = self.rng(plant.folder.name)
        return Keeper(plant, wire, rng, self.stop, self.calm, self.options.armed)

    def _plant(self, name: str) -> Plant:
        folder = self.folder / name
        folder.mkdir()
        plant = Plant(self.stack, folder)
        plant.enroll()
        return plant

    def _make_printers(self, plants: list[Plant]) -> dict[str, str]:
        with plants[0].person() as rpc:
            rpc.call(
                "set_setting", p_key="printing.claim_seconds", p_value=_CLAIM_SECONDS, p_site="main"
            )
        codes = {}
        for n, name in enumerate(sorted(self.real)):
            level = 1 if name == BLIND else None
            plant = plants[n % len(plants)]
            codes[name] = plant.printer(self.real[name], p_dpi=203, p_evidence_level=level)
        return codes

    def _begin(self, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # a broken actor must not look like a clean run
                self.errors.append(f"{getattr(work, '__qualname__', work)}: {error!r}")
                raise

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def _wait(self, there: Callable[[], bool], seconds: float, paper: truth.PaperIndex) -> None:
        end, told = time.monotonic() + seconds, time.monotonic()
        while not there() and time.monotonic() < end and not self.errors:
            if time.monotonic() - told > _TELL_EVERY:
                told = time.monotonic()
                with self.stack.connect() as db:
                    found, said = truth.states(db), truth.claims(db)
                wrong = truth.judge(paper.read(), said).violations
                print(f"  {dict(found)} wrong: {wrong[:3]}", file=sys.stderr)
            time.sleep(0.25)

    def _is_settled(self, eyes: Eyes) -> bool:
        """Nothing is open, and those who count the paper had the time to ask for more."""
        with self.stack.connect() as db:
            found = truth.states(db)
        if any(found[state] for state in _OPEN):
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = eyes.rounds
        return self._quiet_since is not None and eyes.rounds >= self._quiet_since + 2

    def _judge(self, paper: truth.PaperIndex, eyes: Eyes) -> None:
        with self.stack.connect() as db:
            verdict = truth.judge(paper.read(), truth.claims(db))
            found = truth.states(db)
            self.violations += truth.history_errors(db)
        self.violations += verdict.violations + eyes.violations + self.errors
        self.figures.update(verdict.figures)
        self.figures["jobs"] = sum(found.values())
        for state, count in found.items():
            self.figures[f"jobs {state}"] = count
            if state in _OPEN and state != "unknown":
                self.violations.append(f"{count} jobs are still {state}")


@contextlib.contextmanager
def storm(options: Options) -> Iterator[Storm]:
    """A stack and printers for one run; all of it is gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="takt-faults-"))
    folder.chmod(0o755)
    home = folder / "stack"
    home.mkdir()
    specs = [Spec(BLIND, label_s=0.01, answers_sgd=False), Spec(SHARED, label_s=0.01)]
    for n in range(options.printers - len(specs)):
        specs.append(Spec(f"prn{n}", label_s=0.01))
        specs[-1].change(_KINDS[n % len(_KINDS)])
    stack = Stack.start(home)
    try:
        with stack.rpc() as rpc:
            rpc.call("register_site", p_code="main", p_name="Main", p_time_zone="UTC")
        with running_printers(specs) as real:
            yield Storm(options, stack, folder, real)
    finally:
        stack.stop()
        if "TAKT_FAULTS_KEEP" in os.environ:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def run(_: PostgresServer) -> list[Ratio]:
    """A small run for `make bench`. Errors: SystemExit when the promise was broken."""
    with storm(Options(jobs=_SMALL)) as small:
        small.run()
    if small.violations:
        raise SystemExit("\n".join(small.violations))
    jobs, faults = small.figures["jobs"], small.faults
    return [
        Ratio(
            f"fault run, {jobs} jobs, {faults} faults: wrong labels",
            "none",
            *(0.0, jobs / small.seconds, 0.0, "= 0"),
        )
    ]


def main() -> None:
    """Print the figures; exit code 1 when the promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.print_faults", description=__doc__)
    for name, value in vars(Options()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    options = Options(**vars(parser.parse_args()))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)  # leave no process behind
    with storm(options) as run:
        run.run()
    print(f"seed {options.seed}, {run.seconds:.0f} s, {run.faults:,} faults")
    for title, counts in (("what happened", run.struck), ("what came of it", run.figures)):
        print(f"\n{title}")
        for what, count in sorted(counts.items()):
            print(f"  {count:7,}  {what}")
    print(f"\nviolations: {len(run.violations)}")
    for violation in run.violations[:40]:
        print(f"  {violation}")
    sys.exit(1 if run.violations else 0)


if __name__ == "__main__":
    main()
