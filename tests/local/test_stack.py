"""`takt up`, `down`, `status`: the life of the stack, with real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from services.local.processes import wait_until
from takt.processes import start_time
from tests.local.support import ROOT, Stack


def test_status_tells_addresses_keys_and_services(facts: dict[str, Any]) -> None:
    assert facts["state"] == "running"
    assert facts["api_url"].startswith("http://127.0.0.1:")
    assert facts["publishable_key"].startswith("sb_publishable_")
    assert facts["secret_key"].startswith("sb_secret_")
    names = {service["name"]: service for service in facts["services"]}
    assert {"postgres", "lite", "postgrest", "gateway"} <= names.keys()
    assert all(service["state"] == "running" for service in names.values())
    with psycopg.connect(facts["db_url"]) as connection:
        row = connection.execute(
            "select current_user, usesuper from pg_user where usename = current_user"
        )
        assert row.fetchone() == ("postgres", False)


def test_up_is_idempotent(stack: Stack, facts: dict[str, Any]) -> None:
    again = stack.takt("up")
    assert again.returncode == 0
    assert "already running" in again.stderr
    assert stack.status()["services"] == facts["services"]


def test_status_without_a_stack_says_what_to_do(own_stack: Stack) -> None:
    done = own_stack.takt("status")
    assert done.returncode == 3
    assert "takt up" in done.stderr


def test_a_crashed_service_is_started_again(stack: Stack) -> None:
    before = stack.service("postgrest")
    os.kill(before["pid"], signal.SIGKILL)

    def back() -> bool:
        now = stack.service("postgrest")
        return now["state"] == "running" and now["pid"] not in (None, before["pid"])

    assert wait_until(back, 30, 0.2), stack.log("supervisor")
    assert "postgrest has ended" in stack.log("supervisor")
    facts = stack.status()
    answer = httpx.get(f"{facts['api_url']}/rest/v1/", headers={"apikey": facts["publishable_key"]})
    assert answer.status_code == 200


def test_a_crashed_database_is_started_again(stack: Stack) -> None:
    before = stack.service("postgres")
    os.kill(before["pid"], signal.SIGKILL)

    def back() -> bool:
        now = stack.service("postgres")
        return now["state"] == "running" and now["pid"] not in (None, before["pid"])

    assert wait_until(back, 40, 0.2), stack.log("supervisor")
    facts = stack.status()
    headers = {"apikey": facts["publishable_key"]}
    body = {"email": "nobody@takt.localhost", "password": "wrong-password"}

    def signs_in() -> bool:
        url = f"{facts['api_url']}/auth/v1/token?grant_type=password"
        return httpx.post(url, headers=headers, json=body).status_code == 400

    assert wait_until(signs_in, 20, 0.2)


def test_demo_data_can_be_added_to_a_running_stack(stack: Stack) -> None:
    facts = stack.up("--demo")
    roles = {sign_in["role"]: sign_in for sign_in in facts["demo_sign_ins"]}
    assert {"operator", "admin", "viewer"} <= roles.keys()
    assert facts["demo_shops"] == [
        {"shop": shop, "secret": "test-secret-not-a-real-one"} for shop in ("bannos", "flourlane")
    ]
    answer = httpx.post(
        f"{facts['api_url']}/auth/v1/token?grant_type=password",
        headers={"apikey": facts["publishable_key"]},
        json={key: roles["operator"][key] for key in ("email", "password")},
    )
    assert answer.status_code == 200, answer.text


def test_kill_of_everything_loses_no_committed_row(own_stack: Stack) -> None:
    facts = own_stack.up()
    with psycopg.connect(facts["db_url"], autocommit=True) as connection:
        connection.execute("create table public.kept (n int primary key)")
        for n in range(50):
            connection.execute("insert into public.kept values (%s)", (n,))
    own_stack.kill_all()
    again = own_stack.up()
    assert (again["api_url"], again["db_url"]) == (facts["api_url"], facts["db_url"])
    with psycopg.connect(again["db_url"]) as connection:
        assert connection.execute("select count(*) from public.kept").fetchone() == (50,)


def test_services_of_a_killed_supervisor_are_ended(own_stack: Stack) -> None:
    facts = own_stack.up()
    started = {s["pid"]: start_time(s["pid"]) for s in facts["services"]}
    os.kill(own_stack.supervisor_pid(), signal.SIGKILL)
    again = own_stack.up()
    assert again["api_url"] == facts["api_url"]
    assert all(start_time(pid) != moment for pid, moment in started.items())


def test_two_ups_at_once_start_one_stack(own_stack: Stack) -> None:
    both = [own_stack.spawn("up") for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert own_stack.log("supervisor").count("running at") == 1


def test_two_checkouts_run_side_by_side(stack: Stack, own_stack: Stack) -> None:
    first, second = stack.status(), own_stack.up()
    ports = [{s["port"] for s in facts["services"]} - {None} for facts in (first, second)]
    assert not ports[0] & ports[1]
    answer = httpx.get(
        f"{second['api_url']}/rest/v1/", headers={"apikey": first["publishable_key"]}
    )
    assert answer.status_code == 401


def test_data_of_another_postgres_is_refused_in_words(own_stack: Stack) -> None:
    own_stack.up()
    assert own_stack.takt("down").returncode == 0
    version = own_stack.home / ".takt" / "pgdata" / "PG_VERSION"
    made_by = version.read_text()
    version.write_text("9\n")
    refused = own_stack.takt("up")
    assert refused.returncode == 1
    assert "made by Postgres 9" in refused.stderr
    version.write_text(made_by)
    own_stack.up()


@pytest.fixture
def ordinary_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack run by `nobody`, when we are root and there is a Python that nobody may run."""
    python = Path("/usr/bin/python3")
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv; otherwise every other test is run by a user")
    if (
        not python.exists()
        or subprocess.run(
            [python, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 11))"], check=False
        ).returncode
    ):
        pytest.skip("needs a /usr/bin/python3 of the version that the packages are for")
    home = Path("/tmp") / f"takt-nobody-{os.getpid()}"
    home.mkdir(mode=0o755)
    shutil.chown(home, "nobody")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    user = Stack(
        home,
        ["setpriv", "--reuid=nobody", "--clear-groups", str(python)],
        {"PYTHONPATH": f"{ROOT}{os.pathsep}{packages}", "HOME": str(home)},
    )
    yield user
    user.takt("down")
    shutil.rmtree(home)


