"""A TSC printer: TSPL, on the common mechanics.

It answers `<ESC>!S` in every state; the `~!` queries only when it is ready, as the manual says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.simulator.printer.batch import Batch, Event, number
from services.simulator.printer.device import Device, Reply
from services.simulator.printer.faults import Condition
from services.simulator.printer.spec import Spec
from services.simulator.printer.tspl_picture import to_zpl

_ESC = 0x1B
_BITMAP = re.compile(
    rb"\s*BITMAP\s*\d+\s*,\s*\d+\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*\d\s*,$", re.I
)
_WORD = re.compile(rb"\s*([A-Z]+)\s*(.*)", re.DOTALL | re.I)
_DRAWS = {b"TEXT", b"BLOCK", b"BARCODE", b"QRCODE", b"DMATRIX", b"BOX", b"BAR", b"BITMAP"}
_MOST_COPIES = 999_999_999
_METRES_PER_KM = 1000


@dataclass
class TsplParser:
    """Bytes in any pieces → `(kind, data)`: `esc` S, `query` @, or a whole `line`. Pure."""

    _line: bytearray = field(default_factory=bytearray)
    _escape: bytearray | None = None
    _raw: int = 0

    @property
    def is_partial(self) -> bool:
        return bool(self._line)

    def reset(self) -> None:
        self._line.clear()
        self._escape, self._raw = None, 0

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The commands that these bytes complete, in order."""
        for byte in data:
            if self._raw:
                self._raw -= 1
                self._line.append(byte)
            elif self._escape is not None:
                self._escape.append(byte)
                if len(self._escape) == 2:
                    escape, self._escape = bytes(self._escape), None
                    if escape[:1] == b"!":
                        yield "esc", escape[1:]
            elif byte == _ESC:
                self._escape = bytearray()
            else:
                yield from self._line_byte(byte)

    def _line_byte(self, byte: int) -> Iterator[tuple[str, bytes]]:
        if byte in b"\r\n":
            line = bytes(self._line)
            self._line.clear()
            if line.strip():
                yield "line", line
            return
        self._line.append(byte)
        if bitmap := _BITMAP.match(self._line):
            self._raw = int(bitmap[1]) * int(bitmap[2])
        elif self._line[:2] == b"~!" and len(self._line) == 3:
            query = bytes(self._line[2:])
            self._line.clear()
            yield "query", query


class Tspl(Device):
    """The subset of TSPL that labels need; the rest is ignored."""

    def __init__(self, spec: Spec, **options: Any) -> None:
        super().__init__(spec, **options)
        self._parser = TsplParser()
        self._image: list[bytes] = []  # survives PRINT; only CLS empties it
        self._drawn = False  # since the last PRINT
        self._size = b""
        self._reprints = True

    @property
    def is_partial(self) -> bool:
        return self._parser.is_partial or self._drawn

    def read(self, data: bytes) -> list[Reply]:
        answers = []
        boots = self.mechanism.boots
        for kind, what in self._parser.feed(data):
            if kind == "line":
                self._run(what)
            else:
                answer = self._escape(what) if kind == "esc" else self._query(what)
                command = f"{'<ESC>' if kind == 'esc' else '~'}!{what.decode('latin-1')}"
                answers += [Reply(command, answer)] if answer else []
            if self.mechanism.boots != boots:
                return []
        return answers

    def disconnected(self) -> None:
        if not self.spec.partial_survives:
            self._parser.reset()

    def forget(self) -> None:
        self._parser.reset()
        self._image.clear()
        self._drawn, self._reprints = False, True

    def on_event(self, event: Event) -> None:
        """It tells nothing by itself."""

    # -- status ---------------------------------------------------------------------------------

    def _escape(self, what: bytes) -> bytes | None:
        """Immediate commands."""
        if what == b"S":
            return b"\x02" + self._four_bytes() + b"\x03\r\n"
        if what == b"?":
            return bytes([self._one_byte()])
        if what == b"R":
            self.power_cycle()
        elif what == b".":
            self.mechanism.cancel_all()
        elif what == b"P":
            self.mechanism.pause()
        elif what == b"O":
            self.mechanism.resume()
        return None

    def _four_bytes(self) -> bytes:
        """Message, warning, printer error, media error."""
        held = self.mechanism.conditions
        media = {Condition.PAPER_OUT: b"A", Condition.RIBBON_OUT: b"D", Condition.HEAD_OPEN: b"`"}
        message = b"@"
        if held - {Condition.PAUSED}:
            message = b"E"
        elif held:
            message = b"`"
        elif self.mechanism.is_moving:
            message = b"P"
        warning = b"@" if self.mechanism.has_room else b"H"
        error = b"A" if Condition.OVER_TEMP in held else b"@"
        return message + warning + error + next((b for c, b in media.items() if c in held), b"@")

    def _one_byte(self) -> int:
        bits = {
            Condition.HEAD_OPEN: 0x01,
            Condition.PAPER_OUT: 0x04,
            Condition.RIBBON_OUT: 0x08,
            Condition.PAUSED: 0x10,
            Condition.OVER_TEMP: 0x80,
        }
        printing = 0x20 if self.mechanism.is_moving else 0
        return printing | sum(bits[condition] for condition in self.mechanism.conditions)

    def _query(self, what: bytes) -> bytes | None:
        """`~!` queries: no answer in a fault."""
        if self.mechanism.conditions:
            return None
        if what == b"@":
            metres = self.mechanism.odometer * self.spec.height_mm / 1000
            return f"{int(metres / _METRES_PER_KM)}\r".encode()
        if what == b"T":
            return f"{self.spec.model}\r".encode()
        if what == b"I":
            return b"437, 001\r"
        return None

    # -- labels ---------------------------------------------------------------------------------

    def _run(self, line: bytes) -> None:
        found = _WORD.match(line)
        if found is None:
            return
        word, rest = found[1].upper(), found[2]
        if word == b"SIZE":
            self._size = line
        elif word == b"CLS":
            self._image.clear()
            self._drawn = False
        elif word in _DRAWS:
            self._image.append(line)
            self._drawn = True
        elif word == b"PRINT":
            self._print(rest)
        elif word == b"SET" and rest.upper().startswith(b"REPRINT"):
            self._reprints = not rest.upper().rstrip().endswith(b"OFF")
        elif word in (b"FORMFEED", b"HOME"):
            self.mechanism.feed()
        elif word in (b"GAPDETECT", b"BLINEDETECT", b"AUTODETECT"):
            self.mechanism.feed(2)

    def _print(self, rest: bytes) -> None:
        """`PRINT sets,copies`: without counters every label of both is the same."""
        sets, _, copies_of_each = rest.partition(b",")
        each = number(copies_of_each, _MOST_COPIES, 1)
        copies = min(number(sets, _MOST_COPIES, 1) * each, _MOST_COPIES)
        self._drawn = False
        if copies < 1:
            return
        lines = [self._size, *self._image] if self._size else list(self._image)
        source = b"\r\n".join([*lines, b"PRINT " + rest])
        zpl = to_zpl(lines, self.spec.dpi)
        self.mechanism.print(Batch(source, zpl, copies, self._reprints))
