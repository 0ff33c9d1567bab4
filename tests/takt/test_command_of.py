"""Which command a process runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from takt.processes import command_of


def test_a_command_is_told_whole_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """ps cuts at COLUMNS: the brokers of a killed simulator were not found and kept their ports."""
    monkeypatch.setenv("COLUMNS", "20")
    marks = "x" * 300
    command = [sys.executable, "-c", "print(flush=True); input()", marks]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert command_of(process.pid).endswith(marks)
        assert process.stdin is not None
        process.stdin.write(b"\n")
    assert command_of(process.pid) == ""
