"""What a Zebra says, held against the strings of the vendor's documentation, written out here."""

from __future__ import annotations

import re

import pytest

from tests.printer.bench import Bench, label

# Programming guide, ~HS: <STX>aaa,b,c,dddd,eee,f,g,h,iii,j,k,l<ETX><CR><LF> and so on.
HS = re.compile(
    rb"\x02(?P<aaa>\d{3}),(?P<b>\d),(?P<c>\d),(?P<dddd>\d{4}),(?P<eee>\d{3}),(?P<f>\d),(?P<g>\d),"
    rb"(?P<h>\d),(?P<iii>\d{3}),(?P<j>\d),(?P<k>\d),(?P<l>\d)\x03\r\n"
    rb"\x02(?P<mmm>\d{3}),(?P<n>\d),(?P<o>\d),(?P<p>\d),(?P<q>\d),(?P<r>\d),(?P<s>\d),(?P<t>\d),"
    rb"(?P<uuuuuuuu>\d{8}),(?P<v>\d),(?P<www>\d{3})\x03\r\n"
    rb"\x02(?P<xxxx>\d{4}),(?P<y>\d)\x03\r\n"
)


def status(bench: Bench) -> dict[str, int]:
    found = HS.fullmatch(bench.send(b"~HS"))
    assert found is not None
    return {name: int(value) for name, value in found.groupdict().items()}


def test_host_status_of_an_idle_printer_byte_for_byte() -> None:
    assert Bench.make(height_mm=60.0).send(b"~HS") == (
        b"\x02030,0,0,0480,000,0,0,0,000,0,0,0\x03\r\n"
        b"\x02001,0,0,0,1,2,4,0,00000000,1,000\x03\r\n"
        b"\x021234,0\x03\r\n"
    )


def test_host_status_counts_formats_and_labels() -> None:
    bench = Bench.make()
    bench.send(label("A", "^PQ3") + label("B") + label("C"))
    assert (status(bench)["eee"], status(bench)["uuuuuuuu"]) == (2, 3)
    bench.wait(1)
    assert (status(bench)["eee"], status(bench)["uuuuuuuu"]) == (2, 2)
    bench.wait(2)
    assert (status(bench)["eee"], status(bench)["uuuuuuuu"]) == (1, 1)
    bench.wait(2)
    assert (status(bench)["eee"], status(bench)["uuuuuuuu"]) == (0, 0)
    assert bench.serials == ["A", "A", "A", "B", "C"]


def test_the_fields_that_stand_for_states_are_where_the_guide_has_them() -> None:
    bench = Bench.make(hs_talks_in_fault=True)
    for fault, field in {
        "paper_out": "b",
        "paused": "c",
        "over_temp": "l",
        "head_open": "o",
        "ribbon_out": "p",
    }.items():
        bench.strike(fault)
        assert status(bench)[field] == 1, fault
        bench.zebra.clear()
        assert status(bench)[field] == 0, fault
    bench.send(b"^XA^LL812^FDhalf")
    assert status(bench)["h"] == 1
    bench.send(b"^FS^XZ")
    assert (status(bench)["h"], status(bench)["dddd"]) == (0, 812)


@pytest.mark.parametrize("fault", ["paper_out", "ribbon_out", "head_open", "over_temp"])
def test_host_status_is_silence_in_a_fault_but_the_printer_lives(fault: str) -> None:
    bench = Bench.make()
    bench.strike(fault)
    assert bench.send(b"~HS") == b""
    assert bench.getvar("device.host_status") == b""
    assert bench.send(b"~HI").startswith(b"\x02")
    assert bench.getvar("odometer.total_label_count") == b'"1000"'
    bench.zebra.clear()
    assert HS.fullmatch(bench.send(b"~HS"))


def test_a_paused_printer_answers() -> None:
    bench = Bench.make()
    bench.strike("paused")
    assert status(bench)["c"] == 1


def test_the_error_query_byte_for_byte() -> None:
    # As recorded from printers: a title, two lines, no CR LF after ETX.
    bench = Bench.make()
    assert bench.send(b"~HQES") == (
        b"\x02\r\n\r\n"
        b"  PRINTER STATUS                            \r\n"
        b"   ERRORS:         0 00000000 00000000      \r\n"
        b"   WARNINGS:       0 00000000 00000000      \r\n"
        b"\x03"
    )


@pytest.mark.parametrize(
    ("faults", "group"),
    [
        # Programming guide, table of error flags: nibble 1 media 1, ribbon 2, head 4;
        # nibble 2 head too hot 1; "1 00000000 00000005" is head open and media out.
        (["paper_out"], b"00000001"),
        (["ribbon_out"], b"00000002"),
        (["head_open"], b"00000004"),
        (["over_temp"], b"00000010"),
        (["head_open", "paper_out"], b"00000005"),
        (["paused"], b"00010000"),
        (["paused", "head_open"], b"00010004"),  # recorded
    ],
)
def test_the_error_bits(faults: list[str], group: bytes) -> None:
    bench = Bench.make()
    for fault in faults:
        bench.strike(fault)
    assert b"ERRORS:         1 00000000 " + group in bench.send(b"~HQES")


