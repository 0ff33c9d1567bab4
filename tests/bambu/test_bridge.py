"""The bridge as a process: printers over TLS on one side, the server over HTTP on the other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.simulator.bambu.printer import CANCELLED, VirtualPrinter
from tests.bambu.conftest import CODE, MakePrinter
from tests.bambu.process import Bridge, sent
from tests.bambu.server import Takt, Trouble
from tests.bambu.story import KIOSK, cloud
from tests.takt.processes import wait_for

P1, X1 = "01P00A123456789", "00M00A123456789"


@pytest.fixture
def takt() -> Iterator[Takt]:
    server = Takt()
    yield server
    server.close()


@pytest.fixture
def bridges() -> Iterator[list[Bridge]]:
    made: list[Bridge] = []
    yield made
    for bridge in made:
        bridge.kill()


@pytest.fixture
def p1(make_printer: MakePrinter) -> VirtualPrinter:
    return make_printer(P1, "P1S")


@pytest.fixture
def bridge(bridges: list[Bridge], takt: Takt, p1: VirtualPrinter, tmp_path: Path) -> Bridge:
    """A running bridge with one printer whose first full report was read."""
    bridge = Bridge(tmp_path / "bridge", takt.credentials(tmp_path), [p1])
    bridges.append(bridge)
    bridge.start()
    synced(bridge)
    return bridge


def synced(bridge: Bridge, serial: str = P1) -> None:
    """The first full report was worked off (version and report come together)."""
    wait_for(lambda: bridge.reports(serial) >= 2, "the first full report")


def play(bridge: Bridge, printer: VirtualPrinter, at: float, **fields: object) -> None:
    """Tell a change at a moment of the bridge's clock, and wait until it was worked off."""
    bridge.set_clock(at)
    before = bridge.reports(printer.serial)
    printer.set(**fields)
    wait_for(lambda: bridge.reports(printer.serial) > before, f"the report {fields}")


def start_print(bridge: Bridge, printer: VirtualPrinter, at: float = 10) -> None:
    play(bridge, printer, at, gcode_state="RUNNING", mc_percent=0, **KIOSK)
    play(bridge, printer, at + 90, mc_percent=60)


def the_run(takt: Takt) -> tuple[str, str, str | None]:
    (run,) = wait_for(lambda: list(takt.runs.values()), "the run is told")
    return sent(run)


def test_prints_of_two_kinds_of_printers_are_told(
    make_printer: MakePrinter, takt: Takt, bridges: list[Bridge], p1: VirtualPrinter, tmp_path: Path
) -> None:
    x1 = make_printer(X1, "X1C")
    bridge = Bridge(tmp_path / "bridge", takt.credentials(tmp_path), [p1, x1])
    bridges.append(bridge)
    bridge.start()
    for serial in (P1, X1):
        synced(bridge, serial)
    start_print(bridge, p1)
    play(bridge, x1, 200, gcode_state="PREPARE", **cloud())
    play(bridge, x1, 300, gcode_state="RUNNING", mc_percent=10, total_layer_num=100)
    play(bridge, p1, 900, gcode_state="FINISH", mc_percent=100, gcode_file="", s_obj=[5])
    play(bridge, x1, 1_000, gcode_state="FINISH", mc_percent=100)
    wait_for(lambda: len(takt.runs) == 2, "both runs are told")
    runs = {run["p_printer_serial"]: run for run in takt.runs.values()}
    assert sent(runs[P1]) == ("success", "observed", "kiosk_plates_plate_7")
    assert sent(runs[X1]) == ("success", "observed", "Kiosk")
    assert runs[P1]["p_gcode_filename"] == "kiosk_plates_plate_7.3mf"
    assert (runs[P1]["p_skipped_object_ids"], runs[X1]["p_plate"]) == ([5], 7)
    wait_for(lambda: takt.card(X1).get("link") == "online", "the card")
    assert takt.card(X1)["firmware"] == "01.09.01.00"
    assert set(p1.asked) | set(x1.asked) <= {"get_version", "pushall", "start"}
    assert CODE not in bridge.log
    assert bridge.stop() == 0
    assert takt.heartbeats()[-1]["p_status"]["stopping"] is True


def test_37_kill_9_in_the_middle_of_a_print(bridge: Bridge, takt: Takt, p1: VirtualPrinter) -> None:
    start_print(bridge, p1)
    bridge.kill()
    bridge.start()
    synced(bridge)
    play(bridge, p1, 900, gcode_state="FINISH", mc_percent=100)
    assert the_run(takt)[:2] == ("success", "observed")


