"""Random floors against plain Python: no piece is lost or invented, whatever is reported."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.sql.production.floor_oracle import PARTS, PLANNED, STEPS, No, Order, Record
from tests.support.production import CENTRES, make_plant, order, selfcheck, set_setting
from tests.support.rpc import Refused, call

SEQUENCES = int(os.environ.get("TAKT_MODEL_SEQUENCES", "10"))
STEP_COUNT = 25
where = st.sampled_from((0, 0, 1, 1, 2))
few = st.integers(0, 4)
COUNTERS = (
    "select sequence, s.status, released, started, good, scrap, rework_open, held_open, waiting,"
    " in_process from public.production_order_steps s"
    " join public.production_orders o on o.id = s.order_id where o.code = %s order by 1"
)


class Floor(RuleBasedStateMachine):
    """One order of twelve tables; parts as the last example left them in stock."""

    def __init__(self, db: psycopg.Connection) -> None:
        super().__init__()
        self.db = db
        self.oracle = Order({part: self.on_hand(part) for part in PARTS})
        self.tables = self.on_hand("TABLE")
        self.code = order(db, PLANNED)
        self.oracle.release()
        self.ids: dict[int, int] = {}  # id of the Python record → id of the row

    def on_hand(self, sku: str) -> int:
        row = self.db.execute(
            "select on_hand from public.inventory_stock where sku = %s", (sku,)
        ).fetchone()
        return int((row or (0,))[0])

    def act(self, expect: Callable[[Order], object], rpc: str, **arguments: Any) -> None:
        """Command and oracle end alike; sent twice with one request id, it acts once."""
        arguments |= {"p_code": self.code, "p_request_id": uuid4()}
        after = copy.deepcopy(self.oracle)
        refusal = None
        try:
            expect(after)
        except No as no:
            refusal = str(no)
        if refusal is not None:
            with pytest.raises(Refused) as caught:
                call(self.db, "manager", rpc, **arguments)
            assert caught.value.code == refusal, (rpc, caught.value)
            return
        answer = call(self.db, "manager", rpc, **arguments)
        assert call(self.db, "manager", rpc, **arguments) == answer
        after.settle()
        self.oracle = after

    def same_ids(self) -> None:
        """Open records are found again by their place: both sides list them in order."""
        rows = self.db.execute(
            "select q.id from public.quality_records q"
            " join public.production_orders o on o.id = q.order_id"
            " where o.code = %s and q.reversed_at is null"
            " and q.disposition in ('rework', 'hold') order by q.id",
            (self.code,),
        ).fetchall()
        assert len(rows) == len(self.oracle.records)
        self.ids = {n: row[0] for n, row in enumerate(rows)}

    @rule(k=where, quantity=st.one_of(st.none(), st.integers(1, 4)))
    def start(self, k: int, quantity: int | None) -> None:
        self.act(
            lambda o: o.start(k, quantity), "start_step",
            p_work_centre=CENTRES[STEPS[k]], p_sequence=STEPS[k], p_quantity=quantity,
        )  # fmt: skip

    @rule(k=where, good=few, scrap=st.sampled_from((0, 0, 1, 2)), rework=st.sampled_from((0, 0, 1)))
    def report(self, k: int, good: int, scrap: int, rework: int) -> None:
        self.act(
            lambda o: o.report(k, good, scrap, rework), "report_production",
            p_work_centre=CENTRES[STEPS[k]], p_sequence=STEPS[k],
            p_good=good, p_scrap=scrap, p_rework=rework, p_reason="NOT_SQUARE",
        )  # fmt: skip

    @rule(k=where)
    def report_all(self, k: int) -> None:
        """What a random walk seldom does: all that can be done is done well."""
        step = self.oracle.steps[k]
        self.report(k, step.waiting + self.oracle.can_start(k), 0, 0)

    @rule(k=where, delta=st.integers(1, 3))
    def count(self, k: int, delta: int) -> None:
        self.act(
            lambda o: o.report(k, delta, 0, 0, by_machine=True), "record_count",
            p_work_centre=CENTRES[STEPS[k]], p_sequence=STEPS[k], p_delta=delta,
        )  # fmt: skip

    @rule(k=where, kind=st.sampled_from(("scrap", "rework", "hold")), quantity=st.integers(1, 2))
    def quality(self, k: int, kind: str, quantity: int) -> None:
        self.act(
            lambda o: o.quality(k, kind, quantity), "record_quality",
            p_sequence=STEPS[k], p_disposition=kind, p_quantity=quantity, p_reason="NOT_SQUARE",
        )  # fmt: skip

    @rule(
        which=st.integers(0, 3),
        kind=st.sampled_from(("accept", "accept", "scrap")),
        quantity=st.integers(1, 2),
    )
    def decide(self, which: int, kind: str, quantity: int) -> None:
        if which < len(self.oracle.records):

            def expect(o: Order) -> None:
                record: Record = o.records[which]
                o.decide(record, kind, quantity)

            self.act(
                expect, "record_quality",
                p_record=self.ids[which], p_disposition=kind, p_quantity=quantity,
            )  # fmt: skip

    @rule(k=where)
    def pause(self, k: int) -> None:
        self.act(lambda o: o.pause(k), "pause_step", p_sequence=STEPS[k])

    @rule(really=st.sampled_from((True, False, False, False)))
    def end_first(self, really: bool) -> None:
        if really:
            self.act(Order.end_first, "complete_step", p_sequence=STEPS[0], p_reason="No boards")

    @rule()
    def undo(self) -> None:
        self.act(Order.undo, "undo_production")

    @rule(really=st.sampled_from((True, False, False, False)))
    def close(self, really: bool) -> None:
        if really:
            self.act(Order.close, "close_order", p_reason="Enough")

    @rule()
    def reopen(self) -> None:
        self.act(Order.reopen, "reopen_order", p_reason="More")

    @rule(quantity=st.integers(1, 9))
    def receive(self, quantity: int) -> None:
        call(self.db, "operator", "receive_stock", p_sku="LEG", p_quantity=quantity)
        self.oracle.stock["LEG"] += quantity

    @rule()
    def release(self) -> None:
        if self.oracle.status != "CLOSED":
            self.act(Order.release, "release_order")

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        oracle = self.oracle
        self.same_ids()
        assert self.db.execute(COUNTERS, (self.code,)).fetchall() == [
            (
                STEPS[k], oracle.step_status(k), s.released, s.started, s.good, s.scrap, s.rework,
                s.held, s.waiting, s.in_process,
            )
            for k, s in enumerate(oracle.steps)
        ]  # fmt: skip
        row = self.db.execute(
            "select status from public.production_orders where code = %s", (self.code,)
        ).fetchone()
        assert row == (oracle.status,)
        assert {part: self.on_hand(part) for part in PARTS} == oracle.stock
        assert self.on_hand("TABLE") == self.tables + oracle.steps[-1].good
        assert selfcheck(self.db) == []

    def teardown(self) -> None:
        """The order leaves the queue for parts to the next example."""
        if self.oracle.status != "CLOSED":
            call(
                self.db, "manager", "cancel_production_order",
                p_code=self.code, p_reason="Model",
            )  # fmt: skip


@pytest.mark.timeout(1200)
def test_any_floor_is_as_the_oracle_says(db: psycopg.Connection) -> None:
    make_plant(db, stock=1000)
    set_setting(db, "production.replenish_auto", False)
    # Scarce legs: what is left after each example is what the next one starts with.
    call(db, "operator", "issue_stock", p_sku="LEG", p_quantity=1000 - 7 * PARTS["LEG"])
    run_state_machine_as_test(
        lambda: Floor(db),  # type: ignore[arg-type]
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEP_COUNT,
            deadline=None,
            derandomize="TAKT_MODEL_SEQUENCES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
