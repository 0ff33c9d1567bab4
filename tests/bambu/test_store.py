"""State and outbox on the disk: together or not at all."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bambu_bridge.memory import Gap, Memory
from bambu_bridge.report import Told, told
from bambu_bridge.state import Store
from tests.bambu.story import cloud as cloud_job
from tests.bambu.story import printing_cloud
from tests.takt.processes import python, read_until

ABOUT = {"version": "1", "host": "h"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "home" / "bridge.db", lambda: 1_000.0)
    yield store
    store.close()


def row(key: str = "bambu:S:1") -> Told:
    return Told(key, {"p_idempotency_key": key})


def test_it_is_private_and_durable(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "home" / "bridge.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with sqlite3.connect(file) as db:
        assert db.execute("pragma journal_mode").fetchone() == ("wal",)


def test_memory_and_outbox_come_back(store: Store, tmp_path: Path) -> None:
    story = printing_cloud()
    store.save("S", story.tracker.memory.stored(), [row()], [Gap("g", 1.0, 2.0)])
    again = Store(tmp_path / "home" / "bridge.db", lambda: 1_060.0)
    assert Memory.restored(again.load("S") or {}) == story.tracker.memory
    assert [item.key for item in again.due(9)] == ["bambu:S:1"]
    assert again.gaps("S") == [Gap("g", 1.0, 2.0)]
    assert (again.state().ready, again.state().oldest_s) == (1, 60.0)
    again.drop_gaps(["g"])
    assert again.gaps("S") == []
    again.close()


def test_a_failure_in_the_middle_keeps_neither(store: Store) -> None:
    bad = Told("bambu:S:2", {"p": object()})
    with pytest.raises(TypeError):
        store.save("S", {"phase": "idle"}, [row(), bad])
    assert store.load("S") is None
    assert store.due(9) == []
    store.save("S", {"phase": "idle"}, [row()])
    assert len(store.due(9)) == 1


def test_the_same_run_is_kept_once(store: Store) -> None:
    store.save("S", {}, [row()])
    store.done(store.due(1)[0].id)
    store.save("S", {}, [row()])
    assert store.due(9) == []


def test_leases_are_remembered(store: Store) -> None:
    assert store.is_owned("S")
    store.own("S", False)
    assert not store.is_owned("S")
    assert store.load("S") is None
    store.save("S", {"phase": "idle"})
    assert not store.is_owned("S")
    store.own("S", True)
    assert (store.is_owned("S"), store.load("S")) == (True, {"phase": "idle"})


def test_what_is_told_of_a_run() -> None:
    story = printing_cloud()
    story.full(300, "FINISH", mc_percent=100, s_obj=[3], **cloud_job())
    arguments = told("01P", story.only, ABOUT).arguments
    assert arguments["p_idempotency_key"] == "bambu:01P:run-1"
    assert arguments["p_native"]["name"] == "Kiosk"
    assert arguments["p_native"]["job_id"] == "500001"
    assert arguments["p_started_at"].endswith("+00:00")
    assert arguments["p_progress"]["reason"] == "finished"
    assert (arguments["p_skipped_object_ids"], arguments["p_plate"]) == ([3], 7)
    other = told("01P", story.only, {"version": "2", "host": "x"}).arguments
    assert other["p_payload_hash"] == arguments["p_payload_hash"]


_WRITER = """
import sys
from pathlib import Path
from bambu_bridge.report import Told
from bambu_bridge.state import Store
store = Store(Path(sys.argv[1]), lambda: 1.0)
for number in range(10_000):
    store.save("S", {"number": number}, [Told(f"k{number}", {"number": number})])
    print(number, flush=True)
"""


def test_37_kill_9_between_two_runs_loses_and_doubles_nothing(tmp_path: Path) -> None:
    file = tmp_path / "bridge.db"
    with python(str(file), code=_WRITER) as child:
        read_until(child, "50")
        os.kill(child.pid, signal.SIGKILL)
        said = child.stdout.read() if child.stdout else ""
    last = max([50, *(int(line) for line in said.split())])
    store = Store(file, lambda: 2.0)
    memory = store.load("S")
    assert memory is not None
    assert memory["number"] >= last
    keys = []
    while items := store.due(1):
        keys.append(items[0].key)
        store.done(items[0].id)
    store.close()
    assert keys == [f"k{number}" for number in range(memory["number"] + 1)]
