"""The sign-ins of the demo's devices: enrolled once, as devices of a real plant are."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.local.seed import SeedError
from services.local.settings import Settings
from takt.errors import RpcError
from takt.rpc_sync import SyncRpcClient

if TYPE_CHECKING:
    from takt.device import Credentials

SITE = "main"


@dataclass(frozen=True)
class DemoDevice:
    """`code`: its name in Takt, with a number behind when that is taken; `file`: its sign-in."""

    kind: str
    code: str
    name: str
    file: Path

    def environment(self, settings: Settings) -> dict[str, str]:
        """What its process is told: its own sign-in, and no key of the server."""
        return {
            "SUPABASE_URL": settings.api_url,
            "SUPABASE_PUBLISHABLE_KEY": settings.secrets.publishable_key,
            "SUPABASE_SECRET_KEY": "",
            "TAKT_DEVICE_FILE": str(self.file),
            "PYTHONUNBUFFERED": "1",
        }

    def kept_sign_in(self, settings: Settings) -> Credentials | None:
        """The sign-in of an earlier start, with today's address."""
        from takt.device import Credentials  # noqa: PLC0415  # slow to import
        from takt.settings import ConfigError  # noqa: PLC0415

        try:
            kept = Credentials.read(self.file)
        except ConfigError:
            return None
        key = settings.secrets.publishable_key
        return dataclasses.replace(kept, supabase_url=settings.api_url, publishable_key=key)


def server(settings: Settings) -> SyncRpcClient:
    """RPCs as the server itself."""
    return SyncRpcClient(settings.api_url, settings.secrets.secret_key)


def enroll(settings: Settings, devices: list[DemoDevice]) -> None:
    """Give each a sign-in, unless it has one that works. Errors: SeedError."""
    if not devices:
        return
    try:
        with server(settings) as rpc:
            known = {row["code"]: row for row in rpc.call("list_devices", safe=True)}
            for device in devices:
                _enroll_one(settings, rpc, device, known)
    except RpcError as error:
        raise SeedError(f"The demo's devices could not be enrolled: {error}") from error


def _enroll_one(
    settings: Settings, rpc: SyncRpcClient, device: DemoDevice, known: dict[str, Any]
) -> None:
    kept = device.kept_sign_in(settings)
    row = known.get(kept.device) if kept is not None else None
    if kept and row and not row["revoked_at"] and _signs_in(rpc, kept):
        kept.write(device.file)  # the address may be another one today
        return
    names = (device.code if n == 1 else f"{device.code}-{n}" for n in itertools.count(1))
    _enroll_as(settings, rpc, device, next(name for name in names if _is_free(known.get(name))))


def _is_free(row: dict[str, Any] | None) -> bool:
    """May this device be announced (again)?"""
    return row is None or not (row["user_id"] or row["revoked_at"])


def _enroll_as(settings: Settings, rpc: SyncRpcClient, device: DemoDevice, code: str) -> None:
    from takt.device import enroll as exchange  # noqa: PLC0415  # slow to import

    facts = {"p_kind": device.kind, "p_name": device.name, "p_site": SITE}
    made = rpc.call("create_device", p_code=code, **facts)
    rpc.run(exchange(settings.api_url, made["enrolment_code"])).write(device.file)


def _signs_in(rpc: SyncRpcClient, credentials: Credentials) -> bool:
    """Does this database know it? Errors: RpcError when nobody answers."""
    from takt.device import DeviceSession  # noqa: PLC0415  # slow to import

    session = DeviceSession(credentials)
    try:
        rpc.run(session())
    except RpcError as error:
        if error.temporary:
            raise
        return False
    finally:
        rpc.run(session.close())
    return True
