"""Random lives of units, by every role, against plain Python; how they are reached is told."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.sql.units.oracle import PERMISSIONS, VARIANTS, Kit, No, Plant, Unit, actions
from tests.support.databases import STAFF_ROLES

Row = dict[str, Any]
RULES = {"allowed_hw_revs": ["B"], "firmware": {"required_prefix": "1."}}
STEPS = 22
# Who asks: mostly somebody who may, now and then somebody who may not.
people = st.sampled_from(
    ("supervisor",) * 12 + ("viewer", "operator", "technician", "planner", "manager", "fixture")
)
numbers = st.integers(0, 1)
readings = st.sampled_from(("B", "B", "B", "Z", None))
_names = itertools.count(1)


class Way(Protocol):
    """How the database is reached."""

    def ask(self, who: str, rpc: str, **arguments: Any) -> tuple[str | None, Any]:
        """(None, the answer), or (the code of the refusal, None)."""

    def unit(self, sn: str) -> Row:
        """The row of a unit."""

    def free_stock(self) -> int:
        """Pieces of the finished item that may be promised."""

    def bystanders(self) -> Iterator[str]:
        """Who else tries each command, when they may not: nothing comes of it."""


class Life(RuleBasedStateMachine):
    """Two units and three kits: one fits, one fits the other variant, one is out of use."""

    def __init__(self, way: Way) -> None:
        super().__init__()
        self.way = way
        self.before = way.free_stock()
        name = f"K{next(_names)}"
        self.sns = self.told("operator", "create_generic_units", p_count=2)["sns"]
        kits = {
            f"{name}-a": Kit("FX-EU"),
            f"{name}-b": Kit("FX-US"),
            f"{name}-c": Kit("FX-EU", is_active=False),
        }
        rows = [{"kit_id": k, "language_set": "EN", "variants": [v.fits]} for k, v in kits.items()]
        self.told("planner", "register_kits", p_kits=rows)
        self.told("planner", "set_kit_active", p_kit_id=f"{name}-c", p_is_active=False)
        self.plant = Plant(2, kits)
        self.kit_ids = [*kits, "no-such-kit"]

    def told(self, who: str, rpc: str, **arguments: Any) -> Any:
        """The answer to what nobody may refuse."""
        refusal, answer = self.way.ask(who, rpc, **arguments)
        assert refusal is None, (who, rpc, refusal)
        return answer

    def act(
        self,
        expect: Callable[[Unit], object],
        who: str,
        rpc: str,
        permission: str,
        n: int,
        **arguments: Any,
    ) -> None:
        """The command and the oracle end alike. Sent twice with one request id, it acts once."""
        unit = self.plant.units[n]
        given = {**arguments, "p_sn": self.sns[n], "p_request_id": str(uuid4())}
        for other in self.way.bystanders():
            if _role(other) not in PERMISSIONS[permission]:
                assert self.way.ask(other, rpc, **given) == ("auth.forbidden", None)
        refusal, found = None, None
        try:
            if _role(who) not in PERMISSIONS[permission]:
                raise No("auth.forbidden")
            found = expect(unit)
        except No as no:
            refusal = str(no)
        said, answer = self.way.ask(who, rpc, **given)
        assert said == refusal, (who, rpc, unit)
        if refusal is None:
            assert self.way.ask(who, rpc, **given) == (None, answer)
            if rpc == "finalize_pack":
                assert [b["code"] for b in answer["blockers"]] == found
        self.same_as(n, who)

    def same_as(self, n: int, who: str) -> None:
        """Status, readings, gate, stock and what is offered are what the oracle says."""
        unit, row = self.plant.units[n], self.way.unit(self.sns[n])
        assert (
            row["status"], row["status_before_hold"], row["variant_code"], row["hw_rev"],
            row["fw_version"], row["build_no"], row["kit_id"],
        ) == (
            unit.status, unit.before_hold, unit.variant, unit.hw, unit.fw, unit.build, unit.kit,
        )  # fmt: skip
        detail = self.told(who, "get_unit", p_sn=self.sns[n])
        assert set(detail["actions"]) == actions(unit.status, _role(who)), (who, unit)
        if unit.status not in ("PACKED", "IN_FINISHED_STOCK", "SCRAPPED"):
            found = self.plant.blockers(unit)
            gate = self.told("operator", "check_pack_gate", p_sn=self.sns[n])
            for seen in (gate, detail["gate"]):
                assert [b["code"] for b in seen["blockers"]] == found
                assert seen["allowed"] == (found == [])
        assert self.way.free_stock() == self.before + self.plant.stock

    @rule(n=numbers, who=people, name=st.sampled_from(sorted(VARIANTS)))
    def assign(self, n: int, who: str, name: str) -> None:
        self.act(
            lambda u: self.plant.assign(u, name),
            who, "assign_unit_variant", "units.assign", n, p_variant=name,
        )  # fmt: skip

    @rule(
        n=numbers,
        who=people,
        ok=st.sampled_from((True, True, True, False)),
        fw=st.sampled_from(("1.4", "1.4", "2.0", None)),
        hw=readings,
    )
    def flash(self, n: int, who: str, ok: bool, fw: str | None, hw: str | None) -> None:
        self.act(
            lambda u: self.plant.flash(u, ok, fw, hw),
            who, "record_flash", "units.flash", n, p_ok=ok, p_fw_version=fw, p_hw_rev=hw,
        )  # fmt: skip

    @rule(n=numbers, who=people, result=st.sampled_from(("PASS", "PASS", "FAIL")), hw=readings)
    def test(self, n: int, who: str, result: str, hw: str | None) -> None:
        self.act(
            lambda u: self.plant.test(u, result, hw),
            who, "record_test_result", "units.test", n, p_result=result, p_hw_rev=hw,
        )  # fmt: skip

    @rule(n=numbers, who=people)
    def assemble(self, n: int, who: str) -> None:
        self.act(self.plant.assemble, who, "record_assembly", "units.assemble", n)

    @rule(n=numbers, who=people, k=st.sampled_from((0, 0, 0, 1, 2, 3)))
    def scan_a_kit(self, n: int, who: str, k: int) -> None:
        self.act(
            lambda u: self.plant.scan_kit(u, self.kit_ids[k]),
            who, "scan_pack_kit", "units.pack", n, p_kit_id=self.kit_ids[k],
        )  # fmt: skip

    @rule(n=numbers, who=people)
    def pack(self, n: int, who: str) -> None:
        self.act(self.plant.pack, who, "finalize_pack", "units.pack", n)

    @initialize(how_far=st.integers(0, 3))
    def begin(self, how_far: int) -> None:
        """What a random walk seldom does by itself: the first unit is made as it should be."""
        if how_far > 0:
            self.all_the_way(0)
        if how_far > 1:
            self.move_to_stock(0, "supervisor")

    @rule(n=numbers)
    def all_the_way(self, n: int) -> None:
        if self.plant.units[n].status in ("CREATED", "REWORK"):
            self.assign(n, "supervisor", "FX-EU")
            self.flash(n, "supervisor", True, "1.4", "B")
            self.test(n, "fixture", "PASS", None)
            self.scan_a_kit(n, "supervisor", 0)
        self.pack(n, "supervisor")

    @rule(n=numbers, who=people)
    def move_to_stock(self, n: int, who: str) -> None:
        self.act(self.plant.to_stock, who, "move_unit_to_stock", "units.pack", n)

    @rule(n=numbers, who=people)
    def unpack(self, n: int, who: str) -> None:
        self.act(self.plant.unpack, who, "unpack_unit", "units.unpack", n, p_reason="model")

    @rule(n=numbers, who=people)
    def rework(self, n: int, who: str) -> None:
        self.act(self.plant.rework, who, "send_to_rework", "units.rework", n, p_reason="model")

    @rule(n=numbers, who=people)
    def hold(self, n: int, who: str) -> None:
        self.act(self.plant.hold, who, "hold_unit", "units.hold", n, p_reason="model")

    @rule(n=numbers, who=people)
    def release(self, n: int, who: str) -> None:
        self.act(self.plant.release, who, "release_unit", "units.hold", n, p_reason="model")

    @rule(n=numbers, who=people, really=st.sampled_from((True, False, False, False)))
    def scrap(self, n: int, who: str, really: bool) -> None:
        if really:
            self.act(self.plant.scrap, who, "scrap_unit", "units.scrap", n, p_reason="model")


def _role(who: str) -> str:
    return who if who in STAFF_ROLES else f"device.{who}"


def live(way: Way, sequences: int) -> None:
    """So many random lives; TAKT_MODEL_SEQUENCES makes it more of them, other ones each time."""
    chosen = os.environ.get("TAKT_MODEL_SEQUENCES")
    run_state_machine_as_test(
        lambda: Life(way),  # type: ignore[arg-type]
        settings=settings(
            max_examples=int(chosen or sequences),
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=chosen is None,
            suppress_health_check=list(HealthCheck),
        ),
    )
