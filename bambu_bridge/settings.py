"""Settings of the bridge, and the file that names its printers."""

from __future__ import annotations

import os
import re
import ssl
import stat
import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from takt.device import Credentials
from takt.settings import ConfigError, Settings

_SERIAL = re.compile(r"[A-Z0-9._:-]{1,100}")
EXAMPLE = """[[printer]]
serial = "01P00A000000000"      # on the printer: Settings > Device
host = "192.168.1.50"
access_code = "12345678"        # on the printer: Settings > LAN only

[[printer]]
kind = "moonraker"
serial = "voron-1"              # any name of your own
host = "192.168.1.60"
"""


class PrinterConfig(BaseModel):
    """One printer. `access_code` is the LAN access code, or Moonraker's API key where it asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["bambu", "moonraker"] = "bambu"
    serial: str
    host: str = Field(min_length=1)
    port: int = Field(default=0, ge=0, le=65535)
    access_code: SecretStr = SecretStr("")
    ca: Path | None = None

    @field_validator("serial")
    @classmethod
    def _as_the_printer_writes_it(cls, value: str) -> str:
        # Topics are case-sensitive: a lower-case serial connects and then hears nothing for ever.
        serial = value.strip().upper()
        if not _SERIAL.fullmatch(serial):
            raise ValueError("letters, digits and . _ : - only, at most 100")
        return serial

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port or {"bambu": 8883, "moonraker": 7125}[self.kind]


def _home() -> Path:
    """systemd's StateDirectory, otherwise a folder here."""
    return Path(os.environ.get("STATE_DIRECTORY", "takt-bambu-bridge"))


class BridgeSettings(Settings):
    """`TAKT_DEVICE_FILE` is the sign-in that `takt device enroll` wrote; it also knows the address
    of Takt. `TAKT_BAMBU_HOME` keeps what must not be lost, `TAKT_BAMBU_PRINTERS` names the
    printers, `TAKT_BAMBU_CA` holds the vendor's certificates. Times in seconds; metrics port 0 =
    no server.
    """

    supabase_url: str = Field(default="", validation_alias="SUPABASE_URL")
    device_file: Path = Path("takt-device.json")
    bambu_home: Path = Field(default_factory=_home)
    bambu_printers: Path = Path("takt-printers.toml")
    bambu_ca: Path | None = None
    bambu_heartbeat: float = Field(default=30.0, gt=0, le=60)
    bambu_silence: float = Field(default=60.0, gt=0)
    bambu_reconnect: float = Field(default=120.0, gt=0)
    bambu_resync: float = Field(default=1800.0, ge=5)
    bambu_auth_wait: float = Field(default=300.0, gt=0)
    bambu_backoff: float = Field(default=60.0, gt=0, le=60)
    bambu_traces: int = Field(default=200, ge=0)
    bambu_drain: float = Field(default=20.0, gt=0)
    bambu_metrics_port: int = Field(default=0, ge=0, le=65535)

    @property
    def store(self) -> Path:
        return self.bambu_home / "bridge.db"

    @property
    def traces(self) -> Path:
        return self.bambu_home / "traces"

    @property
    def lock(self) -> Path:
        return self.bambu_home / "bridge.lock"

    def credentials(self) -> Credentials:
        """Errors: ConfigError when missing, damaged or readable by others."""
        return Credentials.read(self.device_file)

    def with_address(self, credentials: Credentials) -> Self:
        """The address of Takt: SUPABASE_URL when it is set, otherwise the one of the enrolment."""
        key = self.supabase_publishable_key or credentials.publishable_key
        url = self.supabase_url or credentials.supabase_url
        return self.model_copy(update={"supabase_url": url, "supabase_publishable_key": key})

    def printers(self) -> list[PrinterConfig]:
        """What the file names. Errors: ConfigError when missing, wrong or readable by others."""
        found = read_printers(self.bambu_printers)
        for ca in {self.ca_of(printer) for printer in found if printer.kind == "bambu"}:
            try:
                if ca is None:
                    raise FileNotFoundError("not set")
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca)
            except OSError as error:
                text = (
                    f"TAKT_BAMBU_CA cannot be used ({error}). It is the file with the printers'"
                    " certificates; Bambu Studio brings it along as resources/cert/printer.cer."
                )
                raise ConfigError(text) from error
        return found

    def ca_of(self, printer: PrinterConfig) -> Path | None:
        return printer.ca or self.bambu_ca


def read_printers(path: Path) -> list[PrinterConfig]:
    """The `[[printer]]` tables of a TOML file. Errors: ConfigError."""
    try:
        mode = path.stat().st_mode
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("printer", [])
        found = [PrinterConfig.model_validate(table) for table in tables]
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is missing. It names the printers:\n\n{EXAMPLE}") from error
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(part) for part in wrong["loc"])
        raise ConfigError(f"{path}: {place}: {wrong['msg']}") from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path} holds access codes and can be read by others. chmod 600 {path}")
    serials = [printer.serial for printer in found]
    if twice := {serial for serial in serials if serials.count(serial) > 1}:
        raise ConfigError(f"{path} names {', '.join(sorted(twice))} twice.")
    if not found:
        raise ConfigError(f"{path} names no printers:\n\n{EXAMPLE}")
    return found
