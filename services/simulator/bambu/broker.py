"""The broker inside one virtual printer. It lives and dies with the printer.

Outside: TLS, user `bblp` with the access code, read the report and write the request topic.
Inside: the printer's own plain connection on the loopback interface.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from services.simulator.bambu.certs import Leaf
from takt.ports import HOST, port_is_open
from takt.processes import end_leftover

INNER_USER = "printer"
_START_SECONDS = 10.0
_ROUNDS = 101
_CONFIG, _PID = "mosquitto.conf", "mosquitto.pid"


@dataclass
class BrokerSpec:
    """`port` is the printer's, `inner_port` for the printer itself."""

    serial: str
    code: str
    leaf: Leaf
    folder: Path
    port: int
    inner_port: int
    inner_password: str = field(default_factory=lambda: secrets.token_hex(16))


class Broker(Protocol):
    """What a virtual printer does with its broker."""

    spec: BrokerSpec

    def start(self) -> None:
        """Until both ports answer. Errors: RuntimeError."""

    def stop(self) -> None:
        """Gone at once, as when the power fails."""

    def freeze(self) -> None:
        """Connections stay open, nothing is answered any more."""

    def thaw(self) -> None: ...


class Mosquitto:
    """The real mosquitto, one process per printer."""

    def __init__(self, spec: BrokerSpec) -> None:
        self.spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = self.spec.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "passwords").write_text(
            _password("bblp", self.spec.code) + _password(INNER_USER, self.spec.inner_password),
            encoding="ascii",
        )
        device = f"device/{self.spec.serial}"
        (folder / "acl").write_text(
            f"user bblp\ntopic read {device}/report\ntopic write {device}/request\n\n"
            f"user {INNER_USER}\ntopic readwrite {device}/#\n",
            encoding="ascii",
        )
        for name in ("passwords", "acl"):
            (folder / name).chmod(0o600)
        end_broker(folder)
        config = folder / _CONFIG
        config.write_text(self._config(), encoding="utf-8")
        with (folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [find_mosquitto() or "mosquitto", "-c", str(config)], stdout=log, stderr=log
            )
        (folder / _PID).write_text(str(self._process.pid), encoding="ascii")
        wait_for_port(self.spec.port)
        wait_for_port(self.spec.inner_port)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            (self.spec.folder / _PID).unlink(missing_ok=True)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _config(self) -> str:
        spec = self.spec
        lines = [
            "per_listener_settings false",
            "allow_anonymous false",
            "persistence false",
            "log_dest stderr",
            f"password_file {spec.folder / 'passwords'}",
            f"acl_file {spec.folder / 'acl'}",
            f"listener {spec.inner_port} {HOST}",
            f"listener {spec.port} {HOST}",
            f"certfile {spec.leaf.certificate}",
            f"keyfile {spec.leaf.key}",
            "tls_version tlsv1.2",
        ]
        if os.geteuid() == 0:  # it would change to a user that cannot read these files
            lines.insert(0, "user root")
        return "\n".join(lines) + "\n"


def find_mosquitto() -> str | None:
    """Debian keeps it in sbin, which is not on everybody's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def end_broker(folder: Path) -> None:
    """A simulator that was killed leaves its brokers behind, and they hold their ports."""
    end_leftover(folder / _PID, str(folder / _CONFIG))


def wait_for_port(port: int) -> None:
    """Errors: RuntimeError when nobody listens in time."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if port_is_open(port):
            return
        time.sleep(0.02)
    raise RuntimeError(f"The broker does not listen on port {port}.")


def _password(user: str, password: str) -> str:
    """A line of mosquitto's password file: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    parts = [base64.b64encode(part).decode("ascii") for part in (salt, digest)]
    return f"{user}:$7${_ROUNDS}${'$'.join(parts)}\n"
