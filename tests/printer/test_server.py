"""The printer on the network: real sockets, and every fault that a line can have."""

from __future__ import annotations

import json
import socket

import pytest

from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers
from tests.printer.bench import Client, label
from tests.takt.processes import wait_for

HS_END = b"\x03\r\n"


def serials(printer: RunningPrinter) -> list[str]:
    return ["".join(paper.texts) for paper in printer.paper]


def comes_out(printer: RunningPrinter, *wanted: str) -> None:
    wait_for(lambda: serials(printer) == list(wanted), f"{wanted} on the paper")


def odometer(client: Client) -> bytes:
    return client.ask(b'! U1 getvar "odometer.total_label_count"\r\n', b'"', 2)


def test_a_job_and_its_evidence(printer: RunningPrinter) -> None:
    with Client(printer.port) as client:
        assert odometer(client) == b'"1000"'
        client.send(label("A", "^PQ3"))
        assert client.rest() == b""  # it closes once we have
    comes_out(printer, "A", "A", "A")
    with Client(printer.port) as client:
        assert odometer(client) == b'"1003"'
        assert client.ask(b"~HS", HS_END, 3).endswith(b"\x021234,0\x03\r\n")


def test_bytes_one_by_one(printer: RunningPrinter) -> None:
    with Client(printer.port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in label("A") + b"~HI":
            client.send(bytes([byte]))
        assert client.until(HS_END).startswith(b"\x02ZTC")
    comes_out(printer, "A")


def test_half_a_format_outlives_its_connection(printer: RunningPrinter) -> None:
    with Client(printer.port) as client:
        client.send(b"^XA^FO1,1^FDhalf")
        client.rest()
    with Client(printer.port) as client:
        assert b",000,0,0,1,000," in client.ask(b"~HS", HS_END, 3)
        client.send(b"~JA" + label("B"))
        client.rest()
    comes_out(printer, "B")


def test_a_firmware_that_forgets_half_a_format(printer: RunningPrinter) -> None:
    printer.do(lambda device: device.spec.change({"partial_survives": False}))
    with Client(printer.port) as client:
        client.send(b"^XA^FO1,1^FDhalf")
        client.rest()
    wait_for(lambda: not printer.state["is_partial"], "it is forgotten")


# -- the line -------------------------------------------------------------------------------------


def test_refused_and_let_in_again_at_the_same_port(printer: RunningPrinter) -> None:
    printer.strike("refuse")
    wait_for(lambda: not _connects(printer), "it refuses")
    printer.do(lambda device: device.clear())
    wait_for(lambda: _connects(printer), "it listens again")
    assert printer.state["line"] == []


def _connects(printer: RunningPrinter) -> bool:
    try:
        Client(printer.port).socket.close()
    except ConnectionRefusedError:
        return False
    return True


def test_the_line_breaks_after_a_number_of_labels(printer: RunningPrinter) -> None:
    printer.strike("refuse", after_labels=2)
    with Client(printer.port) as client:
        client.send(label("A") + label("B"))
        client.rest()
    wait_for(lambda: not _connects(printer), "it refuses")


def test_accepted_and_never_read(printer: RunningPrinter) -> None:
    printer.strike("deaf", times=1)
    with Client(printer.port, 0.2) as client:
        client.send(label("lost"))  # goes into the kernel's buffer, and nothing tells of it
        client.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        with Client(printer.port) as second:  # used up: the next one is heard
            second.send(label("B"))
            second.rest()
        comes_out(printer, "B")


def test_a_slow_reader(printer: RunningPrinter) -> None:
    printer.strike("slow_read", rate=100_000)
    with Client(printer.port) as client:
        client.send(label("A") * 50)
        client.rest()
    comes_out(printer, *["A"] * 50)


def test_reset_in_the_middle_of_a_format(printer: RunningPrinter) -> None:
    printer.strike("reset", after_bytes=len(label("A")) + 20, times=1)
    with Client(printer.port) as client:
        client.send(label("A") + label("B"))
        with pytest.raises(ConnectionResetError):
            client.until(b"never")
    comes_out(printer, "A")
    assert printer.state["is_partial"] is True


def test_an_early_end_of_the_printers_side(printer: RunningPrinter) -> None:
    printer.strike("early_fin", after_bytes=len(label("A")), times=1)
    with Client(printer.port) as client:
        client.send(label("A"))
        assert client.socket.recv(1) == b""  # FIN, though we may go on sending
        client.send(label("B"))
    with Client(printer.port) as client:
        client.send(label("C"))
        client.rest()
    comes_out(printer, "A", "C")


def test_a_half_open_connection_says_nothing_more_and_does_not_close(
    printer: RunningPrinter,
) -> None:
    printer.strike("half_open", after_bytes=5, times=1)
    with Client(printer.port, 0.2) as client:
        client.send(b"~HI12")
        client.until(HS_END)
        client.send(b"~HI")
        with pytest.raises(TimeoutError):
            client.until(HS_END)
        printer.do(lambda device: device.power_cycle())
        client.socket.settimeout(10)
        with pytest.raises(ConnectionResetError):
            client.until(HS_END)


def test_a_fault_also_meets_the_connection_that_is_open(printer: RunningPrinter) -> None:
    with Client(printer.port) as client:
        client.ask(b"~HI")
        printer.strike("reset")
        with pytest.raises(ConnectionResetError):
            client.until(b"never")


def test_the_second_connection_waits(printer: RunningPrinter) -> None:
    with Client(printer.port) as first, Client(printer.port) as second:
        first.ask(b"~HI")
        second.send(b"~HI")
        second.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            second.socket.recv(1)
        first.socket.close()
        second.socket.settimeout(10)
        assert second.until(HS_END).startswith(b"\x02ZTC")


def test_the_second_connection_is_refused() -> None:
    with running_printers([Spec("z1", second_connection="refuse")]) as printers:
        printer = printers["z1"]
        with Client(printer.port) as first:
            first.ask(b"~HI")
            assert not _connects(printer)
        wait_for(lambda: _connects(printer), "the next one is let in")


def test_another_machine_has_the_address(printer: RunningPrinter) -> None:
    printer.strike("ssh")
    with Client(printer.port) as client:
        assert client.until(b"\r\n").startswith(b"SSH-2.0-")
        client.send(b"~HI\r\n")
        assert b"SSH identification" in client.until(b"\r\n")
        assert client.socket.recv(1) == b""
    assert printer.paper == []


def test_the_wrong_language_prints_commands_as_text(printer: RunningPrinter) -> None:
    printer.strike("wrong_language")
    with Client(printer.port) as client:
        client.send(b"~HS\r\n")
        assert client.rest() == b""
    assert [(paper.kind, paper.source) for paper in printer.paper] == [("text", b"~HS\r\n")]


# -- replies --------------------------------------------------------------------------------------


def test_two_frames_of_three(printer: RunningPrinter) -> None:
    printer.strike("two_frames")
    with Client(printer.port) as client:
        client.send(b"~HS")
        assert client.rest().count(HS_END) == 2


def test_a_frame_with_a_field_too_few(printer: RunningPrinter) -> None:
    printer.strike("wrong_counts")
    with Client(printer.port) as client:
        frames = client.ask(b"~HS", HS_END, 3).split(HS_END)
    assert [len(frame.split(b",")) for frame in frames[:3]] == [11, 11, 2]


@pytest.mark.parametrize(("fault", "length"), [("silent", 0), ("cut", 20)])
def test_less_than_an_answer(printer: RunningPrinter, fault: str, length: int) -> None:
    printer.strike(fault, command="~HI", times=1)
    with Client(printer.port) as client:
        client.send(b"~HI")
        client.send(b'! U1 getvar "device.unique_id"\r\n')
        assert client.until(b'"D2J230000001"').index(b'"D2J') == pytest.approx(length, abs=2)
        assert client.ask(b"~HI").startswith(b"\x02ZTC")


def test_garbage(printer: RunningPrinter) -> None:
    printer.strike("garbage", times=1)
    with Client(printer.port) as client:
        client.send(b"~HS")
        garbage = client.rest()
    assert garbage
    assert b"\x02" not in garbage


def test_a_late_answer_comes_before_that_of_the_next_question(printer: RunningPrinter) -> None:
    printer.strike("late", delay_s=2.0, times=1)
    with Client(printer.port, 0.1) as client:
        client.send(b"~HI")
        with pytest.raises(TimeoutError):
            client.until(HS_END)
        client.socket.settimeout(10)
        late, answer, _ = client.ask(b"~HM", HS_END, 2).split(HS_END)
    assert late.startswith(b"\x02ZTC")  # not what was asked last
    assert answer.startswith(b"\x028192,")


def test_a_late_answer_never_reaches_another_connection(printer: RunningPrinter) -> None:
    printer.strike("late", delay_s=0.2, times=1)
    with Client(printer.port) as client:
        client.send(b"~HI")
    with Client(printer.port) as client:
        assert client.ask(b"~HM").startswith(b"\x028192,")


# -- power, buffer, alerts, JSON ------------------------------------------------------------------


def test_switched_off_and_on(printer: RunningPrinter) -> None:
    with Client(printer.port) as client:
        client.ask(b"~HI")
        printer.do(lambda device: device.power_off())
        with pytest.raises(ConnectionResetError):
            client.until(b"never")
    wait_for(lambda: not _connects(printer), "it is off")
    printer.do(lambda device: device.power_on())
    wait_for(lambda: _connects(printer), "it is on")
    with Client(printer.port) as client:
        assert client.ask(b'! U1 getvar "device.uptime"\r\n', b'"', 2).startswith(b'"00 days 00')


def test_a_reset_by_command_ends_the_connection(printer: RunningPrinter) -> None:
    with Client(printer.port) as client:
        client.send(b"~JR~HI")
        with pytest.raises(ConnectionResetError):
            client.until(b"never")
    with Client(printer.port) as client:
        client.ask(b"~HI")


def test_a_full_buffer_is_not_read_any_further(printer: RunningPrinter) -> None:
    one = label("A")
    printer.do(lambda device: device.spec.change({"buffer_bytes": 10_000, "label_s": 0.001}))
    printer.strike("paper_out")
    with Client(printer.port) as client:
        client.send(one * 1000)  # the rest stays in the kernel, which the sender cannot see
        full = -(-10_000 // len(one))
        wait_for(lambda: printer.state["formats"] >= full, "the buffer is full")
        assert printer.state["formats"] <= full + 4096 // len(one) + 1
        printer.do(lambda device: device.load())
        client.rest()
    wait_for(lambda: len(printer.paper) == 1000, "all of it, once there is paper", 60)


def test_alerts_are_pushed(printer: RunningPrinter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Client(printer.port) as client:
        listener.settimeout(10)
        port = listener.getsockname()[1]
        client.send(f"^XA^SXK,D,Y,N,127.0.0.1,{port}^XZ".encode() + label("A"))
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            message = connection.makefile("rb").readline()
    assert message.startswith(b"ALERT: PQ JOB COMPLETED [")
    assert message.endswith(b"[D2J230000001]\r\n")


def test_json_on_its_own_port_answers_while_it_prints(printer: RunningPrinter) -> None:
    # Guide: {}{"sgd.name":null} returns {"sgd.name":"value"}.
    assert printer.json_port is not None
    printer.strike("paused")
    with Client(printer.port) as raw, Client(printer.json_port) as client:
        raw.send(label("A"))
        raw.ask(b"~HI")
        question = b'{}{"odometer.total_label_count":null, "head.latch":null, "no.such":null}'
        for part in (question[:20], question[20:]):
            client.send(part)
        assert json.loads(client.until(b"}")) == {
            "odometer.total_label_count": "1000",
            "head.latch": "ok",
            "no.such": "?",
        }
        with Client(printer.json_port) as second:
            answer = second.ask(b'~HI^XA^XZ{}{"device.unique_id":null}', b"}")
            assert answer == b'{"device.unique_id": "D2J230000001"}'  # and not a word to ~HI
    assert printer.state["conditions"] == ["paused"]


def test_json_writes_and_is_silent_about_host_status_in_a_fault(printer: RunningPrinter) -> None:
    assert printer.json_port is not None
    printer.strike("head_open")
    with Client(printer.json_port) as client:
        client.send(b'{}{"device.friendly_name":"Bench", "device.host_status":null}')
        assert json.loads(client.until(b"}")) == {"device.friendly_name": "Bench"}
        client.send(b'{}{"allvalues":null}')
        values = json.loads(client.until(b"}}"))["allvalues"]
        assert values["head.latch"] == "open"
