"""Replies as the makers document them, and everything that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from print_agent import replies
from print_agent.replies import Errors, HostStatus, Identity, TsplStatus

HEALTHY = (
    b"\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n"
    b"\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n"
    b"\x021234,0\x03\r\n"
)


def hs(first: str = "", second: str = "") -> bytes:
    """A healthy answer with the first or second string replaced."""
    lines = HEALTHY.split(b"\r\n")
    if first:
        lines[0] = b"\x02" + first.encode() + b"\x03"
    if second:
        lines[1] = b"\x02" + second.encode() + b"\x03"
    return b"\r\n".join(lines)


def hqes(errors: str = "0 00000000 00000000", warnings: str = "0 00000000 00000000") -> bytes:
    return (
        b"\x02\r\n\r\n  PRINTER STATUS                             \r\n"
        b"   ERRORS:         " + errors.encode() + b"           \r\n"
        b"   WARNINGS:       " + warnings.encode() + b"           \r\n\x03"
    )


def test_a_healthy_host_status() -> None:
    assert replies.host_status(HEALTHY) == HostStatus((), 0, 0, False)


@pytest.mark.parametrize(
    ("reply", "faults"),
    [
        (hs("030,1,0,1245,000,0,0,0,000,0,0,0"), ("media-empty",)),
        (hs("030,0,1,1245,000,0,0,0,000,0,0,0"), ("paused",)),
        (hs("030,0,0,1245,000,1,0,0,000,0,0,0"), ("buffer-full",)),
        (hs("030,0,0,1245,000,0,1,0,000,0,0,0"), ("diagnostic-mode",)),
        (hs("030,0,0,1245,000,0,0,0,000,1,0,0"), ("memory-lost",)),
        (hs("030,0,0,1245,000,0,0,0,000,0,0,1"), ("head-over-temp",)),
        (hs("", "000,0,1,0,0,2,4,0,00000000,1,000"), ("cover-open",)),
        (hs("", "000,0,0,1,1,2,4,0,00000000,1,000"), ("marker-supply-empty",)),
    ],
)
def test_each_flag_of_a_host_status(reply: bytes, faults: tuple[str, ...]) -> None:
    found = replies.host_status(reply)
    assert found is not None
    assert found.faults == faults


def test_what_waits_in_the_printer() -> None:
    reply = hs("030,0,0,1245,003,0,0,1,000,0,0,0", "000,0,0,0,0,2,4,0,00000017,1,000")
    assert replies.host_status(reply) == HostStatus((), 3, 17, True)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        HEALTHY[:-12],  # two strings of three
        HEALTHY + b"\x021234,0\x03\r\n",
        HEALTHY.replace(b"1234,0", b"1234"),
        HEALTHY.replace(b",00000000,", b",0000000x,"),
        HEALTHY.replace(b"030,0,0", b"030,2,0"),
        HEALTHY.replace(b"030,0,0", b"030,,0"),
        HEALTHY.replace(b"\x02", b"").replace(b"\x03", b""),
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        hqes(),
    ],
)
def test_a_host_status_that_cannot_be_read_is_not_healthy(reply: bytes) -> None:
    assert replies.host_status(reply) is None


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_a_parser(junk: bytes) -> None:
    for reply in (junk, b"\x02" + junk + b"\x03", HEALTHY[:40] + junk):
        replies.host_status(reply)
        replies.errors(reply)
        replies.identity(reply)
        replies.uptime(replies.value(reply))
        replies.tspl_status(reply[:8])


@given(st.integers(0, len(HEALTHY) - 1), st.integers(0, 255))
def test_one_wrong_byte_never_hides_a_fault(place: int, byte: int) -> None:
    broken = bytearray(hs("030,1,0,1245,000,0,0,0,000,0,0,0"))
    broken[place % len(broken)] = byte
    found = replies.host_status(bytes(broken))
    changed = bytes(broken[5:6])
    assert found is None or "media-empty" in found.faults or changed == b"0"


@pytest.mark.parametrize(
    ("flags", "faults"),
    [
        ("0 00000000 00000000", ()),
        ("1 00000000 00000001", ("media-empty",)),
        ("1 00000000 00000005", ("media-empty", "cover-open")),
        ("1 00000000 00010004", ("cover-open", "paused")),
        ("1 00000000 00000002", ("marker-supply-empty",)),
        ("1 00000000 00000010", ("head-over-temp",)),
        ("1 00000000 000000C0", ("head-fault",)),
        ("1 00000000 00400000", ("other",)),  # a bit nobody knows
        ("1 00000001 00000000", ("other",)),
        ("1 00000000 00000000", ("other",)),  # an error, and it does not say which
    ],
)
def test_extended_status(flags: str, faults: tuple[str, ...]) -> None:
    assert replies.errors(hqes(flags)) == Errors(faults, ())


def test_warnings_stop_nothing() -> None:
    reply = hqes(warnings="1 00000000 00000009")
    assert replies.errors(reply) == Errors((), ("media-uncalibrated", "media-low"))


@pytest.mark.parametrize("reply", [b"", HEALTHY, hqes("0 0000 0000"), hqes()[:60]])
def test_an_extended_status_that_cannot_be_read(reply: bytes) -> None:
    assert replies.errors(reply) is None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            b"\x02ZT410-200dpi,V75.20.01Z,8,2104KB\x03\r\n",
            Identity("ZT410-200dpi", "V75.20.01Z", 203),
        ),
        (b"\x02ZTC ZD410,V84.20.18Z,12,8176KB,X\x03\r\n", Identity("ZTC ZD410", "V84.20.18Z", 300)),
        (b"\x02XXXXXX,V1.0.0,24,000KB,X\x03\r\n", Identity("XXXXXX", "V1.0.0", 600)),
        (b"\x02clone,V1,300,8192KB\x03\r\n", Identity("clone", "V1", 300)),
        (b"\x02old,V1,6,512KB\x03\r\n", Identity("old", "V1", None)),
    ],
)
def test_identity(reply: bytes, expected: Identity) -> None:
    assert replies.identity(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [b"", b"SSH-2.0-OpenSSH_9.2p1\r\n", HEALTHY[:20], b"a,b,c,d", hqes(), b"HTTP/1.1 400 Bad\r\n"],
)
def test_no_identity(reply: bytes) -> None:
    assert replies.identity(reply) is None


def test_other_servers_are_told_apart() -> None:
    assert replies.foreign(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    assert replies.foreign(b"HTTP/1.1 400 Bad Request\r\n")
    assert not replies.foreign(HEALTHY)
    assert not replies.foreign(b"")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b'"8560"', "8560"),
        (b'"8560"\r\n', "8560"),
        (b'""', ""),
        (b'"?"', None),
        (b'"half', None),
        (b"8560", None),
        (b'"a" "b"', None),
        (b"", None),
    ],
)
def test_values(reply: bytes, expected: str | None) -> None:
    assert replies.value(reply) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00 days 02 hours 45 mins 30 secs", 9930),
        ("12 days 00 hours 00 mins 01 secs", 12 * 86400 + 1),
        ("1 day 1 hour 1 min 1 sec", 90061),
        ("a while", None),
        (None, None),
    ],
)
def test_uptime(text: str | None, expected: int | None) -> None:
    assert replies.uptime(text) == expected


def test_counts_are_digits_or_nothing() -> None:
    assert replies.count("0012") == 12
    assert [replies.count(text) for text in (None, "", "-1", "12 m", "１２")] == [None] * 5
    assert [replies.resolution(text) for text in ("203", "300", "600", "72")] == [
        203,
        300,
        600,
        None,
    ]


@pytest.mark.parametrize(
    ("four", "expected"),
    [
        (b"@@@@", TsplStatus((), busy=False)),
        (b"P@@@", TsplStatus((), busy=True)),
        (b"W@@@", TsplStatus((), busy=True)),
        (b"L@@@", TsplStatus((), busy=True)),
        (b"@H@@", TsplStatus((), busy=True)),  # the receive buffer is full
        (b"`@@@", TsplStatus(("paused",), busy=False)),
        (b"E@@A", TsplStatus(("media-empty",), busy=False)),
        (b"E@@B", TsplStatus(("media-jam",), busy=False)),
        (b"E@@D", TsplStatus(("marker-supply-empty",), busy=False)),
        (b"E@@`", TsplStatus(("cover-open",), busy=False)),
        (b"E@A@", TsplStatus(("head-over-temp",), busy=False)),
        (b"E@@@", TsplStatus(("other",), busy=False)),
        (b"Z@@@", TsplStatus(("other",), busy=False)),
        (b"@@@P", TsplStatus(("other",), busy=False)),  # a bit nobody knows
    ],
)
def test_tspl_status(four: bytes, expected: TsplStatus) -> None:
    assert replies.tspl_status(b"\x02" + four + b"\x03\r\n") == expected


@pytest.mark.parametrize(
    "reply",
    [b"", b"\x02@@@@\x03\r", b"\x02@@@@@\x03\r\n", b"@@@@\x03\r\n\x02", b"\x02@@\x00@\x03\r\n"],
)
def test_a_tspl_status_that_cannot_be_read(reply: bytes) -> None:
    assert replies.tspl_status(reply) is None
