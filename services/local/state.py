"""What the supervisor last said about itself: `.takt/state.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from services.local.paths import Paths, write_atomic
from services.local.processes import is_same
from takt.ports import HOST

EXTERNAL = "external"  # state of a server that is not ours to start or stop


@dataclass
class ServiceState:
    """One service; `state` is waiting, starting, running, restarting, stopped or
    external.
    """

    name: str
    state: str = "waiting"
    pid: int | None = None
    started: str | None = None
    port: int | None = None
    host: str = HOST
    restarts: int = 0

    def is_alive(self) -> bool:
        """Is the recorded process still that process?"""
        return self.pid is not None and is_same(self.pid, self.started)


@dataclass
class StackState:
    """The whole stack; `state` is starting, running, stopping, stopped or failed."""

    pid: int
    started: str | None
    state: str = "starting"
    step: str = ""
    error: str | None = None
    demo: bool = False
    demo_tries: int = 0
    demo_error: str | None = None
    services: list[ServiceState] = field(default_factory=list)

    def is_alive(self) -> bool:
        """Is the recorded supervisor still running?"""
        return is_same(self.pid, self.started)

    def save(self, paths: Paths) -> None:
        """Write the state file in one step."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        write_atomic(paths.state_file, text)


def read_state(paths: Paths) -> StackState | None:
    """The last state, or None when there is none that can be read."""
    try:
        stored = json.loads(paths.state_file.read_text(encoding="utf-8"))
        services = [ServiceState(**service) for service in stored.pop("services")]
        return StackState(**stored, services=services)
    except (OSError, ValueError, KeyError, TypeError):
        return None
