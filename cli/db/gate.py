"""`takt db gate`: the way of a release into an environment, step by step."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from cli.db import history, records, schema, smoke, target
from cli.output import Exit, Failure, Json, say, show
from services.local.paths import Paths

_SERVICE = '{"role": "service_role"}'
Env = Annotated[str, typer.Option("--env", help="staging or prod")]


@dataclass
class Steps:
    """What was done: {step, ok, reason}; `ok` is None for a step that was left out."""

    done: list[dict[str, Any]] = field(default_factory=list)

    def note(self, step: str, ok: bool | None, reason: str = "") -> None:
        self.done.append({"step": step, "ok": ok, "reason": reason})
        mark = {True: "ok", False: "FAILED", None: "left out"}[ok]
        say(f"  {step}: {mark}{f' · {reason}' if reason else ''}")

    def run(self, step: str, work: Callable[[], str]) -> bool:
        """Do one step; `work` returns what to say about it."""
        try:
            self.note(step, True, work())
        except (Failure, psycopg.Error) as error:
            self.note(step, False, str(error).strip())
            return False
        return True


def gate(  # noqa: PLR0917  # options of the command line, never positional
    env: Env,
    db_url: target.DbUrl = "",
    backup: Annotated[Path | None, typer.Option("--backup", help="A backup file.")] = None,
    max_age: Annotated[float, typer.Option(help="Hours a backup may be old.")] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    yes: target.Yes = False,
    as_json: Json = False,
) -> None:
    """Check the backup, list what is pending, pause webhooks, push, smoke test, resume.

    Exit code 6: it stopped before changing anything. Exit code 1: push or smoke test failed;
    webhooks then stay paused, unless nothing was changed.
    """
    if env not in ("staging", "prod"):
        raise Failure("--env is staging or prod.", Exit.USAGE)
    where = target.find(db_url or os.environ.get(f"TAKT_DB_URL_{env.upper()}", ""))
    say(f"{env}: {where.shown}")
    steps = Steps()
    pending = _before(where, backup, max_age, steps)
    facts: dict[str, Any] = {"env": env, "database": where.shown, "pending": pending or []}
    if pending is None:
        _end(facts, steps, as_json, Exit.DRIFT)
        return
    if dry_run:
        for step in ("pause webhooks", "push", "smoke test", "resume webhooks"):
            steps.note(step, None, "dry run")
        _end(facts, steps, as_json, Exit.OK)
        return
    target.confirm(f"Run {len(pending)} migrations on {env}?", yes=yes, as_json=as_json)
    passed = _change(where, pending, steps)
    _end(facts, steps, as_json, Exit.OK if passed else Exit.FAILED)


def _before(
    where: target.Target, backup: Path | None, max_age: float, steps: Steps
) -> list[str] | None:
    """The checks that change nothing; pending files, or None when one of them failed."""

    def fresh() -> str:
        now = datetime.datetime.now(datetime.UTC)
        database = records.key(where.url)
        problem = records.problem(database, Paths.find(), backup, max_age, now)
        if problem:
            raise Failure(problem)
        return f"younger than {max_age:g} h"

    files: list[str] = []

    def listed() -> str:
        with where.connect() as connection:
            found = history.read(connection, target.migrations_dir())
        schema.refuse_dirty(found)
        schema.refuse_unsafe([m.file for m in found.pending])
        files.extend(m.file for m in found.pending)
        return ", ".join(files) or "none"

    backed_up = steps.run("backup", fresh)
    clean = steps.run("pending migrations", listed)
    return files if backed_up and clean else None


def _change(where: target.Target, pending: list[str], steps: Steps) -> bool:
    """Pause, push, try; True when all went well.

    Webhooks are resumed after that, or when nothing was changed; otherwise they stay paused:
    they are kept, and a schema that failed its test would make a mess of them.
    """
    paused: list[str] = []
    went = tried = False
    try:
        if steps.run("pause webhooks", lambda: _pause(where, paused)) and steps.run(
            "push", lambda: _push(where, pending)
        ):
            tried = True
            went = steps.run("smoke test", lambda: _smoke(where))
    finally:
        if went or not (tried or _is_changed(where, pending)):
            went = steps.run("resume webhooks", lambda: _resume(where, paused)) and went
        else:
            steps.note("resume webhooks", None, _stay(paused))
    return went


def _is_changed(where: target.Target, pending: list[str]) -> bool:
    """May a push that failed have changed something? Yes, when that cannot be known."""
    try:
        with where.connect() as connection:
            found = history.read(connection, target.migrations_dir())
    except (Failure, psycopg.Error):
        return True
    still = [m.file for m in found.pending]
    return still != pending or any(not schema.is_transaction(name) for name in still[:1])


def _stay(paused: list[str]) -> str:
    if not paused:
        return "none were paused"
    resume = ", ".join(f"`takt channel resume {store}`" for store in paused)
    return f"they stay paused and are kept: mend what failed, then {resume}"


def _push(where: target.Target, pending: list[str]) -> str:
    schema.apply(where, pending)
    with where.connect() as connection:
        found = history.read(connection, target.migrations_dir())
    if found.pending:
        raise Failure(f"{len(found.pending)} migrations are still pending.")
    return f"schema version {found.schema_version}"


def _smoke(where: target.Target) -> str:
    with where.connect() as connection:
        return smoke.run(connection)


def _pause(where: target.Target, paused: list[str]) -> str:
    """Pause each store that is not paused already, and remember it for `_resume`."""
    with where.connect(autocommit=True) as connection:
        if not _has_webhooks(connection):
            return "this schema has none yet"
        stores = connection.execute(
            "select t.store from public.shop_tokens t where t.status = 'active' order by 1"
        ).fetchall()
        for (store,) in stores:
            # Noted first: a call that is cut off may have paused it all the same.
            paused.append(store)
            _as_service(connection, "select public.pause_webhooks(p_store => %s)", store)
    return ", ".join(paused) or "no active store"


def _resume(where: target.Target, paused: list[str]) -> str:
    with where.connect(autocommit=True) as connection:
        for store in paused:
            _as_service(connection, "select public.resume_webhooks(p_store => %s)", store)
    return ", ".join(paused) or "nothing was paused"


def _as_service(connection: psycopg.Connection, query: str, store: str) -> None:
    with connection.transaction():
        connection.execute("select set_config('request.jwt.claims', %s, true)", (_SERVICE,))
        connection.execute("set local role service_role")
        connection.execute(query.encode(), (store,))


def _has_webhooks(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "select to_regproc('public.pause_webhooks') is not null"
        " and to_regclass('public.shop_tokens') is not null"
    ).fetchone()
    return row == (True,)


def _end(facts: dict[str, Any], steps: Steps, as_json: bool, code: Exit) -> None:
    """Say how it went; `facts`: env, database, pending."""
    if as_json:
        show({**facts, "exit_code": int(code), "steps": steps.done}, True)
    else:
        words = {True: "ok", False: "failed", None: "left out"}
        rows = [{**step, "ok": words[step["ok"]]} for step in steps.done]
        show(rows, False, ("step", "ok", "reason"))
    if code == Exit.DRIFT:
        say("Stopped: nothing was changed.")
    elif code == Exit.OK and all(step["ok"] for step in steps.done):
        say(
            "Tag the release now: git tag -a v<version> && git push --tags"
            if facts["env"] == "prod"
            else "Tag the release once prod has passed this gate too."
        )
    if code != Exit.OK:
        raise typer.Exit(int(code))
