"""A plant for the agent: stack, device, virtual printers, and the agent in its own process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from services.simulator.printer.thread import RunningPrinter
from takt import device
from takt.auth_admin import AuthAdmin
from takt.device import Credentials, DeviceSession
from takt.rpc_sync import SyncRpcClient
from tests.services.stack import Stack
from tests.takt.processes import ROOT, wait_for

LABEL_TYPE = "item"
_PASSWORD = "not-a-real-password"


@dataclass
class Plant:
    """`stack` has the site `main`; every printer made here belongs to the agent of `folder`."""

    stack: Stack
    folder: Path
    agent: str = ""
    _email: str = ""
    _token: str = ""
    _db: psycopg.Connection | None = None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    @property
    def sign_in(self) -> Path:
        return self.folder / "device.json"

    @property
    def home(self) -> Path:
        return self.folder / "agent"

    def enroll(self) -> None:
        """An agent with a sign-in of its own, and an admin who gives it work."""
        self.agent = f"agent-{uuid.uuid4().hex[:8]}"
        with self.stack.rpc() as rpc:
            names = {"p_code": self.agent, "p_name": self.agent, "p_site": "main"}
            made = rpc.call("create_device", p_kind="print_agent", **names)
            self._email = f"{self.agent}@people.invalid"
            user_id = rpc.run(self._create_person())
            rpc.call(
                "upsert_staff",
                p_user_id=user_id,
                p_full_name="Ada",
                p_email=self._email,
                p_role="admin",
                p_stores=["*"],
            )
        credentials = asyncio.run(device.enroll(self.stack.url, made["enrolment_code"]))
        credentials.write(self.sign_in)

    async def _create_person(self) -> str:
        async with AuthAdmin(self.stack.url, self.stack.secret_key) as auth:
            return await auth.create_user(self._email, _PASSWORD)

    @contextmanager
    def person(self) -> Iterator[SyncRpcClient]:
        """RPCs as the admin."""
        key = self.stack.publishable_key
        with SyncRpcClient(self.stack.url, key, token_provider=self._sign_in) as rpc:
            yield rpc

    async def _sign_in(self, fresh: bool = False) -> str:
        """The admin's token; signing in is slow, so it is done once."""
        if fresh or not self._token:
            key = self.stack.publishable_key
            session = DeviceSession(
                Credentials(self.stack.url, key, self._email, _PASSWORD, device="-")
            )
            try:
                self._token = await session()
            finally:
                await session.close()
        return self._token

    def printer(
        self, real: RunningPrinter | None = None, language: str = "zpl", **options: Any
    ) -> str:
        """Make a printer known; answers its code."""
        code = f"p-{uuid.uuid4().hex[:8]}"
        address = real.address if real is not None else code
        with self.person() as rpc:
            rpc.call(
                "upsert_printer",
                p_code=code,
                p_name=code,
                p_site="main",
                p_language=language,
                p_address=address,
                p_device=self.agent,
                **options,
            )
        return code

    def request(self, printer: str, subject: str | None = None, **options: Any) -> int:
        """Ask for one label; answers the job."""
        name = subject or f"IT-{uuid.uuid4().hex[:8].upper()}"
        with self.person() as rpc:
            answer = rpc.call(
                "request_print",
                p_label_type=LABEL_TYPE,
                p_subject=name,
                p_data={"code": name, "name": "Sprinkles"},
                p_printer=printer,
                **options,
            )
        return int(answer["job"]["id"])

    def batch(self, printer: str, count: int) -> list[int]:
        """Ask for `count` different labels; answers the jobs."""
        names = [f"IT-{uuid.uuid4().hex[:8].upper()}" for _ in range(count)]
        labels = [{"subject": n, "data": {"code": n, "name": "Sprinkles"}} for n in names]
        with self.person() as rpc:
            jobs = rpc.call(
                "request_prints", p_label_type=LABEL_TYPE, p_labels=labels, p_printer=printer
            )
        return [int(job["id"]) for job in jobs]

    def job(self, job_id: int) -> dict[str, Any]:
        cursor = self._ask("select * from public.print_jobs where id = %s", (job_id,))
        row = cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        return dict(zip([column.name for column in cursor.description], row, strict=True))

    def history(self, job_id: int) -> list[str]:
        """The states the job went through."""
        query = "select to_state from public.print_job_events where job_id = %s order by id"
        return [str(row[0]) for row in self.sql(query, job_id)]

    def wait(self, job_id: int, *states: str, seconds: float = 30) -> dict[str, Any]:
        """Until the job is in one of the states."""

        def there() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["state"] in states else None

        try:
            return wait_for(there, f"job {job_id} is {states}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it went {self.history(job_id)}") from None

    def status(self, printer: str) -> tuple[str, list[str]]:
        query = "select status, reasons from public.printers where code = %s"
        ((status, reasons),) = self.sql(query, printer)
        return str(status), list(reasons)

    def environment(self) -> dict[str, str]:
        known = {name: value for name, value in os.environ.items() if "SUPABASE" not in name}
        return {
            **known,
            "TAKT_DEVICE_FILE": str(self.sign_in),
            "TAKT_PRINT_HOME": str(self.home),
            "TAKT_PRINT_HEARTBEAT": "2",
            "TAKT_PRINT_LOOK": "2",
            "TAKT_PRINT_RESOLVE": "2",
        }

    @contextmanager
    def running(self, before: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """The agent, in a process of its own; it is told to stop when the block ends.

        `before`: Python that runs first in that process, to make it die at a certain step.
        """
        log = (self.folder / "agent.log").open("ab")
        with log:
            code = f"{before}\nfrom print_agent.cli import main\nmain()"
            command = [sys.executable, "-c", code, "run"]
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment(), stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
                process.wait(90)

    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    def sql(self, query: str, *values: Any) -> list[Any]:
        """As the owner of the schema: to arrange and to look."""
        cursor = self._ask(query, values)
        return cursor.fetchall() if cursor.description else []

    def _ask(self, query: str, values: tuple[Any, ...]) -> psycopg.Cursor[Any]:
        """On one connection: opening one for each look is most of what a look costs."""
        if self._db is None:
            self._db = self.stack.connect()
        try:
            return self._db.execute(query, values)
        except psycopg.OperationalError:  # the database was restarted
            self._db = self.stack.connect()
            return self._db.execute(query, values)