def test_an_unsupported_query_is_ignored_without_a_word() -> None:
    bench = Bench.make(answers_hqes=False)
    assert bench.send(b"~HQES") == b""
    assert bench.send(b"~HQZZ~XX") == b""
    assert bench.send(b"~HI") != b""


@pytest.mark.parametrize(("dpi", "dots"), [(203, 8), (300, 12), (600, 24)])
def test_host_identification(dpi: int, dots: int) -> None:
    # Guide: XXXXXX,V1.0.0,dpm,000KB,X; dpm is 6, 8, 12 or 24 dots per mm.
    bench = Bench.make(dpi=dpi, model="ZTC ZD421 ZPL", firmware="V93.21.26Z")
    assert bench.send(b"~HI") == f"\x02ZTC ZD421 ZPL,V93.21.26Z,{dots},8192KB\x03\r\n".encode()
    assert bench.getvar("head.resolution.in_dpi") == f'"{dpi}"'.encode()


def test_printers_that_tell_their_resolution_otherwise_or_not_at_all() -> None:
    assert b",300,8192KB" in Bench.make(dpi=300, hi_gives_dpi=True).send(b"~HI")
    secret = Bench.make(dpi_unreadable=True)
    assert b",,8192KB" in secret.send(b"~HI")
    assert secret.getvar("head.resolution.in_dpi") == b'"?"'


def test_memory_odometer_serial_and_configuration() -> None:
    bench = Bench.make(height_mm=50.8)
    assert re.fullmatch(rb"\x02\d+,\d+,\d+\x03\r\n", bench.send(b"~HM"))
    # Length, not labels: 1000 labels of 2 inches.
    assert b'   TOTAL NONRESETTABLE:           2000 "' in bench.send(b"~HQOD")
    assert b"   XXZKJ181100602 " in bench.send(b"~HQSN")
    shown = bench.send(b"^XA^HH^XZ")
    assert shown.startswith(b"\x02  +10.0               DARKNESS          \r\n")
    assert b"  TEAR OFF            PRINT MODE        \r\n" in shown
    assert shown.endswith(b"\x03\r\n")
    assert bench.serials == []


def test_uptime_in_the_words_of_the_guide() -> None:
    bench = Bench.make()
    bench.clock.seconds += 2 * 3600 + 45 * 60 + 30
    assert bench.getvar("device.uptime") == b'"00 days 02 hours 45 mins 30 secs"'
    bench.clock.seconds += 86400
    assert bench.getvar("device.uptime") == b'"01 days 02 hours 45 mins 30 secs"'


def test_variables_are_quoted_without_a_line_end_and_unknown_ones_are_a_question_mark() -> None:
    bench = Bench.make()
    assert bench.getvar("odometer.total_label_count") == b'"1000"'
    assert bench.getvar("device.unique_id") == b'"XXZKJ181100602"'
    assert bench.getvar("no.such_thing") == b'"?"'
    assert bench.getvar("device.host_identification").startswith(b'"ZTC ')
    assert (bench.getvar("media.status"), bench.getvar("head.latch")) == (b'"ok"', b'"ok"')
    bench.strike("head_open")
    # Guide: "1,1,00000000,00000004" is paused and the head open.
    bench.strike("paused")
    assert bench.getvar("zpl.system_error") == b'"1,1,00000000,00000004"'
    assert bench.getvar("zpl.system_status") == b'"1,1,00000000,00000004,0,00000000,00000000"'
    assert bench.getvar("head.latch") == b'"open"'


def test_a_printer_without_set_get_do_says_nothing() -> None:
    assert Bench.make(answers_sgd=False).getvar("device.uptime") == b""


def test_set_and_do() -> None:
    bench = Bench.make()
    assert bench.send(b'! U1 setvar "device.friendly_name" "Bench 1"\r\n') == b""
    assert bench.getvar("device.friendly_name") == b'"Bench 1"'
    bench.send(label("A") + label("B") + label("C"))
    bench.send(b'! U1 do "formats.cancel_all" ""\r\n')
    bench.wait(5)
    assert bench.serials == ["A"]
    bench.send(b'! U1 setvar "device.reset" ""\r\n')
    assert bench.getvar("device.uptime") == b'"00 days 00 hours 00 mins 00 secs"'


def test_several_commands_in_one_packet_and_inside_a_format() -> None:
    bench = Bench.make()
    answer = bench.send(b'^XA^FO1,1^FDone~HS^FS~HI^XZ~HS! U1 getvar "device.unique_id"\r\n')
    first, second = list(HS.finditer(answer))
    assert (first["h"], second["h"]) == (b"1", b"0")
    assert answer.endswith(b'"XXZKJ181100602"')
    bench.wait(1)
    assert bench.serials == ["one"]


def test_several_faults_of_replies_at_once_do_not_end_the_printer() -> None:
    bench = Bench.make()
    for fault in ("garbage", "two_frames", "wrong_counts", "cut"):
        bench.strike(fault)
    _, said = bench.zebra.line.distort("~HS", bench.send(b"~HS"))
    assert said
    assert HS.fullmatch(said) is None
