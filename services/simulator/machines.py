"""The machines of the demo: what they did in the last days, then what they do, as it happens."""

from __future__ import annotations

import json
import logging
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.simulator.machines_plan import Interruption, Pace, days, machine_day, told_between
from takt.daemon import Run
from takt.errors import RpcError
from takt.rpc import RpcClient

log = logging.getLogger(__name__)

MACHINES = (
    *("optimizer-1", "precut-1", "cnc-1", "cnc-2"),
    *("sander-1", "brush-1", "booth-1", "packer-1"),
)
_HISTORY = timedelta(days=3)
_PACE = Pace()
# Of a kind of interruption: what people say about most of them.
_REASONS = {
    "stopped": ("material", "jam", "quality"),
    "starved": ("starved",),
    "blocked": ("blocked",),
    "idle": ("no-order", "operator"),
    "fault": ("breakdown",),
}
_SAID = 0.7


class Machines:
    """One look per `seconds`. A machine that is being repaired says nothing."""

    def __init__(self, rpc: RpcClient, seconds: float, home: Path) -> None:
        self._rpc = rpc
        self._seconds = seconds
        self._file = home / ".takt" / "machines.json"
        self._told = self._read()

    async def run(self, state: Run) -> None:
        """A side task: until it is cancelled."""
        while True:
            try:
                await self.look(datetime.now(UTC))
            except RpcError as error:
                log.warning(str(error), extra={"action": "sim.machines_missed"})
            await state.pause(self._seconds)

    async def look(self, now: datetime) -> None:
        """Tell what happened since the last look. Errors: RpcError."""
        for row in await self._rpc.call("get_andon", safe=True, p_site="main"):
            code = str(row["machine"])
            if code not in MACHINES:
                continue
            since = max(self._told.get(code, now - _HISTORY), now - _HISTORY)
            until = now
            if row["state"] == "stopped" and row["reason"] == "breakdown" and row["open_repairs"]:
                until = min(now, datetime.fromisoformat(row["since"]))  # it is being repaired
            if until > since:
                await self._tell(code, since, until)
            self._told[code] = now
            self._write()

    async def _tell(self, code: str, since: datetime, until: datetime) -> None:
        states, counts = told_between(code, since, until, _PACE)
        if states:
            rows: list[dict[str, Any]] = [
                {"machine": code, "at": at.isoformat(), "state": state} for at, state in states
            ]
            await self._rpc.call("record_machine_states", safe=True, p_events=rows)
        if counts:
            rows = [
                {
                    **{"machine": code, "key": c.key, "at": c.at.isoformat()},
                    **{"good": c.good, "scrap": c.scrap, "rework": c.rework},
                }
                for c in counts
            ]
            await self._rpc.call("record_counts", safe=True, p_counts=rows)
        for day in days(since.date(), until.date()):
            for stop in machine_day(code, day, _PACE).interruptions:
                if since < stop.ends <= until:
                    await self._say_why(code, stop)
        log.info("told", extra={"action": "sim.machine", "machine": code, "states": len(states)})

    async def _say_why(self, code: str, stop: Interruption) -> None:
        dice = random.Random(f"{code}/{stop.begins}")  # noqa: S311  # demo data
        if stop.kind not in _REASONS or dice.random() > _SAID:
            return
        reason = dice.choice(_REASONS[stop.kind])
        at = (stop.begins + timedelta(seconds=1)).isoformat()
        named: dict[str, Any] = {"p_reason": reason, "p_machine": code, "p_at": at}
        try:
            await self._rpc.call("classify_stop", safe=True, **named)
        except RpcError as error:  # somebody else did, or it is part of another stop
            log.info(str(error), extra={"action": "sim.not_classified", "machine": code})

    def _read(self) -> dict[str, datetime]:
        try:
            kept = dict(json.loads(self._file.read_text(encoding="utf-8")))
            return {code: datetime.fromisoformat(at) for code, at in kept.items()}
        except (OSError, ValueError, TypeError):
            return {}

    def _write(self) -> None:
        kept = {code: at.isoformat() for code, at in self._told.items()}
        self._file.write_text(json.dumps(kept), encoding="utf-8")
