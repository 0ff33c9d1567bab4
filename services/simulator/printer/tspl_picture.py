"""TSPL drawing commands as ZPL: only so that the paper of a TSC printer has a picture too."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from services.simulator.printer.spec import whole_dots

_STRING = re.compile(rb'"((?:\\\["\]|[^"])*)"')
_SIZE = re.compile(rb"\s*([\d.]+)\s*(mm|dot)?\s*,\s*([\d.]+)\s*(mm|dot)?", re.I)
_SAFE = re.compile(rb"[A-Za-z0-9 .,:/-]")
_FONT_DOTS = {b"1": 12, b"2": 20, b"3": 24, b"4": 32, b"5": 48, b"6": 19, b"7": 27, b"8": 25}
_POINTS_PER_INCH = 72


def to_zpl(lines: list[bytes], dpi: int) -> str:
    """One format that shows what the lines draw. Unknown lines draw nothing."""
    fields = []
    for line in lines:
        word = line.split(maxsplit=1)[0].upper()
        with contextlib.suppress(LookupError, ValueError, ArithmeticError, StopIteration):
            fields.append(_DRAW[word](line.strip()[len(word) :], dpi))
    return f"^XA^CI28{''.join(fields)}^XZ"


def _size(rest: bytes, dpi: int) -> str:
    size = _SIZE.match(rest)
    if size is None:
        raise ValueError
    return f"^PW{_dots(size[1], size[2], dpi)}^LL{_dots(size[3], size[4], dpi)}^LH0,0"


def _dots(number: bytes, unit: bytes | None, dpi: int) -> int:
    unit = (unit or b"").lower()
    if unit == b"mm":
        return whole_dots(float(number), dpi)
    return round(float(number) * (1 if unit == b"dot" else dpi))


def _arguments(rest: bytes) -> tuple[list[bytes], list[bytes]]:
    """(numbers and words, quoted strings), in order; `\\["]` is a quotation mark."""
    strings = [text.replace(b'\\["]', b'"') for text in _STRING.findall(rest)]
    words = [part.strip() for part in _STRING.sub(b"", rest).split(b",")]
    return [word for word in words if word], strings


def _data(text: bytes) -> str:
    escaped = "".join(chr(byte) if _SAFE.match(bytes([byte])) else f"_{byte:02X}" for byte in text)
    return f"^FH_^FD{escaped}^FS"


def _text(rest: bytes, dpi: int) -> str:
    words, strings = _arguments(rest)
    x, y, _, across, down = (int(float(word)) for word in words[:5])
    font = strings[0]
    height = _FONT_DOTS.get(font, 0) * down or round(down * dpi / _POINTS_PER_INCH)
    width = _FONT_DOTS.get(font, 0) * across * 2 // 3 or round(across * dpi / _POINTS_PER_INCH)
    return f"^FO{x},{y}^A0N,{height},{max(width, height // 2)}{_data(strings[-1])}"


def _barcode(rest: bytes, dpi: int) -> str:
    words, strings = _arguments(rest)
    x, y, height, readable, _, narrow = (int(word) for word in words[:6])
    shown = "Y" if readable else "N"
    data = strings[-1].replace(b">", b">0")
    return f"^FO{x},{y}^BY{narrow}^BCN,{height},{shown},N,N{_data(data)}"


def _qrcode(rest: bytes, dpi: int) -> str:
    words, strings = _arguments(rest)
    x, y, _, cell = words[:4]
    return f"^FO{int(x)},{int(y)}^BQN,2,{int(cell)}{_data(b'MA,' + strings[-1])}"


def _dmatrix(rest: bytes, dpi: int) -> str:
    words, strings = _arguments(rest)
    x, y = int(words[0]), int(words[1])
    cells = [word[1:] for word in words if word[:1].lower() == b"x" and word[1:].isdigit()]
    # An escape character that the data does not hold keeps the data as it is.
    free = next(c for c in "|@#%&$" if c.encode() not in strings[-1])
    return f"^FO{x},{y}^BXN,{int(cells[0]) if cells else 4},200,,,,{free}{_data(strings[-1])}"


def _box(rest: bytes, dpi: int) -> str:
    words, _ = _arguments(rest)
    x, y, right, bottom, line = (int(word) for word in words[:5])
    return f"^FO{x},{y}^GB{right - x},{bottom - y},{line}^FS"


def _bar(rest: bytes, dpi: int) -> str:
    words, _ = _arguments(rest)
    x, y, width, height = (int(word) for word in words[:4])
    return f"^FO{x},{y}^GB{width},{height},{min(width, height)}^FS"


def _bitmap(rest: bytes, dpi: int) -> str:
    x, y, row, height, _, data = rest.split(b",", 5)
    inverted = bytes(byte ^ 0xFF for byte in data[: int(row) * int(height)])  # 0 is black in TSPL
    size = f"{len(inverted)},{len(inverted)},{int(row)}"
    return f"^FO{int(x)},{int(y)}^GFA,{size},{inverted.hex().upper()}^FS"


_DRAW: dict[bytes, Callable[[bytes, int], str]] = {
    b"SIZE": _size,
    b"TEXT": _text,
    b"BARCODE": _barcode,
    b"QRCODE": _qrcode,
    b"DMATRIX": _dmatrix,
    b"BOX": _box,
    b"BAR": _bar,
    b"BITMAP": _bitmap,
}
