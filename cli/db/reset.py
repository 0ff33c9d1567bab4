"""`takt db reset`: the development database from nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from cli.db import target
from cli.output import Exit, Failure, Json, prompts, say, show
from services.local import control, seed
from services.local.binaries import MissingProgram
from services.local.paths import Paths
from services.local.settings import Settings, SettingsError

_TIMEOUT = 180.0
_WORD = "reset"


def reset(
    db_url: target.DbUrl = "",
    seed_again: Annotated[
        bool, typer.Option("--seed/--no-seed", help="Load the dev seed again if it was loaded.")
    ] = True,
    yes: target.Yes = False,
    as_json: Json = False,
) -> None:
    """Throw the local stack's data away and build it anew; the dev seed comes back if it was in.

    Refuses every other database.
    """
    paths = Paths.find()
    where = target.find(db_url, paths)
    if where.stack is None:
        raise Failure(
            f"{where.shown} is not the local stack of this checkout: reset is for development "
            "only. Nothing was changed.",
            Exit.NOT_ALLOWED,
        )
    if where.stack.external is not None:
        raise Failure(
            f"{where.shown} lies on a server that is not ours: empty it there, or remove "
            ".takt/database.json to go back to the embedded server. Nothing was changed.",
            Exit.NOT_ALLOWED,
        )
    _confirm(where, yes=yes, as_json=as_json)
    live = control.live_state(paths)
    demo = seed_again and live is not None and live.demo
    seeded = seed_again and seed.read_demo(where.stack) is not None
    try:
        control.down(paths)
        paths.demo_file.unlink(missing_ok=True)
        _rebuild(paths, demo=demo)
        if seeded and not demo:
            say("  loading the dev seed")
            seed.load_dev_seed(Settings.load(paths))
        if live is None:
            control.down(paths)
    except (control.ControlError, MissingProgram, seed.SeedError, SettingsError) as error:
        raise Failure(str(error)) from error
    running = live is not None
    show({"database": where.shown, "seeded": seeded or demo, "running": running}, as_json)


def _confirm(where: target.Target, *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json:
        raise Failure("With --json nothing is asked: add --yes.", Exit.USAGE)
    say(f"Every row of {where.shown} will be gone.")
    try:
        with prompts():
            question = f"Type `{_WORD}` to go on"
            typed = typer.prompt(question, default="", show_default=False, err=True)
    except typer.Abort:
        typed = ""
    if typed.strip() != _WORD:
        raise Failure("Nothing was changed.")


def _rebuild(paths: Paths, *, demo: bool) -> None:
    """Start on an empty data directory; the old one comes back when that fails."""
    aside = paths.state / f"pgdata.reset-{os.getpid()}"
    moved = paths.pgdata.exists()
    if moved:
        paths.pgdata.rename(aside)
    try:
        control.up(paths, demo=demo, timeout=_TIMEOUT, notice=lambda s: say(f"  {s}"))
    except BaseException:
        control.down(paths)
        if moved:
            _remove(paths.pgdata)
            aside.rename(paths.pgdata)
            say("The old data is back.")
        raise
    _remove(aside)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
