"""The label of `print-test`: which printer, which resolution, when, and a code to scan."""

from __future__ import annotations

import re
from datetime import datetime

_PLAIN = re.compile(r"[^A-Za-z0-9 .:/@-]")


def code(at: datetime) -> str:
    """What the printed code says; scanning it closes the commissioning."""
    return f"TEST-{at:%y%m%d-%H%M%S}"


def label(language: str, dpi: int, name: str, at: datetime) -> bytes:
    """One label in 50 × 25 mm. Errors: ValueError for a language without one."""
    lines = [_PLAIN.sub(" ", name)[:28], f"{dpi} dpi  {at:%Y-%m-%d %H:%M:%S}"]
    if language == "tspl":
        return _tspl(dpi, lines, code(at))
    if language in ("zpl", "spooler", "file"):
        return _zpl(dpi, lines, code(at))
    raise ValueError(f"There is no test label for `{language}`.")


def _dots(mm: float, dpi: int) -> int:
    return round(mm * dpi / 25.4)


def _zpl(dpi: int, lines: list[str], text: str) -> bytes:
    def at(mm_y: float) -> str:
        return f"^FO{_dots(3, dpi)},{_dots(mm_y, dpi)}"

    high = _dots(3, dpi)
    rows = [f"{at(2 + 4 * n)}^A0N,{high},{high}^FD{line}^FS" for n, line in enumerate(lines)]
    bars = f"^BY{max(2, _dots(0.25, dpi))}^BCN,{_dots(8, dpi)},Y,N,N"
    start = f"^XA^CI28^LH0,0^PW{_dots(50, dpi)}^LL{_dots(25, dpi)}"
    return f"{start}{''.join(rows)}{at(11)}{bars}^FD{text}^FS^PQ1^XZ".encode()


def _tspl(dpi: int, lines: list[str], text: str) -> bytes:
    left, high = _dots(3, dpi), _dots(8, dpi)
    rows = [
        f'TEXT {left},{_dots(2 + 4 * n, dpi)},"2",0,1,1,"{line}"' for n, line in enumerate(lines)
    ]
    bars = f'BARCODE {left},{_dots(11, dpi)},"128",{high},1,0,2,2,"{text}"'
    return "\r\n".join(["CLS", *rows, bars, "PRINT 1,1", ""]).encode()
