"""`takt-print-agent` as a person at the printers uses it: a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from print_agent import testlabel
from print_agent.domain import Step
from print_agent.journal import Journal
from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers
from tests.takt.processes import ROOT


@pytest.fixture
def zebra() -> Iterator[RunningPrinter]:
    with running_printers([Spec("P1", label_s=0.02)]) as running:
        yield running["P1"]


def agent(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if "SUPABASE" not in name}
    env = {**known, "TAKT_PRINT_HOME": str(home), "TAKT_DEVICE_FILE": str(home / "device.json")}
    return subprocess.run(
        [sys.executable, "-m", "print_agent", *arguments],
        cwd=ROOT,
        env=env,
        text=True,
        capture_output=True,
        check=False,
        timeout=90,
    )


def data(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)["data"]


def test_probe_tells_who_and_how(zebra: RunningPrinter, tmp_path: Path) -> None:
    done = agent(tmp_path, "probe", zebra.address, "--raw", "--json")
    facts = data(done)
    assert done.returncode == 0, done.stderr
    assert (facts["state"], facts["dpi"], facts["odometer"]) == ("ready", 203, 1000)
    assert (facts["evidence_level"], facts["model"]) == (2, "ZTC ZD421-203dpi ZPL")
    assert facts["raw"]["~HS"].startswith("\\x02030,")
    zebra.strike("head_open")
    stopped = agent(tmp_path, "probe", zebra.address, "--json")
    assert (stopped.returncode, data(stopped)["reasons"]) == (1, ["cover-open"])


def test_probe_of_nothing_and_of_another_server(zebra: RunningPrinter, tmp_path: Path) -> None:
    zebra.strike("ssh")
    other = agent(tmp_path, "probe", zebra.address, "--json")
    assert (other.returncode, data(other)["state"]) == (1, "not a printer")
    zebra.do(lambda device: device.clear())
    zebra.strike("refuse")
    gone = agent(tmp_path, "probe", zebra.address, "--json")
    assert (gone.returncode, data(gone)["state"]) == (4, "not reachable")
    wrong = agent(tmp_path, "probe", "/etc/passwd")
    assert (wrong.returncode, wrong.stderr.strip()) == (
        2,
        "`/etc/passwd` is no device file: expected a path below /dev.",
    )


def test_a_test_label_comes_out_and_its_code_can_be_scanned(
    zebra: RunningPrinter, tmp_path: Path
) -> None:
    done = agent(tmp_path, "print-test", zebra.address, "--json")
    facts = data(done)
    assert done.returncode == 0, done.stderr
    assert (facts["outcome"], facts["dpi"]) == ("printed", 203)
    (label,) = zebra.paper
    assert facts["code"] in label.zpl
    assert "203 dpi" in label.zpl


def test_no_test_label_on_a_stopped_printer_or_beside_an_agent(
    zebra: RunningPrinter, tmp_path: Path
) -> None:
    zebra.strike("paper_out")
    stopped = agent(tmp_path, "print-test", zebra.address)
    assert (stopped.returncode, stopped.stderr.strip()) == (
        1,
        "The printer is stopped (media-empty).",
    )
    zebra.do(lambda device: device.clear())
    with (tmp_path / "agent.lock").open("a") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        beside = agent(tmp_path, "print-test", zebra.address)
    assert (beside.returncode, zebra.paper) == (1, [])
    assert "runs already" in beside.stderr


def test_a_resolution_that_is_not_said_must_be_named(tmp_path: Path) -> None:
    with running_printers([Spec("T1", language="tspl", label_s=0.02)]) as running:
        tsc = running["T1"]
        unnamed = agent(tmp_path, "print-test", tsc.address, "--language", "tspl")
        assert "--dpi" in unnamed.stderr
        arguments = ("print-test", tsc.address, "--language", "tspl", "--dpi", "203", "--json")
        done = agent(tmp_path, *arguments)
        assert data(done)["outcome"] == "drained; look whether it came out"
        assert len(tsc.paper) == 1


def test_the_journal_shows_what_is_open(tmp_path: Path) -> None:
    missing = agent(tmp_path, "journal")
    assert missing.returncode == 3
    book = Journal(tmp_path / "journal.db")
    for job in (1, 2):
        book.begin(job, 1, "P1", 100, {})
    book.advance(1, 1, Step.SETTLED)
    book.advance(2, 1, Step.HANDED, 40, "the line broke")
    book.close()
    (row,) = data(agent(tmp_path, "journal", "--json"))
    assert (row["job_id"], row["step"], row["bytes"]) == (2, "handed", 40)
    assert [r["job_id"] for r in data(agent(tmp_path, "journal", "--all", "--json"))] == [2, 1]


def test_status_and_doctor_of_an_agent_that_never_ran(tmp_path: Path) -> None:
    assert agent(tmp_path, "status").returncode == 4
    done = agent(tmp_path, "doctor", "--json")
    assert done.returncode == 1
    found = {check["name"]: check for check in data(done)}
    assert found["sign-in"]["result"] == "fail"
    assert "takt device enroll" in found["sign-in"]["fix"]
    assert found["journal"]["result"] == "ok"


def test_run_without_a_sign_in_says_what_to_do(tmp_path: Path) -> None:
    done = agent(tmp_path, "run")
    assert done.returncode == 3
    assert "takt device enroll" in done.stderr


def test_the_code_of_a_test_label_fits_and_decodes_at_every_resolution() -> None:
    from datetime import datetime

    at = datetime(2026, 11, 21, 12, 30, 15)
    assert testlabel.code(at) == "TEST-261121-123015"
    drawn = zxingcpp.create_barcode(testlabel.code(at), zxingcpp.BarcodeFormat.Code128)
    assert zxingcpp.read_barcode(Image.fromarray(drawn.to_image(scale=3)))
    for dpi in (203, 300, 600):
        zpl = testlabel.label("zpl", dpi, "10.1.2.3:9100^XA~JR", at).decode()
        assert (zpl.count("^XA"), zpl.count("^XZ"), zpl.count("~")) == (1, 1, 0)
