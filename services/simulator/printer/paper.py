"""The paper that came out of a printer, and its picture."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from PIL import Image

from services.simulator.printer.spec import Spec, millimetres

_KEPT_PICTURES = 64
_LONGEST_MM = 1000.0
_SIZE = re.compile(rb"\^(PW|LL)\s*(\d{1,6})")


class Renderer(Protocol):
    """Whatever makes a PNG of a label: sizes in mm, `dpmm` 8, 12 or 24. Errors: any."""

    async def render(self, zpl: str, width_mm: float, height_mm: float, dpmm: int) -> bytes: ...


@dataclass(frozen=True)
class Label:
    """One piece of paper. `n` counts from 1 for each printer and never repeats."""

    n: int
    at: datetime
    kind: Literal["label", "blank", "text"]
    source: bytes  # the printer's language
    zpl: str  # what it shows, for the picture
    copy: int  # 1 … copies of its format
    spoiled: bool  # only its upper half was printed
    dots_per_mm: int
    width_mm: float
    height_mm: float

    @property
    def texts(self) -> list[str]:
        """The data of its fields, unescaped: a quick look that needs no picture."""
        return field_data(self.zpl)


class Paper:
    """All labels of one printer, the oldest forgotten after `keep`."""

    def __init__(self, wall: Callable[[], datetime], keep: int = 10_000) -> None:
        self._wall = wall
        self._labels: deque[Label] = deque(maxlen=keep)
        self._count = 0
        self._pictures: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def labels(self) -> list[Label]:
        """Oldest first."""
        return list(self._labels)

    def get(self, n: int) -> Label | None:
        return next((label for label in reversed(self._labels) if label.n == n), None)

    def add(
        self,
        kind: Literal["label", "blank", "text"],
        spec: Spec,
        source: bytes = b"",
        zpl: str = "",
        *,
        copy: int = 1,
        spoiled: bool = False,
    ) -> Label:
        """A label comes out of a printer as `spec` has it now."""
        self._count += 1
        size = {
            name: millimetres(int(value), spec.dpi)
            for name, value in _SIZE.findall(zpl.encode())
            if int(value) > 0
        }
        # Longer than its label an image goes on over the gap; a wider one is cut off.
        width = min(size.get(b"PW", spec.width_mm), spec.width_mm)
        height = min(size.get(b"LL", spec.height_mm), _LONGEST_MM)
        dots = spec.dots_per_mm
        label = Label(
            self._count, self._wall(), kind, source, zpl, copy, spoiled, dots, width, height
        )
        self._labels.append(label)
        return label

    async def picture(self, label: Label, renderer: Renderer) -> bytes:
        """PNG of a label. Errors: what the renderer raises."""
        png = self._pictures.get(label.n)
        if png is None:
            png = self._pictures[label.n] = await self._draw(label, renderer)
            while len(self._pictures) > _KEPT_PICTURES:
                self._pictures.pop(next(iter(self._pictures)))
        return png

    async def _draw(self, label: Label, renderer: Renderer) -> bytes:
        size = (label.width_mm, label.height_mm)
        if label.kind == "blank" or not field_commands(label.zpl):
            return _blank(*size, label.dots_per_mm)
        png = await renderer.render(label.zpl, *size, label.dots_per_mm)
        return _upper_half(png) if label.spoiled else png


def field_commands(zpl: str) -> bool:
    """Does a format draw anything?"""
    return re.search(r"\^(F[DVN]|G[BCDEFS]|SN|XG|IM|IL)", zpl) is not None


def field_data(zpl: str) -> list[str]:
    """The data of the fields of a format: hex escapes resolved, a QR code's mode left out."""
    found: list[str] = []
    indicator, is_qr = b"", False
    for command in zpl.encode().split(b"^")[1:]:
        name, rest = command[:2], command[2:].strip(b"\r\n")
        if name == b"FH":
            indicator = rest[:1] or b"_"
        elif name == b"BQ":
            is_qr = True
        elif name in (b"FD", b"FV"):
            data = _unescape(rest, indicator) if indicator else rest
            text = data.decode("utf-8", "replace")
            found.append(text[3:] if is_qr and text[2:3] == "," else text)
        if name in (b"FD", b"FV", b"FS"):
            indicator, is_qr = b"", False
    return found


def _unescape(data: bytes, indicator: bytes) -> bytes:
    pattern = re.compile(re.escape(indicator) + rb"([0-9A-Fa-f]{2})")
    return pattern.sub(lambda match: bytes([int(match[1], 16)]), data)


def _blank(width_mm: float, height_mm: float, dots: int) -> bytes:
    return _png(Image.new("L", (round(width_mm * dots), round(height_mm * dots)), 255))


def _upper_half(png: bytes) -> bytes:
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("L")
    width, height = picture.size
    picture.paste(255, (0, height // 2, width, height))
    return _png(picture)


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
