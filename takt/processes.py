"""What runs on this machine, without a dependency on psutil."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

_LEFTOVER_SECONDS = 10.0


def start_time(pid: int) -> str | None:
    """When process `pid` started, as an opaque text; None when it is gone or a zombie.

    Together with the pid it names one process for ever, although pids are used again.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], check=False, capture_output=True, text=True
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def command_of(pid: int) -> str:
    """The whole command line of process `pid`, words separated by spaces; "" when it is gone."""
    if Path("/proc/self/cmdline").exists():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return words.replace(b"\0", b" ").decode(errors="replace").strip()
    # -ww: else it is cut at the width of the terminal, which COLUMNS tells.
    asked = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()


def end_leftover(pid_file: Path, named: str) -> None:
    """End the process whose number is in the file, if its command names `named` and so is the one
    that was meant: it outlived the process that started it.
    """
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    if named not in command_of(pid):
        return
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    # Not until its command is gone: the memory goes first, the sockets after it.
    while start_time(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
