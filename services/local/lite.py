"""@supabase/lite: Auth and Storage of the embedded stack."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.local import binaries
from services.local.paths import write_atomic
from services.local.processes import wait_until
from takt.ports import HOST, free_port, port_is_open

ROLE = "supabase_lite"
_START_SECONDS = 30.0
_PRELOADED = ("lite_log.mjs", "lite_streams.mjs")


class LiteError(RuntimeError):
    """lite did not start; the message holds the end of its output."""


@dataclass(frozen=True)
class LiteSettings:
    """What lite must know. `site_url` is the gateway, where people's browsers are."""

    db_url: str
    port: int
    site_url: str
    jwt_secret: str
    publishable_key: str
    secret_key: str


def write_config(folder: Path, settings: LiteSettings) -> None:
    """Write `supabase/config.toml` below `folder`, readable by this user only."""
    (folder / "supabase").mkdir(mode=0o700, parents=True, exist_ok=True)
    text = f"""\
project_id = "takt"

[api]
port = {settings.port}

[db]
driver = "postgres"
url = "{settings.db_url}"

[auth]
site_url = "{settings.site_url}"
jwt_secret = "{settings.jwt_secret}"
jwt_expiry = 3600
publishable_key = "{settings.publishable_key}"
secret_key = "{settings.secret_key}"
enable_signup = false
enable_anonymous_sign_ins = false
minimum_password_length = 8

[auth.email]
enable_signup = true
enable_confirmations = false
otp_expiry = 300

[storage]
enabled = true
file_size_limit = "50MiB"
"""
    write_atomic(folder / "supabase" / "config.toml", text)


def command() -> list[str]:
    """How to start lite; loopback, and no admin mode (it would serve keyless requests)."""
    here = Path(__file__).parent
    preload = [f"--import={(here / name).as_uri()}" for name in _PRELOADED]
    return [binaries.node(), *preload, str(binaries.lite_script()), "start", "--no-admin"]


def environment() -> dict[str, str]:
    """The environment lite needs on top of this process' own."""
    return {**os.environ, "LITE_TELEMETRY": "0", "EXPERIMENTAL_STORAGE": "1"}


def create_tables(db_url: str) -> None:
    """Start lite once on `db_url` (as role `supabase_lite`) so that it makes its tables."""
    with tempfile.TemporaryDirectory(prefix="takt-lite-") as name:
        folder = Path(name)
        port = free_port()
        write_config(
            folder,
            LiteSettings(
                db_url=db_url,
                port=port,
                site_url=f"http://{HOST}:{port}",
                jwt_secret=os.urandom(32).hex(),
                publishable_key=f"sb_publishable_{os.urandom(16).hex()}",
                secret_key=f"sb_secret_{os.urandom(16).hex()}",
            ),
        )
        with (folder / "log").open("w+b") as log:
            process = subprocess.Popen(
                command(), cwd=folder, env=environment(), stdout=log, stderr=log
            )
            try:
                wait_until(lambda: process.poll() is not None or port_is_open(port), _START_SECONDS)
                if process.poll() is not None or not port_is_open(port):
                    tail = (folder / "log").read_text(encoding="utf-8", errors="replace")[-1500:]
                    raise LiteError(f"lite did not start:\n{tail}")
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
