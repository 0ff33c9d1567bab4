"""Settings of the virtual printers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from takt.settings import Settings


class PrinterSettings(Settings):
    """`TAKT_SIM_PRINTER_…`; no server is needed.

    `sim_printer_port` is the control page; the printers follow it. A port that is taken becomes
    another one: `.takt/printers.json` in `TAKT_HOME` says which.
    """

    supabase_url: str = Field(default="", validation_alias="SUPABASE_URL")
    home: Path = Path()
    sim_printers: bool = True
    sim_printer_port: int = Field(default=54370, ge=1, le=65000)
    sim_printer_seconds: float = Field(default=0.6, gt=0)  # per label
    sim_printer_paper: int = Field(default=500, ge=1)  # labels that are remembered

    @property
    def file(self) -> Path:
        return self.home / ".takt" / "printers.json"