def test_an_ordinary_user_can_run_it(ordinary_user: Stack) -> None:
    facts = ordinary_user.up()
    assert all(service["state"] == "running" for service in facts["services"])
    assert (ordinary_user.home / ".takt").stat().st_mode & 0o077 == 0


def test_demo_runs_until_ctrl_c(own_stack: Stack) -> None:
    demo = own_stack.spawn("demo")
    try:
        assert wait_until(lambda: '"demo": true' in own_stack.state_text(), 60, 0.1)
        assert own_stack.status()["state"] == "running"
        assert demo.poll() is None
    finally:
        demo.send_signal(signal.SIGINT)
        shown, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert "operator@takt.localhost" in shown
    assert own_stack.status()["state"] == "stopped"


@pytest.mark.parametrize("reached", ["", "starting lite", "loading the demo data"])
def test_ctrl_c_while_the_demo_starts_stops_it(own_stack: Stack, reached: str) -> None:
    demo = own_stack.spawn("demo")
    assert wait_until(lambda: f'"step": "{reached}' in own_stack.state_text(), 60, 0.02)
    supervisor = own_stack.supervisor_pid()
    demo.send_signal(signal.SIGINT)
    _, said = demo.communicate(timeout=60)
    assert "stopping" in said
    assert "Traceback" not in said
    assert start_time(supervisor) is None
    assert own_stack.status()["state"] == "stopped"
    assert all(s["pid"] is None for s in own_stack.status()["services"])


def test_only_the_log_of_this_start_is_shown(own_stack: Stack) -> None:
    own_stack.env = {"TAKT_POSTGREST": "/bin/false"}
    log = own_stack.home / ".takt" / "logs" / "postgrest.log"
    log.parent.mkdir(parents=True)
    log.write_text("an error of yesterday\n")
    refused = own_stack.takt("up")
    assert refused.returncode == 1
    assert "postgrest ended at once" in refused.stderr
    assert "yesterday" not in refused.stderr


def test_a_port_lost_after_choosing_is_chosen_again(own_stack: Stack) -> None:
    """Somebody takes lite's port between the choice and lite's start."""
    thief = f"""
import json, pathlib, socket, sys
from services.local import settings, supervisor
from services.local.paths import Paths
choose, taken = settings.choose_ports, []
def choose_and_lose(wanted):
    ports = choose(wanted)
    if not taken:
        taken.append(socket.socket())
        taken[0].bind(("127.0.0.1", ports.lite))
        taken[0].listen()
    return ports
settings.choose_ports = choose_and_lose
home = pathlib.Path({str(own_stack.home)!r})
sys.exit(supervisor.Supervisor(Paths(root=pathlib.Path({str(ROOT)!r}), home=home)).run())
"""
    process = subprocess.Popen([sys.executable, "-c", thief], cwd=ROOT, env=own_stack.environment())
    try:
        assert wait_until(
            lambda: '"state": "running",\n  "step"' in own_stack.state_text(), 60, 0.1
        )
        assert all(s["state"] == "running" for s in own_stack.status()["services"])
    finally:
        process.terminate()
        assert process.wait(60) == 0
