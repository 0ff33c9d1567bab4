"""One printer: what it is, and how its firmware behaves where firmware differs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

DOTS_PER_MM = {203: 8, 300: 12, 600: 24}  # as heads are called; 300 dpi is 11.8 in truth
_EXACT = {203: 8.0, 300: 300 / 25.4, 600: 600 / 25.4}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "dpi": tuple(DOTS_PER_MM),
    "second_connection": ("queue", "refuse"),
    "display_language": ("english", "japanese"),
}
_FIXED = ("code", "language", "odometer")
_POSITIVE = ("width_mm", "height_mm", "label_s", "buffer_bytes")
Language = Literal["zpl", "tspl"]


def whole_dots(mm: float, dpi: int) -> int:
    """Whole dots in a length, at a resolution of 203, 300 or 600 dpi."""
    return math.floor(round(mm * _EXACT[dpi], 6))


def millimetres(dots: float, dpi: int) -> float:
    return dots / _EXACT[dpi]


@dataclass
class Spec:
    """Lengths in mm, times in seconds. Most of it may be changed while the printer runs.

    The lower half are the ways in which real firmware is known, or feared, to differ.
    """

    code: str
    name: str = ""
    language: Language = "zpl"
    dpi: int = 203
    model: str = "ZTC ZD421-203dpi ZPL"
    firmware: str = "V93.21.26Z"
    serial: str = "D2J230000001"
    width_mm: float = 100.0
    height_mm: float = 60.0
    label_s: float = 0.25  # from the start of a label until it is out
    buffer_bytes: int = 1_000_000
    odometer: int = 1000  # labels printed before it came to us

    hs_talks_in_fault: bool = False  # Zebra documents silence on ~HS when out of media and the like
    answers_hqes: bool = True  # an unsupported ~HQ is ignored without a word
    answers_sgd: bool = True
    hi_gives_dpi: bool = False  # dots per inch where ~HI documents dots per mm
    dpi_unreadable: bool = False
    feed_counts: bool = True  # the label odometer also counts feeds and calibration
    counts_openings: bool = True  # has a counter of the times that its lid was opened
    counter_lag_s: float = 0.0  # the odometer moves that long after the label came out
    remaining_without_current: bool = False  # "labels remaining" leaves out the one in motion
    partial_survives: bool = True  # half a format outlives the connection that brought it
    sgd_inside_format: bool = False  # half a format swallows Set-Get-Do commands otherwise
    second_connection: Literal["queue", "refuse"] = "queue"
    display_language: Literal["english", "japanese"] = "english"  # of alerts

    @property
    def dots_per_mm(self) -> int:
        return DOTS_PER_MM[self.dpi]

    def dots(self, mm: float) -> int:
        """Whole dots in a length."""
        return whole_dots(mm, self.dpi)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Set several values at once. Errors: ValueError for an unknown name or a wrong type."""
        known = {field.name: field for field in dataclasses.fields(self)}
        for name, value in changes.items():
            if name not in known or name in _FIXED:
                raise ValueError(f"A printer has no changeable setting `{name}`.")
            now, is_float = getattr(self, name), known[name].type == "float"
            fits = isinstance(value, int | float if is_float else type(now))
            if not fits or (isinstance(value, bool) and not isinstance(now, bool)):
                raise ValueError(f"`{name}` must be like {now!r}.")
            if isinstance(value, str) and not value.isascii():
                raise ValueError(f"`{name}` must be plain ASCII.")
            if value not in _CHOICES.get(name, (value,)):
                raise ValueError(f"`{name}` must be one of {_CHOICES[name]}.")
            if name in _POSITIVE and value <= 0:
                raise ValueError(f"`{name}` must be more than 0.")
        for name, value in changes.items():
            setattr(self, name, float(value) if known[name].type == "float" else value)
