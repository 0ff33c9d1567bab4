"""Klipper behind Moonraker: the same runs, read from its history."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bambu_bridge.history import Journey, finished_job
from bambu_bridge.moonraker import MoonrakerWatcher
from bambu_bridge.settings import BridgeSettings, PrinterConfig
from bambu_bridge.state import Store
from bambu_bridge.watcher import Bridge
from tests.bambu.klipper import Moonraker
from tests.takt.processes import wait_for

SERIAL = "VORON-1"


@pytest.fixture
def klipper() -> Iterator[Moonraker]:
    printer = Moonraker()
    yield printer
    printer.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "bridge.db", time.time)
    yield store
    store.close()


Talk = Callable[[MoonrakerWatcher], Awaitable[None]]


def watch(klipper: Moonraker, store: Store, talk: Talk, key: str = "") -> None:
    """Run `talk` beside a watcher, then stop it."""
    config = PrinterConfig.model_validate(
        {"kind": "moonraker", "serial": "voron-1", "host": "127.0.0.1"}
        | {"port": klipper.port, "access_code": key}
    )
    settings = BridgeSettings(_env_file=None, bambu_backoff=0.2)

    async def run() -> None:
        watcher = MoonrakerWatcher(config, Bridge(settings, store, {"version": "1", "host": "h"}))
        task = asyncio.create_task(watcher.run())
        try:
            await talk(watcher)
        finally:
            watcher.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, 20)

    asyncio.run(run())


async def until(question: Callable[[], Any], what: str) -> None:
    await asyncio.to_thread(wait_for, question, what)


def told(store: Store) -> list[dict[str, Any]]:
    """All rows of the outbox, delivered as they are read."""
    found = []
    while items := store.due(1):
        found.append(items[0].payload)
        store.done(items[0].id)
    return found


def test_a_finished_job_is_told_at_once(klipper: Moonraker, store: Store) -> None:
    start = time.time()

    async def talk(watcher: MoonrakerWatcher) -> None:
        await until(lambda: watcher.card()["link"] == "online", "online")
        klipper.job("000001", "in_progress", start, None)
        klipper.job("000001", "completed", start, start + 500)
        await until(lambda: store.depth()["ready"] == 1, "the run")

    watch(klipper, store, talk)
    (run,) = told(store)
    assert run["p_idempotency_key"] == f"moonraker:{SERIAL}:000001:{int(start)}"
    assert (run["p_source"], run["p_outcome"]) == ("moonraker", "success")
    assert (run["p_gcode_filename"], run["p_plate"]) == ("gears_plate_1.gcode", 1)
    assert run["p_native"]["filament_mm"] == 1234.5


def test_what_ended_while_the_bridge_was_away_is_read_from_the_history(
    klipper: Moonraker, store: Store
) -> None:
    before = time.time() - 86_400
    klipper.job("000001", "completed", before, before + 100)

    async def first(watcher: MoonrakerWatcher) -> None:
        await until(lambda: store.load(SERIAL), "the first contact")

    watch(klipper, store, first)
    assert told(store) == [], "what was before the first contact is not ours"
    now = time.time()
    for number in range(2, 252):
        klipper.job(f"{number:06x}", "completed", now + number, now + number + 0.5)
    klipper.job("0000fe", "cancelled", now + 300, now + 301)
    klipper.job("0000ff", "in_progress", now + 400, None)

    async def again(watcher: MoonrakerWatcher) -> None:
        await until(lambda: store.depth()["ready"] == 251, "the history")

    watch(klipper, store, again)
    runs = told(store)
    assert {run["p_evidence"] for run in runs} == {"recovered"}
    assert [run["p_outcome"] for run in runs].count("cancelled") == 1
    watch(klipper, store, again_nothing(klipper))
    assert told(store) == []


def again_nothing(klipper: Moonraker) -> Talk:
    """Another whole look at the history."""

    async def talk(_watcher: MoonrakerWatcher) -> None:
        before = klipper.asked.get("server.history.list", 0)
        await until(lambda: klipper.asked["server.history.list"] >= before + 3, "three pages")

    return talk


def test_a_break_of_the_connection_misses_nothing(klipper: Moonraker, store: Store) -> None:
    async def talk(watcher: MoonrakerWatcher) -> None:
        await until(lambda: watcher.card()["link"] == "online", "online")
        await until(lambda: store.load(SERIAL), "the first contact")
        await asyncio.to_thread(klipper.shut)
        await until(lambda: watcher.card()["link"] == "offline", "offline")
        now = time.time()
        klipper.job("000001", "error", now, now + 60)
        await asyncio.to_thread(klipper.open)
        await until(lambda: store.depth()["ready"] == 1, "the run")

    watch(klipper, store, talk)
    (run,) = told(store)
    assert (run["p_outcome"], run["p_error"]["code"]) == ("failed", "error")


def test_garbage_harms_nothing(klipper: Moonraker, store: Store) -> None:
    async def talk(watcher: MoonrakerWatcher) -> None:
        await until(lambda: watcher.card()["link"] == "online", "online")
        klipper.say_raw("no json")
        klipper.say_raw("[1]")
        klipper.notify("notify_history_changed")
        klipper.notify("notify_status_update", {"print_stats": {"state": "printing"}}, 1.0)
        await until(lambda: watcher.card()["phase"] == "printing", "the state")
        assert watcher.card()["parse_errors"] == 1

    watch(klipper, store, talk)


def test_an_api_key_is_needed(store: Store) -> None:
    klipper = Moonraker(api_key="right")

    async def refused(watcher: MoonrakerWatcher) -> None:
        await until(lambda: watcher.card()["link"] == "auth", "the refusal")

    async def accepted(watcher: MoonrakerWatcher) -> None:
        await until(lambda: watcher.card()["link"] == "online", "online")

    watch(klipper, store, refused, "wrong")
    watch(klipper, store, accepted, "right")
    klipper.close()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("completed", "success"),
        ("cancelled", "cancelled"),
        ("klippy_shutdown", "failed"),
        ("klippy_disconnect", "failed"),
        ("interrupted", "failed"),
        ("something_new", "unknown"),
    ],
)
def test_what_a_status_means(status: str, outcome: str) -> None:
    job = {"job_id": "1", "status": status, "start_time": 1.7e9, "end_time": 1.7e9 + 60}
    done = finished_job(job, Journey(first_contact=1.6e9), now=1.8e9)
    assert done is not None
    assert done.outcome == outcome


def test_a_clock_that_was_never_set_is_replaced_by_ours() -> None:
    job = {"job_id": "1", "status": "completed", "start_time": 100.0, "end_time": 160.0}
    done = finished_job(job, Journey(first_contact=1.0), now=1.8e9)
    assert done is not None
    assert (done.started, done.finished) == (1.8e9 - 60, 1.8e9)
