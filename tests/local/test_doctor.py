"""`takt doctor`: each broken state is found, explained and given a remedy."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
from typing import Any

import pytest

from services.local.processes import wait_until
from tests.local.support import Stack


def diagnose(stack: Stack) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and checks by name."""
    done = stack.takt("doctor", "--json")
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_a_healthy_stack_has_no_failure(stack: Stack) -> None:
    code, checks = diagnose(stack)
    assert code == 0, checks
    assert checks["API"]["result"] == "ok"
    assert checks["migrations"]["result"] == "ok"


def test_a_fresh_checkout_is_told_to_start(own_stack: Stack) -> None:
    code, checks = diagnose(own_stack)
    assert code == 0
    assert checks["supervisor"]["fix"] == "Run `takt up`."


def test_readable_secrets_fail(own_stack: Stack) -> None:
    own_stack.up()
    secrets = own_stack.home / ".takt" / "secrets.json"
    secrets.chmod(0o644)
    code, checks = diagnose(own_stack)
    assert code == 1
    assert checks["secrets"]["fix"] == f"chmod 600 {secrets}"
    secrets.chmod(0o600)
    assert diagnose(own_stack)[0] == 0


def test_what_remains_of_a_stopped_stack(own_stack: Stack) -> None:
    """Stale pid, taken port, foreign version and an open data directory, one after another."""
    facts = own_stack.up()
    os.kill(own_stack.supervisor_pid(), signal.SIGKILL)
    assert wait_until(lambda: diagnose(own_stack)[1]["supervisor"]["result"] == "fail", 10, 0.2)
    assert "Stale" in diagnose(own_stack)[1]["supervisor"]["reason"]
    own_stack.up()
    assert own_stack.takt("down").returncode == 0

    port = int(facts["api_url"].rpartition(":")[2])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        code, checks = diagnose(own_stack)
        assert code == 0
        assert f"{port} (gateway) is taken" in checks["ports"]["reason"]

    data = own_stack.home / ".takt" / "pgdata"
    version = data / "PG_VERSION"
    made_by = version.read_text()
    version.write_text("9\n")
    code, checks = diagnose(own_stack)
    assert (code, checks["data directory"]["result"]) == (1, "fail")
    assert "Postgres 9" in checks["data directory"]["reason"]
    version.write_text(made_by)

    data.chmod(0o755)
    code, checks = diagnose(own_stack)
    assert (code, checks["data directory"]["fix"]) == (1, f"chmod 700 {data}")
    refused = own_stack.takt("up")
    assert (refused.returncode, f"chmod 700 {data}" in refused.stderr) == (1, True)
    data.chmod(0o700)
    assert diagnose(own_stack)[1]["data directory"]["result"] == "ok"


def test_lost_secrets_are_never_replaced(own_stack: Stack) -> None:
    """New ones would lock everybody out of the data for good."""
    own_stack.up()
    assert own_stack.takt("down").returncode == 0
    state = own_stack.home / ".takt"
    secrets = state / "secrets.json"
    secrets.rename(own_stack.home / "kept.json")
    before = {file: file.stat().st_mtime_ns for file in state.iterdir()}

    code, checks = diagnose(own_stack)
    assert (code, checks["secrets"]["result"]) == (1, "fail")
    for command in (("up",), ("status",), ("demo",), ("user", "list"), ("db", "status")):
        done = own_stack.takt(*command)
        assert done.returncode == 3, command
        assert "The file is gone, the data is there" in done.stderr
    assert {file: file.stat().st_mtime_ns for file in state.iterdir()} == before

    (own_stack.home / "kept.json").rename(secrets)
    own_stack.up()


def test_data_of_another_account_is_said(own_stack: Stack) -> None:
    """Run as root, Postgres has an account of its own; otherwise it is this user."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    own_stack.up()
    assert own_stack.takt("down").returncode == 0
    data = own_stack.home / ".takt" / "pgdata"
    owner = data.stat().st_uid
    os.chown(data, 12345, -1)
    code, checks = diagnose(own_stack)
    assert (code, checks["data directory"]["result"]) == (1, "fail")
    assert "12345" in checks["data directory"]["reason"]
    assert f"chown -R {pwd.getpwuid(owner).pw_name} {data}" in checks["data directory"]["fix"]
    refused = own_stack.takt("up")
    assert (refused.returncode, "12345" in refused.stderr) == (1, True)
    os.chown(data, owner, -1)
    own_stack.up()


def test_a_node_that_is_too_old_stops_it_before_anything_starts(own_stack: Stack) -> None:
    folder = own_stack.home / "bin"
    folder.mkdir()
    (folder / "node").write_text("#!/bin/sh\necho v18.19.0\n")
    (folder / "node").chmod(0o755)
    own_stack.env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    refused = own_stack.takt("up")
    assert refused.returncode == 1
    assert "Node v18.19.0 is too old" in refused.stderr
    assert not (own_stack.home / ".takt").exists()
    assert diagnose(own_stack)[1]["node"]["result"] == "fail"


def test_missing_programs_are_named(own_stack: Stack) -> None:
    own_stack.env = {"PATH": "/nonexistent", "TAKT_PG_BIN": "/nonexistent"}
    code, checks = diagnose(own_stack)
    assert code == 1
    assert checks["node"]["fix"].startswith("Install Node 20")
    assert "TAKT_PG_BIN" in checks["package postgres"]["reason"]
