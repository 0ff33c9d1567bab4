"""What goes wrong on a farm, against the real database: stock stays what was really printed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.simulator.bambu.certs import Authority
from services.simulator.bambu.printer import CANCELLED
from tests.bambu.process import Bridge
from tests.farm_e2e.plant import PER_PRINT, Plant, told
from tests.farm_e2e.rig import IDLE, KIOSK, Rig
from tests.takt.processes import wait_for

NAME = KIOSK["subtask_name"]
REPORT = "record_print_completion"


@pytest.fixture(scope="module")
def living(
    farm: Plant, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    made = Rig.make(farm, farm.enroll(), authority, tmp_path_factory.mktemp("rig"))
    made.start()
    yield made
    made.end()


@pytest.fixture
def rig(living: Rig, plant: Plant) -> Rig:
    """A bridge that runs, and a printer that it knows."""
    if not living.bridge.runs:
        living.start()
    return living


def new_runs(rig: Rig, known: int) -> list[tuple[str, str, str | None]]:
    """What was told since; the gate is open and nothing waits on the bridge's disk."""
    wait_for(lambda: len(rig.runs()) > known, "a run is told", 60)
    wait_for(lambda: rig.bridge.outbox == 0, "nothing waits", 60)
    return [told(run) for run in rig.runs()[known:]]


# kill -9 at each step between the printer and the database -------------------------------------


def before_the_report_is_stored(rig: Rig) -> None:
    rig.bridge.freeze()
    rig.finish_unheard()


def stored_and_not_sent(rig: Rig) -> None:
    rig.sign_in.gate.shut()
    rig.finish()
    wait_for(lambda: rig.bridge.outbox == 1, "it is on the disk")


def sent_and_not_arrived(rig: Rig) -> None:
    held = rig.sign_in.gate.hold(REPORT)
    rig.finish()
    held.wait()
    rig.bridge.kill()
    held.drop()


def arrived_and_not_answered(rig: Rig) -> None:
    held = rig.sign_in.gate.hold_answer(REPORT)
    rig.finish()
    held.wait()
    rig.bridge.kill()
    held.drop()


STEPS: list[tuple[Callable[[Rig], None], str]] = [
    (before_the_report_is_stored, "recovered"),
    (stored_and_not_sent, "observed"),
    (sent_and_not_arrived, "observed"),
    (arrived_and_not_answered, "observed"),
]


@pytest.mark.parametrize(("step", "evidence"), STEPS, ids=[step.__name__ for step, _ in STEPS])
def test_kill_9_of_the_bridge(rig: Rig, step: Callable[[Rig], None], evidence: str) -> None:
    part, known = rig.part(), len(rig.runs())
    rig.begin()
    step(rig)
    rig.bridge.kill()
    rig.sign_in.gate.open()
    rig.start()
    part.wait_fulfilled()
    rig.restart()  # FINISH is still shown: no news
    assert new_runs(rig, known) == [("success", evidence, NAME)]
    assert (part.stock, part.produced) == (PER_PRINT, [PER_PRINT])


def test_an_answer_that_is_lost_is_asked_for_again(rig: Rig) -> None:
    part, known, calls = rig.part(), len(rig.runs()), rig.sign_in.gate.count(REPORT)
    lost = rig.sign_in.gate.lose_answer(REPORT)
    rig.begin()
    rig.finish()
    lost.wait()
    rig.move(120)  # it waits longer after each failure
    wait_for(lambda: rig.sign_in.gate.count(REPORT) == calls + 2, "it repeats")
    assert new_runs(rig, known) == [("success", "observed", NAME)]
    assert part.produced == [PER_PRINT]


# What lies between ------------------------------------------------------------------------------


def test_an_hour_without_the_cloud(rig: Rig) -> None:
    part, known = rig.part(4), len(rig.runs())
    rig.sign_in.gate.shut()
    for number in range(4):
        rig.begin()
        rig.finish()
        if number == 1:
            rig.restart()
    assert rig.bridge.outbox == 4
    assert part.stock == 0
    rig.sign_in.gate.open()
    rig.move(120)
    part.wait_fulfilled()
    assert new_runs(rig, known) == [("success", "observed", NAME)] * 4
    ends = [run["finished_at"] for run in rig.runs()[known:]]
    assert ends == sorted(ends)
    assert part.produced == [PER_PRINT] * 4


