"""What printers answer, read strictly: a reply that cannot be read is None, never "healthy".

Faults are words of IPP's printer-state-reasons (media-empty, cover-open, paused, …) and a few
more where IPP has none. No I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STX, ETX = b"\x02", b"\x03"

_HS_FIELDS = (12, 11, 2)
_HS_FRAME = re.compile(rb"\x02([^\x02\x03]*)\x03")
_HQES_ROW = r"{}:\s+\d\s+([0-9A-Fa-f]{{8}})\s+([0-9A-Fa-f]{{8}})"
_UPTIME = re.compile(r"(\d+)\s*days?\s+(\d+)\s*hours?\s+(\d+)\s*mins?\s+(\d+)\s*secs?", re.I)
_MEMORY = re.compile(r"\d+\s*[KM]B", re.I)
_DPI = {8: 203, 12: 300, 24: 600, 203: 203, 300: 300, 600: 600}

_ZEBRA_ERRORS = {
    0x1: "media-empty",
    0x2: "marker-supply-empty",
    0x4: "cover-open",
    0x8: "cutter-fault",
    0x10: "head-over-temp",
    0x20: "motor-over-temp",
    0x40: "head-fault",
    0x80: "head-fault",
    0x10000: "paused",
}
_ZEBRA_WARNINGS = {
    0x1: "media-uncalibrated",
    0x2: "head-needs-cleaning",
    0x4: "head-needs-replacing",
    0x8: "media-low",
}
_TSPL_STATES = {
    "@": "",
    "`": "paused",
    "K": "paused",  # waits for its print key
    "B": "busy",
    "C": "busy",
    "F": "busy",
    "L": "busy",  # waits until the label is taken
    "P": "busy",
    "W": "busy",
    "E": "other",
}
_TSPL_ERRORS_3 = {0x1: "head-over-temp", 0x2: "motor-over-temp", 0x8: "cutter-fault", 0x10: "other"}
_TSPL_ERRORS_4 = {
    0x1: "media-empty",
    0x2: "media-jam",
    0x4: "marker-supply-empty",
    0x8: "marker-supply-jam",
    0x20: "cover-open",
}


@dataclass(frozen=True)
class HostStatus:
    """~HS. `formats` wait in the buffer, `remaining` labels of the batch are still to print."""

    faults: tuple[str, ...]
    formats: int
    remaining: int
    partial: bool


@dataclass(frozen=True)
class Errors:
    """~HQES: what stops the printer, and what only asks for attention."""

    faults: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Identity:
    """~HI. `dpi` is None when the reply names no resolution that exists."""

    model: str
    firmware: str
    dpi: int | None


@dataclass(frozen=True)
class TsplStatus:
    """<ESC>!S."""

    faults: tuple[str, ...]
    busy: bool


def host_status_complete(reply: bytes) -> bool:
    """All three strings of ~HS have arrived."""
    return reply.count(ETX) >= len(_HS_FIELDS)


def host_status(reply: bytes) -> HostStatus | None:
    """Exactly three strings of 12, 11 and 2 fields; anything else is None."""
    frames = [frame.decode("ascii", "replace").split(",") for frame in _HS_FRAME.findall(reply)]
    if tuple(len(fields) for fields in frames) != _HS_FIELDS:
        return None
    first, second, _ = frames
    try:
        formats, remaining = _number(first[4]), _number(second[8])
        partial = _flag(first[7])
        named = {
            "media-empty": _flag(first[1]),
            "paused": _flag(first[2]),
            "buffer-full": _flag(first[5]),
            "diagnostic-mode": _flag(first[6]),
            "memory-lost": _flag(first[9]),
            "head-over-temp": _flag(first[11]),
            "cover-open": _flag(second[2]),
            "marker-supply-empty": _flag(second[3]),
        }
    except ValueError:
        return None
    return HostStatus(
        tuple(name for name, is_set in named.items() if is_set),
        *(
            formats,
            remaining,
            partial,
        ),
    )


def text_complete(reply: bytes) -> bool:
    """One block of text between STX and ETX has arrived."""
    return ETX in reply


def errors(reply: bytes) -> Errors | None:
    """Read ~HQES. A bit nobody knows is the fault `other`."""
    text = reply.decode("ascii", "replace")
    rows = [re.search(_HQES_ROW.format(name), text) for name in ("ERRORS", "WARNINGS")]
    if "PRINTER STATUS" not in text or rows[0] is None or rows[1] is None:
        return None
    flags = [(int(row.group(1), 16), int(row.group(2), 16)) for row in rows if row is not None]
    flagged = re.search(r"ERRORS:\s+[1-9]", text) is not None
    faults = _named(flags[0][1], _ZEBRA_ERRORS, known_high=flags[0][0] == 0)
    if flagged and not faults:
        faults = ("other",)
    warnings = _named(flags[1][1], _ZEBRA_WARNINGS, known_high=True)
    return Errors(faults, tuple(name for name in warnings if name != "other"))


def identity(reply: bytes) -> Identity | None:
    """Read ~HI: model, firmware, dots per mm (8, 12, 24) or, from some, dots per inch."""
    fields = _bare(reply).split(",")
    if len(fields) < 4 or not fields[0] or not _MEMORY.fullmatch(fields[3].strip()):
        return None
    if not fields[2].strip().isdigit():
        return None
    return Identity(fields[0].strip(), fields[1].strip(), _DPI.get(int(fields[2])))


def value_complete(reply: bytes) -> bool:
    """An SGD value has no end but its second quote."""
    return reply.count(b'"') >= 2


def value(reply: bytes) -> str | None:
    """The SGD value between the quotes; None for an unknown name ("?") or anything else."""
    text = _bare(reply)
    if len(text) < 2 or text[0] != '"' or text[-1] != '"' or text.count('"') != 2:
        return None
    return None if text == '"?"' else text[1:-1]


def count(text: str | None) -> int | None:
    """An odometer that counts labels: digits only."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def resolution(text: str | None) -> int | None:
    """head.resolution.in_dpi."""
    number = count(text)
    return _DPI.get(number) if number is not None else None


