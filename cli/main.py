"""`takt`: the command line. Each command group lives in a module of its own."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import Annotated

import typer

import cli.daemons
import cli.stack
from cli.output import Group

# (module, name): a group `takt <name> …`. Its module has a typer.Typer called `app`.
GROUPS = (
    ("cli.db", "db"),
    ("cli.user", "user"),
    ("cli.device", "device"),
    ("cli.channel", "channel"),
    ("cli.order", "order"),
    ("cli.stock", "stock"),
    ("cli.recall", "recall"),
    ("cli.label", "label"),
    ("cli.printer", "printer"),
)

app = typer.Typer(
    name="takt",
    cls=Group,
    help="Takt, a manufacturing execution system in Postgres.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"takt {importlib.metadata.version('takt')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Exit codes: 0 ok, 1 failed, 2 usage, 3 configuration missing, 4 cannot reach,
    5 not allowed, 6 drift or migrations pending, 7 partly done, 75 try again.
    """


def _register() -> None:
    cli.stack.register(app)
    for runner in (cli.daemons.worker, cli.daemons.api):
        app.command()(runner)
    for module, name in GROUPS:
        if importlib.util.find_spec(module) is None:
            continue
        group = getattr(importlib.import_module(module), "app", None)
        if group is not None:
            app.add_typer(group, name=name)


_register()


def main() -> None:
    """Entry point of the `takt` script."""
    app()