def test_the_database_restarts_while_a_print_is_booked(rig: Rig) -> None:
    part, known = rig.part(), len(rig.runs())
    with contextlib.closing(rig.plant.stack.connect()) as db:
        db.execute("begin")
        db.execute("select 1 from public.inventory_stock where sku = %s for update", (part.sku,))
        rig.begin()
        rig.finish()
        waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and usename = %s"
        wait_for(lambda: rig.plant.sql(waits, "authenticator"), "it is under way", 30)
        rig.plant.stack.restart_database()
    rig.move(300)
    part.wait_fulfilled()
    assert new_runs(rig, known) == [("success", "observed", NAME)]
    assert part.produced == [PER_PRINT]


def test_the_broker_freezes_while_the_print_ends(rig: Rig) -> None:
    part, known = rig.part(), len(rig.runs())
    impatient = {"TAKT_BAMBU_SILENCE": "1", "TAKT_BAMBU_RECONNECT": "2"}
    patient = {name: rig.bridge.env.get(name, "120") for name in impatient}
    rig.bridge.env |= impatient
    rig.restart()
    rig.begin()
    rig.printer.broker.freeze()
    state = "select state from public.print_machine_states s join public.print_machines m"
    query = f"{state} on m.id = s.machine_id where m.serial = %s"
    wait_for(lambda: rig.plant.value(query, rig.serial) == "offline", "it gives up", 30)
    rig.printer.broker.thaw()
    rig.finish_unheard()
    part.wait_fulfilled()
    rig.bridge.env |= patient
    rig.restart()
    ((outcome, _, name),) = new_runs(rig, known)
    assert (outcome, name, part.produced) == ("success", NAME, [PER_PRINT])


# What printers do -------------------------------------------------------------------------------


def cancelled_before(rig: Rig) -> None:
    rig.play(10, print_error=CANCELLED)
    rig.play(2, print_error=0)
    rig.play(1, gcode_state="FAILED")


def cancelled_after(rig: Rig) -> None:
    rig.play(10, gcode_state="FAILED")
    rig.play(4, print_error=CANCELLED)


@pytest.mark.parametrize("cancel", [cancelled_before, cancelled_after], ids=lambda f: f.__name__)
def test_a_cancelled_print_gives_nothing(rig: Rig, cancel: Callable[[Rig], None]) -> None:
    part, known = rig.part(), len(rig.runs())
    rig.begin()
    cancel(rig)
    assert new_runs(rig, known) == [("cancelled", "observed", NAME)]
    assert (part.stock, part.fulfilment) == (0, "unfulfilled")
    rig.begin()
    rig.finish()
    part.wait_fulfilled()
    assert part.produced == [PER_PRINT]


def test_skipped_objects_are_no_parts_even_after_a_crash(rig: Rig) -> None:
    part, known = rig.part(needed=10), len(rig.runs())
    rig.begin()
    rig.play(10, s_obj=[3])
    rig.play(10, s_obj=[3, 5])
    rig.restart()
    rig.play(10, s_obj=[])  # some models forget them before the end
    rig.finish()
    part.wait_fulfilled()
    assert new_runs(rig, known) == [("success", "observed", NAME)]
    assert (part.stock, rig.runs()[-1]["skipped_object_ids"]) == (10, [3, 5])


def test_reprints_of_one_file_are_prints_of_their_own(rig: Rig) -> None:
    part, known = rig.part(3), len(rig.runs())
    rig.begin()
    rig.finish()
    for _ in range(2):  # from the screen: no new name, no ids
        rig.play(60, gcode_state="PREPARE", **IDLE)
        rig.play(30, gcode_state="RUNNING")
        rig.finish()
    part.wait_fulfilled()
    assert new_runs(rig, known) == [("success", "observed", NAME)] * 3
    assert part.produced == [PER_PRINT] * 3


def test_a_finish_that_stays_is_counted_once(rig: Rig) -> None:
    part, known = rig.part(), len(rig.runs())
    rig.begin()
    rig.finish()
    for _ in range(20):
        rig.play(30, gcode_state="FINISH", mc_percent=100)
    rig.play(5, **{**KIOSK, "subtask_name": "the_next_one"})  # its name comes before it starts
    rig.printer.break_connections()
    rig.restart()
    rig.play(600, wifi_signal="-51dBm")
    assert new_runs(rig, known) == [("success", "observed", NAME)]
    assert part.produced == [PER_PRINT]
    rig.play(5, **KIOSK)


