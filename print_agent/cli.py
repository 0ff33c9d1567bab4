"""`takt-print-agent`: the agent itself, and tools for the person beside the printers."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.output import Exit, Failure, Json, group, show
from print_agent import app as agent
from print_agent import commission, doctor
from print_agent.drivers import open_driver
from print_agent.drivers.base import AddressError, Driver, SendError
from print_agent.journal import Journal
from print_agent.settings import AgentSettings
from takt import daemon, logs
from takt.locks import only_one
from takt.settings import ConfigError

app = group("The print agent: carries labels from Takt to the printers beside it.")

_STATUS = ("code", "status", "reasons", "language", "address", "dpi", "odometer")
_JOURNAL = ("job_id", "fence", "printer", "step", "bytes", "total", "begun_at", "note")

Address = Annotated[str, typer.Argument(help="host[:port], /dev/…, or the name of a queue.")]
Language = Annotated[str, typer.Option(help="zpl, tspl, spooler or file.")]


@app.command()
def run() -> None:
    """Print until Ctrl-C. Finishes the job in hand before it ends."""
    try:
        settings = AgentSettings.load()
        logs.set_up(settings.log_level)
        logs.hide(settings.credentials().password)
        code = daemon.main(agent.run(settings))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        code = int(Exit.CONFIG_MISSING)
    raise typer.Exit(code)


@app.command()
def probe(
    address: Address,
    language: Language = "zpl",
    raw: Annotated[bool, typer.Option("--raw", help="Also show each answer as it came.")] = False,
    as_json: Json = False,
) -> None:
    """Ask a printer who it is and how it is. Exit code 4: not reachable, 1: not ready."""
    driver = _driver(language, address)
    reading = asyncio.run(driver.status())
    facts = commission.describe(driver, reading)
    if raw:
        facts["raw"] = commission.raw_replies(driver)
    show(facts, as_json)
    if reading.status == "unreachable":
        raise typer.Exit(int(Exit.UNREACHABLE))
    if reading.status == "stopped":
        raise typer.Exit(int(Exit.FAILED))


@app.command("print-test")
def print_test(
    address: Address,
    language: Language = "zpl",
    dpi: Annotated[int | None, typer.Option(help="203, 300, 600; asked when it can be.")] = None,
    as_json: Json = False,
) -> None:
    """Print one label with a code to scan, and watch it come out."""
    settings = AgentSettings.load()
    driver = _driver(language, address)
    try:
        # The agent's counters must not be moved behind its back.
        with only_one(settings.lock, agent.WHAT):
            facts = asyncio.run(commission.print_test(driver, language, address, dpi))
    except ConfigError as error:
        raise Failure(f"{error} Stop it first, or print from Takt.") from error
    except (ValueError, SendError) as error:
        raise Failure(str(error)) from error
    show(facts, as_json)
    if facts["outcome"].startswith("unknown"):
        raise typer.Exit(int(Exit.FAILED))


@app.command()
def status(as_json: Json = False) -> None:
    """What the agent on this computer does. Exit code 4 when it does not run."""
    state = doctor.read_state(AgentSettings.load())
    if not state:
        raise Failure("No agent has run here yet.", Exit.UNREACHABLE)
    if as_json:
        show(state, as_json)
    else:
        ago = f"{time.time() - state['at']:.0f} s ago"
        words = {"running": state["running"], "online": state["online"], "heard": ago}
        show({"url": state["url"], "version": state["version"], **words}, as_json)
        show(state["printers"], as_json, _STATUS)
    if not state["running"]:
        raise typer.Exit(int(Exit.UNREACHABLE))


@app.command()
def journal(
    everything: Annotated[bool, typer.Option("--all", help="Settled ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """What has left this computer, and how far it came; the open sends without --all."""
    settings = AgentSettings.load()
    if not settings.journal.exists():
        raise Failure(f"There is no journal in {settings.print_home}.", Exit.CONFIG_MISSING)
    book = Journal(settings.journal)
    sends = book.recent(limit) if everything else book.open()[:limit]
    book.close()
    show([_row(asdict(send)) for send in sends], as_json, _JOURNAL)


@app.command("doctor")
def doctor_command(as_json: Json = False) -> None:
    """Look for everything that can be broken; exit code 1 when something is."""
    checks = asyncio.run(doctor.examine(AgentSettings.load()))
    show([check.as_dict() for check in checks], as_json, ("name", "result", "reason", "fix"))
    if any(check.result == "fail" for check in checks):
        raise typer.Exit(int(Exit.FAILED))


def _driver(language: str, address: str) -> Driver:
    try:
        return open_driver(language, address, AgentSettings.load().files)
    except AddressError as error:
        raise Failure(str(error), Exit.USAGE) from error


def _row(send: dict[str, Any]) -> dict[str, Any]:
    for name in ("begun_at", "changed_at"):
        send[name] = datetime.fromtimestamp(send[name], UTC).isoformat(timespec="seconds")
    return send


def main() -> None:
    """Entry point of the `takt-print-agent` script."""
    app()
