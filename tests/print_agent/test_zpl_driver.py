"""The Zebra driver over real sockets, against the virtual printer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from print_agent.domain import Health, Reading
from print_agent.drivers import open_driver
from print_agent.drivers.base import Order, SendError
from print_agent.drivers.zpl import Zpl
from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers
from tests.takt.processes import wait_for

LABEL = b"^XA^FO20,20^A0N,30,30^FDHello^FS^XZ"


@contextmanager
def printer(**options: object) -> Iterator[RunningPrinter]:
    spec = Spec("P1", label_s=0.02, **options)  # type: ignore[arg-type]
    with running_printers([spec]) as running:
        yield running["P1"]


@pytest.fixture
def zebra() -> Iterator[RunningPrinter]:
    with printer() as running:
        yield running


def driver(zebra: RunningPrinter) -> Zpl:
    made = open_driver("zpl", zebra.address, Path())
    assert isinstance(made, Zpl)
    return made


def look(made: Zpl) -> Reading:
    return asyncio.run(made.status())


def order(payload: bytes, may_go: Callable[[], bool] = lambda: True) -> tuple[Order, list[str]]:
    written: list[str] = []

    async def first() -> None:
        written.append("first")

    return Order(payload, first, may_go), written


def send(made: Zpl, payload: bytes, may_go: Callable[[], bool] = lambda: True) -> int:
    return asyncio.run(made.send(order(payload, may_go)[0]))


def test_a_healthy_printer_says_everything(zebra: RunningPrinter) -> None:
    made = driver(zebra)
    reading = look(made)
    assert (reading.health, reading.faults, reading.partial) == (Health.IDLE, (), False)
    assert (reading.formats, reading.remaining, reading.odometer, reading.dpi) == (0, 0, 1000, 203)
    assert reading.uptime_s is not None
    assert reading.unique_id == "D2J230000001"
    assert reading.openings == 0
    assert made.evidence_level == 2
    assert made.capabilities["model"] == "ZTC ZD421-203dpi ZPL"
    assert look(made).health is Health.IDLE


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
@pytest.mark.parametrize("talks", [False, True])
def test_every_fault_has_a_word_whether_hs_talks_or_not(fault: str, word: str, talks: bool) -> None:
    with printer(hs_talks_in_fault=talks) as zebra:
        made = driver(zebra)
        zebra.strike(fault)
        reading = look(made)
        assert (reading.health, reading.faults) == (Health.FAULT, (word,))
        assert not reading.may_claim
        zebra.do(lambda device: device.clear())
        assert look(made).health is Health.IDLE


def test_an_old_printer_without_extended_status_is_silent_in_a_fault() -> None:
    with printer(answers_hqes=False) as zebra:
        made = driver(zebra)
        assert look(made).health is Health.IDLE
        assert made.capabilities["extended_status"] is False
        zebra.strike("head_open")
        reading = look(made)
        assert (reading.health, reading.detail) == (Health.UNREADABLE, "no answer to ~HS")
        assert not reading.silent  # it still says who it is


def test_a_printer_without_counter_is_level_1() -> None:
    with printer(answers_sgd=False) as zebra:
        made = driver(zebra)
        reading = look(made)
        assert (reading.health, reading.odometer, reading.dpi) == (Health.IDLE, None, 203)
        assert made.evidence_level == 1


@pytest.mark.parametrize(("dpi", "inches"), [(203, False), (300, False), (600, True), (300, True)])
def test_the_resolution_is_read_in_both_dialects(dpi: int, inches: bool) -> None:
    with printer(dpi=dpi, hi_gives_dpi=inches) as zebra:
        assert look(driver(zebra)).dpi == dpi


def test_a_resolution_that_cannot_be_read_stops_and_is_never_guessed() -> None:
    with printer(dpi_unreadable=True) as zebra:
        reading = look(driver(zebra))
        assert reading.dpi is None
        assert (reading.status, reading.reasons) == ("stopped", ("resolution-unknown",))
        assert not reading.may_claim


def test_another_resolution_is_noticed_at_the_next_look(zebra: RunningPrinter) -> None:
    made = driver(zebra)
    assert look(made).dpi == 203
    zebra.do(lambda device: device.spec.change({"dpi": 300}))
    assert look(made).dpi == 300


def test_another_machine_on_the_address_is_not_a_printer(zebra: RunningPrinter) -> None:
    zebra.strike("ssh")
    made = driver(zebra)
    reading = look(made)
    assert (reading.health, reading.reasons) == (Health.FOREIGN, ("not-a-printer",))
    assert reading.detail.startswith("SSH-2.0")
    assert zebra.paper == []


def test_another_language_is_silence_and_is_not_asked_often(zebra: RunningPrinter) -> None:
    zebra.strike("wrong_language")
    reading = look(driver(zebra))
    assert (reading.health, reading.silent) == (Health.UNREADABLE, True)


def test_refused_is_unreachable(zebra: RunningPrinter) -> None:
    zebra.strike("refuse")
    reading = look(driver(zebra))
    assert (reading.health, reading.detail) == (Health.UNREACHABLE, "the connection was refused")


@pytest.mark.parametrize("fault", ["garbage", "two_frames", "wrong_counts", "cut"])
def test_a_malformed_answer_is_unreadable_never_healthy(zebra: RunningPrinter, fault: str) -> None:
    made = driver(zebra)
    assert look(made).health is Health.IDLE
    zebra.strike(fault, command="~HS")
    assert look(made).health is Health.UNREADABLE
    zebra.do(lambda device: device.clear())
    assert look(made).health is Health.IDLE


def test_a_late_answer_is_not_taken_for_the_next_one(zebra: RunningPrinter) -> None:
    made = driver(zebra)
    zebra.strike("late", command="~HQES", delay_s=2.3, times=1)
    reading = look(made)
    # It came when ~HS was asked, on a line of its own: ~HS was read as ~HS.
    assert (reading.health, reading.odometer) == (Health.IDLE, 1000)
    zebra.strike("paused")
    assert look(made).faults == ("paused",)


@pytest.mark.parametrize("second", ["queue", "refuse"])
def test_a_label_comes_out_and_is_counted(second: str) -> None:
    with printer(second_connection=second) as zebra:
        made = driver(zebra)
        before = look(made)
        assert send(made, LABEL * 3) == len(LABEL) * 3
        wait_for(lambda: len(zebra.paper) == 3, "three labels")
        after = look(made)
        assert after.odometer is not None
        assert before.odometer is not None
        assert after.odometer - before.odometer == 3


def test_while_it_prints_it_is_busy() -> None:
    with printer() as zebra:
        made = driver(zebra)
        zebra.do(lambda device: device.spec.change({"label_s": 0.4}))
        send(made, LABEL * 5)
        reading = look(made)
        assert reading.health is Health.BUSY
        assert (reading.formats or 0) + (reading.remaining or 0) > 0


def test_half_a_label_shows_and_can_be_thrown_away(zebra: RunningPrinter) -> None:
    made = driver(zebra)
    look(made)
    send(made, LABEL[:20])
    reading = look(made)
    assert (reading.partial, reading.odometer) == (True, None)  # a question would be swallowed
    asyncio.run(made.abort())
    assert look(made).partial is False
    send(made, LABEL)
    wait_for(lambda: zebra.paper, "the whole label")
    assert zebra.paper[0].zpl.encode() == LABEL


def test_nothing_leaves_without_permission(zebra: RunningPrinter) -> None:
    made = driver(zebra)
    with pytest.raises(SendError) as caught:
        send(made, LABEL, lambda: False)
    assert caught.value.handed == 0
    assert look(made).partial is False
    assert zebra.paper == []


def test_a_permission_that_ends_stops_in_the_middle(zebra: RunningPrinter) -> None:
    made = driver(zebra)
    asked: list[bool] = []

    def twice() -> bool:
        asked.append(True)
        return len(asked) <= 2

    with pytest.raises(SendError, match="time to send was over") as caught:
        send(made, b"^XA^FX" + b"x" * 100_000 + b"^XZ", twice)
    assert 0 < caught.value.handed < 100_000
    assert zebra.paper == []


def test_nobody_there_is_certainly_no_byte(zebra: RunningPrinter) -> None:
    zebra.strike("refuse")
    made = driver(zebra)
    wanted, written = order(LABEL)
    with pytest.raises(SendError, match="refused") as caught:
        asyncio.run(made.send(wanted))
    assert caught.value.handed == 0
    assert written == []


def test_a_reset_in_the_middle_knows_that_bytes_have_left(zebra: RunningPrinter) -> None:
    made = driver(zebra)
    zebra.strike("reset", after_bytes=20, times=1)
    with pytest.raises(SendError) as caught:
        send(made, b"^XA^FX" + b"x" * 5_000_000 + b"^XZ")
    assert caught.value.handed > 0


def test_a_printer_that_takes_nothing_is_left_after_a_while(
    zebra: RunningPrinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("print_agent.drivers.line.PROGRESS", 0.3)
    zebra.strike("half_open", after_bytes=10)
    with pytest.raises(SendError, match="took no byte") as caught:
        send(driver(zebra), b"^XA^FX" + b"x" * 30_000_000 + b"^XZ")
    assert 0 < caught.value.handed < 30_000_000


def test_the_first_byte_waits_for_what_must_be_written_first(zebra: RunningPrinter) -> None:
    made = driver(zebra)
    seen: list[tuple[int, object]] = []

    async def first() -> None:
        seen.append((len(zebra.paper), zebra.state["is_partial"]))

    asyncio.run(made.send(Order(LABEL, first, lambda: True)))
    assert seen == [(0, False)]


def test_a_printer_that_hangs_up_after_each_answer() -> None:
    """A server of our own: one answer per connection."""
    answers = {
        b"~HI": b"\x02clone,V1,12,8192KB\x03\r\n",
        b"~HS": b"\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n"
        b"\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n",
        b"~HQ": b"\x02\r\n PRINTER STATUS\r\n ERRORS: 0 00000000 00000000\r\n"
        b" WARNINGS: 0 00000000 00000000\r\n\x03",
        b"! U": b'"?"',
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read(200)
        writer.write(answers.get(asked[:3], b""))
        await writer.drain()
        writer.close()

    async def main() -> Reading:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        made = open_driver("zpl", f"127.0.0.1:{port}", Path())
        async with server:
            return await made.status()

    reading = asyncio.run(main())
    assert (reading.health, reading.dpi, reading.odometer) == (Health.IDLE, 300, None)


def test_a_sender_that_is_cut_off_leaves_nothing_in_the_kernel() -> None:
    """Closing in the middle resets the line: the rest must not print while others decide."""
    received: list[int] = []
    pieces: list[int] = []

    async def main() -> None:
        midway, gone, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await gone.wait()  # nothing is read until the sender has gone
            try:
                while data := await reader.read(65_536):
                    received.append(len(data))
            except ConnectionResetError:
                received.append(-1)
            writer.close()
            done.set()

        def may_go() -> bool:
            pieces.append(1)
            if len(pieces) == 10:
                midway.set()
            return True

        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1024)
        host, port = server.sockets[0].getsockname()
        made = open_driver("zpl", f"{host}:{port}", Path())
        sending = asyncio.create_task(made.send(order(b"x" * 50_000_000, may_go)[0]))
        await midway.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        gone.set()
        await asyncio.wait_for(done.wait(), 20)
        server.close()

    asyncio.run(main())
    assert received[-1] == -1
    assert sum(received) < 50_000_000
