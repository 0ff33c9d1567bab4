"""The connection to a printer, over TLS to a real broker: what it accepts, asks and notices."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bambu_bridge import clock
from bambu_bridge.inbox import Heard, Inbox
from bambu_bridge.mqtt import Link
from bambu_bridge.settings import BridgeSettings, PrinterConfig
from bambu_bridge.state import Store
from bambu_bridge.watcher import BambuWatcher, Bridge
from services.simulator.bambu.certs import Authority
from services.simulator.bambu.printer import VirtualPrinter
from tests.bambu.conftest import CODE, MakePrinter

SERIAL = "01P00A123456789"
ALLOWED = {"get_version", "pushall", "start"}


def quick(authority: Authority, **more: Any) -> BridgeSettings:
    """Settings with short waits."""
    return BridgeSettings(
        _env_file=None,
        bambu_ca=authority.certificate,
        **{"bambu_silence": 0.6, "bambu_reconnect": 1.5, "bambu_backoff": 0.2, **more},
    )


def config(printer: VirtualPrinter, serial: str = SERIAL, code: str = CODE) -> PrinterConfig:
    return PrinterConfig.model_validate(
        {"serial": serial, "host": "127.0.0.1", "port": printer.port, "access_code": code}
    )


class Listening:
    """A link and everything it put into its inbox."""

    def __init__(self, printer: PrinterConfig, settings: BridgeSettings) -> None:
        self.inbox = Inbox()
        self.link = Link(printer, settings, self.inbox)
        self.heard: list[Heard] = []

    async def until(self, question: Callable[[], Any], what: str, seconds: float = 15.0) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not question():
            assert loop.time() < end, f"{what}: {self.link.state}"
            self.heard += await self.inbox.take(0.05)

    @property
    def reports(self) -> list[dict[str, Any]]:
        raws = [item.raw for item in self.heard if item.raw is not None]
        return [json.loads(raw) for raw in raws]

    @property
    def states(self) -> list[str]:
        return [
            r["print"]["gcode_state"] for r in self.reports if "gcode_state" in r.get("print", {})
        ]


def listen(
    printer: PrinterConfig,
    settings: BridgeSettings,
    talk: Callable[[Listening], Awaitable[None]],
) -> None:
    """Run `talk` beside a started link, then hang up."""

    async def run() -> None:
        listening = Listening(printer, settings)
        listening.link.start()
        try:
            await talk(listening)
        finally:
            listening.link.stop()
            await asyncio.to_thread(listening.link.join, 10.0)
        assert not listening.link.is_alive

    asyncio.run(run())


def test_it_asks_for_a_full_report_and_hears_changes(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.states == ["IDLE"], "the full report")
        printer.set(gcode_state="RUNNING", subtask_name="A", gcode_file="A.3mf")
        await it.until(lambda: it.states == ["IDLE", "RUNNING"], "the change")
        assert (it.link.state.link, it.link.state.connected) == ("online", True)

    listen(config(printer), quick(authority, bambu_silence=30, bambu_reconnect=60), talk)
    assert set(printer.asked) <= ALLOWED
    assert (printer.asked["pushall"], printer.asked["get_version"]) == (1, 1)


def test_44_a_lower_case_serial_is_corrected(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.states, "a report")

    listen(config(printer, serial=f" {SERIAL.lower()} "), quick(authority), talk)


def test_43_another_machine_at_the_address_is_refused(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()
    printer.show_certificate_of("01P00A000000002")

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.link.state.link == "cert_mismatch", "the refusal")
        printer.show_certificate_of(SERIAL)
        await it.until(lambda: it.link.state.link == "online", "the right machine again")

    listen(config(printer), quick(authority), talk)


def test_a_certificate_of_another_authority_is_refused(
    make_any_printer: MakePrinter, tmp_path: Path
) -> None:
    printer = make_any_printer()
    stranger = Authority(tmp_path / "stranger")

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.link.state.link == "cert_mismatch", "the refusal")
        assert it.reports == []

    listen(config(printer), quick(stranger), talk)


def test_45_a_changed_access_code_is_said_and_not_hammered(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.states, "a report")
        printer.change_code("87654321")
        await it.until(lambda: it.link.state.link == "auth", "the refusal")
        assert "access code" in it.link.state.text
        connects = it.link.state.connects
        printer.change_code(CODE)
        await it.until(lambda: it.link.state.link == "online", "the right code again")
        assert it.link.state.connects == connects + 1

    listen(config(printer), quick(authority, bambu_auth_wait=1.0), talk)


def test_44_a_wrong_serial_that_stays_silent_is_said(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()
    printer.answers, printer.quiet = False, True

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.link.state.link == "wrong_serial", "the alarm")
        assert "serial" in it.link.state.text

    listen(config(printer), quick(authority), talk)


def test_46_after_pushing_stop_it_asks_to_go_on(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.states, "a report")
        connects = it.link.state.connects
        printer.stop_pushing()
        await it.until(lambda: printer.asked.get("start"), "the request")
        count = len(it.reports)
        await it.until(lambda: len(it.reports) > count, "a report again")
        assert it.link.state.connects == connects

    listen(config(printer), quick(authority, bambu_reconnect=20), talk)
    assert set(printer.asked) <= ALLOWED


def test_46_a_frozen_broker_ends_in_a_new_connection(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.states, "a report")
        connects = it.link.state.connects
        printer.broker.freeze()
        await it.until(lambda: not it.link.state.connected, "it gives up")
        printer.broker.thaw()
        await it.until(lambda: it.link.state.connects > connects, "a new connection", 30)
        await it.until(lambda: it.link.state.link == "online", "reports again")

    listen(config(printer), quick(authority), talk)


def test_a_reboot_is_a_new_connection_with_a_full_report(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.states, "a report")
        printer.stop()
        await it.until(lambda: it.heard[-1].raw is None, "the news that it is gone")
        await it.until(lambda: it.link.state.link in ("offline", "flapping"), "it is said")
        printer.start()
        await it.until(lambda: it.states == ["IDLE", "IDLE"], "the full report again")

    listen(config(printer), quick(authority), talk)


def test_47_garbage_reaches_the_inbox_and_harms_nothing(
    make_any_printer: MakePrinter, authority: Authority
) -> None:
    printer = make_any_printer()
    bad = (b"\xff\xfe\x00", b'{"print": {"gcode_st', b"", b"x" * 300_000)

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.states, "a report")
        for payload in bad:
            printer.say_raw(payload)
        await it.until(lambda: sum(h.raw in bad for h in it.heard) == len(bad), "the garbage")
        assert it.link.is_alive
        assert it.link.state.connected

    listen(config(printer), quick(authority, bambu_silence=30, bambu_reconnect=60), talk)


@pytest.fixture
def unreachable(authority: Authority) -> Iterator[PrinterConfig]:
    """An address where something listens that is no printer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield PrinterConfig.model_validate(
            {"serial": SERIAL, "host": "127.0.0.1", "port": server.getsockname()[1]}
        )


