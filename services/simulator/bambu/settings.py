"""Settings of the virtual Bambu printers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from takt.settings import Settings


class BambuSettings(Settings):
    """`TAKT_SIM_BAMBU` = how many (0 = none), `TAKT_SIM_BAMBU_SECONDS` = how long one print takes.

    `.takt/bambu` in `TAKT_HOME` then holds `ca.pem` and `printers.toml`, which the bridge reads,
    and `farm.json`, which keeps ports and access codes over a restart.
    """

    supabase_url: str = Field(default="", validation_alias="SUPABASE_URL")
    home: Path = Path()
    sim_bambu: int = Field(default=0, ge=0, le=3)
    sim_bambu_seconds: float = Field(default=90.0, gt=0)

    @property
    def bambu_folder(self) -> Path:
        return self.home / ".takt" / "bambu"
