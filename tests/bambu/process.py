"""The bridge as its own process, beside virtual printers and a server."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from bambu_bridge.state import Store
from services.simulator.bambu.printer import VirtualPrinter
from takt.ports import free_port
from tests.takt.processes import ROOT, wait_for

_QUICK = {
    "TAKT_BAMBU_HEARTBEAT": "0.3",
    "TAKT_BAMBU_BACKOFF": "0.2",
    "TAKT_BAMBU_SILENCE": "60",
    "TAKT_BAMBU_AUTH_WAIT": "1",
}
_LONG_AGO = 3 * 86_400.0


class Bridge:
    """`start`, `kill` and `stop` it as often as you like: its home stays."""

    def __init__(self, home: Path, sign_in: Path, printers: Iterable[VirtualPrinter]) -> None:
        self.home = home
        self._port = free_port()
        self._shift = home / "shift"
        self._began = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True, exist_ok=True)
        self.set_clock(0)
        listed = list(printers)
        self.env = {
            **os.environ,
            **_QUICK,
            "TAKT_DEVICE_FILE": str(sign_in),
            "TAKT_BAMBU_HOME": str(home / "state"),
            "TAKT_BAMBU_PRINTERS": str(write_printers(home / "printers.toml", listed)),
            "TAKT_BAMBU_CA": str(listed[0].authority.certificate) if listed else "",
            "TAKT_BAMBU_METRICS_PORT": str(self._port),
            "TAKT_BAMBU_CLOCK_SHIFT": str(self._shift),
        }
        for name in ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"):
            self.env.pop(name, None)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def outbox(self) -> int:
        """How many runs wait on its disk to be told."""
        store = Store(self.home / "state" / "bridge.db", time.time)
        try:
            return store.state().ready
        finally:
            store.close()

    @property
    def log(self) -> str:
        return (self.home / "log").read_text(encoding="utf-8")

    def start(self) -> None:
        """Until it is ready."""
        with (self.home / "log").open("ab") as log:
            command = [sys.executable, "-m", "bambu_bridge", "run"]
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdout=log, stderr=log
            )
        wait_for(self._is_ready, "the bridge is ready", 60)

    def kill(self) -> None:
        """kill -9: nothing can be tidied up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It still holds its connections and does nothing any more, until it is killed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def stop(self) -> int:
        """A polite end; answers the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(60)
        self._process = None
        return code

    def fill_disk(self, is_full: bool) -> None:
        """No file of the bridge can grow any more, or it can again."""
        assert self._process is not None
        limit = (1_024, resource.RLIM_INFINITY) if is_full else (resource.RLIM_INFINITY,) * 2
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, limit)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of the bridge, in the same home."""
        command = [sys.executable, "-m", "bambu_bridge", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )

    def reports(self, serial: str) -> int:
        """How many reports of this printer were worked off since the start."""
        pattern = rf'^takt_bambu_reports_total{{printer="{serial}"}} ([0-9.e+]+)$'
        found = re.search(pattern, self._metrics(), re.M)
        return int(float(found.group(1))) if found else 0

    def set_clock(self, seconds: float) -> None:
        """The clocks of the bridge show so many seconds since the beginning, which was days ago:
        what a server is told must not lie in its future.
        """
        fresh = self._shift.with_suffix(".new")
        shift = seconds - (time.monotonic() - self._began) - _LONG_AGO
        fresh.write_text(str(shift), encoding="ascii")
        fresh.replace(self._shift)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _metrics(self) -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/metrics").text
        except httpx.TransportError:
            return ""


def write_printers(file: Path, printers: Iterable[VirtualPrinter]) -> Path:
    """The file that names them, as the bridge reads it."""
    tables = [
        f'[[printer]]\nserial = "{printer.serial}"\nhost = "127.0.0.1"\nport = {printer.port}\n'
        f'access_code = "{printer.code}"\n'
        for printer in printers
    ]
    file.write_text("\n".join(tables), encoding="utf-8")
    file.chmod(0o600)
    return file


def sent(run: dict[str, Any]) -> tuple[str, str, str | None]:
    """(outcome, evidence, name) of a run as the server got it."""
    return run["p_outcome"], run["p_evidence"], run["p_native"].get("name")
