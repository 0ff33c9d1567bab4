"""Many real connections that start at the same instant."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg

from tests.support.databases import Clone

T = TypeVar("T")
_SECONDS = 120


def together(
    clone: Clone, count: int, work: Callable[[psycopg.Connection, int], T], user: str = "postgres"
) -> list[T]:
    """Run `work(connection, n)` in `count` threads, each with its own connection, let go at once.

    Returns the answers in order of n. Errors: the first exception of any of them.
    """
    barrier = threading.Barrier(count)

    def one(number: int) -> T:
        with clone.connect(user) as connection:
            barrier.wait(_SECONDS)
            return work(connection, number)

    with ThreadPoolExecutor(count) as pool:
        return [f.result(_SECONDS) for f in [pool.submit(one, n) for n in range(count)]]
