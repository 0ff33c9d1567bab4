"""The demo's 3D printers: their jobs, and a restart after which nothing has moved."""

from __future__ import annotations

import itertools
import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bambu_bridge.settings import read_printers
from services.simulator.bambu.jobs import FILES, Job, frames, next_jobs
from tests.bambu.process import Bridge, sent
from tests.bambu.server import Takt
from tests.takt.processes import python, read_until, wait_for

PRINTERS = ("SIMA1M000000001", "SIMP1S000000002", "SIMX1C000000003")


@pytest.fixture
def takt() -> Iterator[Takt]:
    server = Takt()
    yield server
    server.close()


def test_the_same_seed_prints_the_same_jobs() -> None:
    first = list(itertools.islice(next_jobs(1), 200))
    assert first == list(itertools.islice(next_jobs(1), 200))
    assert {job.end for job in first} == {"FINISH", "FAILED", "CANCEL"}
    assert sum(job.end == "FINISH" for job in first) > 160
    assert any(job.skipped for job in first)


@pytest.mark.parametrize("end", ["FINISH", "FAILED", "CANCEL"])
def test_a_job_goes_from_start_to_end(end: str) -> None:
    job = Job(FILES[0], 1, end, 100 if end == "FINISH" else 40)
    told = list(frames(job, {"subtask_name": "x"}))
    states = [frame.fields["gcode_state"] for frame in told if "gcode_state" in frame.fields]
    assert states == ["PREPARE", "RUNNING", "FAILED" if end != "FINISH" else "FINISH"]
    moments = [frame.at for frame in told]
    assert moments == sorted(moments)
    assert moments[-1] <= 1


def test_three_printers_print_and_the_bridge_tells(takt: Takt, tmp_path: Path) -> None:
    folder = tmp_path / ".takt" / "bambu"
    env = {**os.environ, "TAKT_HOME": str(tmp_path), "TAKT_SIM_BAMBU_SECONDS": "3"}
    with python("-m", "services.simulator.bambu", env=env) as simulator:
        read_until(simulator, "bambu.serving")
        found = read_printers(folder / "printers.toml")
        assert tuple(printer.serial for printer in found) == PRINTERS
        bridge = Bridge(tmp_path / "bridge", takt.credentials(tmp_path), [])
        bridge.env |= {
            "TAKT_BAMBU_PRINTERS": str(folder / "printers.toml"),
            "TAKT_BAMBU_CA": str(folder / "ca.pem"),
        }
        bridge.start()
        try:
            wait_for(lambda: all("success" in takt.outcomes(s) for s in PRINTERS), "prints", 90)
            names = {sent(run)[2] for run in takt.runs.values()}
            wanted = {"kiosk_plates_plate_7", "kiosk_plates_plate_6", "planter_feet_plate_1"}
            assert names & wanted
            assert bridge.stop() == 0
        finally:
            bridge.kill()
        os.kill(simulator.pid, signal.SIGKILL)
    assert stat.S_IMODE((folder / "farm.json").stat().st_mode) == 0o600
    before = json.loads((folder / "farm.json").read_text())["printers"]
    with python("-m", "services.simulator.bambu", env=env) as simulator:
        read_until(simulator, "bambu.serving")
        after = json.loads((folder / "farm.json").read_text())["printers"]
        for old, new in zip(before, after, strict=True):
            assert (old["port"], old["code"]) == (new["port"], new["code"])
            assert new["number"] >= old["number"] > 0
        simulator.send_signal(signal.SIGTERM)
        assert simulator.wait(60) == 0
