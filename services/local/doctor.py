"""`takt doctor`: everything that can be broken, each with its cause and its remedy."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import psycopg

from services.local import binaries, control, data_directory, external, migrations
from services.local.guards import StartFailed
from services.local.paths import Paths
from services.local.postgres import PostgresError
from services.local.processes import is_same
from services.local.settings import (
    Ports,
    Settings,
    SettingsError,
    first_port,
    has_data,
    read_secrets,
)
from services.local.state import EXTERNAL, read_state
from takt.checks import Check, Result
from takt.ports import HOST, port_is_free

_DISK_FAIL = 500 * 1024**2
_DISK_WARN = 2 * 1024**3
_PYTHON = (3, 11)


def run_checks(paths: Paths) -> list[Check]:
    """All checks, from the ground up. Never raises for a broken stack."""
    groups: tuple[Callable[[Paths], Iterator[Check]], ...] = (
        _python,
        _node,
        _packages,
        _disk,
        _clock,
        _secrets,
        _database,
        _supervisor,
        _ports,
        _services,
        _migrations,
    )
    found: list[Check] = []
    for group in groups:
        try:
            found += group(paths)
        except OSError as error:
            fix = f"Make {error.filename or 'the file'} accessible to this user."
            found.append(Check(group.__name__.strip("_"), "fail", str(error), fix))
        except PostgresError as error:
            fix = "Run takt as an ordinary user, or add the account `postgres`."
            found.append(Check(group.__name__.strip("_"), "fail", str(error), fix))
        except StartFailed as error:
            fix = f"Correct {external.VARIABLE}, or unset it."
            found.append(Check(group.__name__.strip("_"), "fail", str(error), fix))
    return found


def _python(_: Paths) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= _PYTHON
    yield Check("python", "ok" if good else "fail", version, "" if good else "Install Python 3.11.")


def _node(_: Paths) -> Iterator[Check]:
    try:
        yield Check("node", "ok", binaries.check_node())
    except binaries.MissingProgram as error:
        yield Check("node", "fail", str(error), "Install Node 20 or newer and put it on PATH.")


def _packages(paths: Paths) -> Iterator[Check]:
    wanted: dict[str, Callable[[Path | None], Path]] = {
        "postgres": binaries.postgres_bin,
        "postgrest": binaries.postgrest,
        "lite": binaries.lite_script,
        "supabase CLI": binaries.supabase_cli,
    }
    if not _is_embedded(paths):
        del wanted["postgres"]
    for name, find in wanted.items():
        try:
            yield Check(f"package {name}", "ok", str(find(paths.root)))
        except binaries.MissingProgram as error:
            yield Check(f"package {name}", "fail", str(error), "Run `npm ci` in the checkout.")


def _disk(paths: Paths) -> Iterator[Check]:
    folder = paths.state if paths.state.exists() else paths.home
    free = shutil.disk_usage(folder).free
    result: Result = "fail" if free < _DISK_FAIL else "warn" if free < _DISK_WARN else "ok"
    fix = "" if result == "ok" else f"Free some space on the disk of {folder}."
    yield Check("disk", result, f"{free // 1024**2} MB free", fix)


def _clock(paths: Paths) -> Iterator[Check]:
    """Sign-ins fail when the clock runs before the moment at which the stack was set up."""
    if not paths.secrets_file.exists():
        yield Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
        return
    behind = paths.secrets_file.stat().st_mtime - time.time()
    if behind > 60:
        reason = f"The clock is {behind:.0f} s behind the stack's own files."
        yield Check("clock", "fail", reason, "Set the clock of this computer (NTP).")
    else:
        yield Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def _secrets(paths: Paths) -> Iterator[Check]:
    file = paths.secrets_file
    if not file.exists():
        if has_data(paths):
            fix = "Restore .takt/secrets.json from a backup: the data's passwords are in it."
            yield Check("secrets", "fail", "The file is gone, the data is there.", fix)
        else:
            yield Check("secrets", "warn", "The stack was never started.", "Run `takt up`.")
        return
    found, me = file.stat(), os.geteuid()
    mode = stat.S_IMODE(found.st_mode)
    if me not in (0, found.st_uid):
        reason = f"{file} belongs to the user with id {found.st_uid}."
        fix = f"Run takt as that user, or chown -R {me} {paths.state}"
        yield Check("secrets", "fail", reason, fix)
    elif mode & 0o077:
        reason = f"Other users can read {file}."
        yield Check("secrets", "fail", reason, f"chmod 600 {file}")
    else:
        try:
            read_secrets(paths)
        except SettingsError as error:
            yield Check("secrets", "fail", str(error), "Restore .takt/secrets.json from a backup.")
        else:
            yield Check("secrets", "ok", str(file))


def _external_url(paths: Paths) -> str | None:
    """Address of the external database that the next `takt up` uses; None: the embedded server.

    Errors: StartFailed (TAKT_DB_URL is no address).
    """
    settings = control.load_settings(paths)
    return None if settings is None else external.wanted(settings)


def _is_embedded(paths: Paths) -> bool:
    try:
        return _external_url(paths) is None
    except StartFailed:
        return False


def _database(paths: Paths) -> Iterator[Check]:
    """The external database, otherwise the embedded server's data directory."""
    url = _external_url(paths)
    if url is None:
        yield from _data_directory(paths)
        return
    fix = (
        f"Mend that, or give another address in {external.VARIABLE}. Without it and without "
        f"{paths.database_file} `takt up` uses the embedded server."
    )
    try:
        yield Check("service postgres", "ok", external.examine(url))
    except StartFailed as error:
        yield Check("service postgres", "fail", str(error), fix)


