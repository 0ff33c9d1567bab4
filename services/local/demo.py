"""The moving parts of the demo: the simulator, and a print agent beside its virtual printers.

What somebody changed in the demo stays: a printer is set up once; later only its address follows.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from services.local.children import ProcessChild, environment, log_file
from services.local.seed import SeedError
from services.local.settings import Settings
from services.local.simulated import SIMULATOR, Simulated, read_simulated
from takt.errors import RpcError
from takt.rpc_sync import SyncRpcClient

if TYPE_CHECKING:
    from takt.device import Credentials

log = logging.getLogger("takt.supervisor")

AGENT = "print_agent"
_SITE, _DEVICE = "main", "demo-printers"
_ROUTES = {
    "order_ticket": ("prn-1", "prn-3"),
    "box": ("prn-3", "prn-1"),
    "unit_device": ("prn-2",),
    "item": ("prn-2",),
    "packing_slip_code": ("prn-2",),
}


def simulator(settings: Settings) -> ProcessChild:
    """The shops and printers that are not there. Ready once its printers can be reached."""
    child: ProcessChild

    def answers() -> bool:
        return not _has_printers() or read_simulated(settings.paths, child.pid) is not None

    child = ProcessChild(
        SIMULATOR,
        [sys.executable, "-m", "services.simulator"],
        environment(settings),
        settings.paths.root,
        log_file(settings.paths, SIMULATOR),
        ready=answers,
        after_start=lambda: _connect(settings, child.pid),
    )
    return child


def print_agent(settings: Settings) -> ProcessChild | None:
    """The agent of the virtual printers, with the sign-in of a device and nothing else; None
    where there are no printers.
    """
    if not _has_printers():
        return None
    env = {
        "SUPABASE_URL": settings.api_url,
        "SUPABASE_PUBLISHABLE_KEY": settings.secrets.publishable_key,
        "SUPABASE_SECRET_KEY": "",
        "TAKT_DEVICE_FILE": str(settings.paths.device_file),
        "TAKT_PRINT_HOME": str(settings.paths.agent),
        "TAKT_PRINT_DRAIN": "6",  # less than the supervisor waits
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "print_agent", "run"]
    paths = settings.paths
    return ProcessChild(AGENT, command, env, paths.root, log_file(paths, AGENT))


def enroll(settings: Settings) -> None:
    """Give the agent a sign-in, unless it has one that works. Errors: SeedError."""
    if not _has_printers():
        return
    try:
        with _server(settings) as rpc:
            known = {device["code"]: device for device in rpc.call("list_devices", safe=True)}
            kept = _kept_sign_in(settings)
            device = known.get(kept.device) if kept is not None else None
            if kept and device and not device["revoked_at"] and _signs_in(rpc, kept):
                kept.write(settings.paths.device_file)  # the address may be another one today
                return
            names = (_DEVICE if n == 1 else f"{_DEVICE}-{n}" for n in itertools.count(1))
            _enroll_as(settings, rpc, next(name for name in names if _is_free(known.get(name))))
    except RpcError as error:
        raise SeedError(f"The demo's print agent could not be enrolled: {error}") from error


def _is_free(device: dict[str, Any] | None) -> bool:
    """May this device be announced (again)?"""
    return device is None or not (device["user_id"] or device["revoked_at"])


def _enroll_as(settings: Settings, rpc: SyncRpcClient, code: str) -> None:
    from takt import device  # noqa: PLC0415  # slow to import

    facts = {"p_name": "Demo print agent", "p_site": _SITE}
    made = rpc.call("create_device", p_code=code, p_kind="print_agent", **facts)
    credentials = rpc.run(device.enroll(settings.api_url, made["enrolment_code"]))
    credentials.write(settings.paths.device_file)


def _kept_sign_in(settings: Settings) -> Credentials | None:
    """The sign-in of an earlier start, with today's address."""
    from takt.device import Credentials  # noqa: PLC0415  # slow to import
    from takt.settings import ConfigError  # noqa: PLC0415

    try:
        kept = Credentials.read(settings.paths.device_file)
    except ConfigError:
        return None
    key = settings.secrets.publishable_key
    return dataclasses.replace(kept, supabase_url=settings.api_url, publishable_key=key)


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


def _connect(settings: Settings, pid: int | None) -> None:
    """Tell Takt where the printers are. Errors: SeedError."""
    found = read_simulated(settings.paths, pid)
    agent = _kept_sign_in(settings)
    if found is None or agent is None:
        return
    try:
        with _server(settings) as rpc:
            _register(rpc, found, agent.device)
    except RpcError as error:
        raise SeedError(f"The demo's printers could not be registered: {error}") from error


def _register(rpc: SyncRpcClient, found: Simulated, agent: str) -> None:
    cards = rpc.call("get_printers_board", safe=True, p_site=_SITE)
    known = {card["printer"]["code"]: card for card in cards}
    for printer in found.printers:
        code = printer["code"]
        if code in known:
            _follow(rpc, known[code], printer["address"], agent)
        else:
            _set_up(rpc, printer, agent)
    if not known:
        for label_type, printers in _ROUTES.items():
            route = {"p_label_type": label_type, "p_printers": list(printers)}
            rpc.call("set_print_routes", safe=True, p_site=_SITE, **route)


def _set_up(rpc: SyncRpcClient, printer: dict[str, Any], agent: str) -> None:
    width, height = printer["width_mm"], printer["height_mm"]
    rpc.call(
        "upsert_printer",
        safe=True,
        p_code=printer["code"],
        p_name=printer["name"],
        p_site=_SITE,
        p_language=printer["language"],
        p_address=printer["address"],
        p_device=agent,
        p_dpi=printer["dpi"],
        p_media_width_mm=width,
        p_media_height_mm=height,
    )
    roll = f"{width:g}x{height:g}"
    rpc.call("set_loaded_media", safe=True, p_printer=printer["code"], p_media=roll)


def _follow(rpc: SyncRpcClient, card: dict[str, Any], address: str, agent: str) -> None:
    """The same printer at another address, or with another agent; the rest stays as it is."""
    now = card["printer"]
    if (now["address"], card["agent"]) == (address, agent):
        return
    kept = ("code", "name", "site", "language", "dpi", "media_width_mm", "media_height_mm")
    same = {f"p_{name}": now[name] for name in (*kept, "evidence_level", "is_enabled")}
    rpc.call("upsert_printer", safe=True, **same, p_address=address, p_device=agent)
    log.info("%s is at %s", now["code"], address)


def _server(settings: Settings) -> SyncRpcClient:
    return SyncRpcClient(settings.api_url, settings.secrets.secret_key)


def _has_printers() -> bool:
    """The simulator's own setting switches its printers off."""
    return os.environ.get("TAKT_SIM_PRINTERS", "1").lower() not in ("0", "false", "no", "off")
