"""Every recorded sequence, from a printer over TLS to an order that is fulfilled.

`TAKT_BAMBU_CASES` names another folder. What a file promises in its first line is what the real
bridge tells the real database, and stock is what was really printed.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from services.simulator.bambu.certs import Authority
from services.simulator.bambu.printer import VirtualPrinter
from services.simulator.bambu.recording import Step, read_steps, tell
from tests.bambu.conftest import CODE
from tests.bambu.process import Bridge
from tests.bambu.test_cases import FILES, expected
from tests.farm_e2e.plant import PER_PRINT, Part, Plant, SignIn, told
from tests.takt.processes import wait_for

PROMISED = [file for file in FILES if expected(file.read_text(encoding="utf-8")) is not None]
# What the first line calls by longer names.
_WORDS = {
    "ignored_non_production": "ignored",
    "superseded_while_offline": "superseded",
}
Key = tuple[str, int | None]

_SERIALS = (f"01P00AE2E{n:06}" for n in itertools.count(1))


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


@pytest.fixture(scope="module")
def sign_in(farm: Plant) -> SignIn:
    return farm.enroll()


def promises(text: str) -> list[dict[str, Any]]:
    """What the first line says, in the words of the database."""
    found = expected(text) or []
    return [{name: _WORDS.get(str(said), said) for name, said in run.items()} for run in found]


def key_of(run: dict[str, Any]) -> Key:
    """What a file is mapped by."""
    return run["name"], run["plate"]


def skipped(steps: list[Step]) -> int:
    """How many objects the printer says it left out."""
    reports = [(step.document or {}).get("print") for step in steps]
    lists = [report.get("s_obj") for report in reports if isinstance(report, dict)]
    return len(set(itertools.chain.from_iterable(found for found in lists if found)))


@pytest.mark.parametrize("file", PROMISED, ids=lambda file: file.stem)
def test_a_recorded_sequence_fulfils_what_was_really_printed(
    file: Path, plant: Plant, sign_in: SignIn, authority: Authority, tmp_path: Path
) -> None:
    text = file.read_text(encoding="utf-8")
    promised, steps, serial = promises(text), read_steps(text), next(_SERIALS)
    prints = Counter(key_of(run) for run in promised if run["outcome"] == "success")
    lost = skipped(steps)
    parts: dict[Key, Part] = {}
    for key in {key_of(run) for run in promised if run["outcome"] != "ignored" and run["name"]}:
        parts[key] = plant.part(*key, needed=max(1, prints[key]) * PER_PRINT - lost)
    printer = VirtualPrinter(serial, CODE, authority, tmp_path / "broker")
    bridge = Bridge(tmp_path / "bridge", sign_in.file, [printer])
    printer.start()
    try:
        rehearsal = Rehearsal(printer, bridge)
        tell(printer, steps, rehearsal.before, rehearsal.after)
        bridge.set_clock(steps[-1].at + 400)
        plant.wait_runs(serial, len(promised))
        assert bridge.stop() == 0
    finally:
        bridge.kill()
        printer.stop()
    runs = plant.runs(serial)
    wanted = [(run["outcome"], run["evidence"], run["name"]) for run in promised]
    assert [told(run) for run in runs] == wanted, json.dumps(runs)
    # What took less than a minute is a success that a person has to look at first.
    short = Counter(
        key_of(run)
        for run, row in zip(promised, runs, strict=True)
        if "short_run" in row["reasons"]
    )
    for key, part in parts.items():
        good = prints[key] - short[key]
        made = good * PER_PRINT - (lost if good else 0)
        assert (part.stock, len(part.produced)) == (made, good), json.dumps(runs)
        is_all = bool(made) and not short[key]
        assert (part.fulfilment == "fulfilled") == is_all, json.dumps(runs)
