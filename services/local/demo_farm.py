"""The print farm of the demo: the bridge beside the simulator's 3D printers."""

from __future__ import annotations

import json
import os
import sys

from services.local.children import ProcessChild, log_file
from services.local.demo_device import DemoDevice
from services.local.paths import Paths
from services.local.settings import Settings

BRIDGE = "bambu_bridge"
_COUNT = "TAKT_SIM_BAMBU"


def count() -> str:
    """How many virtual 3D printers the demo has; "0" for none. The simulator's own setting."""
    return os.environ.get(_COUNT, "3")


def environment() -> dict[str, str]:
    """What the simulator is told about its 3D printers."""
    return {_COUNT: count()}


def devices(settings: Settings) -> list[DemoDevice]:
    """The bridge, unless there is nothing to watch."""
    if count() == "0":
        return []
    file = settings.paths.bridge / "device.json"
    return [DemoDevice("bambu_bridge", "demo-farm", "Demo print farm bridge", file)]


def is_known(paths: Paths, pid: int | None) -> bool:
    """Has the simulator that runs as `pid` said where its 3D printers are?"""
    if count() == "0":
        return True
    try:
        said = json.loads((paths.farm / "farm.json").read_text(encoding="utf-8"))
        return pid is not None and said["pid"] == pid
    except (OSError, ValueError, KeyError, TypeError):
        return False


def bridge(settings: Settings) -> ProcessChild | None:
    """The bridge to the virtual 3D printers; None where there are none."""
    found = devices(settings)
    return _Bridge(settings, found[0]) if found else None


class _Bridge(ProcessChild):
    """Healthy as long as its printers are where it was told; it reads that once."""

    def __init__(self, settings: Settings, device: DemoDevice) -> None:
        paths = settings.paths
        self._printers = paths.farm / "printers.toml"
        self._told = b""
        env = {
            **device.environment(settings),
            "TAKT_BAMBU_HOME": str(paths.bridge),
            "TAKT_BAMBU_PRINTERS": str(self._printers),
            "TAKT_BAMBU_CA": str(paths.farm / "ca.pem"),
            "TAKT_BAMBU_HEARTBEAT": "5",  # progress that one can watch
            "TAKT_BAMBU_DRAIN": "6",  # less than the supervisor waits
        }
        command = [sys.executable, "-m", "bambu_bridge", "run"]
        super().__init__(BRIDGE, command, env, paths.root, log_file(paths, BRIDGE))

    def start(self) -> None:
        self._told = self._printers.read_bytes()
        super().start()

    def ready(self) -> bool:
        try:
            return super().ready() and self._told == self._printers.read_bytes()
        except OSError:
            return False
