"""Starts the stack in order, keeps it running, and stops it in order."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import time

import psycopg

from services.local import (
    binaries,
    children,
    demo,
    demo_farm,
    external,
    migrations,
    processes,
    seed,
)
from services.local.children import Child
from services.local.guards import StartFailed, check_data, end_orphans, port_lock
from services.local.paths import Paths
from services.local.postgres import PostgresError
from services.local.prepare import prepare_database
from services.local.settings import Settings
from services.local.state import EXTERNAL, ServiceState, StackState
from takt.locks import lock
from takt.processes import start_time

log = logging.getLogger("takt.supervisor")

ALREADY_RUNNING = 75  # exit code
_READY_SECONDS = 45.0
_STOP_SECONDS = 8.0
_PORT_TRIES = 4
_HEALTH_EVERY = 5.0
_UNHEALTHY_AFTER = 3  # checks in a row
_STABLE_AFTER = 60.0  # seconds after which a crash counts as the first again
_LONGEST_PAUSE = 30.0


class Watched:
    """A child and what is known about its health."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.record = ServiceState(child.name, port=child.port)
        self.crashes = 0
        self.misses = 0
        self.since = 0.0
        self.due: float | None = None
        self.next_check = 0.0

    def start(self) -> None:
        """Start the process and write down who it is."""
        self.child.start()
        pid = self.child.pid
        self.record.pid = pid
        self.record.started = None if pid is None else start_time(pid)
        self.record.state = "starting"
        self.since, self.due, self.misses = time.monotonic(), None, 0
        self.next_check = 0.0

    def plan_restart(self) -> float:
        """Decide when to start again; the pause in seconds (exponential, with jitter)."""
        if time.monotonic() - self.since > _STABLE_AFTER:
            self.crashes = 0
        ceiling = min(_LONGEST_PAUSE, 0.5 * 2.0**self.crashes)
        pause = ceiling * random.uniform(0.5, 1.0)  # noqa: S311
        self.crashes += 1
        self.record.restarts += 1
        self.record.state, self.record.pid, self.record.started = "restarting", None, None
        self.due = time.monotonic() + pause
        return pause


