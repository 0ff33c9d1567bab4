"""One printer and one bridge that live through all scenarios, on a clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.simulator.bambu.certs import Authority
from services.simulator.bambu.printer import VirtualPrinter
from services.simulator.bambu.profiles import PROFILES
from tests.bambu.conftest import CODE
from tests.bambu.process import Bridge
from tests.farm_e2e.plant import PER_PRINT, Part, Plant, SignIn
from tests.takt.processes import wait_for

FILE = "kiosk_plates"
KIOSK = {"subtask_name": f"{FILE}_plate_7", "gcode_file": f"{FILE}_plate_7.3mf"}
IDLE = {"print_error": 0, "s_obj": [], "mc_percent": 0}
_PRINT = 900.0


@dataclass
class Rig:
    """`at`: what the bridge's clock shows, in seconds; a test begins where the last one ended."""

    plant: Plant
    sign_in: SignIn
    printer: VirtualPrinter
    bridge: Bridge
    at: float = 0.0

    @classmethod
    def make(cls, plant: Plant, sign_in: SignIn, authority: Authority, folder: Path) -> Rig:
        serial = "01P00ARIG000001"
        printer = VirtualPrinter(serial, CODE, authority, folder / "broker", PROFILES["P1S"])
        printer.start()
        return cls(plant, sign_in, printer, Bridge(folder / "bridge", sign_in.file, [printer]))

    @property
    def serial(self) -> str:
        return self.printer.serial

    def end(self) -> None:
        self.bridge.kill()
        self.printer.stop()

    def start(self) -> None:
        """Until the first full report was worked off (version and report come together)."""
        self.bridge.start()
        self.wait_synced(self.bridge)

    def restart(self) -> None:
        self.bridge.kill()
        self.start()

    def wait_synced(self, bridge: Bridge) -> None:
        wait_for(lambda: bridge.reports(self.serial) >= 2, "the first full report")

    def part(self, prints: int = 1, *, needed: int = 0) -> Part:
        """What the file gives from now on, and an order for so many prints of it."""
        return self.plant.part(FILE, 7, needed=needed or prints * PER_PRINT)

    def runs(self) -> list[dict[str, Any]]:
        return self.plant.runs(self.serial)

    # -- the printer ----------------------------------------------------------------------------

    def set(self, **fields: Any) -> None:
        """The printer shows something else; whether anybody hears it is another matter."""
        self.printer.set(**fields)

    def play(self, seconds: float, **fields: Any) -> None:
        """So much later the printer shows something else; until the bridge has worked it off."""
        self.move(seconds)
        before = self.bridge.reports(self.serial)
        self.printer.set(**fields)
        wait_for(lambda: self.bridge.reports(self.serial) > before, f"the report {fields}")

    def move(self, seconds: float) -> None:
        """So much later, nothing else."""
        self.at += seconds
        self.bridge.set_clock(self.at)

    def begin(self) -> None:
        """A print is under way, at 60 %."""
        self.play(60, gcode_state="RUNNING", **IDLE, **KIOSK)
        self.play(90, mc_percent=60)

    def finish(self) -> None:
        self.play(_PRINT, gcode_state="FINISH", mc_percent=100)

    def finish_unheard(self) -> None:
        """It finishes; nobody is there to hear it."""
        self.move(_PRINT)
        self.set(gcode_state="FINISH", mc_percent=100)