def uptime(text: str | None) -> int | None:
    """Seconds since power-up, from e.g. "00 days 02 hours 45 mins 30 secs"."""
    found = _UPTIME.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def tspl_complete(reply: bytes) -> bool:
    """STX, four bytes, ETX, CR, LF."""
    return len(reply) >= 8


def tspl_status(reply: bytes) -> TsplStatus | None:
    """Read <ESC>!S: state, warning and two bytes of errors, each with bit 6 set."""
    if len(reply) != 8 or reply[:1] != STX or reply[5:] != ETX + b"\r\n":
        return None
    if any(not byte & 0x40 or byte & 0x80 for byte in reply[1:5]):
        return None
    state = _TSPL_STATES.get(chr(reply[1]), "other")
    found = [
        *_named(reply[3] & 0x3F, _TSPL_ERRORS_3, known_high=True),
        *_named(reply[4] & 0x3F, _TSPL_ERRORS_4, known_high=True),
    ]
    if state not in ("", "busy") and not (state == "other" and found):
        found.append(state)
    buffer_full = bool(reply[2] & 0x08)
    return TsplStatus(tuple(dict.fromkeys(found)), busy=state == "busy" or buffer_full)


def foreign(reply: bytes) -> bool:
    """Unasked-for words of another kind of server: the address is wrong."""
    return reply.startswith((b"SSH-", b"HTTP/", b"220 ", b"RFB ", b"* OK"))


def _bare(reply: bytes) -> str:
    return reply.decode("ascii", "replace").strip(" \r\n\x00\x02\x03")


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _named(bits: int, names: dict[int, str], *, known_high: bool) -> tuple[str, ...]:
    """The names of the bits that are set; `other` stands for every bit without a name."""
    found = dict.fromkeys(name for bit, name in names.items() if bits & bit)
    if bits & ~sum(names) or not known_high:
        found["other"] = None
    return tuple(found)
