"""`takt worker` and `takt api`: the daemons in the foreground, told where the stack is."""

from __future__ import annotations

import typer


def worker() -> None:
    """Run the background worker until Ctrl-C."""
    from cli.connect import environment  # noqa: PLC0415  # other commands need not load them
    from services.worker.__main__ import main  # noqa: PLC0415

    environment()
    raise typer.Exit(main())


def api() -> None:
    """Run the gatekeeper until Ctrl-C."""
    from cli.connect import environment  # noqa: PLC0415  # other commands need not load them
    from services.api.__main__ import main  # noqa: PLC0415

    environment()
    raise typer.Exit(main())
