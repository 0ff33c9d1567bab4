"""A stack of its own for a test: real processes, its own state folder, free ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from services.local.processes import wait_until
from services.local.settings import Ports
from takt.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
# A shell that starts CI in the background lets its children ignore Ctrl-C; a terminal does not.
_ENTRY = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from cli.main import main; main()"
)


@dataclass
class Stack:
    """Runs `takt` commands against one state folder."""

    home: Path
    python: list[str] = field(default_factory=lambda: [sys.executable])
    env: dict[str, str] = field(default_factory=dict)
    # Where no outgoing connection and no stack of another test gets in between.
    first_port: int = field(default_factory=lambda: free_port(block=len(fields(Ports))))

    def takt(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [*self.python, "-c", _ENTRY, *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one command; the caller waits for it."""
        return subprocess.Popen(
            [*self.python, "-c", _ENTRY, *arguments],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def up(self, *arguments: str) -> dict[str, Any]:
        """Start the stack and return its status."""
        done = self.takt("up", *arguments)
        assert done.returncode == 0, done.stderr + self.log("supervisor")
        return self.status()

    def status(self) -> dict[str, Any]:
        """`takt status --json`."""
        facts: dict[str, Any] = json.loads(self.takt("status", "--json").stdout)
        return facts

    def service(self, name: str) -> dict[str, Any]:
        """One service of the status."""
        found: dict[str, Any] = next(s for s in self.status()["services"] if s["name"] == name)
        return found

    def supervisor_pid(self) -> int:
        """Process id of the supervisor, from the state file."""
        return int(json.loads(self.state_text())["pid"])

    def state_text(self) -> str:
        """The supervisor's state file; empty while there is none."""
        file = self.home / ".takt" / "state.json"
        return file.read_text() if file.exists() else ""

    def log(self, name: str) -> str:
        """The whole log of one service."""
        file = self.home / ".takt" / "logs" / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def kill_all(self) -> None:
        """SIGKILL to the supervisor and every service at once, as a power cut would."""
        pids = [s["pid"] for s in self.status()["services"] if s["pid"]]
        for pid in (self.supervisor_pid(), *pids):
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not any(s["pid"] for s in self.status()["services"]), 20, 0.1)

    def environment(self) -> dict[str, str]:
        """What the commands see."""
        outside = {k: v for k, v in os.environ.items() if k != "TAKT_DB_URL"}
        # The demo's print farm has tests of its own; the others start without it.
        usual = {
            "TAKT_HOME": str(self.home),
            "TAKT_PORT": str(self.first_port),
            "NO_COLOR": "1",
            "TAKT_SIM_BAMBU": "0",
            "TAKT_SIM_MACHINE_SECONDS": "0",
        }
        return {**outside, **usual, **self.env}
