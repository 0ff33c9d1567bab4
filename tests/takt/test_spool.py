from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from takt.spool import Spool
from tests.takt.processes import python, read_until


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Spool:
    return Spool(tmp_path / "spool.db", clock)


def put(spool: Spool, entity: str, key: str) -> bool:
    return spool.put("print.done", entity, {"key": key, "text": "Zoë 🎂"}, key)


def keys(spool: Spool) -> list[str]:
    return [item.key for item in spool.due(10)]


def test_a_key_is_kept_once_also_after_delivery(spool: Spool) -> None:
    assert put(spool, "p1", "a")
    assert not put(spool, "p1", "a")
    item = spool.due()[0]
    assert item.payload == {"key": "a", "text": "Zoë 🎂"}
    spool.done(item.id)
    assert not put(spool, "p1", "a")
    assert spool.depth() == {"ready": 0, "done": 1, "dead": 0}


def test_within_an_entity_nothing_overtakes(spool: Spool, clock: Clock) -> None:
    for entity, key in (("p1", "a"), ("p1", "b"), ("p2", "c")):
        put(spool, entity, key)
    assert keys(spool) == ["a", "c"]
    spool.retry(spool.due()[0].id, "no paper", after=30)
    assert keys(spool) == ["c"]  # b waits behind a
    clock.now += 31
    first = spool.due()[0]
    assert (first.key, first.attempts, first.error) == ("a", 1, "no paper")
    spool.done(first.id)
    assert keys(spool) == ["b", "c"]


def test_a_computer_whose_clock_began_in_the_past_does_not_wait_for_the_future(
    spool: Spool, clock: Clock, tmp_path: Path
) -> None:
    """No battery, a power cut: it starts months ago, and what was tried last waits till then."""
    put(spool, "p1", "a")
    spool.retry(spool.due()[0].id, "away", after=30)
    spool.close()
    clock.now -= 900
    assert keys(Spool(tmp_path / "spool.db", clock)) == ["a"]


def test_a_dead_letter_steps_aside_and_can_come_back(spool: Spool) -> None:
    put(spool, "p1", "a")
    put(spool, "p1", "b")
    head = spool.due()[0]
    spool.bury(head.id, "refused for ever")
    assert keys(spool) == ["b"]
    assert [(i.key, i.error) for i in spool.dead()] == [("a", "refused for ever")]
    assert spool.requeue(head.id)
    assert not spool.requeue(head.id)
    assert keys(spool) == ["a"]


def test_forget_drops_only_old_delivered_items(spool: Spool, clock: Clock) -> None:
    for key in "abc":
        put(spool, key, key)
    first, second, _ = spool.due(3)
    spool.done(first.id)
    spool.bury(second.id, "bad")
    clock.now += 100
    assert spool.forget(older_than=99) == 1
    assert spool.depth() == {"ready": 1, "done": 0, "dead": 1}


def test_only_the_owner_can_read_it(spool: Spool, tmp_path: Path) -> None:
    put(spool, "p1", "a")
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


_WRITER = """
import sys
from pathlib import Path
from takt.spool import Spool
spool = Spool(Path(sys.argv[1]))
for n in range(1_000_000):
    assert spool.put("t", f"e{n % 3}", {"n": n}, f"k{n}")
    print(n, flush=True)
"""


@pytest.mark.parametrize("last", [1, 40, 200])
def test_kill_9_of_the_writer_loses_nothing_that_was_acknowledged(
    tmp_path: Path, last: int
) -> None:
    path = tmp_path / "spool.db"
    with python(str(path), code=_WRITER) as writer:
        read_until(writer, f"{last}\n")
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
    acknowledged = int(rest.split()[-1]) if rest.split() else last
    spool = Spool(path)
    seen = []
    while items := spool.due(10):
        for item in items:
            seen.append(item.payload["n"])
            spool.done(item.id)
    assert sorted(seen)[: acknowledged + 1] == list(range(acknowledged + 1))
    assert len(seen) <= acknowledged + 2  # at most the one that was being written
