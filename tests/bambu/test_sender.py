"""From the outbox to the database: again, paused or parked, and always in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bambu_bridge.heartbeat import Heartbeat
from bambu_bridge.report import Told
from bambu_bridge.sender import Fate, Sender, fate
from bambu_bridge.state import Store
from takt.daemon import Run
from takt.errors import RpcError
from takt.rpc import RpcClient
from tests.bambu.server import Takt, Trouble
from tests.takt.processes import wait_for


@pytest.fixture
def takt() -> Iterator[Takt]:
    server = Takt()
    yield server
    server.close()


class Clock:
    """Time that passes when the test says so, or a lot with each look."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = Store(tmp_path / "bridge.db", clock)
    yield store
    store.close()


def put(store: Store, *keys: str, serial: str = "S") -> None:
    for key in keys:
        facts: dict[str, Any] = {"p_idempotency_key": key, "p_printer_serial": serial}
        facts |= {"p_outcome": "success", "p_payload_hash": "h"}
        store.save(serial, {}, [Told(key, facts)])


def send(takt: Takt, store: Store, use: Callable[[Sender], Awaitable[None]]) -> None:
    async def run() -> None:
        async with RpcClient(takt.url, "sb_publishable_x", timeout=5) as rpc:
            await use(Sender(rpc, store))

    asyncio.run(run())


async def drain(sender: Sender, store: Store, clock: Clock, rounds: int = 200) -> None:
    """Send until nothing is left; time flies, so that waits are over."""
    for _ in range(rounds):
        await sender.send_due()
        clock.at += 600
        if not store.depth()["ready"]:
            return


def told(takt: Takt) -> list[str]:
    return [a["p_idempotency_key"] for n, a in takt.calls if n == "record_print_completion"]


def test_36_forty_finishes_arrive_in_their_order(takt: Takt, store: Store, clock: Clock) -> None:
    keys = [f"k{number:02}" for number in range(40)]
    put(store, *keys)
    takt.plan.extend([Trouble(503, "", "away"), Trouble(lost="before"), Trouble(lost="after")])

    async def use(sender: Sender) -> None:
        await drain(sender, store, clock)

    send(takt, store, use)
    assert list(takt.runs) == keys
    assert store.depth() == {"ready": 0, "done": 40, "dead": 0}


def test_34_an_answer_that_was_lost_after_the_commit(
    takt: Takt, store: Store, clock: Clock
) -> None:
    put(store, "k")
    takt.plan.append(Trouble(lost="after"))

    async def use(sender: Sender) -> None:
        assert not await sender.send_due()
        clock.at += 100
        assert await sender.send_due()

    send(takt, store, use)
    assert (told(takt), len(takt.runs)) == (["k", "k"], 1)


def test_39_a_poison_row_is_parked_and_others_go_on(takt: Takt, store: Store, clock: Clock) -> None:
    put(store, "bad", "good")
    put(store, "other", serial="T")
    takt.plan.append(Trouble(400, "22P02", "invalid input"))

    async def use(sender: Sender) -> None:
        await drain(sender, store, clock)

    send(takt, store, use)
    assert set(takt.runs) | {"bad"} == {"bad", "good", "other"}
    (parked,) = store.dead()
    assert "invalid input" in (parked.error or "")
    assert store.requeue(parked.id)


def test_40_a_refused_key_pauses_everything_and_goes_on_later(
    takt: Takt, store: Store, clock: Clock
) -> None:
    put(store, "a")
    put(store, "b", serial="T")
    takt.plan.append(Trouble(403, "42501", "permission denied"))
    takt.plan.append(Trouble(403, "42501", "permission denied"))

    async def use(sender: Sender) -> None:
        assert not await sender.send_due()
        assert "permission denied" in (sender.paused or "")
        assert store.depth()["ready"] == 2
        await drain(sender, store, clock)
        assert sender.paused is None

    send(takt, store, use)
    assert set(takt.runs) == {"a", "b"}


