"""What is wrong with this agent, in words, and what to do about it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from print_agent.commission import describe
from print_agent.drivers import open_driver
from print_agent.drivers.base import AddressError
from print_agent.journal import Journal
from print_agent.settings import AgentSettings
from takt.checks import Check, clock_check
from takt.device import DeviceSession
from takt.errors import RpcError
from takt.locks import is_held
from takt.settings import ConfigError


def read_state(settings: AgentSettings) -> dict[str, Any]:
    """What the agent last said about itself, with `running`; {} when it never ran here."""
    try:
        state: dict[str, Any] = json.loads(settings.state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {"running": is_held(settings.lock), **state}


async def examine(settings: AgentSettings) -> list[Check]:
    """Everything that can be looked at without disturbing a running agent."""
    found: list[Check] = []
    for check in (_sign_in, _clock):
        found.append(await check(settings))
    found.append(_journal(settings))
    state = read_state(settings)
    found.append(_running(state))
    for printer in state.get("printers", ()):
        look: Callable[[AgentSettings, dict[str, Any]], Awaitable[Check]]
        look = _told if state["running"] else _asked
        found.append(await look(settings, printer))
    return found


async def _sign_in(settings: AgentSettings) -> Check:
    name = "sign-in"
    try:
        credentials = settings.credentials()
    except ConfigError as error:
        return Check(name, "fail", str(error), "takt device enroll CODE --url ADDRESS")
    session = DeviceSession(credentials)
    try:
        await session()
    except RpcError as error:
        fix = "Is the address right, and is the device not revoked (takt device list)?"
        return Check(name, "fail", error.message, fix)
    finally:
        await session.close()
    return Check(name, "ok", f"signed in as {credentials.device}")


async def _clock(settings: AgentSettings) -> Check:
    try:
        url = settings.with_address(settings.credentials()).supabase_url
    except ConfigError as error:
        return Check("clock", "warn", f"cannot be compared. {error}")
    return await clock_check(url)


def _journal(settings: AgentSettings) -> Check:
    try:
        settings.print_home.mkdir(parents=True, exist_ok=True, mode=0o700)
        journal = Journal(settings.journal)
        count = len(journal.open())
        journal.close()
    except (OSError, sqlite3.Error) as error:
        fix = f"Make {settings.print_home} writable, or set TAKT_PRINT_HOME."
        return Check("journal", "fail", str(error), fix)
    return Check("journal", "ok", f"{count} sends not settled")


def _running(state: dict[str, Any]) -> Check:
    if not state.get("running"):
        return Check("agent", "warn", "does not run", "takt-print-agent run")
    if not state.get("online"):
        return Check("agent", "fail", f"runs, but: {state.get('error')}", "Look at its log.")
    return Check("agent", "ok", f"runs as process {state['pid']}")


async def _told(_: AgentSettings, printer: dict[str, Any]) -> Check:
    """By the running agent: two must not talk to one printer."""
    detail = printer["capabilities"].get("detail") or ""
    said = " ".join([printer["status"], *printer["reasons"], detail]).strip()
    fine = printer["status"] in ("idle", "printing")
    return Check(f"printer {printer['code']}", "ok" if fine else "fail", said)


async def _asked(settings: AgentSettings, printer: dict[str, Any]) -> Check:
    name = f"printer {printer['code']}"
    language, address = str(printer.get("language")), str(printer.get("address"))
    if language == "spooler" and shutil.which("lpr") is None:
        return Check(name, "fail", "lpr is not installed", "Debian: apt install cups-bsd")
    try:
        driver = open_driver(language, address, settings.files)
    except AddressError as error:
        return Check(name, "fail", str(error), "Correct the address in Takt.")
    facts = describe(driver, await driver.status())
    said = " ".join([facts["state"], *facts["reasons"], facts["detail"] or ""]).strip()
    fine = facts["state"] in ("ready", "printing")
    return Check(name, "ok" if fine else "fail", f"{address}: {said}")
