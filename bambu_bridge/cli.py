"""`takt-bambu-bridge`: the bridge itself, and tools for the person beside the printers."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bambu_bridge import app as bridge
from bambu_bridge import clock, doctor
from bambu_bridge import probe as prober
from bambu_bridge.recording import Unreadable
from bambu_bridge.replay import replay as replayed
from bambu_bridge.settings import BridgeSettings, PrinterConfig
from bambu_bridge.state import Store
from cli.output import Exit, Failure, Json, group, say, show
from takt import daemon, logs
from takt.settings import ConfigError

app = group("The bridge to the 3D printers: tells Takt what was printed. It only reads.")

_CARD = ("serial", "link", "state", "filename", "plate", "percent", "last_report_at", "link_text")
_FOUND = ("serial", "host", "model", "name", "firmware", "mode")


@app.command()
def run() -> None:
    """Watch the printers until Ctrl-C."""
    try:
        settings = BridgeSettings.load()
        logs.set_up(settings.log_level)
        logs.hide(settings.credentials().password)
        code = daemon.main(bridge.run(settings))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        code = int(Exit.CONFIG_MISSING)
    raise typer.Exit(code)


@app.command()
def status(
    retry_parked: Annotated[
        bool, typer.Option("--retry-parked", help="Try refused prints once more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What the bridge on this computer does. Exit code 4 when it does not run."""
    settings = BridgeSettings.load()
    if retry_parked:
        say(f"{_retry_parked(settings)} prints are tried again.")
    found = doctor.read_status(settings)
    if not found:
        raise Failure("No bridge has run here yet.", Exit.UNREACHABLE)
    if as_json:
        show(found, as_json)
    else:
        words = ("running", "online", "version", "started_at")
        show({name: found.get(name) for name in words} | found.get("spool", {}), as_json)
        show(found.get("printers", []), as_json, _CARD)
        if found["parked"]:
            show(found["parked"], as_json, ("run", "printer", "error"))
        for alarm in found.get("alarms", ()):
            say(alarm)
    if not found["running"]:
        raise typer.Exit(int(Exit.UNREACHABLE))


@app.command()
def probe(
    printer: Annotated[
        str | None, typer.Argument(help="Serial of one in the printers' file; otherwise listen.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="For a printer not in the file.")] = None,
    code: Annotated[
        str | None, typer.Option(help="Its access code.", envvar="TAKT_BAMBU_CODE")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=120)] = 10.0,
    as_json: Json = False,
) -> None:
    """Without a serial: which printers announce themselves. With one: connect and tell."""
    settings = BridgeSettings.load()
    if printer is None:
        found = asyncio.run(prober.discover(seconds))
        show([asdict(entry) for entry in found], as_json, _FOUND)
        return
    config = _config(settings, printer, host, code)
    try:
        said = asyncio.run(prober.ask(config, settings, seconds))
    except OSError as error:
        raise Failure(str(error), Exit.CONFIG_MISSING) from error
    show(said, as_json)
    if not said["ok"]:
        raise typer.Exit(int(Exit.UNREACHABLE))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A recorded capture: JSON lines or a JSON list.")],
) -> None:
    """Which runs would the bridge have decided? One JSON line for each."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
        for row in replayed(text):
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", Exit.USAGE) from error
    except Unreadable as error:
        raise Failure(str(error), Exit.USAGE) from error


@app.command("doctor")
def doctor_command(as_json: Json = False) -> None:
    """Look for everything that can be broken; exit code 1 when something is."""
    checks = asyncio.run(doctor.examine(BridgeSettings.load()))
    show([check.as_dict() for check in checks], as_json, ("name", "result", "reason", "fix"))
    if any(check.result == "fail" for check in checks):
        raise typer.Exit(int(Exit.FAILED))


def _config(
    settings: BridgeSettings, serial: str, host: str | None, code: str | None
) -> PrinterConfig:
    if host is not None:
        return PrinterConfig.model_validate(
            {"serial": serial, "host": host, "access_code": code or ""}
        )
    for printer in settings.printers():
        if printer.serial == serial.strip().upper():
            return printer
    raise Failure(f"{serial} is not in {settings.bambu_printers}.", Exit.USAGE)


def _retry_parked(settings: BridgeSettings) -> int:
    if not settings.store.exists():
        return 0
    store = Store(settings.store, clock.steady)
    try:
        return sum(store.requeue(item.id) for item in store.dead())
    finally:
        store.close()


def main() -> None:
    """Entry point of the `takt-bambu-bridge` script."""
    app()
