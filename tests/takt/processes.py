"""Real child processes, and waiting for what they do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


def wait_for(question: Callable[[], T | None], what: str, seconds: float = 20.0) -> T:
    """Ask until the answer is true. Errors: AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {seconds} s: {what}")


@contextmanager
def python(
    *arguments: str, env: dict[str, str] | None = None, code: str | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A child Python; stderr is joined to stdout. It is killed when the block ends."""
    command = [sys.executable, *(("-c", code) if code else ()), *arguments]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def read_until(child: subprocess.Popen[str], wanted: str) -> str:
    """Read the child's output up to a line with `wanted`. Errors: AssertionError at its end."""
    assert child.stdout is not None
    seen = []
    for line in child.stdout:
        seen.append(line)
        if wanted in line:
            return "".join(seen)
    raise AssertionError(f"the child ended without {wanted!r}:\n{''.join(seen)}")