class Supervisor:
    """One stack in one state folder."""

    def __init__(self, paths: Paths, *, demo: bool = False) -> None:
        self._paths = paths
        self._wants_demo = demo
        self._stopping = False
        self._watched: list[Watched] = []
        self._state = StackState(os.getpid(), start_time(os.getpid()))
        self._settings: Settings | None = None
        self._is_demo = False

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; the exit code. Errors: Held when another one does."""
        self._paths.create()
        with lock(self._paths.lock_file):
            signal.signal(signal.SIGTERM, self._on_stop)
            signal.signal(signal.SIGINT, self._on_stop)
            signal.signal(signal.SIGHUP, self._on_stop)
            signal.signal(signal.SIGUSR1, self._on_demo)
            try:
                self._start_with_free_ports()
                self._watch()
            except Exception as error:
                log.exception("the stack failed")
                self._state.error = str(error)
            finally:
                self._state.state = "stopping"
                self._stop_all()
                self._state.state = "failed" if self._state.error else "stopped"
                self._save()
        return 0 if self._state.error is None else 1

    # -- start --------------------------------------------------------------------------------

    def _start_with_free_ports(self) -> None:
        """Start everything; once more when a port was lost between choosing and listening.

        Any outgoing connection of this computer may get such a port for a moment.
        """
        for tries_left in reversed(range(_PORT_TRIES)):
            try:
                return self._start_all()
            except (StartFailed, PostgresError) as error:
                if "in use" not in str(error) or not tries_left or self._stopping:
                    raise
                log.warning("a port was taken meanwhile; choosing again: %s", error)
                self._stop_all()
                self._watched.clear()
                self._state.services.clear()
        return None

    def _start_all(self) -> None:
        binaries.check_node()
        # Until the ports are in use nobody else of this user may choose ports: neither free ones
        # nor those that leftovers of this stack give up.
        with port_lock():
            # Before the first save: the old state file is the only list of what was left running.
            end_orphans(self._paths)
            settings = self._settings = self._with_database(Settings.prepare(self._paths))
            self._bring_up(children.lite_child(settings))
            self._step("applying migrations")
            migrations.push(settings.db_url(), workdir=self._paths.root)
            self._bring_up(children.postgrest(settings))
            self._is_demo = self._wants_demo or seed.read_demo(settings) is not None
            ours = (
                children.python_child(settings, "api", settings.ports.api),
                children.worker(settings, demo=self._is_demo),
                children.python_child(settings, "gateway", settings.ports.gateway),
            )
            for child in ours:
                if child is not None:
                    self._bring_up(child, wait=False)
            for watched in self._watched:
                self._await_ready(watched)
        if not self._stopping:
            self._state.state = "running"
            self._step("")
            log.info("running at %s", settings.api_url)

    def _with_database(self, settings: Settings) -> Settings:
        """Have a prepared database: on the server that is asked for, or on our own."""
        url = external.wanted(settings)
        if url is None:
            self._start_database(children.postgres(settings))
            return settings
        self._step("preparing the external database")
        adopted = external.adopt(settings, url)
        place = adopted.database
        self._state.services.append(
            ServiceState("postgres", EXTERNAL, port=place.port, host=place.host)
        )
        return adopted

    def _start_database(self, database: children.PostgresChild) -> None:
        server = database.server
        check_data(server)
        self._step(
            "creating the database" if server.data_version() is None else "starting postgres"
        )
        server.init()
        self._bring_up(database)
        self._step("preparing the database")
        prepare_database(server)

    def _bring_up(self, child: Child, *, wait: bool = True) -> None:
        if self._stopping:
            return
        self._step(f"starting {child.name}")
        watched = Watched(child)
        self._watched.append(watched)
        self._state.services.append(watched.record)
        watched.start()
        self._save()
        if wait:
            self._await_ready(watched)

    def _await_ready(self, watched: Watched) -> None:
        if watched.record.state == "running":
            return
        child = watched.child

        def decided() -> bool:
            return self._stopping or child.pid is None or child.ready()

        processes.wait_until(decided, _READY_SECONDS, pause=0.05)
        if self._stopping:
            return
        if not child.ready():
            ended = "ended at once" if child.pid is None else "does not answer"
            raise StartFailed(f"{child.name} {ended}. The end of its log:\n{child.log_tail()}")
        child.after_start()
        watched.record.state = "running"
        self._save()

    def _add_demo(self) -> None:
        """Load the demo data and start the simulator; a failure leaves the stack running."""
        self._wants_demo = False
        try:
            if self._settings is not None:
                self._load_demo(self._settings)
            self._state.demo, self._state.demo_error = True, None
        except (RuntimeError, OSError) as error:
            log.warning("%s", error)
            self._state.demo_error = str(error)
        self._state.demo_tries += 1
        self._step("")

    def _load_demo(self, settings: Settings) -> None:
        self._step("loading the demo data")
        seed.load_dev_seed(settings)
        self._bring_up_once(demo.simulator(settings), wait=False)
        if not self._is_demo:
            self._is_demo = True
            self._replace(children.worker(settings, demo=True))
        demo.enroll(settings)  # while the simulator starts
        self._bring_up_once(demo.print_agent(settings), wait=False)
        for watched in self._watched:
            self._await_ready(watched)
        self._bring_up_once(demo_farm.bridge(settings))

    def _bring_up_once(self, child: Child | None, *, wait: bool = True) -> None:
        if child is not None and all(w.child.name != child.name for w in self._watched):
            self._bring_up(child, wait=wait)

    def _replace(self, child: Child | None) -> None:
        """Start a service anew, with other settings."""
        for watched in self._watched:
            if child is not None and watched.child.name == child.name:
                watched.child.stop(_STOP_SECONDS)
                watched.child = child
                watched.start()

    # -- watch --------------------------------------------------------------------------------

    def _watch(self) -> None:
        next_rotation = 0.0
        while not self._stopping:
            for watched in self._watched:
                self._look_after(watched)
            if self._wants_demo:
                self._add_demo()
            if time.monotonic() >= next_rotation:
                children.rotate_logs(self._paths)
                next_rotation = time.monotonic() + 60
            time.sleep(0.1)

    def _look_after(self, watched: Watched) -> None:
        """Notice a crash or silence of one service, and start it again when its time has come."""
        now, child, record = time.monotonic(), watched.child, watched.record
        if watched.due is not None:
            if now >= watched.due:
                self._restart(watched)
            return
        if child.pid is None:
            self._plan(watched, "has ended")
        elif now >= watched.next_check:
            watched.next_check = now + (0.2 if record.state == "starting" else _HEALTH_EVERY)
            self._check(watched)

    def _check(self, watched: Watched) -> None:
        child, record = watched.child, watched.record
        if child.ready():
            watched.misses = 0
            if record.state != "running":
                try:
                    child.after_start()
                except (psycopg.OperationalError, seed.SeedError) as error:
                    # Something that it needs is away: once more at the next check.
                    log.info("%s waits: %s", child.name, error)
                    watched.next_check = time.monotonic() + _HEALTH_EVERY
                    return
                record.state = "running"
                log.info("%s runs again", child.name)
                self._save()
            return
        if record.state == "starting":
            if time.monotonic() - watched.since > _READY_SECONDS:
                self._plan(watched, "does not answer after its start")
            return
        watched.misses += 1
        if watched.misses >= _UNHEALTHY_AFTER:
            self._plan(watched, "does not answer any more")

    def _plan(self, watched: Watched, what: str) -> None:
        watched.child.stop(_STOP_SECONDS)
        pause = watched.plan_restart()
        log.warning("%s %s; starting it again in %.1f s", watched.child.name, what, pause)
        self._save()

    def _restart(self, watched: Watched) -> None:
        try:
            watched.start()
        except (OSError, RuntimeError) as error:
            log.warning("%s did not start: %s", watched.child.name, error)
            watched.plan_restart()
        self._save()

    # -- stop ---------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        self._save()
        for watched in reversed(self._watched):
            log.info("stopping %s", watched.child.name)
            try:
                watched.child.stop(_STOP_SECONDS)
            except RuntimeError as error:
                log.error("%s", error)
            watched.record.state, watched.record.pid = "stopped", watched.child.pid
        self._save()

    def _on_stop(self, *_: object) -> None:
        self._stopping = True

    def _on_demo(self, *_: object) -> None:
        self._wants_demo = True

    def _step(self, step: str) -> None:
        self._state.step = step
        if step:
            log.info("%s", step)
        self._save()

    def _save(self) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end what still runs
            self._state.save(self._paths)