def _data_directory(paths: Paths) -> Iterator[Check]:
    folder = paths.pgdata
    if not folder.exists():
        yield Check("data directory", "warn", "There is none yet.", "Run `takt up`.")
        return
    found = data_directory.problem(folder)
    if found is not None:
        yield Check("data directory", "fail", found.reason, found.fix)
        return
    yield _data_version(folder)


def _data_version(folder: Path) -> Check:
    try:
        made_by = int((folder / "PG_VERSION").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        fix = f"Move {folder} away, run `takt up`, and restore a backup."
        return Check("data directory", "fail", f"{folder} has no valid PG_VERSION.", fix)
    try:
        has = binaries.postgres_major(binaries.postgres_bin())
    except (binaries.MissingProgram, subprocess.CalledProcessError, OSError):
        return Check("data directory", "warn", f"Made by Postgres {made_by}.", "Run `npm ci`.")
    if made_by != has:
        reason = f"Made by Postgres {made_by}, but the program here is Postgres {has}."
        fix = f"Set TAKT_PG_BIN to the bin folder of a Postgres {made_by}."
        return Check("data directory", "fail", reason, fix)
    return Check("data directory", "ok", f"{folder}, Postgres {has}")


def _supervisor(paths: Paths) -> Iterator[Check]:
    state = read_state(paths)
    if state is None or state.state in ("stopped", "failed"):
        error = f" Last error: {state.error}" if state and state.error else ""
        result: Result = "fail" if error else "warn"
        yield Check("supervisor", result, f"Not running.{error}", "Run `takt up`.")
    elif is_same(state.pid, state.started):
        yield Check("supervisor", "ok", f"{state.state}, pid {state.pid}")
    else:
        left = [s.name for s in state.services if s.is_alive()]
        more = f" It left running: {', '.join(left)}." if left else ""
        reason = f"Stale: the recorded supervisor (pid {state.pid}) has gone.{more}"
        yield Check("supervisor", "fail", reason, "Run `takt up`; it cleans up what is left.")


def _ports(paths: Paths) -> Iterator[Check]:
    settings = control.load_settings(paths)
    ports = asdict(settings.ports if settings else Ports.starting_at(first_port()))
    if not _is_embedded(paths):
        del ports["postgres"]
    if control.live_state(paths) is not None:
        yield Check("ports", "ok", ", ".join(f"{name} {port}" for name, port in ports.items()))
        return
    for name, port in ports.items():
        if port_is_free(port):
            continue
        reason = f"{port} ({name}) is taken by {_holder(port)}."
        fix = "`takt up` takes the next free port, or end that program."
        yield Check("ports", "warn", reason, fix)
    if all(port_is_free(port) for port in ports.values()):
        yield Check("ports", "ok", "all free")


def _services(paths: Paths) -> Iterator[Check]:
    state = control.live_state(paths)
    for service in state.services if state else []:
        if service.state == EXTERNAL:  # has its own check
            continue
        name = f"service {service.name}"
        if service.state == "running" and service.is_alive() and _listens(service.port):
            restarts = f", started again {service.restarts} times" if service.restarts else ""
            yield Check(name, "ok", f"pid {service.pid}{restarts}")
        else:
            fix = f"`takt logs {service.name}` shows why; the supervisor starts it again."
            yield Check(name, "fail", f"{service.state}, but does not answer.", fix)


def _migrations(paths: Paths) -> Iterator[Check]:
    settings = control.load_settings(paths)
    if settings is None or control.live_state(paths) is None:
        return
    try:
        pending = migrations.pending(settings.db_url(), workdir=paths.root)
    except psycopg.Error as error:
        yield Check("migrations", "fail", f"Cannot ask the database: {error}", "takt logs postgres")
        return
    if pending:
        reason = f"{len(pending)} pending: {', '.join(pending)}"
        yield Check(
            "migrations", "fail", reason, "Run `takt db push`, or `takt down` and `takt up`."
        )
    else:
        yield Check("migrations", "ok", "all applied")
    yield _api(settings)
    yield from _shop_secrets(settings)
    yield from _clock_jobs(settings)


def _api(settings: Settings) -> Check:
    """Does a request go the whole way through gateway and PostgREST?"""
    key = settings.secrets.publishable_key
    try:
        answer = httpx.get(f"{settings.api_url}/rest/v1/", headers={"apikey": key}, timeout=5)
    except httpx.HTTPError as error:
        return Check("API", "fail", f"{settings.api_url}: {error}", "See `takt logs gateway`.")
    if answer.status_code == 200:
        return Check("API", "ok", settings.api_url)
    return Check("API", "fail", f"HTTP {answer.status_code}", "See `takt logs postgrest`.")


def _shop_secrets(settings: Settings) -> Iterator[Check]:
    """Does the key of this stack open the shops' secrets?"""
    query = "select s.store, private.secret_state(s.store) from public.shop_tokens as s"
    key = settings.secrets.secrets_key
    try:
        with psycopg.connect(settings.db_url()) as connection:
            connection.execute("select set_config('takt.secrets_key', %s, false)", (key,))
            states: dict[str, str] = dict(connection.execute(query).fetchall())
    except psycopg.Error as error:  # a schema that does not have it yet, for one
        yield Check("shop secrets", "warn", str(error).strip(), "See the check `migrations`.")
        return
    closed = sorted(store for store, state in states.items() if state == "unreadable")
    if closed:
        reason = f"Encrypted with another key, so webhooks are refused: {', '.join(closed)}"
        fix = f"Set each again: `takt channel secret {closed[0]}`"
        yield Check("shop secrets", "fail", reason, fix)
    else:
        yield Check("shop secrets", "ok", f"of {len(states)} shops")


def _clock_jobs(settings: Settings) -> Iterator[Check]:
    """Jobs of the clock that fail, as a whole or for single machines."""
    query = (
        "select name, last_error from private.scheduled_jobs where last_error is not null union all"
        " select job || ' of ' || machine, error from private.machine_troubles"
        " where last_at > now() - interval '1 day' order by 1"
    )
    try:
        with psycopg.connect(settings.db_url()) as connection:
            failing = connection.execute(query).fetchall()
    except psycopg.Error as error:
        yield Check("jobs", "warn", str(error).strip(), "See the check `migrations`.")
        return
    reason = "; ".join(f"{name}: {error}" for name, error in failing)
    fix = "Mend what it says; the job goes on by itself." if failing else ""
    yield Check("jobs", "fail" if failing else "ok", reason or "every job of the clock works", fix)


def _listens(port: int | None) -> bool:
    if port is None:
        return True
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def _holder(port: int) -> str:
    """Who listens on the port, as far as this user may know."""
    for program, arguments in (
        ("ss", ["-ltnpH", f"sport = :{port}"]),
        ("lsof", ["-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]),
    ):
        found = shutil.which(program)
        if found is None:
            continue
        shown = subprocess.run([found, *arguments], check=False, capture_output=True, text=True)
        holder = shown.stdout.strip().rpartition("users:")[2] or shown.stdout.strip()
        if holder:
            return holder.replace("\n", " ")
    return "another program"
