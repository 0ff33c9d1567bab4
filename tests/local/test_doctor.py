"""`takt doctor`: each broken state is found, explained and given a remedy."""

from __future__ import annotations

import json
import os
import signal
import socket
from typing import Any

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
    """Stale pid, taken port, foreign version, wrong owner and lost secrets, one after another."""
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

    secrets = own_stack.home / ".takt" / "secrets.json"
    kept = secrets.read_text()
    secrets.unlink()
    code, checks = diagnose(own_stack)
    assert (code, checks["secrets"]["result"]) == (1, "fail")
    secrets.write_text(kept)
    secrets.chmod(0o600)
    assert diagnose(own_stack)[0] == 0


def test_missing_programs_are_named(own_stack: Stack) -> None:
    own_stack.env = {"PATH": "/nonexistent", "TAKT_PG_BIN": "/nonexistent"}
    code, checks = diagnose(own_stack)
    assert code == 1
    assert checks["node"]["fix"].startswith("Install Node 20")
    assert "TAKT_PG_BIN" in checks["package postgres"]["reason"]
