"""The workshop's day as its people live it: they scan, report, find faults, ask and decide.

`python -m services.simulator.shift_demo` lives it against the running demo (`takt up --demo`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.simulator.shift_plan import (
    ASSEMBLE,
    CENTRES,
    CHAIR,
    LEG,
    LOT_PARTS,
    OTHER_TABLE,
    PRESS,
    Job,
    Plan,
)

Answer = dict[str, Any]
# (role, RPC, its arguments) → its answer. Errors: whatever the caller raises when it is refused.
Call = Callable[[str, str, Answer], Any]

_IDS = uuid.UUID("6f1d52a3-6d0a-4b53-9a0c-51f77a0de0f4")


@dataclass(frozen=True)
class Said:
    """A command that was given, and by whom."""

    role: str
    rpc: str
    arguments: Answer


class Shift:
    """`log` holds every command in its order: from it the figures of the day can be worked out."""

    def __init__(self, call: Call, plan: Plan, first_day: date) -> None:
        self._call = call
        self._plan = plan
        self._first_day = first_day
        self._centre: dict[str, str] = {}  # order → the work centre allowed instead of the press
        self._press_works = True
        self.log: list[Said] = []

    def run(self) -> None:
        """The whole day: orders come in, are made one after the other, what was lost again."""
        self.take_orders()
        later: list[Job] = []
        for done, job in enumerate(self._plan.jobs):
            if done == self._plan.press_fails_after:
                self.press_fails()
            if done == self._plan.press_works_after:
                self.press_works()
                for waiting in later:
                    self.make(waiting)
            if job.sku == CHAIR and not self._press_works and not self._at_table(job):
                later.append(job)
                continue
            self.make(job)
        self.deliver_legs()
        self.make_again()

    def take_orders(self) -> None:
        """The ERP sends the orders of the day; the planner releases them."""
        rows = [
            {
                **{"external_id": f"SO-{job.number}", "version": 1, "code": job.code},
                **{"product_sku": job.sku, "quantity": job.quantity, "priority": job.priority},
                **{"due_date": (self._first_day + timedelta(days=job.due_in)).isoformat()},
                "site": "main",
            }
            for job in self._plan.jobs
        ]
        self._say("planner", "import_production_orders", system="shift", rows=rows)
        for job in self._plan.jobs:
            self._say("planner", "release_order", code=job.code)

    def make(self, job: Job) -> None:
        """As far as it can be made now: step by step, with its faults."""
        for sequence in CENTRES[job.sku]:
            self._work(job, job.code, sequence)

    def _work(self, job: Job, code: str, sequence: int, faults: bool = True) -> None:
        pieces = self._can_start(code, sequence)
        if not pieces:
            return
        centre = self._work_centre(job, code, sequence)
        scan = self._say("operator", "scan_step", code=code, work_centre=centre, sequence=sequence)
        if not scan["ok"]:
            raise RuntimeError(f"{code} at {centre}: {scan['message']}")
        for lot, quantity in self._lots(job.sku, sequence, pieces):
            at: Answer = {"order": code, "sequence": sequence}
            self._say("operator", "consume_lot", code=lot, quantity=quantity, **at)
        scrap = job.scrap if faults and job.scrap and job.scrap.sequence == sequence else None
        rework = job.rework if faults and job.rework and job.rework.sequence == sequence else None
        lost, again = scrap.pieces if scrap else 0, rework.pieces if rework else 0
        fault = scrap or rework
        where: Answer = {"code": code, "sequence": sequence}
        counts: Answer = {"good": pieces - lost - again, "scrap": lost, "rework": again}
        why: Answer = {"reason": fault.reason} if fault else {}
        self._say("operator", "report_production", work_centre=centre, **where, **counts, **why)
        if again:
            decided: Answer = {"disposition": "accept", "quantity": again, "from": "rework"}
            record = self._open_record(code)
            self._say("operator", "record_quality", record=record, **where, **decided)

    def _can_start(self, code: str, sequence: int) -> int:
        steps = self._look("trace_production_order", code=code)["steps"]
        place = next(n for n, step in enumerate(steps) if step["sequence"] == sequence)
        step = steps[place]
        before = steps[place - 1]["good"] if place else step["released"]
        return int(min(Decimal(step["released"]), Decimal(before)) - Decimal(step["started"]))

    def _work_centre(self, job: Job, code: str, sequence: int) -> str:
        if sequence == ASSEMBLE and code in self._centre:
            return self._centre[code]
        centres = CENTRES[job.sku][sequence]
        return centres[job.number % len(centres)]

    def _lots(self, sku: str, sequence: int, pieces: int) -> Iterator[tuple[str, str]]:
        """Oldest lots first, as many as it takes."""
        part = LOT_PARTS.get((sku, sequence))
        if part is None:
            return
        needed = part[1] * pieces
        for row in reversed(self._look("get_lots", search=part[0])["lots"]):
            there = Decimal(row["balance"]["remaining"]) if row["balance"] else Decimal(0)
            take = min(needed, there)
            if row["lot"]["sku"] == part[0] and take > 0:
                yield row["lot"]["code"], f"{take.normalize():f}"
                needed -= take
        if needed:
            raise RuntimeError(f"{needed} of {part[0]} are missing")

    def _open_record(self, code: str) -> int:
        records = self._look("trace_production_order", code=code)["quality"]
        return next(int(q["id"]) for q in records if Decimal(q["open_quantity"]) > 0)

    # What goes wrong ------------------------------------------------------------------------

    def press_fails(self) -> None:
        """The operator asks for the press to be disabled, the manager agrees."""
        self._decide("DISABLE_EQUIPMENT", "The press loses pressure", work_centre=PRESS)
        self._press_works = False

    def press_works(self) -> None:
        self._decide("ENABLE_EQUIPMENT", "New seal, tested", work_centre=PRESS)
        self._press_works = True

    def _at_table(self, job: Job) -> bool:
        """The first chairs that meet the dead press are allowed at an assembly table."""
        if self._centre:
            return False
        for sequence in CENTRES[job.sku]:
            if sequence == ASSEMBLE:
                break
            self._work(job, job.code, sequence)
        refused = self._say("operator", "scan_step", code=job.code, work_centre=PRESS)
        if refused["ok"]:
            raise RuntimeError("The press is disabled, and let an order in.")
        where: Answer = {"work_centre": OTHER_TABLE, "order": job.code, "sequence": ASSEMBLE}
        text = "Promised for today; can be glued by hand"
        self._decide("SPECIAL_OPERATION", text, operation="other_work_centre", **where)
        self._centre[job.code] = OTHER_TABLE
        return True

    def _decide(self, kind: str, justification: str, **where: Any) -> None:
        asked = self._say(
            "operator", "request_approval", type=kind, justification=justification, **where
        )
        shown = asked.get("approval") or asked
        seen: Answer = {"id": shown["id"], "version": shown["version"]}
        self._say("manager", "decide_approval", **seen, decision="APPROVED", notes="Agreed")

    def deliver_legs(self) -> None:
        """The missing legs come; what waited for them goes on."""
        lot = self._plan.lots[LEG]
        arrived: Answer = {"sku": LEG, "code": lot, "quantity": self._plan.legs_delivered}
        self._say("operator", "receive_lot", **arrived, location="main")
        for job in self._plan.jobs:
            if self._look("trace_production_order", code=job.code)["progress"]["waits_for"]:
                self._say("planner", "release_order", code=job.code)
                self.make(job)

    def make_again(self) -> None:
        """What was scrapped is made again, packed with the rest, one lot for the customer."""
        for job in self._plan.jobs:
            for again in self._look("trace_production_order", code=job.code)["replenishments"]:
                self._say("planner", "release_order", code=again["code"])
                for sequence in CENTRES[job.sku]:
                    self._work(job, again["code"], sequence, faults=False)
                self._say("operator", "merge_lots", codes=[again["code"]], into=job.code)
        first = self._plan.jobs[0]
        self._say("operator", "split_lot", code=first.code, quantity=1, reason="For the showroom")

    # Talking --------------------------------------------------------------------------------

    def _say(self, role: str, rpc: str, **arguments: Any) -> Answer:
        """A command, with a request id of its own: said again, it would change nothing."""
        request = uuid.uuid5(_IDS, f"{self._first_day}:{len(self.log)}:{rpc}")
        self.log.append(Said(role, rpc, arguments))
        return dict(self._call(role, rpc, _named({**arguments, "request_id": str(request)})))

    def _look(self, rpc: str, **arguments: Any) -> Answer:
        return dict(self._call("planner", rpc, _named(arguments)))


def _named(arguments: Answer) -> Answer:
    return {f"p_{name}": value for name, value in arguments.items()}
