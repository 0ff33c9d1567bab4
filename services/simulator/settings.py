"""Settings of the simulator: shops, and the virtual printers for labels and for parts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from services.simulator.bambu.settings import BambuSettings
from services.simulator.printer.settings import PrinterSettings


class SimulatorSettings(PrinterSettings, BambuSettings):
    """`TAKT_SIM_…`; `TAKT_HOME` is the folder whose `.takt/demo.json` names the demo shops.

    `sim_seconds` from one shop order to the next, `sim_production_seconds` from one look at the
    print farm's orders to the next (0 = nobody orders), `sim_machine_seconds` from one word of the
    workshop's machines to the next (0 = they say nothing), `sim_shop_port` of the shops' Admin API
    (0 = none).
    """

    supabase_url: str = Field(default=..., validation_alias="SUPABASE_URL")
    sim_seconds: float = Field(default=60.0, gt=0)
    sim_production_seconds: float = Field(default=15.0, ge=0)
    sim_machine_seconds: float = Field(default=20.0, ge=0)
    sim_shop_port: int = Field(default=0, ge=0, le=65535)
    sim_seed: int = 20261121
    sim_drain: float = Field(default=10.0, gt=0)

    @property
    def demo_file(self) -> Path:
        return self.home / ".takt" / "demo.json"