def test_37_kill_9_and_the_finish_comes_meanwhile(
    bridge: Bridge, takt: Takt, p1: VirtualPrinter
) -> None:
    start_print(bridge, p1)
    bridge.kill()
    p1.set(gcode_state="FINISH", mc_percent=100)
    bridge.set_clock(5_000)
    bridge.start()
    assert the_run(takt)[:2] == ("success", "recovered")
    wait_for(lambda: any(b["p_printers"][0]["gaps"] for b in takt.heartbeats()), "the blind window")
    wait_for(lambda: takt.card(P1)["gaps"] == [], "it is told once")
    bridge.kill()
    bridge.start()
    synced(bridge)
    assert len(takt.runs) == 1


def test_37_kill_9_between_the_disk_and_the_server(
    bridge: Bridge, takt: Takt, p1: VirtualPrinter
) -> None:
    takt.down = True
    start_print(bridge, p1)
    play(bridge, p1, 900, gcode_state="FINISH", mc_percent=100)
    bridge.kill()
    takt.down = False
    bridge.start()
    assert the_run(takt)[:2] == ("success", "observed")


def test_36_the_server_is_away_for_many_prints_and_a_restart(
    bridge: Bridge, takt: Takt, p1: VirtualPrinter
) -> None:
    takt.down = True
    for number in range(5):
        at = 1_000 * number
        start_print(bridge, p1, at + 10)
        play(bridge, p1, at + 900, gcode_state="FINISH", mc_percent=100)
    bridge.kill()
    bridge.start()
    synced(bridge)
    takt.down = False
    bridge.set_clock(9_000)
    wait_for(lambda: len(takt.runs) == 5, "all are told", 60)
    ends = [run["p_finished_at"] for run in takt.runs.values()]
    assert ends == sorted(ends)
    assert takt.outcomes(P1) == ["success"] * 5


def test_34_the_answer_is_lost(bridge: Bridge, takt: Takt, p1: VirtualPrinter) -> None:
    takt.plan.append(Trouble(lost="after"))
    start_print(bridge, p1)
    play(bridge, p1, 900, gcode_state="FINISH", mc_percent=100)
    wait_for(lambda: sum(n == "record_print_completion" for n, _ in takt.calls) == 2, "a repeat")
    assert len(takt.runs) == 1


def test_14_the_code_after_the_state(bridge: Bridge, takt: Takt, p1: VirtualPrinter) -> None:
    start_print(bridge, p1)
    play(bridge, p1, 200, gcode_state="FAILED")
    play(bridge, p1, 204, print_error=CANCELLED)
    assert the_run(takt)[0] == "cancelled"


def test_16_a_failure_waits_for_its_reason(bridge: Bridge, takt: Takt, p1: VirtualPrinter) -> None:
    start_print(bridge, p1)
    play(bridge, p1, 200, gcode_state="FAILED", print_error=0x0500803C)
    bridge.set_clock(220)
    assert the_run(takt)[0] == "failed"
    (run,) = takt.runs.values()
    assert run["p_error"]["code"] == "0500-803C"


def test_47_garbage_between_the_reports(bridge: Bridge, takt: Takt, p1: VirtualPrinter) -> None:
    start_print(bridge, p1)
    before = bridge.reports(P1)
    for payload in (b"\xff\xfe", b'{"print": {"gco', b"[]", b'{"print": {"hms": null, "msg": 1}}'):
        p1.say_raw(payload)
    wait_for(lambda: bridge.reports(P1) == before + 4, "the garbage was worked off")
    play(bridge, p1, 900, gcode_state="FINISH", mc_percent=100)
    assert the_run(takt)[:2] == ("success", "observed")
    wait_for(lambda: takt.card(P1).get("parse_errors") == 3, "they are counted")


def test_46_the_broker_freezes_while_the_print_ends(
    bridges: list[Bridge], takt: Takt, p1: VirtualPrinter, tmp_path: Path
) -> None:
    bridge = Bridge(tmp_path / "bridge", takt.credentials(tmp_path), [p1])
    bridge.env |= {"TAKT_BAMBU_SILENCE": "1", "TAKT_BAMBU_RECONNECT": "2"}
    bridges.append(bridge)
    bridge.start()
    synced(bridge)
    start_print(bridge, p1)
    p1.broker.freeze()
    wait_for(lambda: takt.card(P1).get("connected") is False, "it gives up", 30)
    p1.broker.thaw()
    p1.set(gcode_state="FINISH", mc_percent=100)
    assert the_run(takt)[0] == "success"


