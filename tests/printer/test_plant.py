"""The demo's printers as a process: addresses, paper over HTTP, and what a restart keeps."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from takt.labels.decode import read_codes
from takt.ports import free_port
from tests.printer.bench import Client
from tests.takt.processes import python, read_until, wait_for

CODE = b"^XA^CI28^PW800^LL480^FO40,40^BY3^BCN,120,Y,N,N^FDbannos-18617-A^FS^PQ2^XZ"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    own = {
        "TAKT_HOME": str(tmp_path),
        "TAKT_SIM_PRINTER_PORT": str(free_port()),
        "TAKT_SIM_PRINTER_SECONDS": "0.01",
    }
    return {**os.environ, **own}


def facts(env: dict[str, str]) -> dict[str, Any]:
    return dict(json.loads((Path(env["TAKT_HOME"]) / ".takt" / "printers.json").read_text()))


def raw_port(env: dict[str, str], code: str = "prn-1") -> int:
    address = next(p["address"] for p in facts(env)["printers"] if p["code"] == code)
    return int(address.rpartition(":")[2])


def test_a_ticket_is_printed_seen_and_scanned_and_a_restart_keeps_the_odometer(
    env: dict[str, str],
) -> None:
    with python("-m", "services.simulator.printer", env=env) as child:
        read_until(child, "printer.serving")
        before = facts(env)
        kinds = [(p["code"], p["language"], p["dpi"]) for p in before["printers"]]
        assert kinds == [("prn-1", "zpl", 203), ("prn-2", "zpl", 300), ("prn-3", "tspl", 203)]
        with httpx.Client(base_url=before["control_url"], timeout=60) as http:
            assert "Virtual label printers" in http.get("").text
            with Client(raw_port(env)) as client:
                client.send(CODE)
                client.rest()
            wait_for(lambda: len(http.get("printers/prn-1/paper").json()) == 2, "two labels")
            png = http.get("printers/prn-1/paper/2.png").content
        assert [code.text for code in read_codes(png)] == ["bannos-18617-A"]
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=20)
    assert child.returncode == 0, output
    with python("-m", "services.simulator.printer", env=env) as child:
        read_until(child, "printer.serving")
        with Client(raw_port(env)) as client:
            question = b'! U1 getvar "odometer.total_label_count"\r\n'
            assert client.ask(question, b'"', 2) == b'"1002"'
        after = facts(env)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
    places = ("code", "address", "json_address")
    assert after["control_url"] == before["control_url"]
    assert [[p[n] for n in places] for p in after["printers"]] == [
        [p[n] for n in places] for p in before["printers"]
    ]


@contextmanager
def two_taken_ports() -> Iterator[int]:
    """The first of two neighbours, both held by us."""
    with ExitStack() as held:
        while True:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(first.getsockname()[1])
            with suppress(OSError, OverflowError):
                held.enter_context(socket.create_server(("127.0.0.1", port + 1)))
                break
        yield port


def test_taken_ports_become_others(env: dict[str, str]) -> None:
    with (
        two_taken_ports() as wanted,
        python(
            *("-m", "services.simulator.printer"),
            env={**env, "TAKT_SIM_PRINTER_PORT": str(wanted)},
        ) as child,
    ):
        read_until(child, "printer.serving")
        assert str(wanted) not in facts(env)["control_url"]
        assert raw_port(env) != wanted + 1
        with Client(raw_port(env)) as client:
            assert client.ask(b"~HI").startswith(b"\x02ZTC")
        assert httpx.get(facts(env)["control_url"]).status_code == 200
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
    assert child.returncode == 0


def test_the_shops_of_the_demo_bring_the_printers_with_them(env: dict[str, str]) -> None:
    home = Path(env["TAKT_HOME"]) / ".takt"
    home.mkdir()
    shops = {"shops": [{"shop": "bannos", "secret": "test-secret-not-a-real-one"}]}
    (home / "demo.json").write_text(json.dumps(shops))
    env["SUPABASE_URL"] = f"http://127.0.0.1:{free_port()}"  # nobody is there, and that is fine
    with python("-m", "services.simulator", env=env) as child:
        read_until(child, "printer.serving")
        with Client(raw_port(env, "prn-3")) as client:
            assert client.ask(b"\x1b!S") == b"\x02@@@@\x03\r\n"
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=20)
    assert child.returncode == 0, output
    with python("-m", "services.simulator", env={**env, "TAKT_SIM_PRINTERS": "0"}) as child:
        assert "printer.serving" not in read_until(child, "ConnectError")
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)


def test_a_wrong_setting_is_named(env: dict[str, str]) -> None:
    env["TAKT_SIM_PRINTER_PORT"] = "many"
    with python("-m", "services.simulator.printer", env=env) as child:
        output, _ = child.communicate(timeout=20)
    assert (child.returncode, "TAKT_SIM_PRINTER_PORT" in output) == (3, True)
