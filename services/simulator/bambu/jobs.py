"""What the demo's printers print, and how it goes. No I/O."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CANCELLED = 0x0300400C
SPAGHETTI = 0x03008003
_LAYERS = 120


@dataclass(frozen=True)
class File:
    """A sliced project: one plate of it, with so many objects."""

    name: str
    plate: int
    objects: int


FILES = (
    File("kiosk_plates", 7, 12),
    File("kiosk_plates", 6, 4),
    File("planter_feet", 1, 8),
)


@dataclass(frozen=True)
class Job:
    """One print. `end`: FINISH, FAILED or CANCEL; it stops at `until` percent."""

    file: File
    number: int
    end: str = "FINISH"
    until: int = 100
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Frame:
    """The printer shows these fields, at `at` of the print's length (0 … 1)."""

    at: float
    fields: dict[str, Any] = field(default_factory=dict)


def next_jobs(seed: int, number: int = 1) -> Iterator[Job]:
    """For ever, and the same for the same seed: most go well."""
    dice = random.Random(seed)  # noqa: S311  # a story, no secret
    while True:
        file = FILES[(seed + number) % len(FILES)]
        luck = dice.random()
        stop = dice.randint(20, 80)
        if luck < 0.05:
            yield Job(file, number, "CANCEL", stop)
        elif luck < 0.10:
            yield Job(file, number, "FAILED", stop)
        elif luck < 0.15:
            yield Job(file, number, skipped=(dice.randint(1, file.objects),))
        else:
            yield Job(file, number)
        number += 1


def frames(job: Job, named: dict[str, Any], steps: int = 20) -> Iterator[Frame]:
    """What the printer shows from the start to the end; `named` as its model names a job."""
    start = {"gcode_state": "PREPARE", "print_type": "local", "mc_percent": 0, "layer_num": 0}
    yield Frame(0.0, {**start, "print_error": 0, "s_obj": [], "stg_cur": 2, **named})
    yield Frame(0.04, {"gcode_state": "RUNNING", "total_layer_num": _LAYERS, "stg_cur": 0})
    reached = 0
    for step in range(1, steps):
        reached = round(100 * step / steps)
        if reached >= job.until:
            break
        shown: dict[str, Any] = {"mc_percent": reached, "layer_num": _LAYERS * step // steps}
        shown["mc_remaining_time"] = max(1, round((1 - step / steps) * 30))
        if job.skipped and reached >= 50:
            shown["s_obj"] = list(job.skipped)
        yield Frame(0.04 + 0.95 * step / steps, shown)
    over = min(job.until, 100) / 100
    if job.end == "FINISH":
        done = {"mc_percent": 100, "layer_num": _LAYERS, "mc_remaining_time": 0}
        yield Frame(1.0, {"gcode_state": "FINISH", "print_type": "idle", "stg_cur": 255, **done})
    elif job.end == "CANCEL":
        yield Frame(over, {"print_error": CANCELLED})
        yield Frame(over, {"print_error": 0, "gcode_state": "FAILED", "print_type": "idle"})
    else:
        yield Frame(over, {"print_error": SPAGHETTI, "gcode_state": "FAILED", "print_type": "idle"})
