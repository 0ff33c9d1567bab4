"""`takt worker` and `takt api`: the daemons in the foreground, told where the stack is."""

from __future__ import annotations

import typer

from cli.connect import environment


def worker() -> None:
    """Run the background worker until Ctrl-C."""
    from services.worker.__main__ import main  # noqa: PLC0415  # other commands need not load it

    environment()
    raise typer.Exit(main())


def api() -> None:
    """Run the gatekeeper until Ctrl-C."""
    from services.api.__main__ import main  # noqa: PLC0415  # other commands need not load it

    environment()
    raise typer.Exit(main())
