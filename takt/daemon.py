"""The loop contract of every daemon.

A signal stops intake; what was taken is finished (drain); the daemon goes offline and exits 0.
A side task that ends by itself, a drain that takes too long or a crash of the work exit 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from takt.errors import RpcError
from takt.notify import notify
from takt.rpc import RpcClient

log = logging.getLogger(__name__)


class Run:
    """What the work of a daemon holds on to: is it time to stop, and signs of life."""

    def __init__(self) -> None:
        self._stop = asyncio.Event()
        self.is_ready = False

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop intake; safe to call twice."""
        self._stop.set()

    def ready(self) -> None:
        """The daemon does its job from now on."""
        if not self.is_ready:
            self.is_ready = True
            notify("READY=1")
            log.info("ready", extra={"action": "daemon.ready"})

    def beat(self) -> None:
        """Feed systemd's watchdog. Call it from the loop that does the work, not from a timer."""
        notify("WATCHDOG=1")

    async def pause(self, seconds: float) -> bool:
        """Wait, but not longer than until the stop. True when it is time to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return self.stopping


Work = Callable[[Run], Coroutine[Any, Any, None]]


async def run(
    name: str,
    work: Work,
    *,
    side_tasks: Mapping[str, Work] | None = None,
    offline: Callable[[], Awaitable[None]] | None = None,
    drain_seconds: float = 25.0,
) -> int:
    """Run until a signal. `work` takes work until `run.stopping`, finishes it and returns.

    Answers the exit code: 0 after a signal and a complete drain, otherwise 1.
    """
    state = Run()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, state.stop)
    main = asyncio.create_task(work(state), name=name)
    sides = [asyncio.create_task(side(state), name=n) for n, side in (side_tasks or {}).items()]
    stopped = asyncio.create_task(state.pause(float(2**31)), name="stop")
    await asyncio.wait([main, stopped, *sides], return_when=asyncio.FIRST_COMPLETED)
    asked = state.stopping
    dead = [task for task in (main, *sides) if task.done()]
    state.stop()
    notify("STOPPING=1")
    log.info("stopping", extra={"action": "daemon.stopping", "asked": asked})
    drained = await _drain(main, drain_seconds)
    await _cancel([*sides, stopped])
    if offline is not None:
        await _go_offline(offline)
    failed = [t for t in (main, *sides) if (t in dead and not asked) or _error(t)]
    for task in failed:
        log.error(
            "a task ended by itself",
            extra={"action": "daemon.task_died", "task": task.get_name()},
            exc_info=_error(task),
        )
    clean = asked and drained and not failed
    log.info("stopped", extra={"action": "daemon.stopped", "clean": clean})
    return 0 if clean else 1


async def _drain(main: asyncio.Task[None], seconds: float) -> bool:
    """Let the work finish what it holds. False when it had to be cut off."""
    await asyncio.wait([main], timeout=seconds)
    if main.done():
        return True
    log.error("the drain took too long", extra={"action": "daemon.drain_timeout"})
    await _cancel([main])
    return False


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _go_offline(offline: Callable[[], Awaitable[None]]) -> None:
    try:
        await asyncio.wait_for(offline(), 5)
    except Exception:  # the exit must not hang on, nor fail for, a last courtesy
        log.warning("could not say good-bye", extra={"action": "daemon.offline"}, exc_info=True)


def _error(task: asyncio.Task[Any]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def heartbeat(
    rpc: RpcClient, version: str, status: Callable[[], Mapping[str, Any]], every: float = 30.0
) -> Work:
    """A side task that reports the device's health every `every` seconds; a miss is only logged."""

    async def beat(state: Run) -> None:
        while not state.stopping:
            try:
                await rpc.call(
                    "device_heartbeat", tries=1, p_version=version, p_status=dict(status())
                )
            except RpcError as error:
                log.warning(str(error), extra={"action": "heartbeat.missed", "code": error.code})
            await state.pause(every)
        await asyncio.Event().wait()  # a side task ends by being cancelled

    return beat


def main(coroutine: Coroutine[Any, Any, int]) -> int:
    """Run a daemon's coroutine and answer its exit code."""
    return asyncio.run(coroutine)
