"""TSPL, device files, queues and folders."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import stat
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from print_agent.domain import Health, Reading
from print_agent.drivers import open_driver
from print_agent.drivers.base import AddressError, Driver, Order, SendError
from print_agent.drivers.line import RAW_PORT, tcp_address
from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers
from services.simulator.printer.zebra import Zebra
from tests.takt.processes import wait_for

LABEL = b'CLS\r\nTEXT 10,10,"2",0,1,1,"Hello"\r\nPRINT 1,1\r\n'
ZPL = b"^XA^FO20,20^A0N,30,30^FDHello^FS^XZ"


def look(driver: Driver) -> Reading:
    return asyncio.run(driver.status())


def send(driver: Driver, payload: bytes, may_go: bool = True) -> int:
    async def first() -> None:
        return

    return asyncio.run(driver.send(Order(payload, first, lambda: may_go)))


# Addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", ("10.1.2.3", RAW_PORT)),
        ("zebra-1.local:9101", ("zebra-1.local", 9101)),
        ("[fe80::1]:9100", ("fe80::1", 9100)),
        ("[fe80::1]", ("fe80::1", RAW_PORT)),
        ("fe80::1", ("fe80::1", RAW_PORT)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    assert tcp_address(address) == expected


@pytest.mark.parametrize(
    ("language", "address"),
    [
        ("zpl", ""),
        ("zpl", "host:0"),
        ("zpl", "host:99999"),
        ("zpl", "host:ssh"),
        ("zpl", "a b"),
        ("tspl", ":9100"),
        ("zpl", "/etc/passwd"),
        ("zpl", "/dev/../etc/passwd"),
        ("spooler", "-o raw"),
        ("spooler", "a;b"),
        ("spooler", ""),
        ("file", "../up"),
        ("file", "/tmp/x"),
        ("file", ".hidden"),
        ("epl", "host"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused(
    language: str, address: str, tmp_path: Path
) -> None:
    with pytest.raises(AddressError):
        open_driver(language, address, tmp_path)


# TSPL ------------------------------------------------------------------------------------------


@pytest.fixture
def tsc() -> Iterator[RunningPrinter]:
    with running_printers([Spec("T1", language="tspl", label_s=0.05)]) as running:
        yield running["T1"]


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("paper_out", "media-empty"),
        ("ribbon_out", "marker-supply-empty"),
        ("head_open", "cover-open"),
        ("over_temp", "head-over-temp"),
        ("paused", "paused"),
    ],
)
def test_tspl_answers_also_in_a_fault(tsc: RunningPrinter, fault: str, word: str) -> None:
    driver = open_driver("tspl", tsc.address, Path())
    reading = look(driver)
    assert (reading.health, reading.odometer, reading.dpi) == (Health.IDLE, None, None)
    assert reading.may_claim  # it cannot say its resolution: the admin's word counts
    assert driver.evidence_level == 1
    tsc.strike(fault)
    assert (look(driver).health, look(driver).faults) == (Health.FAULT, (word,))
    tsc.do(lambda device: device.clear())
    assert look(driver).health is Health.IDLE


def test_a_tspl_label_comes_out(tsc: RunningPrinter) -> None:
    driver = open_driver("tspl", tsc.address, Path())
    assert send(driver, LABEL) == len(LABEL)
    wait_for(lambda: len(tsc.paper) == 1, "a label")
    tsc.do(lambda device: device.spec.change({"label_s": 0.5}))
    send(driver, LABEL * 3)
    assert look(driver).health is Health.BUSY
    asyncio.run(driver.abort())
    wait_for(lambda: look(driver).health is Health.IDLE, "it is idle after the abort")
    assert len(tsc.paper) < 4


def test_who_hangs_up_before_the_end_has_not_taken_everything() -> None:
    """It has no counter: without this an idle printer would be taken for one that has printed."""
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.shutdown(socket.SHUT_WR)
                hung_up.set()
                while line.recv(4096):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()

        async def first() -> None:
            await asyncio.to_thread(hung_up.wait, 10)

        driver = open_driver("tspl", f"127.0.0.1:{server.getsockname()[1]}", Path())
        with pytest.raises(SendError) as failed:
            asyncio.run(driver.send(Order(LABEL, first, lambda: True)))
        thread.join(10)
    assert failed.value.handed == len(LABEL)


@pytest.mark.parametrize("after", [20, len(LABEL) - 1])
def test_a_tspl_printer_that_breaks_off_is_not_taken_for_sent(
    tsc: RunningPrinter, after: int
) -> None:
    tsc.strike("reset", after_bytes=after)
    driver = open_driver("tspl", tsc.address, Path())
    with pytest.raises(SendError) as failed:
        send(driver, LABEL)
    assert failed.value.handed > 0
    assert tsc.paper == []


def test_a_zebra_is_no_tspl_printer() -> None:
    with running_printers([Spec("P1")]) as running:
        reading = look(open_driver("tspl", running["P1"].address, Path()))
    assert (reading.health, reading.silent) == (Health.UNREADABLE, True)


# Device files ----------------------------------------------------------------------------------


class Wire:
    """A virtual Zebra behind a pseudo terminal, as usblp would show it."""

    def __init__(self) -> None:
        self.zebra = Zebra(Spec("U1", label_s=0.01))
        self._ours, theirs = os.openpty()
        tty.setraw(theirs)
        self.path = os.ttyname(theirs)
        self._theirs = theirs
        self._reader = threading.Thread(target=self._serve, daemon=True)
        self._reader.start()

    def _serve(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 4096)
            except OSError:
                return
            for reply in self.zebra.receive(data):
                os.write(self._ours, reply.data)

    def close(self) -> None:
        os.close(self._theirs)
        self._reader.join(10)
        os.close(self._ours)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_a_device_file_is_a_line_like_any_other(wire: Wire) -> None:
    driver = open_driver("zpl", wire.path, Path())
    reading = look(driver)
    assert (reading.health, reading.dpi, reading.odometer) == (Health.IDLE, 203, 1000)
    assert send(driver, ZPL) == len(ZPL)

    def out() -> bool:
        wire.zebra.mechanism.advance()
        return len(wire.zebra.paper.labels) == 1

    wait_for(out, "the label")
    assert look(driver).odometer == 1001


def test_a_device_file_is_used_by_one_program_only(wire: Wire) -> None:
    other = os.open(wire.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(other, fcntl.LOCK_EX)
    driver = open_driver("zpl", wire.path, Path())
    reading = look(driver)
    assert reading.health is Health.UNREACHABLE
    assert "another program" in reading.detail
    with pytest.raises(SendError, match="another program") as caught:
        send(driver, ZPL)
    assert caught.value.handed == 0
    os.close(other)
    assert look(driver).health is Health.IDLE


@pytest.mark.parametrize("path", ["/dev/usb/no-such-printer", "/dev/shm"])
def test_a_device_that_is_none_is_unreachable(path: str) -> None:
    assert look(open_driver("zpl", path, Path())).health is Health.UNREACHABLE


# Queues ----------------------------------------------------------------------------------------


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`lpr` and `lpstat` of our own, that keep what they were given."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setitem(os.environ, "OUT", str(tmp_path / "out"))
    program(tmp_path, "lpr", 'echo "$@" >"$OUT.args"; cat >"$OUT"')
    program(tmp_path, "lpstat", 'echo "printer $2 is idle.  enabled since today"')
    return tmp_path


def test_bytes_reach_the_queue_unchanged(queue: Path) -> None:
    driver = open_driver("spooler", "Zebra_1", Path())
    reading = look(driver)
    assert (reading.health, reading.mute, driver.evidence_level) == (Health.IDLE, True, 0)
    payload = "^XA^FDラベル €^FS^XZ".encode()
    assert send(driver, payload) == len(payload)
    assert (queue / "out").read_bytes() == payload
    assert (queue / "out.args").read_text().split() == ["-PZebra_1", "-oraw"]


def test_lpr_that_fails_is_not_success(queue: Path) -> None:
    program(queue, "lpr", 'cat >/dev/null; echo "lpr: no such queue" >&2; exit 1')
    with pytest.raises(SendError, match="no such queue") as caught:
        send(open_driver("spooler", "Zebra_1", Path()), ZPL)
    assert caught.value.handed == 0


def test_no_lpr_at_all_says_so(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(queue / "nowhere"))
    driver = open_driver("spooler", "Zebra_1", Path())
    assert look(driver).detail == "lpstat is not installed"
    with pytest.raises(SendError, match="lpr is not installed"):
        send(driver, ZPL)


@pytest.mark.parametrize(
    ("script", "health"),
    [
        ('echo "printer $2 disabled since today - Paused"', Health.FAULT),
        ('echo "lpstat: Invalid destination name" >&2; exit 1', Health.UNREACHABLE),
    ],
)
def test_a_queue_that_does_not_take_jobs(queue: Path, script: str, health: Health) -> None:
    program(queue, "lpstat", script)
    assert look(open_driver("spooler", "Zebra_1", Path())).health is health


# Folders ---------------------------------------------------------------------------------------


def test_a_folder_takes_one_file_per_job(tmp_path: Path) -> None:
    driver = open_driver("file", "bench", tmp_path)
    assert look(driver).mute
    send(driver, b"one")
    send(driver, b"two")
    files = sorted((tmp_path / "bench").iterdir())
    assert [file.read_bytes() for file in files] == [b"one", b"two"]
    with pytest.raises(SendError):
        send(driver, b"three", may_go=False)
    assert len(list((tmp_path / "bench").iterdir())) == 2
