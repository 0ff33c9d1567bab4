"""What must hold before the stack starts: one supervisor, no leftovers, a fitting Postgres."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import tempfile
from pathlib import Path

from services.local import binaries, data_directory, processes
from services.local.paths import Paths
from services.local.postgres import PostgresServer
from services.local.settings import first_port
from services.local.state import read_state
from takt.locks import lock
from takt.processes import end_leftover

log = logging.getLogger("takt.supervisor")


class StartFailed(RuntimeError):
    """The stack cannot start; the message is for a person."""


def end_orphans(paths: Paths) -> list[str]:
    """End services that a killed supervisor left running; their names."""
    left = read_state(paths)
    ended = []
    for record in reversed(left.services if left else []):
        if record.pid is None or not record.is_alive():
            continue
        ended.append(record.name)
        log.warning("ending %s (pid %d) of an earlier run", record.name, record.pid)
        if record.name == "postgres":
            # SIGINT is Postgres' fast shutdown; SIGTERM would wait for its clients.
            os.kill(record.pid, signal.SIGINT)
            processes.wait_until(lambda r=record: not r.is_alive(), 60)  # type: ignore[misc]
        else:
            processes.end(record.pid, record.started)
    end_brokers(paths)
    return ended


def end_brokers(paths: Paths) -> None:
    """The virtual 3D printers of a simulator that was killed."""
    for file in (paths.farm / "brokers").glob("*/mosquitto.pid"):
        end_leftover(file, str(file.parent))


def check_data(server: PostgresServer) -> None:
    """Errors: StartFailed when this Postgres, or its account, cannot use the data directory."""
    found = data_directory.problem(server.data_dir)
    if found is not None:
        raise StartFailed(f"{server.data_dir}: {found.reason} Mend it: {found.fix}")
    made_by = server.data_version()
    has = binaries.postgres_major(server.bin_dir)
    if made_by is not None and made_by != has:
        raise StartFailed(
            f"The data in {server.data_dir} was made by Postgres {made_by}, the program here is "
            f"Postgres {has}. Set TAKT_PG_BIN to the bin folder of a Postgres {made_by}, or move "
            "the data folder away and restore a backup."
        )


def port_lock() -> contextlib.AbstractContextManager[None]:
    """Held by whoever chooses ports near the same first one. Errors: SettingsError."""
    name = f"takt-ports-{os.geteuid()}-{first_port()}.lock"
    return lock(Path(tempfile.gettempdir()) / name, wait=True)
