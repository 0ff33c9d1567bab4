"""One Postgres server in one data directory, run by this process."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg

from services.local import binaries
from services.local.processes import wait_until, working_in
from takt.ports import HOST
from takt.processes import command_of, start_time

SUPERUSER = "supabase_admin"
LOGIN_ROLES = (
    SUPERUSER,
    "postgres",
    "authenticator",
    "supabase_auth_admin",
    "supabase_lite",
)
StopMode = Literal["smart", "fast", "immediate"]
_STOP_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_START_SECONDS = 60.0


_PLAIN = ("--inh-caps=-all", "--no-new-privs")
# The checkout may lie under a folder that Postgres' user cannot enter, such as /root. This one
# capability lets it pass and read, never write. The securebit is for access(2), with which
# initdb asks about its own file and which otherwise forgets capabilities.
_PASSAGE = (
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
    "--securebits=+no_setuid_fixup",
    "--no-new-privs",
)


class PostgresError(RuntimeError):
    """The server could not be created, started or stopped; the message says why."""


class PostgresServer:
    """A server for one data directory; TCP on loopback only, scram passwords, first role
    `superuser`. Started as root, it runs as an unprivileged user.

    `passwords` maps login roles to passwords (default: random ones for this object); the
    roles other than the superuser get theirs in `prepare_database`.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        bin_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
        *,
        passwords: Mapping[str, str] | None = None,
        log_file: Path | None = None,
        superuser: str = SUPERUSER,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port
        self.bin_dir = bin_dir or binaries.postgres_bin()
        self.settings = dict(settings or {})
        self.superuser = superuser
        self.passwords = dict(passwords or {r: secrets.token_urlsafe(24) for r in LOGIN_ROLES})
        self.log_file = log_file or self.data_dir.parent / f"{self.data_dir.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0  # bytes of the log that are of earlier starts

    # -- facts ------------------------------------------------------------------------------

    def url(
        self, user: str = "postgres", dbname: str = "postgres", password: str | None = None
    ) -> str:
        """A libpq address; the password is the role's known one unless given."""
        secret = self.passwords.get(user) if password is None else password
        login = quote(user, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        return f"postgresql://{login}@{HOST}:{self.port}/{quote(dbname, safe='')}"

    @property
    def pid(self) -> int | None:
        """Process id of the running postmaster of this data directory, whoever started it."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        try:
            first = (self.data_dir / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0]
            pid = int(first)
        except (OSError, ValueError):
            return None
        return pid if self._is_postmaster(pid) else None

    def is_running(self) -> bool:
        """Is a postmaster alive on this data directory?"""
        return self.pid is not None

    def is_ready(self) -> bool:
        """Does the server accept sign-ins?"""
        try:
            psycopg.connect(self.url(self.superuser), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def data_version(self) -> int | None:
        """Major version that made the data directory; None when there is no cluster in it."""
        try:
            return int((self.data_dir / "PG_VERSION").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    # -- life -------------------------------------------------------------------------------

    def init(self) -> None:
        """Create the cluster; does nothing when there is one already."""
        if self.data_version() is not None:
            return
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise PostgresError(f"{self.data_dir} is not empty and not a Postgres cluster.")
        # Made aside and renamed: an interrupted initdb never looks like a cluster.
        staging = self.data_dir.with_name(f"{self.data_dir.name}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True, mode=0o700)
        self._own(staging)
        password_file = self._password_file()
        try:
            self._run_initdb(staging, password_file)
        finally:
            password_file.unlink()
        if self.data_dir.exists():
            self.data_dir.rmdir()
        staging.rename(self.data_dir)

    def start(self, timeout: float = _START_SECONDS) -> None:
        """Start the server and wait until it accepts sign-ins; nothing to do when it runs."""
        if self.is_running():
            return
        self._process = None
        self._drop_foreign_pid()

        def started() -> bool:
            if self._process is None or self._process.poll() is not None:
                self._check_startable()
                self._spawn()
            return self.is_ready()

        if not wait_until(started, timeout, pause=0.05):
            self.stop("immediate")
            raise PostgresError(f"Postgres did not start in {timeout:.0f} s:\n{self.log_tail()}")

    def stop(self, mode: StopMode = "fast", timeout: float = 60.0) -> None:
        """Stop the server and wait for its end; committed data is never lost by any mode."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, _STOP_SIGNALS[mode])
        if not wait_until(lambda: self._gone(pid), timeout):
            raise PostgresError(f"Postgres (pid {pid}) did not stop in {timeout:.0f} s.")

    def kill(self) -> None:
        """End the postmaster with SIGKILL, as a power cut would."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self._gone(pid), 10.0)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that the server wrote since its last start by this object."""
        return tail(self.log_file, self._log_from, lines)

    # -- inside -----------------------------------------------------------------------------

    def _gone(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is not None
        return start_time(pid) is None

    def _is_postmaster(self, pid: int) -> bool:
        """Is `pid` a postmaster whose working directory is our data directory?"""
        if start_time(pid) is None:
            return False
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data_dir
        except OSError:
            pass
        return str(self.data_dir) in command_of(pid)

    def _drop_foreign_pid(self) -> None:
        """Remove a postmaster.pid whose pid now belongs to another program or to a zombie, at
        which Postgres would refuse to start. A plain stale one it handles itself.
        """
        pid_file = self.data_dir / "postmaster.pid"
        try:
            os.kill(int(pid_file.read_text(encoding="utf-8").split("\n")[0]), 0)
        except PermissionError:
            pass  # alive, and of another user
        except (OSError, ValueError):
            return
        # The file also guards against backends that outlive a killed postmaster.
        if wait_until(lambda: not working_in(self.data_dir), 10.0):
            pid_file.unlink(missing_ok=True)

    def _check_startable(self) -> None:
        """Raise unless the last attempt, if any, failed for a reason that passes by itself."""
        if self._process is None:
            return
        tail = self.log_tail()
        # Backends of a killed postmaster need a moment to notice that it is gone.
        if "pre-existing shared memory block" not in tail:
            raise PostgresError(f"Postgres did not start:\n{tail}")

    def _spawn(self) -> None:
        options = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "logging_collector": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # No DETAIL: it shows the row that a constraint refused.
            "log_error_verbosity": "terse",
            **self.settings,
        }
        command = [str(self.bin_dir / "postgres"), "-D", str(self.data_dir)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._log_from = log.tell()
            self._process = subprocess.Popen(
                self._as_user(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C belongs to the supervisor, not to the server
                cwd="/",
            )

    def _run_initdb(self, folder: Path, password_file: Path) -> None:
        major = binaries.postgres_major(self.bin_dir)
        # Built into Postgres from 17 on: the same sort order on every system.
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if major >= 17
            else ["--locale=C.UTF-8"]
        )
        command = [
            *(str(self.bin_dir / "initdb"), "-D", str(folder), "-U", self.superuser, "-E", "UTF8"),
            *(f"--pwfile={password_file}", "--auth=scram-sha-256", *locale),
        ]
        done = subprocess.run(
            self._as_user(command), check=False, capture_output=True, text=True, cwd="/"
        )
        if done.returncode != 0:
            hint = ""
            if "capabilities" in done.stderr:
                hint = (
                    "This root may not pass on the capability dac_read_search. Put the checkout "
                    "where every user may enter, such as /opt or /srv.\n"
                )
            raise PostgresError(f"initdb failed:\n{hint}{done.stdout[-500:]}{done.stderr[-1500:]}")

    def _password_file(self) -> Path:
        handle, name = tempfile.mkstemp(prefix="takt-pw-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self.passwords[self.superuser] + "\n")
        self._own(Path(name))
        return Path(name)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            user = unprivileged_user()
            os.chown(path, user.pw_uid, user.pw_gid)

    def _as_user(self, command: list[str]) -> list[str]:
        """The command as an unprivileged user when we are root (Postgres refuses root)."""
        if os.geteuid() != 0:
            return command
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise PostgresError(
                "Postgres refuses to run as root and `setpriv` (package util-linux) is missing. "
                "Install it, or run takt as an ordinary user."
            )
        user = unprivileged_user()
        login = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        blocked = [p for p in (self.bin_dir, self.data_dir.parent) if not _may_enter(user, p)]
        return [setpriv, *login, *(_PASSAGE if blocked else _PLAIN), "--", *command]


def tail(log: Path, start: int = 0, lines: int = 12) -> str:
    """The last lines of a log from byte `start` on; from its beginning when it got shorter."""
    try:
        content = log.read_bytes()
    except OSError:
        return "(no log)"
    fresh = content[start if start <= len(content) else 0 :]
    return "\n".join(fresh.decode(errors="replace").splitlines()[-lines:])


def _may_enter(user: pwd.struct_passwd, folder: Path) -> bool:
    """May the user pass through every folder down to this one?"""
    for step in (folder, *folder.parents):
        try:
            facts = step.stat()
        except FileNotFoundError:
            continue
        bit = stat.S_IXUSR if facts.st_uid == user.pw_uid else stat.S_IXOTH
        if not facts.st_mode & bit:
            return False
    return True


def unprivileged_user() -> pwd.struct_passwd:
    """The account that runs Postgres when we are root. Errors: PostgresError (there is none)."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresError("No user `postgres` or `nobody` to run Postgres as.")
