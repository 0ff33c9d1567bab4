"""Tell a tracker what a printer says, one frame per line of a test."""

from __future__ import annotations

import itertools
import json
from typing import Any

from bambu_bridge.memory import Memory
from bambu_bridge.merge import Version, read
from bambu_bridge.run import Decision, Instant
from bambu_bridge.tracker import Tracker
from services.simulator.bambu.profiles import PROFILES

EPOCH = 1_790_000_000.0
DAY = 86_400.0
CANCEL = 0x0300400C
NOZZLE = 0x0500803C
KIOSK = {"subtask_name": "kiosk_plates_plate_7", "gcode_file": "kiosk_plates_plate_7.3mf"}


def cloud(name: str = "Kiosk", plate: int = 7, job: int = 500001) -> dict[str, Any]:
    """How an X1 names a cloud job."""
    return PROFILES["X1C"].job_fields(name, plate, str(job))


class Story:
    """A printer and the bridge's tracker of it. Times are seconds of the story."""

    def __init__(self, at: float = 0.0) -> None:
        self.decided: list[Decision] = []
        self.at = at
        self.wall_offset = 0.0
        self._count = itertools.count(1)
        self.tracker = Tracker(mint=self._mint)

    def _mint(self) -> str:
        return f"run-{next(self._count)}"

    @property
    def now(self) -> Instant:
        return Instant(EPOCH + self.at + self.wall_offset, EPOCH + self.at)

    def full(self, at: float, state: str, **fields: Any) -> list[Decision]:
        """A full report of a printer whose other fields are idle ones."""
        model = PROFILES["X1C"] if "plate_idx" in fields else PROFILES["P1S"]
        said = {**model.baseline, "msg": 0, "gcode_state": state, **fields}
        return self.say(at, said)

    def delta(self, at: float, **fields: Any) -> list[Decision]:
        return self.say(at, {"msg": 1, **fields})

    def ack(
        self, at: float, command: str, result: str = "success", **fields: Any
    ) -> list[Decision]:
        return self.say(at, {"command": command, "result": result, **fields})

    def say(self, at: float, said: dict[str, Any]) -> list[Decision]:
        self.wait(at)
        message = read({"print": {"command": "push_status", **said}})
        assert message is not None
        assert not isinstance(message, Version)
        return self._note(self.tracker.feed(message, self.now))

    def wait(self, until: float) -> list[Decision]:
        """Let time pass as the bridge does: it looks again every second."""
        found = []
        for moment in (*range(int(self.at) + 1, min(int(until), int(self.at) + 700)), until):
            self.at = max(self.at, float(moment))
            found += self._note(self.tracker.tick(self.now))
        return found

    def connect(self, at: float) -> None:
        self.wait(at)
        self.tracker.reset()

    def lose(self, at: float) -> None:
        """The connection is gone; nothing is known until the next full report."""
        self.connect(at)

    def restart(self, at: float) -> None:
        """kill -9 and start again: only the memory is left."""
        stored = json.loads(json.dumps(self.tracker.memory.stored()))
        self.at = at
        self.tracker = Tracker(Memory.restored(stored), self._mint)

    def _note(self, found: list[Decision]) -> list[Decision]:
        self.decided += found
        return found

    @property
    def outcomes(self) -> list[str]:
        return [decision.outcome.value for decision in self.decided]

    @property
    def only(self) -> Decision:
        """The one decision of the story."""
        assert len(self.decided) == 1, self.outcomes
        return self.decided[0]


def idle_at(at: float = 1.0) -> Story:
    """A printer that the bridge knows, idle."""
    story = Story()
    story.connect(0)
    story.full(at, "IDLE")
    return story


def printing_cloud(job: int = 500001) -> Story:
    """An X1 at 60 % of a cloud job."""
    story = idle_at()
    story.full(5, "PREPARE", **cloud(job=job))
    story.full(60, "RUNNING", total_layer_num=100, **cloud(job=job))
    story.full(100, "RUNNING", mc_percent=60, mc_remaining_time=5, **cloud(job=job))
    return story
