"""Those who want labels, those who look at the paper, and those who move printers about."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from bench.faults.truth import Claimed, PaperIndex, claims
from services.simulator.printer.device import Device
from services.simulator.printer.thread import RunningPrinter
from takt.errors import RpcError
from takt.rpc_sync import SyncRpcClient
from tests.print_agent.plant import LABEL_TYPE, Plant

_BACKLOG = 6  # of one printer: a slow one must not keep the others idle
_WAITING = """
select printer from public.print_jobs where state in ('queued', 'claimed', 'sending')
group by 1 having count(*) >= %s
"""
_UNKNOWN = """
select j.id, j.printer, j.evidence_after is null and j.evidence_before ->> 'odometer' is not null,
  j.copies, array(
    select l.subject from public.print_job_labels l where l.job_id = j.id order by l.seq),
  j.sending_at
from public.print_jobs j where j.state = 'unknown'
"""
_DONE = """
select distinct l.subject from public.print_job_labels l join public.print_jobs j on j.id = l.job_id
where j.state in ('printed', 'failed') and j.finished_at > now() - interval '20 seconds'
"""


@dataclass
class Wishes:
    """Asks for labels until `jobs` jobs exist: single ones, copies, batches; clicks twice."""

    plant: Plant
    printers: list[str]
    jobs: int
    rng: random.Random
    stop: threading.Event
    done: threading.Event = field(default_factory=threading.Event)
    struck: Counter[str] = field(default_factory=Counter)
    made: int = 0

    def run(self) -> None:
        with self.plant.person() as rpc, self.plant.stack.connect() as db:
            while self.made < self.jobs and not self.stop.is_set():
                full = {row[0] for row in db.execute(_WAITING, (_BACKLOG,)).fetchall()}
                free = [printer for printer in self.printers if printer not in full]
                if not free:
                    self.stop.wait(0.1)
                elif self.rng.random() < 0.15:
                    self._batch(rpc, self.rng.choice(free))
                else:
                    self._single(rpc, self.rng.choice(free))
        self.done.set()

    def _serial(self) -> str:
        self.struck["serials asked for"] += 1
        return f"SN{self.struck['serials asked for']:06d}"

    def _single(self, rpc: SyncRpcClient, printer: str) -> None:
        name = self._serial()
        wish = {
            "p_label_type": LABEL_TYPE,
            "p_subject": name,
            "p_data": {"code": name, "name": "Sprinkles"},
            "p_copies": self.rng.choice((1, 1, 1, 1, 1, 2, 3)),
            "p_printer": printer,
        }
        job = rpc.call("request_print", **wish, p_request_id=str(uuid.uuid4()))["job"]["id"]
        self.made += 1
        if self.rng.random() < 0.1:
            self.struck["clicked twice"] += 1
            again = rpc.call("request_print", **wish)
            if again["changed"] or again["job"]["id"] != job:
                raise AssertionError(f"a second click made job {again['job']['id']} beside {job}")
        if self.rng.random() < 0.03:
            self.struck["cancelled by a person"] += 1
            self._cancel(rpc, job)

    def _batch(self, rpc: SyncRpcClient, printer: str) -> None:
        names = [self._serial() for _ in range(self.rng.randint(2, 10))]
        jobs = rpc.call(
            "request_prints",
            p_label_type=LABEL_TYPE,
            p_labels=[{"subject": n, "data": {"code": n, "name": "Nuts"}} for n in names],
            p_printer=printer,
            p_copies=self.rng.choice((1, 1, 1, 2)),
        )
        self.made += len(jobs)

    def _cancel(self, rpc: SyncRpcClient, job: int) -> None:
        try:
            rpc.call("cancel_print", p_job_id=job)
        except RpcError as error:
            if error.status != 409:
                raise


@dataclass
class Eyes:
    """Looks at the paper of what is unknown, says what is there, and asks for what is missing."""

    plant: Plant
    printers: dict[str, RunningPrinter]
    paper: PaperIndex
    stop: threading.Event
    struck: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    rounds: int = 0
    _short: set[str] = field(default_factory=set)
    _since: dict[int, float] = field(default_factory=dict)
    _at_rest: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        with self.plant.person() as rpc, self.plant.stack.connect() as db:
            while not self.stop.is_set():
                self._watch_printers()
                self._look(rpc, db)
                self._count(rpc, db)
                self.rounds += 1
                self.stop.wait(0.5)

    # -- unknown --------------------------------------------------------------------------------

    def _look(self, rpc: SyncRpcClient, db: psycopg.Connection) -> None:
        before = db.execute(_UNKNOWN).fetchall()
        if not before:
            return
        alarms = rpc.call("get_print_alarms")
        told = {a["job_id"] for a in alarms if a["kind"] == "print.unknown"}
        still = {row[0] for row in db.execute(_UNKNOWN).fetchall()}
        for job, printer, counts, copies, serials, began in before:
            if job not in still:
                continue
            if job not in told:
                self.violations.append(f"job {job} is unknown without an alarm")
            self._since.setdefault(job, time.monotonic())
            # While the counter may still speak a person has time, but not for ever.
            patience = 75.0 if counts else 6.0
            if time.monotonic() - self._since[job] > patience and self._rests(printer):
                self._answer(rpc, job, copies, serials, began)

    def _answer(
        self, rpc: SyncRpcClient, job: int, copies: int, serials: list[str], began: datetime
    ) -> None:
        sheets = self.paper.read()
        out, everything = 0, copies * len(serials)
        for n, serial in enumerate(serials):
            if whole := sheets[serial].whole_since(began):
                out = n * copies + min(whole, copies)
        outcome = {0: "did_not_come_out", everything: "came_out"}.get(out, "partly")
        try:
            rpc.call(
                "resolve_print",
                p_job_id=job,
                p_outcome=outcome,
                p_labels_out=out if outcome == "partly" else None,
            )
        except RpcError as error:
            if error.status != 409:
                raise
            return  # it was settled while somebody walked to the printer
        self.struck[f"a person looked: {outcome}"] += 1

    def _watch_printers(self) -> None:
        now = time.monotonic()
        for code, printer in self.printers.items():
            if not printer.do(_is_at_rest):
                self._at_rest[code] = now

    def _rests(self, printer: str) -> bool:
        """Nothing has moved there for a while, nothing is in the way and nothing waits in it."""
        return time.monotonic() - self._at_rest.get(printer, 0.0) > 3.0

    # -- what is missing ------------------------------------------------------------------------

    def _count(self, rpc: SyncRpcClient, db: psycopg.Connection) -> None:
        """Everything that was wanted should lie there once its jobs are over."""
        serials = self._short | {row[0] for row in db.execute(_DONE).fetchall()}
        if not serials:
            return
        said = claims(db, serials)
        sheets = self.paper.read()
        self._short = {
            serial
            for serial, claim in said.items()
            if not claim.is_void and sheets[serial].whole < claim.wanted
        }
        for serial in sorted(self._short):
            if said[serial].is_over:
                missing = said[serial].wanted - sheets[serial].whole
                self._ask_again(rpc, serial, said[serial], missing, sheets[serial].half)

    def _ask_again(
        self, rpc: SyncRpcClient, serial: str, claim: Claimed, missing: int, half: int
    ) -> None:
        """Only with a reason in hand: a half label, or a job that says that it failed."""
        if claim.last_label == "void":
            wish: dict[str, Any] = {"p_reason": "unknown_resolution"}  # all that did not come out
        elif half:
            wish = {"p_reason": "jam", "p_subjects": [serial], "p_copies": missing}
        else:
            return  # nothing says that it is missing: the judge will call it a silent loss
        try:
            changed = rpc.call("reprint", p_job_id=claim.last_job, **wish)["changed"]
        except RpcError as error:
            if error.status != 409:
                raise
            changed = False
        if changed:
            self.struck[f"reprint asked for: {wish['p_reason']}"] += 1


def _is_at_rest(device: Device) -> bool:
    state = device.state()
    busy = state["is_moving"] or state["formats"] or state["remaining"] or state["conditions"]
    return bool(state["powered"]) and not busy


@dataclass
class Hands:
    """Gives one printer from one agent to the other and back, whatever is under way."""

    owner: Plant
    agents: list[str]
    printer: str
    address: str
    rng: random.Random
    stop: threading.Event
    struck: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        with self.owner.person() as rpc:
            turn = 0
            while not self.stop.wait(self.rng.uniform(4, 12)):
                turn += 1
                self._give(rpc, self.agents[turn % len(self.agents)])

    def _give(self, rpc: SyncRpcClient, agent: str) -> None:
        facts: dict[str, Any] = {"p_code": self.printer, "p_name": self.printer, "p_site": "main"}
        facts |= {"p_language": "zpl", "p_address": self.address, "p_dpi": 203}
        try:
            rpc.call("upsert_printer", **facts, p_device=agent)
        except RpcError as error:
            if error.status != 409:  # not while it prints
                raise
            self.struck["printer not given away: it prints"] += 1
            return
        self.struck["printer given to the other agent"] += 1
