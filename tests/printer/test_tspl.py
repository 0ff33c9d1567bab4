"""The TSC twin: TSPL status as the manual has it, and the same mechanics underneath."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.printer.tspl import TsplParser
from services.simulator.printer.tspl_picture import to_zpl
from tests.printer.bench import TsplBench

LABEL = (
    b"SIZE 100 mm,60 mm\r\nGAP 3 mm,0\r\nCLS\r\n"
    b'TEXT 50,50,"3",0,1,1,"Zo\xc3\xab \\["]x\\["]"\r\nBARCODE 50,100,"128",96,1,0,2,2,"A-1"\r\n'
)


def drawn(serial: str) -> bytes:
    return f'CLS\r\nTEXT 1,1,"3",0,1,1,"{serial}"\r\n'.encode()


def test_status_is_eight_bytes_and_answers_in_every_state() -> None:
    # Manual: <STX>[4-byte status]<ETX><CR><LF>; `@` normal, `E` error, `A` paper empty.
    bench = TsplBench.make()
    assert bench.send(b"\x1b!S") == b"\x02@@@@\x03\r\n"
    bench.strike("paper_out")
    assert bench.send(b"\x1b!S") == b"\x02E@@A\x03\r\n"


@pytest.mark.parametrize(
    ("fault", "four", "one"),
    [
        ("paused", b"`@@@", 0x10),
        ("paper_out", b"E@@A", 0x04),
        ("ribbon_out", b"E@@D", 0x08),
        ("head_open", b"E@@`", 0x01),
        ("over_temp", b"E@A@", 0x80),
    ],
)
def test_the_status_bytes(fault: str, four: bytes, one: int) -> None:
    bench = TsplBench.make()
    assert bench.send(b"\x1b!?") == b"\x00"
    bench.strike(fault)
    assert bench.send(b"\x1b!S") == b"\x02" + four + b"\x03\r\n"
    assert bench.send(b"\x1b!?") == bytes([one])
    assert bench.send(b"~!@") == b""  # the queries with a tilde answer only when it is ready
    bench.tspl.clear()
    assert bench.send(b"\x1b!S") == b"\x02@@@@\x03\r\n"


def test_status_while_it_prints_and_with_a_full_buffer() -> None:
    bench = TsplBench.make(buffer_bytes=10)
    bench.send(drawn("A") + b"PRINT 1,2\r\n" + drawn("B") + b"PRINT 1\r\n")
    assert bench.send(b"\x1b!S") == b"\x02PH@@\x03\r\n"
    assert bench.send(b"\x1b!?") == b"\x20"
    bench.wait(3)
    assert bench.send(b"\x1b!S") == b"\x02@@@@\x03\r\n"
    assert bench.serials == ["A", "A", "B"]


def test_queries_with_a_tilde() -> None:
    bench = TsplBench.make(odometer=50_000, height_mm=60.0)
    assert bench.send(b"~!@") == b"3\r"  # whole kilometres, not labels
    assert bench.send(b"~!T~!I") == b"TTP-245C\r437, 001\r"
    assert bench.send(b"~!Z") == b""


def test_sets_copies_and_the_image_that_outlives_print() -> None:
    bench = TsplBench.make()
    bench.send(drawn("A") + b"PRINT 2,2\r\n" + b'TEXT 1,99,"3",0,1,1,"B"\r\nPRINT 1\r\n')
    bench.send(b"PRINT 0\r\nPRINT\r\n")
    bench.wait(9)
    assert bench.serials == ["A", "A", "A", "A", "AB", "AB"]


def test_immediate_commands_in_the_middle_of_a_line() -> None:
    bench = TsplBench.make()
    assert bench.send(b'CLS\r\nTEXT 1,1,"3",0,1,1,"A\x1b!SB"\r\nPRINT 1\r\n') != b""
    bench.wait(1)
    assert bench.serials == ["AB"]


def test_pause_go_on_cancel_and_reset() -> None:
    bench = TsplBench.make()
    for serial in "ABC":
        bench.send(drawn(serial) + b"PRINT 1\r\n")
    bench.send(b"\x1b!P")
    bench.wait(9)
    assert bench.serials == ["A"]
    bench.send(b"\x1b!O")
    bench.wait(1)
    bench.send(b"\x1b!.")
    bench.wait(9)
    assert bench.serials == ["A", "B", "C"]
    bench.send(drawn("D") + b"PRINT 9\r\n\x1b!R")
    bench.wait(9)
    assert bench.serials == ["A", "B", "C", "½D"]


def test_reprint_after_error_can_be_switched_off() -> None:
    bench = TsplBench.make()
    for serial, setting in (("A", b""), ("B", b"SET REPRINT OFF\r\n")):
        bench.send(setting + drawn(serial) + b"PRINT 1\r\n")
        bench.wait(0.5)
        bench.strike("head_open")
        bench.tspl.clear()
        bench.wait(5)
    assert bench.serials == ["½A", "A", "½B"]


def test_feeds_and_calibration() -> None:
    bench = TsplBench.make()
    bench.send(b"FORMFEED\r\nHOME\r\nGAPDETECT\r\n")
    assert bench.serials == ["", "", "", ""]


def test_data_that_was_not_quoted_well_becomes_a_command() -> None:
    bench = TsplBench.make()
    bench.send(drawn('A"\r\nPRINT 1\r\nTEXT 1,1,"3",0,1,1,"EVIL') + b"PRINT 1\r\n")
    bench.wait(5)
    assert len(bench.serials) == 2


@given(st.lists(st.integers(1, len(LABEL) - 1), max_size=9))
def test_chunk_borders_do_not_matter(borders: list[int]) -> None:
    cuts = [0, *sorted(borders), len(LABEL)]
    parser, whole = TsplParser(), TsplParser()
    found = [c for a, b in itertools.pairwise(cuts) for c in parser.feed(LABEL[a:b])]
    assert found == list(whole.feed(LABEL))


def test_a_bitmap_may_hold_anything() -> None:
    parser = TsplParser()
    line = b"BITMAP 10,10,2,3,0,\x1b!S\r\n~"
    assert list(parser.feed(line + b"\r\n")) == [("line", line)]


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    bench = TsplBench.make()
    bench.send(data)
    bench.send(b"\r\n" + data + b"PRINT 1\r\n")


def test_the_picture_in_zpl() -> None:
    lines = [line for line in LABEL.split(b"\r\n") if line]
    lines += [b'QRCODE 400,50,M,4,A,0,"a,b"', b'DMATRIX 10,110,400,400,x6,"D~1"']
    lines += [b"BOX 10,10,780,380,2", b"BAR 0,0,100,3", b"BITMAP 1,2,1,2,0,\x00\xff", b"TEXT bad"]
    assert to_zpl(lines, 203) == (
        "^XA^CI28^PW800^LL480^LH0,0"
        "^FO50,50^A0N,24,16^FH_^FDZo_C3_AB _22x_22^FS"
        "^FO50,100^BY2^BCN,96,Y,N,N^FH_^FDA-1^FS"
        "^FO400,50^BQN,2,4^FH_^FDMA,a,b^FS"
        "^FO10,110^BXN,6,200,,,,|^FH_^FDD_7E1^FS"
        "^FO10,10^GB770,370,2^FS"
        "^FO0,0^GB100,3,3^FS"
        "^FO1,2^GFA,2,2,1,FF00^FS"
        "^XZ"
    )
