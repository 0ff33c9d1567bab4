"""A file that one process holds; the lock ends with the process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from takt.settings import ConfigError


class Held(RuntimeError):
    """Another process has the lock."""


@contextlib.contextmanager
def lock(file: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold `file` alone. `wait`: for as long as it takes. Errors: Held."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise Held(str(file)) from error
        yield
    finally:
        os.close(handle)


def is_held(file: Path) -> bool:
    """Has a process the lock right now?"""
    if not file.exists():
        return False
    try:
        with lock(file):
            return False
    except Held:
        return True


@contextlib.contextmanager
def only_one(file: Path, what: str) -> Iterator[None]:
    """Nobody else uses the folder of `file` as `what` ("A bridge"). Errors: ConfigError."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock(file))
        except Held:
            raise ConfigError(f"{what} runs already in {file.parent}.") from None
        yield
