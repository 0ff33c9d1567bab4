"""`takt`: the command line. Each command group lives in a module of its own, `cli.<group>`."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Annotated, Any

import typer
import typer.main

import cli.daemons
import cli.stack
from cli.output import Group

# `takt <group> …`. The module has a typer.Typer called `app`.
GROUPS = (
    "db",
    "user",
    "device",
    "channel",
    "order",
    "stock",
    "production",
    "recall",
    "label",
    "printer",
)


class Root(Group):
    """Loads a group when it is asked for: most commands need only one of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in GROUPS:
            return super().get_command(ctx, cmd_name)
        found = typer.main.get_group(importlib.import_module(f"cli.{cmd_name}").app)
        found.name = cmd_name
        return found


app = typer.Typer(
    name="takt",
    cls=Root,
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


cli.stack.register(app)
for daemon in (cli.daemons.worker, cli.daemons.api):
    app.command()(daemon)


def main() -> None:
    """Entry point of the `takt` script."""
    app()
