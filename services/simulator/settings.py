"""Settings of the shop simulator."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from takt.settings import Settings


class SimulatorSettings(Settings):
    """`TAKT_SIM_…`; `TAKT_HOME` is the folder whose `.takt/demo.json` names the demo shops."""

    home: Path = Path()
    sim_seconds: float = Field(default=60.0, gt=0)
    sim_seed: int = 20261121
    sim_drain: float = Field(default=10.0, gt=0)

    @property
    def demo_file(self) -> Path:
        return self.home / ".takt" / "demo.json"
