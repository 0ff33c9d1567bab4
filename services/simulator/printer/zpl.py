"""Bytes in any pieces → ZPL and Set-Get-Do commands. Pure: no clock, no printer, no I/O.

There is one stream for all connections, as in the printer: half a format stays half a format
until its end comes, or a cancel, whoever sends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# Letters and digits of a name, beyond the usual two.
_EXTRA = {b"CC": 1, b"CT": 1, b"CD": 1, b"HQ": 2}
_BINARY = re.compile(rb"[BC],(\d{1,7}),\d+,\d+,$")  # ^GF with raw bytes, which may hold anything
_SGD = re.compile(rb"! ?U1? ")
_SGD_STARTS = (b"! U1 ", b"!U1 ")
_END_OF_LINE = b"\r\n"


@dataclass(frozen=True)
class Caret:
    """`^XYparams`."""

    name: str
    params: bytes = b""


@dataclass(frozen=True)
class Tilde:
    """`~XYparams`, which acts at once."""

    name: str
    params: bytes = b""


@dataclass(frozen=True)
class Sgd:
    """A line of Set-Get-Do, from `!` on."""

    line: str


@dataclass(frozen=True)
class ZplFormat:
    """Everything from `^XA` to `^XZ`, without the tilde commands that stood in between."""

    source: bytes
    carets: tuple[Caret, ...]

    def last(self, name: str) -> bytes | None:
        """The parameters of the last `^name`; None when there is none."""
        return next((c.params for c in reversed(self.carets) if c.name == name), None)


Command = Caret | Tilde | Sgd | ZplFormat


@dataclass
class ZplParser:
    """Feed it bytes. `sgd_inside_format`: half a format does not hide Set-Get-Do from it."""

    sgd_inside_format: bool = False
    _caret: int = ord("^")
    _tilde: int = ord("~")
    _format: bytearray | None = None
    _carets: list[Caret] = field(default_factory=list)
    _word: bytearray | None = None  # the caret command that is being read, without its prefix
    _control: bytearray | None = None  # the tilde command in the middle of whatever
    _sgd: bytearray | None = None
    _line_start: bool = False
    _raw: int = 0  # bytes of a binary graphic still to come

    @property
    def is_partial(self) -> bool:
        """Is there half a format?"""
        return self._format is not None

    def drop_format(self) -> None:
        """Forget half a format."""
        self._format, self._word, self._raw = None, None, 0
        self._carets = []

    def reset(self) -> None:
        """As after switching on."""
        self.drop_format()
        self._control = self._sgd = None
        self._caret, self._tilde = ord("^"), ord("~")

    def feed(self, data: bytes) -> Iterator[Command]:
        """The commands that these bytes complete, in order."""
        for byte in data:
            if self._raw:
                self._raw -= 1
                self._keep(byte)
            elif self._sgd is not None:
                yield from self._sgd_byte(self._sgd, byte)
            elif byte == self._tilde:
                self._control = bytearray()
            elif self._control is not None:
                yield from self._control_byte(self._control, byte)
            else:
                yield from self._format_byte(byte)

    def _sgd_byte(self, line: bytearray, byte: int) -> Iterator[Command]:
        if byte in _END_OF_LINE:
            self._sgd = None
            yield Sgd(line.decode("latin-1"))
            return
        line.append(byte)
        if _SGD.match(line) or any(start.startswith(line) for start in _SGD_STARTS):
            return
        # It was text, and a command may begin right here.
        self._sgd = None
        if byte == self._tilde:
            self._control = bytearray()
        else:
            yield from self._format_byte(byte)

    def _control_byte(self, word: bytearray, byte: int) -> Iterator[Command]:
        if byte == self._caret:
            self._control = None
            yield from self._format_byte(byte)
            return
        word.append(byte)
        name = bytes(word[:2]).upper()
        if len(word) < 2 + _EXTRA.get(name, 0):
            return
        self._control = None
        params = bytes(word[2:])
        self._change_prefix(name, params)
        yield Tilde(name.decode("latin-1"), params)

    def _format_byte(self, byte: int) -> Iterator[Command]:
        if byte == self._caret:
            yield from self._end_word()
            self._word = bytearray()
            self._keep(byte)
            return
        if byte == ord("!") and self._may_begin_sgd:
            self._sgd = bytearray(b"!")
            return
        self._line_start = byte in _END_OF_LINE
        if self._word is None:
            self._keep(byte)
            return
        if self._format is None and byte in _END_OF_LINE:
            yield from self._end_word()
            return
        self._word.append(byte)
        self._keep(byte)
        yield from self._maybe_complete(self._word)

    def _maybe_complete(self, word: bytearray) -> Iterator[Command]:
        """Act on the commands that need no further byte to be complete."""
        name = bytes(word[:2]).upper()
        if name == b"XA":
            self._word = None
            if self._format is None:
                self._format, self._carets = bytearray([self._caret]) + b"XA", []
        elif name == b"XZ":
            self._word = None
            if self._format is not None:
                source, carets = bytes(self._format), tuple(self._carets)
                self.drop_format()
                yield ZplFormat(source, carets)
        elif name in _EXTRA and len(word) == 2 + _EXTRA[name]:
            self._change_prefix(name, bytes(word[2:]))
            yield from self._end_word()
        elif name == b"GF" and (binary := _BINARY.match(word, 2)):
            self._raw = int(binary[1])

    def _end_word(self) -> Iterator[Command]:
        """The caret command that was being read is complete."""
        word, self._word = self._word, None
        if not word:
            return
        caret = Caret(bytes(word[:2]).decode("latin-1").upper(), bytes(word[2:]))
        if self._format is None:
            yield caret
        else:
            self._carets.append(caret)

    @property
    def _may_begin_sgd(self) -> bool:
        if self._format is None:
            return self._word is None
        return self.sgd_inside_format and self._line_start

    def _keep(self, byte: int) -> None:
        if self._format is not None:
            self._format.append(byte)

    def _change_prefix(self, name: bytes, params: bytes) -> None:
        if name == b"CC" and params:
            self._caret = params[0]
        elif name == b"CT" and params:
            self._tilde = params[0]
