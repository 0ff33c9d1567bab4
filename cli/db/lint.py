"""`takt db lint`: new migrations must not stop a running plant."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import typer

from cli.db import sources
from cli.output import Exit, Failure, Json, say, show
from services.local.paths import Paths

_OLDEST_SERVER = "15"
_LIMITS = "require-lock-timeout,require-statement-timeout"


def lint(as_json: Json = False) -> None:
    """Run squawk on the migrations of no release yet. Exit code 6 when it finds something.

    Before the first release there is nothing to do: every database is still built anew.
    """
    paths = Paths.find()
    frozen = sources.released(paths.root)
    new = [f for f in sorted(paths.migrations.glob("*.sql")) if frozen and f.name not in frozen]
    findings = {file.name: found for file in new if (found := _squawk(paths.root, file))}
    if as_json:
        show({"checked": [f.name for f in new], "findings": findings}, True)
    else:
        for text in findings.values():
            typer.echo(text)
    say(f"{len(new)} new migrations, {len(findings)} with findings.")
    if findings:
        raise typer.Exit(int(Exit.DRIFT))


def _squawk(root: Path, file: Path) -> str:
    """What squawk finds in one file; empty when nothing. Errors: Failure."""
    program = root / "node_modules" / ".bin" / "squawk"
    if not program.exists():
        raise Failure("squawk is not installed. Run `npm ci`.", Exit.CONFIG_MISSING)
    # The CLI wraps a file in a transaction, except one of a CONCURRENTLY statement.
    alone = re.search(r"(?im)^(?!\s*--).*\bconcurrently\b", file.read_text(encoding="utf-8"))
    # Such a file holds nothing else, so no limits either.
    how = ["--exclude", _LIMITS] if alone else ["--assume-in-transaction"]
    options = ["--reporter", "gcc", "--pg-version", _OLDEST_SERVER, *how]
    done = subprocess.run(
        [program, *options, file.name],
        check=False,
        capture_output=True,
        text=True,
        cwd=file.parent,
    )
    if done.returncode not in (0, 1):
        raise Failure(f"squawk failed: {done.stderr.strip()}")
    return done.stdout.strip() if done.returncode else ""
