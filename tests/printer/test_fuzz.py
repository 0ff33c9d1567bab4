"""No bytes from the line stop a printer: it goes on answering and its counter goes on agreeing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.simulator.printer.sgd import take_json
from tests.printer.bench import Bench, TsplBench, label

HUGE = b"9" * 5000
ZPL = [
    *(b"^XA", b"^XZ", b"^FD", b"^FS", b"^FO1,1", b"^PQ", b"^PQ3,2,0,N", b"^LL", b"^PW0", b"^SX"),
    *(b"^SXK,D,Y,N,127.0.0.1,99999", b"^GFB,9,9,3,", b"^FH", b"^BQN", b"^CC", b"^CT", b"^DF"),
    *(b"^JZN", b"^JZ", b"^PP", b"^PH", b"^HH", b"\r\n", HUGE, b",", b"_", b"\xc3", b"\x00"),
    *(b"~HS", b"~HQ", b"~HQOD", b"~JA", b"~JR", b"~JC", b"~PP", b"~PS", b"~JP", b"~CT", b"~"),
    *(b"! U1 ", b'getvar "device.uptime"\r\n', b'do "device.reset" ""\r\n'),
    b'setvar "alerts.add" "A,TCP,Y,Y,h,\xb2,N"\r\n',
]
TSPL = [
    *(b"SIZE 100 mm,60 mm", b"SIZE 1..2,", b"CLS", b"PRINT ", b"TEXT ", b'"', b"BARCODE ", b"BOX "),
    *(b"QRCODE ", b"DMATRIX ", b"BAR ", b"BITMAP 1,1,2,3,0,", b"\r\n", b",", b"1e999", b"nan"),
    *(b"\x1b!S", b"\x1b!R", b"\x1b!P", b"\x1b!O", b"\x1b", b"~!@", b"~!", HUGE, b"3", b'\\["]'),
    *(b"SET REPRINT OFF", b"FORMFEED", b"GAPDETECT", b"-1", b"0"),
]


def streams(words: list[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(words) | st.binary(max_size=6), max_size=40).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(streams(ZPL))
def test_a_zebra_survives(data: bytes) -> None:
    bench = Bench.make()
    bench.send(data)
    bench.wait(3)
    bench.zebra.end_of_connection()
    bench.zebra.state()
    bench.zebra.power_cycle()
    assert bench.send(b"~HS").count(b"\x03\r\n") == 3
    before = len(bench.serials)
    bench.send(label("A"))
    bench.wait(1)
    assert bench.serials[before:] == ["A"]


@settings(max_examples=400, deadline=None)
@given(streams(TSPL))
def test_a_tsc_survives(data: bytes) -> None:
    bench = TsplBench.make()
    bench.send(data)
    bench.wait(3)
    bench.tspl.state()
    bench.tspl.power_cycle()
    assert bench.send(b"\x1b!S") == b"\x02@@@@\x03\r\n"


@given(st.lists(st.sampled_from([b"{}", b"{", b"}", b"[", b"null", b'"a"', b":", b"1", b"\xff"])))
def test_json_commands_in_any_pieces(parts: list[bytes]) -> None:
    bench = Bench.make()
    buffer = bytearray()
    for part in parts:
        buffer += part
        for asked in take_json(buffer):
            bench.zebra.variables.answer_json(asked)
    take_json(bytearray(b"{}" + b"[" * 100_000))
