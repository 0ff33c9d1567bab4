"""Settings of the print agent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import Field

from print_agent.domain import Pace
from takt.device import Credentials
from takt.settings import Settings


def _home() -> Path:
    """systemd's StateDirectory, otherwise a folder here."""
    return Path(os.environ.get("STATE_DIRECTORY", "takt-print-agent"))


class AgentSettings(Settings):
    """`TAKT_DEVICE_FILE` is the sign-in that `takt device enroll` wrote; it also knows the address
    of Takt. `TAKT_PRINT_HOME` keeps the journal. Times in seconds (`look` and `resolve` as in
    `Pace`); metrics port 0 = no server.
    """

    supabase_url: str = Field(default="", validation_alias="SUPABASE_URL")
    device_file: Path = Path("takt-device.json")
    print_home: Path = Field(default_factory=_home)
    print_heartbeat: float = Field(default=10.0, gt=0, le=60)
    print_look: float = Field(default=10.0, ge=0.2, le=60)
    print_resolve: float = Field(default=10.0, ge=0.2, le=60)
    print_drain: float = Field(default=60.0, gt=0)
    print_metrics_port: int = Field(default=0, ge=0, le=65535)

    @property
    def pace(self) -> Pace:
        return Pace(self.print_look, self.print_resolve)

    @property
    def journal(self) -> Path:
        return self.print_home / "journal.db"

    @property
    def files(self) -> Path:
        """Where printers of the language `file` put their jobs."""
        return self.print_home / "files"

    @property
    def state(self) -> Path:
        """What the running agent says about itself, for `status`."""
        return self.print_home / "state.json"

    @property
    def lock(self) -> Path:
        return self.print_home / "agent.lock"

    def credentials(self) -> Credentials:
        """Errors: ConfigError when missing, damaged or readable by others."""
        return Credentials.read(self.device_file)

    def with_address(self, credentials: Credentials) -> Self:
        """The address of Takt: SUPABASE_URL when it is set, otherwise the one of the enrolment."""
        return self.model_copy(
            update={
                "supabase_url": self.supabase_url or credentials.supabase_url,
                "supabase_publishable_key": self.supabase_publishable_key
                or credentials.publishable_key,
            }
        )
