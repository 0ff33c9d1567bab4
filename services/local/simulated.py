"""What the simulator says about its virtual printers: `.takt/printers.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from services.local.paths import Paths
from services.local.state import read_state

SIMULATOR = "simulator"
PAPER_PATH = "/simulator/"


@dataclass(frozen=True)
class Simulated:
    """`control_url` is the page with the paper; `printers` have code, address, language, …"""

    control_url: str
    printers: tuple[dict[str, Any], ...]


def read_simulated(paths: Paths, pid: int | None) -> Simulated | None:
    """The printers of the simulator that runs as `pid`; None while it has not said where."""
    try:
        said = json.loads(paths.printers_file.read_text(encoding="utf-8"))
        if pid is None or said["pid"] != pid:
            return None  # left by an earlier one: somebody else may have those ports now
        return Simulated(str(said["control_url"]), tuple(said["printers"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def running_simulator(paths: Paths) -> Simulated | None:
    """The printers of the demo that runs now; None without one."""
    state = read_state(paths)
    pids = [s.pid for s in state.services if s.name == SIMULATOR] if state else []
    return read_simulated(paths, pids[0]) if pids else None
