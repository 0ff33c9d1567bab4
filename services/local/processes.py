"""Small facts about processes, without a dependency on psutil."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from takt.processes import start_time


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Poll `condition` until it holds or `seconds` have passed; says whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True


def working_in(folder: Path) -> list[int]:
    """Processes (Linux only, that we may look at) whose working directory is `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def is_same(pid: int, started: str | None) -> bool:
    """Is the process that was recorded as (pid, started) still running?"""
    return started is not None and start_time(pid) == started


def end(pid: int, started: str | None, seconds: float = 5.0) -> None:
    """End one recorded process: politely first, by force when it has not gone in time."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not is_same(pid, started):
            return
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        if wait_until(lambda: not is_same(pid, started), seconds):
            return
