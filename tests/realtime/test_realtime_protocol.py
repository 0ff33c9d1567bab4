"""The frame formats of both protocol versions."""

from __future__ import annotations

import json

import pytest

from services.local.realtime.protocol import (
    Broadcast,
    Frame,
    ProtocolError,
    Version,
    decode,
    encode,
    encode_broadcast,
    parse_name,
    parse_version,
)


def binary_push(encoding: int, body: bytes) -> bytes:
    parts = (b"4", b"9", b"realtime:t", b"ev", b"")
    return bytes([3, *map(len, parts), encoding]) + b"".join(parts) + body


def test_versions() -> None:
    assert [parse_version(v) for v in (None, "1.0.0", "2.0.0")] == ["1.0.0", "1.0.0", "2.0.0"]
    with pytest.raises(ProtocolError):
        parse_version("3")


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("2.0.0", '["1","2","realtime:t","phx_join",{"a":1}]'),
        (
            "1.0.0",
            '{"topic":"realtime:t","event":"phx_join","payload":{"a":1},"ref":2,"join_ref":"1"}',
        ),
    ],
)
def test_text_frames(version: Version, text: str) -> None:
    assert decode(text, version) == Frame("realtime:t", "phx_join", {"a": 1}, "2", "1")


def test_binary_broadcast_of_supabase_js() -> None:
    frame = decode(binary_push(1, b'{"n":1}'), "2.0.0")
    assert frame == Frame(
        *("realtime:t", "broadcast"),
        {"type": "broadcast", "event": "ev", "payload": {"n": 1}},
        *("9", "4"),
    )
    assert decode(binary_push(0, b"\xff\x00"), "2.0.0").payload["payload"] == b"\xff\x00"


def test_version_1_always_has_a_ref() -> None:
    assert json.loads(encode(Frame("t", "e"), "1.0.0"))["ref"] is None


def test_raw_bytes_go_to_version_2_only() -> None:
    message = Broadcast("t", "ev", b"\x01\x02")
    assert encode_broadcast(message, "1.0.0") is None
    assert encode_broadcast(message, "2.0.0") == b"\x04\x0a\x02\x00\x00realtime:tev\x01\x02"
    assert encode_broadcast(Broadcast("t" * 250, "ev", b""), "2.0.0") is None


@pytest.mark.parametrize(
    "text", ["", "1", "[]", '[1,2,"t","e",[]]', '[1,2,null,"e",{}]', '[1,2,"t","e",{"a":NaN}]']
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        decode(text, "2.0.0")


@pytest.mark.parametrize("name", ["", "a\x00b", "\ud800", "x" * 300, None, 5])
def test_names_that_are_refused(name: object) -> None:
    with pytest.raises(ProtocolError):
        parse_name(name)
