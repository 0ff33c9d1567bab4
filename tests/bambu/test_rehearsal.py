"""Every recorded sequence once more, end to end: a printer over TLS, the process, the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.simulator.bambu.certs import Authority
from services.simulator.bambu.printer import VirtualPrinter
from services.simulator.bambu.recording import Step, read_steps, tell
from tests.bambu.conftest import CODE
from tests.bambu.process import Bridge, sent
from tests.bambu.server import Takt
from tests.bambu.test_cases import FILES, expected
from tests.takt.processes import wait_for

PROMISED = [file for file in FILES if expected(file.read_text(encoding="utf-8")) is not None]
# What the first line calls by longer names.
_WORDS = {
    "ignored_non_production": "ignored",
    "superseded_while_offline": "superseded",
}


@pytest.fixture
def takt() -> Iterator[Takt]:
    server = Takt()
    yield server
    server.close()


class Rehearsal:
    """Starts and kills the bridge as the recording says, and waits for each of its steps."""

    def __init__(self, printer: VirtualPrinter, bridge: Bridge) -> None:
        self._printer = printer
        self._bridge = bridge
        self._reports = self._asked = 0
        self._runs = False

    def before(self, step: Step) -> None:
        self._bridge.set_clock(step.at)
        self._asked = self._printer.asked.get("pushall", 0)
        if step.event == "bridge_restart":
            self._bridge.kill()
            self._runs = False
        elif step.event == "connect" and not self._runs:
            self._bridge.start()
            self._reports, self._runs = 0, True

    def after(self, step: Step) -> None:
        serial = self._printer.serial
        if step.document is not None:
            self._reports += 1
            wait_for(lambda: self._bridge.reports(serial) == self._reports, "it was worked off")
        elif step.event == "connect":
            asked = self._asked
            wait_for(lambda: self._printer.asked.get("pushall", 0) > asked, "it asks", 30)


@pytest.mark.parametrize("file", PROMISED, ids=lambda file: file.stem)
def test_a_recorded_sequence_end_to_end(
    file: Path, takt: Takt, authority: Authority, tmp_path: Path
) -> None:
    text = file.read_text(encoding="utf-8")
    wanted = [
        tuple(_WORDS.get(str(run[name]), run[name]) for name in ("outcome", "evidence", "name"))
        for run in expected(text) or []
    ]
    steps = read_steps(text)
    printer = VirtualPrinter("01P00A123456789", CODE, authority, tmp_path / "broker")
    printer.start()
    bridge = Bridge(tmp_path / "bridge", takt.credentials(tmp_path), [printer])
    try:
        rehearsal = Rehearsal(printer, bridge)
        tell(printer, steps, rehearsal.before, rehearsal.after)
        bridge.set_clock(steps[-1].at + 400)
        wait_for(lambda: len(takt.runs) >= len(wanted), "all runs are told", 30)
        assert bridge.stop() == 0
        assert [sent(run) for run in takt.runs.values()] == wanted
    finally:
        bridge.kill()
        printer.stop()
