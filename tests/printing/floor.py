"""A floor of virtual printers, their agent behind a gate, and the paper that comes out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from print_agent.journal import Journal
from services.simulator.printer.device import Device
from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers
from takt.device import Credentials, DeviceSession
from takt.labels.decode import read_codes
from takt.labels.picture import Picturer
from takt.rpc_sync import SyncRpcClient
from tests.print_agent.plant import Plant
from tests.printing.gate import Gate
from tests.services.stack import Stack
from tests.takt.processes import ROOT, wait_for

_SERIAL = "IT-"
PATIENCE = 90.0


@dataclass
class Zebra:
    """A printer that Takt knows as `code`."""

    code: str
    real: RunningPrinter

    @property
    def serials(self) -> list[str]:
        """The serial of each label that came out, in order; `½` in front of a spoiled one."""
        return [
            "½" * label.spoiled + next((t for t in label.texts if t.startswith(_SERIAL)), "?")
            for label in self.real.paper
            if label.kind == "label"
        ]

    @property
    def uptime_s(self) -> int:
        return self.real.do(lambda device: device.mechanism.uptime_s)

    def change(self, **settings: Any) -> None:
        """Other firmware, or another printer in its place."""
        self.real.do(lambda device: device.spec.change(settings))

    def clear(self) -> None:
        """A person puts right whatever is in the way."""
        self.real.do(_repair)

    def power_cycle(self) -> None:
        self.real.do(Device.power_cycle)

    def feed(self, times: int) -> None:
        self.real.do(lambda device: device.feed(times))

    def codes(self) -> list[set[tuple[str, str]]]:
        """What a scanner reads on each label: (symbology, text)."""
        return asyncio.run(self._codes())

    async def _codes(self) -> list[set[tuple[str, str]]]:
        found = []
        async with Picturer() as picturer:
            for label in self.real.paper:
                size = (label.width_mm, label.height_mm, label.dots_per_mm)
                png = await picturer.render(label.zpl, *size)
                found.append({(code.symbology, code.text) for code in read_codes(png)})
        return found


def _repair(device: Device) -> None:
    device.power_on()
    device.clear()
    device.load()


def serial() -> str:
    return f"{_SERIAL}{uuid.uuid4().hex[:8].upper()}"


@dataclass
class Floor(Plant):
    """A plant whose agent reaches Takt through `gate`, in a process that a test may kill."""

    gate: Gate = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    _lives: int = 0

    @classmethod
    def make(cls, stack: Stack, folder: Path) -> Floor:
        made = cls(stack, folder)
        made.enroll()
        made.gate = Gate(stack.url)
        known = Credentials.read(made.sign_in)
        through = (known.publishable_key, known.email, known.password, known.device)
        Credentials(made.gate.url, *through).write(made.sign_in)
        return made

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "TAKT_PRINT_HOME": str(self.home),
            "TAKT_PRINT_HEARTBEAT": "0.5",
            "TAKT_PRINT_LOOK": "1",
        }

    @property
    def home(self) -> Path:
        return self.folder / f"agent-{self._lives}"

    # -- the agent ------------------------------------------------------------------------------

    def start(self, name: str = "") -> subprocess.Popen[bytes]:
        """The agent in a process of its own. `name`: a second one with the same sign-in."""
        command = [sys.executable, "-m", "print_agent", "run"]
        environment = self.environment()
        if name:
            environment["TAKT_PRINT_HOME"] = str(self.folder / name)
        with (self.folder / "agent.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        if not name:
            self.process = process
        return process

    def kill(self) -> None:
        """As a pulled plug."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def lose_journal(self) -> None:
        """The agent's computer is replaced: the next start has no memory."""
        self._lives += 1

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
        self.gate.close()
        self.close()

    def journal(self, job_id: int) -> str:
        """How far the journal has the job, "" when it does not know it."""
        journal = Journal(self.home / "journal.db")
        try:
            found = [send.step.value for send in journal.recent(50) if send.job_id == job_id]
        finally:
            journal.close()
        return found[0] if found else ""

    @contextmanager
    def device(self) -> Iterator[SyncRpcClient]:
        """RPCs as the agent itself."""
        credentials = Credentials.read(self.sign_in)
        session = DeviceSession(credentials)
        key = self.stack.publishable_key
        with SyncRpcClient(self.stack.url, key, token_provider=session) as rpc:
            try:
                yield rpc
            finally:
                rpc.run(session.close())

    def device_token(self) -> str:
        """What the agent signs its calls with."""

        async def token() -> str:
            session = DeviceSession(Credentials.read(self.sign_in))
            try:
                return await session()
            finally:
                await session.close()

        return asyncio.run(token())

    # -- printers -------------------------------------------------------------------------------

    @contextmanager
    def zebra(self, *, evidence_level: int | None = None, **spec: Any) -> Iterator[Zebra]:
        """A printer of this agent; out of service when the block ends."""
        options: dict[str, Any] = {"p_dpi": spec.get("dpi", 203)}
        if evidence_level is not None:
            options["p_evidence_level"] = evidence_level
        with running_printers([Spec("P1", **{"label_s": 0.02, **spec})]) as real:
            made = Zebra(self.printer(real["P1"], **options), real["P1"])
            try:
                yield made
            finally:
                self.sql("update public.printers set is_enabled = false where code = %s", made.code)

    def wait_status(self, zebra: Zebra, status: str, *reasons: str) -> None:
        """Until Takt knows that the printer is so."""
        wait_for(
            lambda: (found := self.status(zebra.code))[0] == status and {*reasons} <= {*found[1]},
            f"{zebra.code} is {status} {reasons}",
            PATIENCE,
        )

    # -- jobs -----------------------------------------------------------------------------------

    def label(self, zebra: Zebra, **options: Any) -> tuple[int, str]:
        """Ask for one label; answers job and serial."""
        name = serial()
        return self.request(zebra.code, name, **options), name

    def until(self, job_id: int, *states: str) -> dict[str, Any]:
        return self.wait(job_id, *states, seconds=PATIENCE)

    def age(self, job_id: int) -> None:
        """Its lease ran out long ago; the clock of the database strikes."""
        query = "update public.print_jobs set lease_until = now() - interval '10 minutes'"
        self.sql(query + " where id = %s", job_id)
        self.sql("select private.sweep_prints(now())")

    def expire(self, job_id: int) -> None:
        """Nobody waits for it any more."""
        query = "update public.print_jobs set expires_at = now() - interval '1 minute'"
        self.sql(query + " where id = %s", job_id)

    def alarms(self, kind: str, *, job: int | None = None, printer: str | None = None) -> list[Any]:
        """Alarms of a kind, as the person sees them."""
        with self.person() as rpc:
            found = rpc.call("get_print_alarms")
        return [
            alarm
            for alarm in found
            if alarm["kind"] == kind
            and job in (None, alarm["job_id"])
            and printer in (None, alarm["printer"])
        ]

    def labels(self, job_id: int) -> list[str]:
        """States of the labels of a job, in order."""
        query = "select state from public.print_job_labels where job_id = %s order by seq"
        return [row[0] for row in self.sql(query, job_id)]

    def steps(self, job_id: int) -> list[str]:
        """The states a job went through, without remarks."""
        query = (
            "select to_state::text from public.print_job_events"
            " where job_id = %s and from_state is distinct from to_state order by id"
        )
        return [row[0] for row in self.sql(query, job_id)]


def came_out(zebra: Zebra, labels: int) -> None:
    """Wait for so many labels."""
    wait_for(lambda: len(zebra.serials) >= labels, f"{labels} labels came out", PATIENCE)


STRAIGHT = ["queued", "claimed", "sending", "sent", "printed"]


def distinct(serials: list[str]) -> bool:
    return max(Counter(serials).values(), default=0) <= 1