def test_a_deaf_address_is_offline(unreachable: PrinterConfig, authority: Authority) -> None:
    nobody = unreachable.model_copy(update={"port": 1})

    async def talk(it: Listening) -> None:
        await it.until(lambda: it.link.state.link == "offline", "offline")

    listen(nobody, quick(authority), talk)


def test_55_a_flood_stays_within_bounds() -> None:
    async def flood() -> None:
        inbox = Inbox()
        for _ in range(2_000):
            inbox.put(Heard(clock.now(), b"x" * 25_000))
        items = await inbox.take(1.0)
        assert sum(len(item.raw or b"") for item in items) <= 16_000_000
        assert items[0].raw is None, "a new start: what came before is no whole story"
        assert inbox.dropped > 0

    asyncio.run(flood())


def test_a_watcher_that_is_told_to_stop_has_not_failed(
    make_printer: MakePrinter, tmp_path: Path
) -> None:
    printer = make_printer(SERIAL)
    settings = quick(printer.authority)
    store = Store(tmp_path / "bridge.db", clock.steady)
    about = {"version": "1", "host": "h"}

    async def run() -> None:
        heard = asyncio.Event()
        bridge = Bridge(settings, store, about, card_news=heard.set)
        watcher = BambuWatcher(config(printer), bridge)
        task = asyncio.create_task(watcher.run())
        await asyncio.wait_for(heard.wait(), 20)
        watcher.stop()
        for thread in threading.enumerate():  # its network thread is gone before it looks again
            if thread.name == f"mqtt {SERIAL}":
                thread.join(10)
        await task

    asyncio.run(run())
    store.close()
