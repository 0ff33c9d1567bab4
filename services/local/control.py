"""Starting, asking and stopping a supervisor from another process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from services.local import binaries, external, processes
from services.local.guards import StartFailed, end_orphans
from services.local.paths import Paths
from services.local.seed import read_demo
from services.local.settings import Settings, SettingsError, has_data, refuse_lost_secrets
from services.local.simulated import PAPER_PATH, running_simulator
from services.local.state import EXTERNAL, ServiceState, StackState, read_state
from services.local.supervisor import ALREADY_RUNNING

# Bytes that must be free: a new database takes about 60 MB, an old one a further piece of its WAL.
_FREE_FOR_NEW, _FREE_FOR_OLD = 100 * 1024**2, 20 * 1024**2
_NOTHING_LEFT = 1024**2
_STOP_SECONDS = 90


class ControlError(RuntimeError):
    """The stack could not be started or stopped; the message is for a person."""


def live_state(paths: Paths) -> StackState | None:
    """The state of the supervisor that runs now, if one does."""
    state = read_state(paths)
    return state if state is not None and state.is_alive() else None


def up(paths: Paths, *, demo: bool, timeout: float, notice: Callable[[str], None]) -> bool:
    """Start the stack, or see that it runs; True when this call started it.

    `notice` hears each step. A Ctrl-C while it starts stops what this call started.
    Errors: ControlError, SettingsError, MissingProgram.
    """
    state = live_state(paths)
    deadline = time.monotonic() + timeout
    if state is not None and state.state == "stopping":
        notice("waiting for the stack to finish stopping")
        if not processes.wait_until(lambda: live_state(paths) is None, timeout):
            raise ControlError("The stack does not stop. `takt logs supervisor` shows why.")
        state = None
    process, tries = None, 0
    if state is None:
        _preflight(paths)
        process = _spawn(paths, demo=demo)
    elif demo and not state.demo:
        tries = state.demo_tries
        os.kill(state.pid, signal.SIGUSR1)
    try:
        _await_running(paths, process, deadline=deadline, notice=notice)
        if process is None:
            _refuse_another_database(paths)
        if demo:
            _await_demo(paths, tries, deadline)
    except KeyboardInterrupt:
        if process is not None:
            notice("stopping")
            _end(process)
        raise
    return process is not None


def down(paths: Paths, timeout: float = _STOP_SECONDS) -> bool:
    """Stop the stack in order; False when nothing ran. Errors: ControlError."""
    state = live_state(paths)
    if state is None:
        return bool(end_orphans(paths))
    if not processes.is_same(state.pid, state.started):
        return False
    os.kill(state.pid, signal.SIGTERM)
    if not processes.wait_until(lambda: live_state(paths) is None, timeout):
        raise ControlError(f"The supervisor (pid {state.pid}) did not stop in {timeout:.0f} s.")
    return True


def status(paths: Paths) -> dict[str, Any]:
    """What `takt status --json` prints. Errors: SettingsError when nothing was ever started."""
    settings = Settings.load(paths)
    recorded, alive = read_state(paths), live_state(paths)
    services = [
        {
            "name": s.name,
            "state": _service_state(s, supervised=alive is not None),
            "pid": s.pid if s.is_alive() else None,
            "host": s.host,
            "port": s.port,
            "restarts": s.restarts,
        }
        for s in (recorded.services if recorded else [])
    ]
    answer: dict[str, Any] = {
        "state": alive.state if alive else "stopped",
        "api_url": settings.api_url,
        "web_url": settings.api_url,
        "db_url": settings.db_url(),
        "publishable_key": settings.secrets.publishable_key,
        "secret_key": settings.secrets.secret_key,
        "services": services,
    }
    demo = read_demo(settings)
    if demo is not None:
        answer |= {"demo_sign_ins": demo["sign_ins"], "demo_shops": demo["shops"]}
    if alive and running_simulator(paths) is not None:
        answer["paper_url"] = settings.api_url + PAPER_PATH
    return answer


def load_settings(paths: Paths | None = None) -> Settings | None:
    """The settings, or None when the stack was never started."""
    try:
        return Settings.load(paths)
    except SettingsError:
        return None


def _service_state(service: ServiceState, *, supervised: bool) -> str:
    if service.state == EXTERNAL or (supervised and service.is_alive()):
        return service.state
    return "restarting" if supervised and service.state != "stopped" else "stopped"


def _refuse_another_database(paths: Paths) -> None:
    """A stack that runs does not move to another database. Errors: ControlError."""
    settings = load_settings(paths)
    if settings is None:
        return
    try:
        url = external.wanted(settings)
    except StartFailed as error:
        raise ControlError(str(error)) from error
    if url is not None and url != settings.database.url:
        raise ControlError(
            f"The stack runs on {settings.database.where}, and {external.VARIABLE} names another "
            "address. `takt down`, then `takt up` moves it there."
        )


def _preflight(paths: Paths) -> None:
    """What is looked at before anything is started or written."""
    refuse_lost_secrets(paths)
    binaries.check_node()
    free, needed = _free(paths), _FREE_FOR_OLD if has_data(paths) else _FREE_FOR_NEW
    if free < needed:
        raise ControlError(
            f"The disk is full: {free // 1024**2} MB are left for {paths.state}. Free at least "
            f"{needed // 1024**2} MB."
        )


def _free(paths: Paths) -> int:
    """Bytes left on the disk of the state folder."""
    there = (p for p in (paths.state, paths.home, *paths.home.parents) if p.exists())
    return shutil.disk_usage(next(there)).free


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop the supervisor that was just started, and all of its services with it."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ControlError(
            f"The supervisor (pid {process.pid}) did not stop in {_STOP_SECONDS} s."
        ) from error


def _spawn(paths: Paths, *, demo: bool) -> subprocess.Popen[bytes]:
    paths.create()
    command = [sys.executable, "-m", "services.local", *(["--demo"] if demo else [])]
    with (paths.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=paths.root,
            env={**os.environ, "TAKT_HOME": str(paths.home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _await_running(
    paths: Paths,
    process: subprocess.Popen[bytes] | None,
    *,
    deadline: float,
    notice: Callable[[str], None],
) -> None:
    said = ""
    while time.monotonic() < deadline:
        state = live_state(paths)
        if state is not None:
            if state.step and state.step != said:
                said = state.step
                notice(said)
            if state.state == "running":
                return
        elif process is None or process.poll() not in (None, ALREADY_RUNNING):
            raise ControlError(f"The stack did not start: {_reason(paths, process)}")
        time.sleep(0.05)
    raise ControlError("The stack was not ready in time; it goes on starting. See `takt status`.")


def _reason(paths: Paths, process: subprocess.Popen[bytes] | None) -> str:
    """Why it ended: in its own words, unless it could not even write them."""
    if _free(paths) < _NOTHING_LEFT:
        return f"the disk of {paths.state} is full. Free some space and try again."
    ended = read_state(paths)
    if ended is None or not ended.error or (process is not None and ended.pid != process.pid):
        return "it ended without a reason. `takt logs supervisor` may show more."
    return ended.error


def _await_demo(paths: Paths, tries: int, deadline: float) -> None:
    """Wait for the demo data, or for the try after the first `tries` to fail."""
    while time.monotonic() < deadline:
        state = live_state(paths)
        if state is None:
            raise ControlError("The stack stopped while the demo data was loaded.")
        if state.demo:
            return
        if state.demo_tries > tries and state.demo_error:
            raise ControlError(f"The stack runs, but without its demo: {state.demo_error}")
        time.sleep(0.05)
    raise ControlError("The demo data was not loaded in time. `takt logs supervisor` shows why.")
