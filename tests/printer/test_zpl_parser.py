"""The parser: any borders between chunks, control commands at once, one stream for all."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.simulator.printer.zpl import Caret, Command, Sgd, Tilde, ZplFormat, ZplParser

STREAM = (
    b"noise\r\n~HS^XA^PW400~HI^FO10,10^FDA~HSB^FS^PQ2^XZ\r\n"
    b'! U1 getvar "device.uptime"\r\n^XA^FX a comment ^FS^XZ~HQES^JZN\r\n~JA'
)


def parsed(*chunks: bytes) -> list[Command]:
    parser = ZplParser()
    return [command for chunk in chunks for command in parser.feed(chunk)]


def test_the_order_of_the_stream_is_kept_and_control_commands_overtake_their_format() -> None:
    commands = parsed(STREAM)
    first = ZplFormat(
        b"^XA^PW400^FO10,10^FDAB^FS^PQ2^XZ",
        (
            Caret("PW", b"400"),
            Caret("FO", b"10,10"),
            Caret("FD", b"AB"),
            Caret("FS"),
            Caret("PQ", b"2"),
        ),
    )
    assert commands == [
        Tilde("HS"),
        Tilde("HI"),
        Tilde("HS"),
        first,
        Sgd('! U1 getvar "device.uptime"'),
        ZplFormat(b"^XA^FX a comment ^FS^XZ", (Caret("FX", b" a comment "), Caret("FS"))),
        Tilde("HQ", b"ES"),
        Caret("JZ", b"N"),
        Tilde("JA"),
    ]


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=20))
def test_chunk_borders_do_not_matter(borders: list[int]) -> None:
    cuts = [0, *sorted(borders), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in itertools.pairwise(cuts)]
    assert parsed(*chunks) == parsed(STREAM)


def test_a_control_command_acts_with_its_last_letter() -> None:
    parser = ZplParser()
    assert list(parser.feed(b"~H")) == []
    assert list(parser.feed(b"S")) == [Tilde("HS")]
    assert list(parser.feed(b"~HQE")) == []
    assert list(parser.feed(b"S")) == [Tilde("HQ", b"ES")]
    assert list(parser.feed(b"^XA^FDx^FS^X")) == []
    assert len(list(parser.feed(b"Z"))) == 1


def test_half_a_format_stays_until_its_end_or_a_cancel() -> None:
    parser = ZplParser()
    list(parser.feed(b"^XA^FDhalf"))
    assert parser.is_partial
    (merged,) = parser.feed(b"^XA^FDwhole^FS^XZ")
    assert merged == ZplFormat(
        b"^XA^FDhalf^XA^FDwhole^FS^XZ", (Caret("FD", b"half"), Caret("FD", b"whole"), Caret("FS"))
    )
    list(parser.feed(b"^XA^FDhalf"))
    parser.drop_format()
    assert not parser.is_partial
    assert list(parser.feed(b" of it^FS^XZ")) == [Caret("FS")]


def test_the_prefixes_can_be_changed() -> None:
    commands = parsed(b"^XA^CC++FDa^b+FS+XZ+CC^^XA^FDc^FS^XZ~CT#~HS#HS")
    first, caret, last, *control = commands
    assert isinstance(first, ZplFormat)
    assert first.last("FD") == b"a^b"
    assert caret == Caret("CC", b"^")
    assert isinstance(last, ZplFormat)
    assert control == [Tilde("CT", b"#"), Tilde("HS")]


def test_binary_graphics_may_hold_anything() -> None:
    (found,) = parsed(b"^XA^FO1,1^GFB,4,4,2,^~!\n^FS^XZ")
    assert isinstance(found, ZplFormat)
    assert found.last("GF") == b"B,4,4,2,"


@pytest.mark.parametrize(
    "noise", [b"hello!\r\n", b"! X ", b"!", b"~\r\n", b"~~", b"^", b"!~", b"!^"]
)
def test_noise_does_not_hide_what_follows(noise: bytes) -> None:
    assert parsed(noise, b"~HS")[-1] == Tilde("HS")
    assert isinstance(parsed(noise, b"\r\n", b"^XA^FD1^FS^XZ")[-1], ZplFormat)


def test_half_a_format_swallows_set_get_do_unless_told_otherwise() -> None:
    data = b'^XA^FDa\r\n! U1 getvar "appl.name"\r\n'
    assert parsed(data) == []
    open_minded = ZplParser(sgd_inside_format=True)
    assert list(open_minded.feed(data)) == [Sgd('! U1 getvar "appl.name"')]
    assert open_minded.is_partial


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    parser = ZplParser()
    for byte in data:
        list(parser.feed(bytes([byte])))
    parser.reset()
    assert [type(c) for c in parser.feed(b"^XA^FD1^FS^XZ~HS")] == [ZplFormat, Tilde]