def test_a_finish_missed_and_the_next_print_is_on(rig: Rig) -> None:
    part, known = rig.part(2), len(rig.runs())
    rig.begin()
    rig.bridge.kill()
    rig.finish_unheard()
    rig.move(600)
    rig.set(gcode_state="RUNNING", **{**IDLE, "mc_percent": 5}, **KIOSK)
    rig.start()
    rig.finish()
    wait_for(lambda: len(rig.runs()) == known + 2, "both are told", 60)
    lost, seen = rig.runs()[known:]
    # Nobody saw the first one end: a person decides. The second was there to be seen.
    assert (lost["outcome"], lost["status"]) == ("unknown", "review")
    assert (told(seen), seen["status"]) == (("success", "observed", NAME), "recorded")
    assert (part.produced, part.fulfilment) == ([PER_PRINT], "partial")


# Two bridges ------------------------------------------------------------------------------------


@pytest.fixture
def second(rig: Rig, tmp_path: Path) -> Iterator[Bridge]:
    """Another bridge for the same printer, with a device of its own; not started."""
    made = Bridge(tmp_path / "second", rig.plant.enroll().file, [rig.printer])
    yield made
    made.kill()


def owner(rig: Rig) -> Any:
    query = (
        "select d.code from private.machine_leases l join public.devices d on d.id = l.device_id"
        " join public.print_machines m on m.id = l.machine_id where m.serial = %s"
    )
    return rig.plant.value(query, rig.serial)


def silent_for_long(rig: Rig) -> None:
    """The bridge that owned the printer has said nothing for 90 seconds."""
    rig.plant.sql("update private.machine_leases set lease_until = now() - interval '1 second'")


def test_the_second_bridge_waits_until_the_first_is_silent(rig: Rig, second: Bridge) -> None:
    part, known = rig.part(2), len(rig.runs())
    wait_for(lambda: owner(rig) == rig.sign_in.code, "the first owns the printer")
    rig.begin()
    second.set_clock(rig.at)
    second.start()
    rig.finish()
    wait_for(lambda: part.stock == PER_PRINT, "it is booked")
    assert second.reports(rig.serial) == 0
    rig.begin()
    rig.bridge.kill()
    second.set_clock(rig.at)
    silent_for_long(rig)
    rig.wait_synced(second)
    rig.bridge.start()  # it is back, but the printer is not its own any more
    second.set_clock(rig.at + 900)
    rig.finish_unheard()
    part.wait_fulfilled()
    assert rig.bridge.reports(rig.serial) == 0
    assert [told(run)[0] for run in rig.runs()[known:]] == ["success", "success"]
    # The first gets the printer back. It saw that print begin, not end, and now sees FINISH.
    second.kill()
    rig.move(3600)
    silent_for_long(rig)
    wait_for(lambda: len(rig.runs()) == known + 3, "it tells what it saw", 60)
    again = rig.runs()[-1]
    assert (again["evidence"], again["status"], again["reasons"]) == (
        "recovered",
        "review",
        ["overlap"],
    )
    assert part.produced == [PER_PRINT, PER_PRINT]


def test_two_bridges_that_both_saw_it_book_it_once(rig: Rig, tmp_path: Path) -> None:
    part, known = rig.part(), len(rig.runs())
    other = rig.plant.enroll()
    other.gate.shut()  # it cannot ask whose the printer is, and watches: a print must not be lost
    second = Bridge(tmp_path / "second", other.file, [rig.printer])
    try:
        second.set_clock(rig.at)
        second.start()
        rig.wait_synced(second)
        rig.begin()
        second.set_clock(rig.at)
        seen = second.reports(rig.serial)
        second.set_clock(rig.at + 900)
        rig.finish()
        wait_for(lambda: second.reports(rig.serial) > seen, "the second saw it")
        wait_for(lambda: second.outbox == 1, "the second will tell it")
        part.wait_fulfilled()
        other.gate.open()
        second.set_clock(rig.at + 300)
        wait_for(lambda: len(rig.runs()) == known + 2, "both told it", 60)
    finally:
        second.kill()
    first, again = rig.runs()[known:]
    assert (first["status"], again["status"]) == ("recorded", "review")
    assert "overlap" in again["reasons"]
    assert part.produced == [PER_PRINT]
