"""The processes of the stack: how each is started, looked after and stopped."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import httpx
import psycopg

from services.local import binaries, lite, prepare
from services.local.paths import Paths
from services.local.postgres import SUPERUSER, PostgresServer, tail
from services.local.settings import Settings
from takt.ports import HOST, port_is_open

_LOG_BYTES = 10 * 1024 * 1024
_LOGS_KEPT = 3
_SHOP_URL = "TAKT_WORKER_SHOP_URL"


class Child(Protocol):
    """What the supervisor needs of a service."""

    name: str
    port: int | None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""

    def start(self) -> None:
        """Start the process."""

    def ready(self) -> bool:
        """Does it do its work?"""

    def after_start(self) -> None:
        """What must follow each start, once it is ready."""

    def stop(self, seconds: float) -> None:
        """Stop it: politely, by force after `seconds`."""

    def log_tail(self) -> str:
        """The last lines that it wrote since its last start."""


class PostgresChild:
    """The database server."""

    name = "postgres"

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.port: int | None = server.port

    @property
    def pid(self) -> int | None:
        return self.server.pid

    def start(self) -> None:
        self.server.start()

    def ready(self) -> bool:
        return self.server.is_ready()

    def after_start(self) -> None:
        return

    def stop(self, seconds: float) -> None:
        # Never by force: a checkpoint may take its time, and nothing is lost by waiting.
        self.server.stop("fast", timeout=max(seconds, 60))

    def log_tail(self) -> str:
        return self.server.log_tail()


class ProcessChild:
    """Any other service: a command, and a question that tells whether it works."""

    def __init__(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        *,
        port: int | None = None,
        ready: Callable[[], bool] | None = None,
        after_start: Callable[[], None] | None = None,
    ) -> None:
        self.name, self.port = name, port
        self._command, self._env, self._cwd, self._log = command, dict(env), cwd, log
        self._ready, self._after_start = ready, after_start
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0  # bytes of the log that are of earlier starts

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._log_from = log.tell()
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env={**os.environ, **self._env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops in order
            )

    def ready(self) -> bool:
        return self.pid is not None and (self._ready is None or self._ready())

    def after_start(self) -> None:
        if self._after_start is not None:
            self._after_start()

    def stop(self, seconds: float) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log_tail(self) -> str:
        return tail(self._log, self._log_from)


def postgres(settings: Settings) -> PostgresChild:
    """The database of the stack."""
    server = PostgresServer(
        settings.paths.pgdata,
        settings.ports.postgres,
        passwords=settings.secrets.db_passwords,
        log_file=settings.paths.logs / "postgres.log",
    )
    return PostgresChild(server)


def lite_child(settings: Settings) -> ProcessChild:
    """Auth and Storage."""
    ports, keys = settings.ports, settings.secrets
    config = lite.LiteSettings(
        db_url=settings.db_url(lite.ROLE),
        port=ports.lite,
        site_url=settings.api_url,
        jwt_secret=keys.jwt_secret,
        publishable_key=keys.publishable_key,
        secret_key=keys.secret_key,
    )
    lite.write_config(settings.paths.lite, config)

    def install_auth() -> None:
        with psycopg.connect(settings.db_url(SUPERUSER), autocommit=True) as connection:
            prepare.apply_auth(connection)

    return ProcessChild(
        "lite",
        lite.command(),
        lite.environment(),
        settings.paths.lite,
        log_file(settings.paths, "lite"),
        port=ports.lite,
        ready=lambda: _answers(ports.lite, "/auth/v1/health", {"apikey": keys.publishable_key}),
        after_start=install_auth,
    )


def postgrest(settings: Settings) -> ProcessChild:
    """The database's REST API."""
    ports = settings.ports
    env = {
        "PGRST_DB_URI": settings.db_url("authenticator"),
        "PGRST_DB_SCHEMAS": "public",
        "PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_DB_MAX_ROWS": "1000",
        "PGRST_DB_POOL": "20",
        "PGRST_DB_USE_LEGACY_GUCS": "false",
        "PGRST_JWT_SECRET": settings.secrets.jwt_secret,
        "PGRST_SERVER_HOST": HOST,
        "PGRST_SERVER_PORT": str(ports.postgrest),
        "PGRST_ADMIN_SERVER_PORT": str(ports.postgrest_admin),
        "PGRST_OPENAPI_SERVER_PROXY_URI": f"{settings.api_url}/rest/v1",
        "PGRST_LOG_LEVEL": "error",
    }
    return ProcessChild(
        "postgrest",
        [str(binaries.postgrest())],
        env,
        settings.paths.home,
        log_file(settings.paths, "postgrest"),
        port=ports.postgrest,
        ready=lambda: _answers(ports.postgrest_admin, "/ready"),
    )


def python_child(
    settings: Settings, name: str, port: int | None = None, more: Mapping[str, str] | None = None
) -> ProcessChild | None:
    """`python -m services.<name>`; None when the checkout has no such service. `more`: what only
    this service is told.
    """
    module = "services.local.gateway" if name == "gateway" else f"services.{name}"
    if importlib.util.find_spec(f"{module}.__main__") is None:
        return None
    ready = None if port is None else lambda: port_is_open(port)
    if name == "gateway":
        ready = lambda: _answers(settings.ports.gateway, "/healthz")  # noqa: E731
    return ProcessChild(
        name,
        [sys.executable, "-m", module],
        {**environment(settings), **(more or {})},
        settings.paths.root,
        log_file(settings.paths, name),
        port=port,
        ready=ready,
    )


def worker(settings: Settings, *, demo: bool) -> ProcessChild | None:
    """The worker. In a demo the shops are on this computer, whatever their addresses say."""
    shops = f"http://{HOST}:{settings.ports.shop}/{{domain}}"
    wanted = os.environ.get(_SHOP_URL, shops)
    return python_child(settings, "worker", more={_SHOP_URL: wanted} if demo else {})


def environment(settings: Settings) -> dict[str, str]:
    """What our own services are told about the stack."""
    return {
        "TAKT_HOME": str(settings.paths.home),
        "SUPABASE_URL": settings.api_url,
        "SUPABASE_PUBLISHABLE_KEY": settings.secrets.publishable_key,
        "SUPABASE_SECRET_KEY": settings.secrets.secret_key,
        "TAKT_DB_URL": settings.db_url(),
        "TAKT_SECRETS_KEY": settings.secrets.secrets_key,
        "TAKT_API_PORT": str(settings.ports.api),
        "PYTHONUNBUFFERED": "1",
    }


def rotate_logs(paths: Paths, limit: int = _LOG_BYTES) -> None:
    """Move aside each log above `limit` bytes, keeping the three last.

    Copied and emptied, because the writer keeps its file open (in append mode).
    """
    for log in paths.logs.glob("*.log"):
        if log.stat().st_size <= limit:
            continue
        for number in range(_LOGS_KEPT, 1, -1):
            older = log.with_suffix(f".log.{number - 1}")
            if older.exists():
                older.replace(log.with_suffix(f".log.{number}"))
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)


def log_file(paths: Paths, name: str) -> Path:
    """What a service writes."""
    return paths.logs / f"{name}.log"


def _answers(port: int, path: str, headers: Mapping[str, str] | None = None) -> bool:
    """Does the service at `port` answer 200 within two seconds?"""
    try:
        answer = httpx.get(f"http://{HOST}:{port}{path}", headers=dict(headers or {}), timeout=2)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200