def test_41_a_printer_of_another_bridge_is_left_alone(
    bridges: list[Bridge], takt: Takt, p1: VirtualPrinter, tmp_path: Path
) -> None:
    takt.owned[P1] = False
    bridge = Bridge(tmp_path / "bridge", takt.credentials(tmp_path), [p1])
    bridges.append(bridge)
    bridge.start()
    wait_for(lambda: len(takt.heartbeats()) > 2, "heartbeats")
    assert p1.asked == {}
    assert "other" in takt.card(P1)["link_text"]
    takt.owned[P1] = True
    wait_for(lambda: takt.card(P1)["connected"], "it is watched")
    takt.owned[P1] = False
    wait_for(lambda: "other" in takt.card(P1)["link_text"], "it hangs up")
    bridge.kill()
    takt.down, p1.asked = True, {}
    bridge.start()  # without the server the last answer holds
    wait_for(lambda: "heartbeat.missed" in bridge.log, "it has tried")
    assert (p1.asked, bridge.reports(P1)) == ({}, 0)


def test_42_a_lost_disk_books_nothing_twice(bridge: Bridge, takt: Takt, p1: VirtualPrinter) -> None:
    start_print(bridge, p1)
    play(bridge, p1, 900, gcode_state="FINISH", mc_percent=100)
    assert the_run(takt)[0] == "success"
    bridge.kill()
    for file in (bridge.home / "state").glob("bridge.db*"):
        file.unlink()
    bridge.start()
    synced(bridge)
    bridge.set_clock(2_000)
    wait_for(lambda: bridge.run("status", "--json").stdout.count('"FINISH"'), "FINISH is shown")
    assert len(takt.runs) == 1


def test_38_a_full_disk_is_told_and_nothing_is_forgotten(
    bridge: Bridge, takt: Takt, p1: VirtualPrinter
) -> None:
    start_print(bridge, p1)
    bridge.fill_disk(True)
    play(bridge, p1, 900, gcode_state="FINISH", mc_percent=100)

    def alarmed() -> bool:
        return "disk" in " ".join(takt.heartbeats()[-1]["p_status"]["alarms"])

    wait_for(alarmed, "the alarm")
    assert takt.runs == {}
    bridge.fill_disk(False)
    assert the_run(takt)[:2] == ("success", "observed")
    wait_for(lambda: not alarmed(), "the alarm is over")


def test_a_home_has_one_bridge(bridge: Bridge) -> None:
    second = bridge.run("run")
    assert second.returncode == 3
    assert "runs already" in second.stderr


def test_traces_can_be_replayed(bridge: Bridge, takt: Takt, p1: VirtualPrinter) -> None:
    start_print(bridge, p1)
    play(bridge, p1, 180, gcode_state="FINISH", mc_percent=100)
    the_run(takt)
    traces = sorted((bridge.home / "state" / "traces").glob("*.jsonl"))
    assert traces
    text = "".join(trace.read_text(encoding="utf-8") for trace in traces)
    assert "wifi_signal" not in text
    assert '"FINISH"' in text
    assert bridge.run("replay", str(traces[-1])).returncode == 0


def test_status_and_parked_runs(bridge: Bridge, takt: Takt, p1: VirtualPrinter) -> None:
    takt.plan.append(Trouble(400, "22P02", "this run is odd"))
    start_print(bridge, p1)
    play(bridge, p1, 900, gcode_state="FINISH", mc_percent=100)

    def parked() -> list[dict[str, str]]:
        return list(json.loads(bridge.run("status", "--json").stdout)["data"]["parked"])

    (row,) = wait_for(parked, "it is parked", 60)
    assert "this run is odd" in row["error"]
    assert "need attention" in " ".join(takt.heartbeats()[-1]["p_status"]["alarms"])
    assert bridge.run("status", "--retry-parked").returncode == 0
    assert the_run(takt)[0] == "success"


def test_doctor_says_what_is_wrong(bridge: Bridge, p1: VirtualPrinter) -> None:
    bridge.kill()
    p1.change_code("87654321")
    checks = json.loads(bridge.run("doctor", "--json").stdout)["data"]
    found = {check["name"]: check for check in checks}
    assert found["sign-in"]["result"] == "ok"
    assert "access code" in found[P1]["reason"]


def test_probe_tells_model_firmware_and_names(bridge: Bridge, p1: VirtualPrinter) -> None:
    bridge.kill()
    p1.set(gcode_state="RUNNING", **KIOSK)
    said = bridge.run("probe", P1, "--json")
    assert said.returncode == 0, said.stderr
    assert "Bambu Lab P1S" in said.stdout
    assert "kiosk_plates_plate_7.3mf" in said.stdout
    assert CODE not in said.stdout + said.stderr


def test_a_file_of_codes_that_others_can_read_is_refused(bridge: Bridge) -> None:
    bridge.kill()
    os.chmod(bridge.env["TAKT_BAMBU_PRINTERS"], 0o644)
    refused = bridge.run("run")
    assert (refused.returncode, "chmod 600" in refused.stderr) == (3, True)
