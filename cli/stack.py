"""`takt up`, `down`, `status`, `logs`, `demo`, `doctor`: the embedded stack."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from cli.output import JSON_VERSION, Exit, Failure, Json, say
from services.local import binaries, control, doctor
from services.local.paths import Paths
from services.local.settings import SettingsError
from services.local.state import EXTERNAL

Demo = Annotated[
    bool, typer.Option("--demo", help="Load demo data, run the simulator and its agents.")
]
Timeout = Annotated[float, typer.Option(help="Seconds to wait until everything runs.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the root application."""
    for command in (up, down, status, logs, demo):
        app.command()(command)
    app.command("doctor")(doctor_command)


def up(demo: Demo = False, timeout: Timeout = 120) -> None:
    """Start the embedded stack; says so when it runs already."""
    paths = Paths.find()
    _start(paths, demo=demo, timeout=timeout)
    _show(control.status(paths))


def down() -> None:
    """Stop the embedded stack. The data stays."""
    try:
        stopped = control.down(Paths.find())
    except control.ControlError as error:
        raise Failure(str(error)) from error
    say("stopped" if stopped else "nothing was running")


def status(as_json: Json = False) -> None:
    """Show addresses, keys and services. Exit code 4 when the stack does not run."""
    facts = _status(Paths.find())
    if as_json:
        _json(facts)
    else:
        _show(facts)
    if facts["state"] != "running":
        raise typer.Exit(int(Exit.UNREACHABLE))


def logs(
    service: Annotated[str, typer.Argument(help="Name of a service; all when left out.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of each log.")] = 50,
) -> None:
    """Show what the services wrote."""
    folder = Paths.find().logs
    files = sorted(folder.glob("*.log"))
    if service:
        files = [file for file in files if file.stem == service]
    if not files:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.log"))) or "none yet"
        code = Exit.USAGE if service else Exit.FAILED
        raise Failure(f"No log of `{service}`. Logs: {known}", code)
    positions = {file: _last_lines(file, lines, named=len(files) > 1) for file in files}
    try:
        while follow:
            for file in files:
                positions[file] = _new_lines(file, positions[file], named=len(files) > 1)
            time.sleep(0.2)
    except KeyboardInterrupt:
        return


def demo(
    detach: Annotated[bool, typer.Option("--detach", help="Return once it runs.")] = False,
    timeout: Timeout = 120,
) -> None:
    """Start the stack with demo data, shops and virtual printers; stops at Ctrl-C."""
    paths = Paths.find()
    started = _start(paths, demo=True, timeout=timeout)
    _show(control.status(paths))
    if detach:
        return
    say("\nCtrl-C stops it." if started else "\nIt was running already; Ctrl-C leaves it running.")
    try:
        while control.live_state(paths) is not None:
            time.sleep(0.5)
    except KeyboardInterrupt:
        if started:
            say("stopping")
            control.down(paths)
        return
    raise Failure("The stack has stopped. `takt logs supervisor` shows why.")


def doctor_command(as_json: Json = False) -> None:
    """Look for everything that can be broken; exit code 1 when something is."""
    checks = doctor.run_checks(Paths.find())
    if as_json:
        _json({"checks": [check.as_dict() for check in checks]})
    else:
        for number, check in enumerate(checks, start=1):
            typer.echo(f"{number:2} {check.result:4}  {check.name}: {check.reason}")
            if check.fix:
                typer.echo(f"           fix: {check.fix}")
    if any(check.result == "fail" for check in checks):
        raise typer.Exit(int(Exit.FAILED))


def _start(paths: Paths, *, demo: bool, timeout: float) -> bool:
    began = time.monotonic()
    try:
        started = control.up(paths, demo=demo, timeout=timeout, notice=lambda s: say(f"  {s}"))
    except (control.ControlError, binaries.MissingProgram) as error:
        raise Failure(f"{error}\n`takt doctor` looks for the cause.") from error
    except SettingsError as error:
        raise Failure(str(error), Exit.CONFIG_MISSING) from error
    except PermissionError as error:
        raise Failure(
            f"No permission for {error.filename}. `takt doctor` says more.", Exit.NOT_ALLOWED
        ) from error
    say(f"ready in {time.monotonic() - began:.1f} s" if started else "already running")
    return started


def _status(paths: Paths) -> dict[str, Any]:
    try:
        return control.status(paths)
    except SettingsError as error:
        raise Failure(str(error), Exit.CONFIG_MISSING) from error


def _json(facts: dict[str, Any]) -> None:
    """One flat object: scripts read `.api_url` and the like straight from it."""
    typer.echo(json.dumps({"version": JSON_VERSION, **facts}, indent=2))


def _show(facts: dict[str, Any]) -> None:
    rows = {
        "web": facts["web_url"],
        "API": facts["api_url"],
        "database": _database(facts),
        "publishable key": facts["publishable_key"],
        "secret key": facts["secret_key"],
    }
    for name, value in rows.items():
        typer.echo(f"{name:16} {value}")
    for service in facts["services"]:
        place = f"pid {service['pid'] or '-':<8} port {service['port'] or '-'}"
        if service["state"] == EXTERNAL:
            place = f"at {service['host']}:{service['port']}"
        typer.echo(f"  {service['name']:14} {service['state']:11} {place}")
    for sign_in in facts.get("demo_sign_ins", []):
        typer.echo(f"demo sign-in     {sign_in['email']:28} {sign_in['password']}")
    if "paper_url" in facts:
        typer.echo(f"printed paper    {facts['paper_url']}")
    for shop in facts.get("demo_shops", []):
        url = f"{facts['api_url']}/webhooks/shopify/{shop['shop']}"
        typer.echo(f"demo shop        {url}  secret {shop['secret']}")


def _database(facts: dict[str, Any]) -> str:
    """The address; somebody else's server keeps its password to itself (--json has it)."""
    url = str(facts["db_url"])
    if all(service["state"] != EXTERNAL for service in facts["services"]):
        return url
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{user.partition(':')[0]}@{place}{parts.path}"


def _last_lines(file: Path, lines: int, *, named: bool) -> int:
    content = file.read_bytes()
    _print(file, content.splitlines()[-lines:] if lines else [], named=named)
    return len(content)


def _new_lines(file: Path, position: int, *, named: bool) -> int:
    size = file.stat().st_size
    start = position if size >= position else 0  # the log was rotated
    if size == start:
        return size
    with file.open("rb") as opened:
        opened.seek(start)
        content = opened.read()
    end = content.rfind(b"\n") + 1
    _print(file, content[:end].splitlines(), named=named)
    return start + end


def _print(file: Path, lines: list[bytes], *, named: bool) -> None:
    for line in lines:
        text = line.decode(errors="replace")
        typer.echo(f"{file.stem}: {text}" if named else text)
