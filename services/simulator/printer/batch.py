"""What a printer is asked to print, and what it tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.simulator.printer.faults import Condition, Fault


def number(text: bytes, most: int, default: int) -> int:
    """A whole number from a command, at most `most`; `default` for anything else."""
    text = text.strip().lstrip(b"0") or text.strip()[:1]
    if not text.isdigit():
        return default
    return min(int(text), most) if len(text) <= len(str(most)) else most


@dataclass(frozen=True)
class Batch:
    """What one format (or one PRINT) asks for. `zpl`: its picture in ZPL."""

    source: bytes
    zpl: str
    copies: int = 1
    reprints: bool = True  # print a spoiled label again
    pause_every: int = 0
    pauses: bool = False
    feeds: int = 0


@dataclass(frozen=True)
class Event:
    """Something that a printer may tell of by itself."""

    what: Literal["struck", "cleared", "batch_done"]
    condition: Condition | None = None


@dataclass
class Running:
    """The batch that is being printed."""

    batch: Batch
    left: int  # labels, the one in motion included
    done: int = 0
    out_at: float | None = None  # when the label in motion is out
    spoils: tuple[float, Fault] | None = None  # what strikes it before that
