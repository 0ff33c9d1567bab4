"""The loop contract, with a real child process and real signals."""

from __future__ import annotations

import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.takt.processes import python, read_until, wait_for

_DAEMON = """
import asyncio, os, sys
from takt import daemon, logs
from takt.metrics import metrics_server

mode, port = sys.argv[1], int(sys.argv[2])
logs.set_up()

async def work(state):
    state.ready()
    while not state.stopping:
        state.beat()
        if mode == "crash":
            raise ValueError("the work broke")
        await state.pause(0.05)
    print("draining", flush=True)
    await asyncio.sleep(60 if mode == "stuck" else 0.2)
    print("drained", flush=True)

async def side(state):
    if mode == "side":
        return
    await asyncio.Event().wait()

async def offline():
    print("offline", flush=True)

sides = {"side": side, "metrics": metrics_server(port)}
sys.exit(daemon.main(daemon.run(
    "test", work, side_tasks=sides, offline=offline, drain_seconds=0.5 if mode == "stuck" else 20)))
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_goes_offline_and_exits_0(port: int, number: signal.Signals) -> None:
    with python("normal", str(port), code=_DAEMON) as child:
        read_until(child, "daemon.ready")
        child.send_signal(number)
        output, _ = child.communicate(timeout=20)
    assert child.returncode == 0, output
    order = [output.index(word) for word in ("draining", "drained", "offline", "daemon.stopped")]
    assert order == sorted(order)


def test_a_dead_side_task_drains_and_exits_1(port: int) -> None:
    with python("side", str(port), code=_DAEMON) as child:
        output, _ = child.communicate(timeout=20)
    assert child.returncode == 1
    assert "drained" in output
    assert "offline" in output
    assert '"task": "side"' in output


def test_work_that_crashes_exits_1_and_says_why(port: int) -> None:
    with python("crash", str(port), code=_DAEMON) as child:
        output, _ = child.communicate(timeout=20)
    assert child.returncode == 1
    assert "the work broke" in output
    assert "offline" in output


def test_a_drain_that_takes_too_long_is_cut_off(port: int) -> None:
    with python("stuck", str(port), code=_DAEMON) as child:
        read_until(child, "daemon.ready")
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=20)
    assert child.returncode == 1
    assert "daemon.drain_timeout" in output
    assert "drained" not in output


def test_a_taken_metrics_port_is_a_dead_side_task() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with python("normal", str(taken.getsockname()[1]), code=_DAEMON) as child:
            output, _ = child.communicate(timeout=20)
    assert child.returncode == 1
    assert '"task": "metrics"' in output


def test_metrics_and_probes(port: int) -> None:
    with python("normal", str(port), code=_DAEMON) as child:
        read_until(child, "daemon.ready")
        wait_for(lambda: get(port, "/readyz") == 200, "ready")
        assert [get(port, path) for path in ("/livez", "/healthz", "/metrics", "/other")] == [
            200,
            200,
            200,
            404,
        ]


def test_systemd_is_told(port: int, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "n"))
        listener.settimeout(20)
        env = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "n")}
        with python("normal", str(port), code=_DAEMON, env=env) as child:
            assert listener.recv(99) == b"READY=1"
            assert listener.recv(99) == b"WATCHDOG=1"
            child.send_signal(signal.SIGTERM)
            messages = iter(lambda: listener.recv(99), b"STOPPING=1")
            assert set(messages) <= {b"WATCHDOG=1"}
            child.communicate(timeout=20)
    assert child.returncode == 0
