"""What runs on this machine, without a dependency on psutil."""

from __future__ import annotations

import subprocess
from pathlib import Path


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
