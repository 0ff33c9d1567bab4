"""A throwaway server, pgbench, and rounds run in turn so that a drifting machine cancels out."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from services.local import prepare_database
from services.local.migrations import push
from services.local.postgres import PostgresServer
from takt.ports import free_port

DATABASE = "takt_bench"
ROUNDS = 3
SECONDS = 2


@dataclass(frozen=True)
class Ratio:
    """One line of the table: how many times the yardstick, and the two medians per second."""

    name: str
    yardstick: str
    ratio: float
    ours: float
    theirs: float
    budget: str = ""


def pgbench_path() -> str:
    """pgbench of this machine. Errors: SystemExit with how to get it."""
    found = shutil.which("pgbench")
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    if found is None and not candidates:
        raise SystemExit("make bench needs pgbench. Debian: apt install postgresql-contrib")
    return found or str(candidates[-1])


@contextmanager
def bench_server() -> Iterator[PostgresServer]:
    """A migrated database on a server with its own data folder; commits are durable."""
    with tempfile.TemporaryDirectory(prefix="takt-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = {"shared_buffers": "256MB", "max_connections": "100", "autovacuum": "off"}
        server = PostgresServer(Path(folder) / "data", free_port(), settings=settings)
        server.init()
        server.start()
        try:
            prepare_database(server, DATABASE)
            push(server.url("postgres", DATABASE))
            yield server
        finally:
            server.stop("immediate")


@dataclass(frozen=True)
class Script:
    """A pgbench script and the session it runs in."""

    text: str
    role: str = "postgres"
    claims: dict[str, str] | None = None

    def rate(
        self,
        server: PostgresServer,
        clients: int = 1,
        per_run: float = 1.0,
        seconds: int = SECONDS,
    ) -> float:
        """Transactions per second, times `per_run`."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(self.text)
            file.flush()
            options = f"-c role={self.role} -c search_path=public"
            if self.claims:
                claims = json.dumps(self.claims, separators=(",", ":"))
                options += f" -c request.jwt.claims={claims}"
            command = [
                *(pgbench_path(), "-n", "-M", "prepared", "-f", file.name, "-T", str(seconds)),
                *("-c", str(clients), "-j", str(min(clients, 2))),
                *("-h", "127.0.0.1", "-p", str(server.port), "-U", "supabase_admin", DATABASE),
            ]
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                env={
                    **os.environ,
                    "PGOPTIONS": options,
                    "PGPASSWORD": server.passwords["supabase_admin"],
                },
            )
        found = re.search(r"tps = ([0-9.]+)", done.stdout)
        if done.returncode != 0 or found is None:
            raise SystemExit(f"pgbench failed:\n{done.stderr[-2000:]}")
        return float(found[1]) * per_run


def compare(ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float, float]:
    """Median of the per-round ratios, and both medians; one warm-up round is not counted."""
    ours()
    theirs()
    pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
    return (
        statistics.median(a / b for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def owner(server: PostgresServer) -> psycopg.Connection:
    """A connection as the owner of the schema, autocommit on."""
    return psycopg.connect(server.url("postgres", DATABASE), autocommit=True)
