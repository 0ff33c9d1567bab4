"""Inside an agent's process: it dies by SIGKILL at one named step, at the n-th time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from print_agent.drivers.line import SocketChannel
from print_agent.journal import Journal
from takt.rpc import RpcClient

_CALLS = (
    *("claim_print_job", "begin_send", "mark_sent", "confirm_print", "my_unsettled_prints"),
    *("release_print", "abort_send", "print_unknown", "agent_heartbeat"),
)
_NOTES = ("begun", "handing", "handed", "nothing", "sent", "shown", "settled")
STEPS = (
    *(f"{when} {call}" for call in _CALLS for when in ("before", "after")),
    *(f"{when} journal {step}" for step in _NOTES for when in ("before", "after")),
    "half of the bytes",
    "all bytes, not taken",
    "all bytes, line open",
)
STEP, COUNT = "TAKT_FAULT_STEP", "TAKT_FAULT_COUNT"


def arm() -> None:
    """Read step and count from the environment; without a step nothing happens."""
    step = os.environ.get(STEP, "")
    if not step:
        return
    left = int(os.environ.get(COUNT, "1"))

    def here(name: str) -> None:
        nonlocal left
        if name == step:
            left -= 1
            if left <= 0:
                sys.stderr.write(f"died {name}\n")
                sys.stderr.flush()
                os.kill(os.getpid(), signal.SIGKILL)

    _arm_calls(here)
    _arm_journal(here)
    _arm_line(here)


def _arm_calls(here: Callable[[str], None]) -> None:
    real = RpcClient.call

    async def call(self: RpcClient, name: str, /, **options: Any) -> Any:
        here(f"before {name}")
        answer = await real(self, name, **options)
        here(f"after {name}")
        return answer

    RpcClient.call = call  # type: ignore[method-assign]


def _arm_journal(here: Callable[[str], None]) -> None:
    for method, fixed in (("begin", "begun"), ("show", "shown"), ("advance", "")):
        real = getattr(Journal, method)

        def note(
            self: Journal, *args: Any, real: Any = real, fixed: str = fixed, **more: Any
        ) -> Any:
            step = fixed or str(args[2])
            here(f"before journal {step}")
            answer = real(self, *args, **more)
            here(f"after journal {step}")
            return answer

        setattr(Journal, method, note)


def _arm_line(here: Callable[[str], None]) -> None:
    write, unsent, finish = SocketChannel.write, SocketChannel.unsent, SocketChannel.finish

    def half(self: SocketChannel, data: bytes) -> int:
        if bytes(data[:3]) == b"^XA" and os.environ[STEP] == "half of the bytes":
            write(self, data[: len(data) // 2])
            here("half of the bytes")
            return len(data) // 2
        return write(self, data)

    def not_taken(self: SocketChannel) -> int:
        here("all bytes, not taken")
        return unsent(self)

    def line_open(self: SocketChannel) -> bool:
        here("all bytes, line open")
        return finish(self)

    SocketChannel.write = half  # type: ignore[method-assign]
    SocketChannel.unsent = not_taken  # type: ignore[method-assign]
    SocketChannel.finish = line_open  # type: ignore[method-assign]