def test_prints_that_a_restored_backup_does_not_know_are_told_again(
    takt: Takt, store: Store, clock: Clock
) -> None:
    put(store, "a", "b", "c")
    put(store, "x", serial="T")

    async def use() -> None:
        async with RpcClient(takt.url, "sb_publishable_x", timeout=5) as rpc:
            sender = Sender(rpc, store)
            await drain(sender, store, clock)
            takt.runs = {key: takt.runs[key] for key in ("a", "x")}  # as of last night
            heartbeat = Heartbeat(
                *(rpc, store, sender),
                cards=lambda: [{"serial": serial, "link": "online"} for serial in "ST"],
                alarms=list,
                about={"version": "1", "host": "h"},
                every=30,
            )
            for _ in range(2):
                await heartbeat.send()
                await drain(sender, store, clock)

    asyncio.run(use())
    assert set(takt.runs) == {"a", "b", "c", "x"}
    assert told(takt)[4:] == ["a", "b", "c"], "once, in their order, and of this printer only"


def test_a_printer_of_another_site_keeps_no_other_printer_waiting(
    takt: Takt, store: Store, clock: Clock
) -> None:
    """Somebody moved one printer to another site while this bridge still watches it."""
    put(store, "a")
    put(store, "b", serial="T")
    takt.plan.append(Trouble(403, "PT403", "Not at this site.", hint="auth.other_site"))

    async def use(sender: Sender) -> None:
        await sender.send_due()
        assert sender.paused is None
        assert len(takt.runs) == 1
        await drain(sender, store, clock)

    send(takt, store, use)
    assert set(takt.runs) == {"a", "b"}, "and it is told when the printer is back"


def test_an_answer_nobody_understands_is_parked(takt: Takt, store: Store, clock: Clock) -> None:
    put(store, "k")
    takt.answer = {"status": "perhaps"}

    async def use(sender: Sender) -> None:
        await drain(sender, store, clock)

    send(takt, store, use)
    assert [item.key for item in store.dead()] == ["k"]


@pytest.mark.parametrize("status", ["duplicate", "unmapped", "review", "ignored", "conflict"])
def test_every_known_answer_is_the_end(takt: Takt, store: Store, clock: Clock, status: str) -> None:
    put(store, "k")
    takt.answer = {"status": status}

    async def use(sender: Sender) -> None:
        await drain(sender, store, clock)

    send(takt, store, use)
    assert store.depth() == {"ready": 0, "done": 1, "dead": 0}


@pytest.mark.parametrize(
    ("status", "sqlstate", "wanted"),
    [
        (0, "08006", Fate.RETRY),
        (500, "XX000", Fate.RETRY),
        (502, "", Fate.RETRY),
        (503, "53300", Fate.RETRY),
        (500, "40001", Fate.RETRY),
        (500, "40P01", Fate.RETRY),
        (500, "57014", Fate.RETRY),
        (429, "PT429", Fate.RETRY),
        (401, "PGRST301", Fate.PAUSE),
        (403, "PT403", Fate.PAUSE),
        (404, "PGRST202", Fate.PAUSE),
        (400, "22003", Fate.PARK),
        (409, "23505", Fate.PARK),
        (400, "P0001", Fate.PARK),
        (422, "PT422", Fate.PARK),
        (404, "PT404", Fate.PARK),
    ],
)
def test_error_classes(status: int, sqlstate: str, wanted: Fate) -> None:
    assert fate(RpcError(status, sqlstate, "", "")) is wanted


def test_the_loop_wakes_for_a_new_row_and_ends_on_the_stop(takt: Takt, store: Store) -> None:
    async def use(sender: Sender) -> None:
        state = Run()
        loop = asyncio.create_task(sender.work(state))
        put(store, "k")
        sender.wake()
        await asyncio.to_thread(wait_for, lambda: store.depth()["done"], "it is told")
        state.stop()
        async with asyncio.timeout(20):
            await loop

    send(takt, store, use)
    assert list(takt.runs) == ["k"]
