"""`takt db build`, `push`, `status`, `check` and `diff`."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any

import psycopg
import typer

from cli.db import checks, drafts, history, sources, statements, target
from cli.output import Exit, Failure, Json, fail, say, show
from services.local import migrations
from services.local.binaries import MissingProgram
from services.local.paths import Paths

_COLUMNS = ("version", "name", "state")


def build(
    check: Annotated[bool, typer.Option("--check", help="Change nothing, only say.")] = False,
    as_json: Json = False,
) -> None:
    """Re-cut supabase/migrations from sql/. With --check exit code 6 when they are stale."""
    root = Paths.find().root
    folder, frozen = target.migrations_dir(), sources.released(root)
    try:
        work = sources.stale if check else sources.build
        changed = work(target.sql_dir(), folder, frozen)
    except sources.SourceError as error:
        raise Failure(str(error)) from error
    names = [file.name for file in changed]
    if as_json:
        show({"changed": names, "frozen": sorted(frozen), "checked_only": check}, True)
    else:
        for name in names:
            typer.echo(name)
    if not names:
        say("Every migration says what sql/ says.")
    elif check:
        fail("Stale: run `takt db build`.", Exit.DRIFT)
    else:
        say("Written. A database that has the old text needs `takt db reset`.")


def status(db_url: target.DbUrl = "", as_json: Json = False) -> None:
    """Applied, pending, edited and unknown migrations. Exit code 6 unless all are applied."""
    where = target.find(db_url)
    with where.connect() as connection:
        found = history.read(connection, target.migrations_dir())
    rows = [m.as_dict() for m in found.migrations]
    if as_json:
        show({**_facts(where, found), "migrations": rows}, True)
    else:
        show(rows, False, _COLUMNS)
    say(f"{where.shown}: schema version {found.schema_version or 'none'}")
    for complaint in found.complaints:
        say(complaint)
    if found.pending or found.complaints:
        raise typer.Exit(int(Exit.DRIFT))


def push(db_url: target.DbUrl = "", yes: target.Yes = False, as_json: Json = False) -> None:
    """Apply the pending migrations by the Supabase CLI, after showing them."""
    where = target.find(db_url)
    with where.connect() as connection:
        found = history.read(connection, target.migrations_dir())
    refuse_dirty(found)
    names = [m.file for m in found.pending]
    refuse_unsafe(names)
    if names:
        say(f"To run on {where.shown}:")
        for name in names:
            say(f"  {name}")
        target.confirm("Run them?", yes=yes, as_json=as_json)
        apply(where, names)
    else:
        say("Nothing is pending.")
    if as_json:
        show({"database": where.shown, "applied": names}, True)
    else:
        for name in names:
            typer.echo(name)


def check(as_json: Json = False) -> None:
    """Prove that migrations and sql/ build the same database, and that its catalog is sound."""
    found = checks.run(Paths.find().root, lambda step: say(f"  {step}"))
    if as_json:
        show([c.as_dict() for c in found], True)
    else:
        rows = [{"check": c.name, "result": "ok" if c.ok else "failed"} for c in found]
        show(rows, False, ("check", "result"))
        for failed in (c for c in found if not c.ok):
            say(f"\n{failed.name}:")
            for line in failed.findings:
                say(f"- {line}")
    if not all(c.ok for c in found):
        raise typer.Exit(int(Exit.DRIFT))


def diff(
    name: Annotated[str, typer.Argument(help="What the migration does, e.g. add_batch_label.")],
    force: Annotated[bool, typer.Option("--force", help="Also before the first release.")] = False,
    as_json: Json = False,
) -> None:
    """Draft a migration: from what the migrations build to what sql/ builds."""
    paths = Paths.find()
    if not re.fullmatch(r"[a-z][a-z0-9_]{2,60}", name):
        raise Failure("A name has small letters, digits and _ only.", Exit.USAGE)
    if not sources.tags(paths.root) and not force:
        raise Failure(
            "Before the first release tag migrations are re-cut, not added: run `takt db build`. "
            "(--force drafts one all the same.)"
        )
    draft = drafts.draft(paths.root, lambda step: say(f"  {step}"))
    file = None
    if draft.sql:
        now = datetime.datetime.now(datetime.UTC)
        file = paths.migrations / f"{now:%Y%m%d%H%M%S}_{name}.sql"
        file.write_text(draft.sql, encoding="utf-8")
    if as_json:
        show({"file": file and file.name, "open": list(draft.open)}, True)
    elif file:
        typer.echo(file.name)
    if not draft.sql and not draft.open:
        say("Both builds are equal: there is nothing to migrate.")
    elif file:
        say("A draft: read every line before you run it, locks and data first.")
    if draft.open:
        say("Still to be written by hand:")
        for line in draft.open:
            say(f"- {line}")
        raise typer.Exit(int(Exit.PARTIAL))


def refuse_dirty(found: history.History) -> None:
    """Errors: Failure (drift) that names every file that is not as it was applied."""
    if found.complaints:
        raise Failure("\n".join(found.complaints), Exit.DRIFT)


def refuse_unsafe(names: list[str]) -> None:
    """Errors: Failure with file and line of what would leave half of a pending file behind."""
    found = [text for name in names for text in statements.problems(name, _text(name))]
    if found:
        raise Failure("\n".join([*found, "Nothing was pushed."]))


def apply(where: target.Target, names: list[str]) -> None:
    """Run the Supabase CLI on the pending files `names`, and let PostgREST read the catalog again.

    Errors: Failure that says what was applied, and whether anything of the failed file is there.
    """
    try:
        migrations.push(where.url)
    except MissingProgram as error:
        raise Failure(str(error), Exit.CONFIG_MISSING) from error
    except (migrations.MigrationError, psycopg.Error) as error:
        raise Failure("\n".join([str(error).strip(), *_left(where, names)])) from error


def is_transaction(name: str) -> bool:
    """Is all of this migration kept, or nothing?"""
    return statements.is_transaction(_text(name))


def _left(where: target.Target, names: list[str]) -> list[str]:
    """What a failed push of `names` left behind, in sentences."""
    try:
        with where.connect() as connection:
            found = history.read(connection, target.migrations_dir())
    except (Failure, psycopg.Error):
        return ["What was applied is not known: ask `takt db status` when the database answers."]
    still = [m.file for m in found.pending]
    done = [name for name in names if name not in still]
    lines = [f"Applied before it: {', '.join(done)}."] if done and still else []
    if still and is_transaction(still[0]):
        lines.append(f"Nothing of {still[0]} was kept; correct it and push again.")
    elif still:
        lines.append(
            f"{still[0]} runs in no transaction, so a part of it may be there, such as an invalid "
            "index: remove that, then push again."
        )
    return lines


def _text(name: str) -> str:
    return (target.migrations_dir() / name).read_text(encoding="utf-8")


def _facts(where: target.Target, found: history.History) -> dict[str, Any]:
    return {
        "database": where.shown,
        "schema_version": found.schema_version,
        "clean": not found.complaints,
        "pending": len(found.pending),
    }
