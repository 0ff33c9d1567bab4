"""The journal keeps what has left this computer, through crashes, and only gets stronger."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from print_agent.domain import Boot, Step
from print_agent.journal import Journal
from tests.takt.processes import python, read_until


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def begin(journal: Journal, job: int, printer: str = "P1", fence: int = 1) -> None:
    journal.begin(job, fence, printer, 100, {"odometer": 5})


def test_a_send_only_moves_forward(journal: Journal) -> None:
    begin(journal, 1)
    assert journal.advance(1, 1, Step.HANDING)
    assert journal.advance(1, 1, Step.HANDED, 40, "the line broke")
    assert not journal.advance(1, 1, Step.HANDING)
    assert not journal.advance(1, 1, Step.HANDED, 10)
    begin(journal, 1)  # a repeat changes nothing
    found = journal.find(1, 1)
    assert found is not None
    assert (found.step, found.bytes, found.total) == (Step.HANDED, 40, 100)
    assert (found.note, found.evidence) == ("the line broke", {"odometer": 5})
    assert journal.find(1, 2) is None


def test_open_sends_are_those_the_database_may_not_know(journal: Journal) -> None:
    for job, printer in ((1, "P1"), (2, "P2"), (3, "P1")):
        begin(journal, job, printer)
    journal.advance(3, 1, Step.SETTLED)
    assert [send.job_id for send in journal.open()] == [1, 2]
    assert [send.job_id for send in journal.open("P1")] == [1]
    assert [send.job_id for send in journal.recent(2)] == [3, 2]


def test_a_later_job_on_the_same_printer_makes_the_counter_useless(journal: Journal) -> None:
    begin(journal, 1)
    journal.advance(1, 1, Step.SENT, 100)
    begin(journal, 2, "P2")
    journal.advance(2, 1, Step.HANDING)
    assert not journal.followed(1, "P1")
    begin(journal, 3)
    assert not journal.followed(1, "P1")  # no byte of it has left
    journal.advance(3, 1, Step.HANDING)
    assert journal.followed(1, "P1")
    assert not journal.followed(3, "P1")
    begin(journal, 1, fence=2)  # tried again, last of all
    assert not journal.followed(1, "P1")


def test_a_job_found_under_way_is_adopted(journal: Journal) -> None:
    journal.adopt(9, 4, "P1")
    found = journal.find(9, 4)
    assert found is not None
    assert found.step is Step.HANDING
    begin(journal, 10)
    journal.advance(10, 1, Step.HANDING)
    assert journal.followed(9, "P1")


def test_what_the_printer_showed_waits_until_it_is_told(journal: Journal) -> None:
    begin(journal, 1)
    journal.advance(1, 1, Step.SENT, 100)
    journal.show(1, 1, {"odometer": 5})
    journal.show(1, 1, {"odometer": 6})
    found = journal.find(1, 1)
    assert found is not None
    assert (found.step, found.shown, found.bytes) == (Step.SHOWN, {"odometer": 6}, 100)
    journal.advance(1, 1, Step.SETTLED)
    journal.show(1, 1, {"odometer": 7})
    found = journal.find(1, 1)
    assert found is not None
    assert (found.step, found.shown) == (Step.SETTLED, {"odometer": 6})


def test_settled_sends_are_forgotten_and_open_ones_never(journal: Journal) -> None:
    begin(journal, 1)
    begin(journal, 2)
    journal.advance(1, 1, Step.SETTLED)
    assert journal.forget(older_than=60) == 0
    assert journal.forget(older_than=-60) == 1
    assert [send.job_id for send in journal.recent(9)] == [2]


def test_boots_are_kept_per_printer(journal: Journal, tmp_path: Path) -> None:
    boot = Boot("D1@1", "D1", "machine", 1.0, 2.0, 3.0, 4)
    journal.keep_boot("P1", boot)
    journal.close()
    again = Journal(tmp_path / "journal.db")
    assert again.boot("P1") == boot
    assert again.boot("P2") is None


def test_only_the_owner_can_read_it(journal: Journal, tmp_path: Path) -> None:
    begin(journal, 1)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


_WRITER = """
import sys
from pathlib import Path
from print_agent.domain import Step
from print_agent.journal import Journal
journal = Journal(Path(sys.argv[1]))
for job in range(1, 1_000_000):
    journal.begin(job, 1, "P1", 10, {})
    print(f"begun {job}", flush=True)
    journal.advance(job, 1, Step.HANDING)
    print(f"handing {job}", flush=True)
    journal.advance(job, 1, Step.SENT, 10)
    print(f"sent {job}", flush=True)
"""


@pytest.mark.parametrize("last", ["begun 3", "handing 17", "sent 40"])
def test_kill_9_forgets_nothing_that_was_written(tmp_path: Path, last: str) -> None:
    path = tmp_path / "journal.db"
    with python(str(path), code=_WRITER) as writer:
        text = read_until(writer, f"{last}\n")
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
    lines = [line.split() for line in (text + rest).splitlines() if line.count(" ") == 1]
    step, job = lines[-1][0], int(lines[-1][1])
    found = Journal(path).find(job, 1)
    assert found is not None
    assert list(Step).index(found.step) >= list(Step).index(Step(step))
