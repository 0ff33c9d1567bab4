"""What is wrong with this bridge, in words, and what to do about it."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
import time
from typing import Any

import httpx

from bambu_bridge import clock, probe
from bambu_bridge.settings import BridgeSettings, PrinterConfig
from bambu_bridge.state import Store
from takt.checks import Check, Result, clock_check
from takt.device import DeviceSession
from takt.errors import RpcError
from takt.locks import is_held
from takt.rpc import RpcClient
from takt.settings import ConfigError

_PROBE_SECONDS = 10.0
_OLD = 120.0


def read_status(settings: BridgeSettings) -> dict[str, Any]:
    """What the bridge last said about itself, with `running`; {} when it never ran here."""
    if not settings.store.exists():
        return {}
    store = Store(settings.store, clock.steady)
    try:
        said = store.fact("status") or {}
        parked = [
            {"run": item.key, "printer": item.entity, "error": item.error} for item in store.dead()
        ]
    finally:
        store.close()
    return {"running": is_held(settings.lock), **said, "parked": parked}


async def examine(settings: BridgeSettings) -> list[Check]:
    """Everything that can be looked at without disturbing a running bridge."""
    found = [await _sign_in(settings), await _clock(settings), _disk(settings)]
    try:
        printers = settings.printers()
        found.append(Check("printers", "ok", f"{len(printers)} named in {settings.bambu_printers}"))
    except ConfigError as error:
        return [*found, Check("printers", "fail", str(error))]
    status = read_status(settings)
    running = bool(status.get("running"))
    found.append(_outbox(status, running))
    if running:
        return [*found, *(_told(card) for card in status.get("printers", ()))]
    asked = (_ask(printer, settings) for printer in printers)
    return [*found, *await asyncio.gather(*asked)]


async def _sign_in(settings: BridgeSettings) -> Check:
    name = "sign-in"
    try:
        credentials = settings.credentials()
    except ConfigError as error:
        return Check(name, "fail", str(error), "takt device enroll CODE --url ADDRESS")
    settings = settings.with_address(credentials)
    url, key = settings.supabase_url, settings.supabase_publishable_key or ""
    session = DeviceSession(credentials)
    try:
        async with RpcClient(url, key, session) as rpc:
            await rpc.call("device_heartbeat", tries=1, p_version="doctor", p_status={})
    except RpcError as error:
        fix = "Is the address right, and is the device not revoked (takt device list)?"
        return Check(name, "fail", str(error), fix)
    finally:
        await session.close()
    return Check(name, "ok", f"signed in as {credentials.device}")


async def _clock(settings: BridgeSettings) -> Check:
    try:
        url = settings.with_address(settings.credentials()).supabase_url
    except ConfigError as error:
        return Check("clock", "warn", f"cannot be compared. {error}")
    return await clock_check(url)


def _disk(settings: BridgeSettings) -> Check:
    try:
        store = Store(settings.store, clock.steady)
        store.note("doctor", time.time())
        store.close()
    except (OSError, sqlite3.Error) as error:
        fix = f"Make {settings.bambu_home} writable, or set TAKT_BAMBU_HOME."
        return Check("disk", "fail", str(error), fix)
    return Check("disk", "ok", f"{settings.bambu_home} keeps what must not be lost")


def _outbox(status: dict[str, Any], running: bool) -> Check:
    if parked := status.get("parked"):
        reason = f"{len(parked)} prints were refused; the first: {parked[0]['error']}"
        return Check("bridge", "fail", reason, "takt-bambu-bridge status --retry-parked")
    if not running:
        return Check("bridge", "warn", "does not run", "takt-bambu-bridge run")
    if time.time() - float(status.get("at", 0)) > _OLD:
        return Check("bridge", "fail", "runs, but has said nothing for minutes", "Restart it.")
    if alarms := status.get("alarms"):
        return Check("bridge", "warn", " ".join(alarms))
    online = "online" if status.get("online") else "the server does not answer"
    return Check("bridge", "ok" if status.get("online") else "warn", f"runs; {online}")


def _told(card: dict[str, Any]) -> Check:
    """While the bridge runs it is not disturbed: some printers take one connection only."""
    result: Result = "ok" if card.get("link") == "online" else "fail"
    return Check(str(card["serial"]), result, str(card.get("link_text", "")))


async def _ask(printer: PrinterConfig, settings: BridgeSettings) -> Check:
    if printer.kind == "moonraker":
        return await _ask_moonraker(printer)
    try:
        said = await probe.ask(printer, settings, _PROBE_SECONDS)
    except (OSError, ssl.SSLError) as error:
        return Check(printer.serial, "fail", f"TAKT_BAMBU_CA cannot be used: {error}")
    if said["ok"]:
        return Check(printer.serial, "ok", f"{said['model']} {said['firmware']}: {said['state']}")
    return Check(
        printer.serial, "fail", str(said["said"]), f"takt-bambu-bridge probe {printer.serial}"
    )


async def _ask_moonraker(printer: PrinterConfig) -> Check:
    host, port = printer.address
    key = printer.access_code.get_secret_value()
    headers = {"x-api-key": key} if key else {}
    try:
        async with httpx.AsyncClient(timeout=5) as http:
            answer = await http.get(f"http://{host}:{port}/server/info", headers=headers)
    except httpx.HTTPError as error:
        return Check(printer.serial, "fail", f"not reachable ({type(error).__name__})")
    if answer.status_code != 200:
        return Check(printer.serial, "fail", f"HTTP {answer.status_code}", "Is the API key right?")
    return Check(printer.serial, "ok", "Moonraker answers")
