"""Random floors with several stations at once: each step of the model is a bundle of commands.

Two to four commands start at the same instant on connections of their own. Which of them come
first is for the database to say: the ids of their events, drawn under the lock of the order. What
was accepted, in that order, must be a day that the plain Python of floor_oracle allows, and its
totals must be those of the database. Whatever came of it, no piece was lost or invented.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.sql.production.floor_oracle import PARTS, PLANNED, STEPS, Order
from tests.sql.production.test_floor_races import LOST_RACES
from tests.support.databases import Clone
from tests.support.production import CENTRES, make_plant, order, selfcheck, set_setting
from tests.support.rpc import Refused, call

FLOORS = int(os.environ.get("TAKT_MODEL_SEQUENCES", "15"))
BUNDLES = 12
STATIONS = 4
RAW = "LEGS-1"  # a lot of bought legs
# Somebody was faster, or what a random walk asks for is not there.
REFUSED = LOST_RACES | {
    "lot.not_counted",
    "lot.short",
    "lot.unknown",
    "lot.which_part",
    "production.used_further",
    "production.step_open",
    "quality.decided",
    "quality.record_unknown",
}
where = st.sampled_from((0, 0, 0, 1, 1, 2))
pieces = st.integers(1, 4)
few = st.sampled_from((0, 0, 0, 1))
anybody = st.sampled_from(("operator", "technician", "supervisor"))

commands = st.one_of(
    st.tuples(st.just("start"), anybody, where, pieces),
    *[st.tuples(st.just("report"), anybody, where, pieces, few, few)] * 5,
    st.tuples(st.just("scan"), anybody, where),
    st.tuples(st.just("quality"), anybody, where, st.sampled_from(("scrap", "rework", "hold"))),
    st.tuples(st.just("quality"), anybody, where, st.sampled_from(("rework", "hold"))),
    *[st.tuples(st.just("decide"), st.just("manager"), st.integers(0, 3), few)] * 2,
    st.tuples(st.just("undo"), anybody),
    st.tuples(st.just("split"), anybody, st.integers(1, 2)),
    st.tuples(st.just("consume"), anybody, pieces),
    st.tuples(st.just("complete"), anybody, where),
)


Said = tuple[str, dict[str, Any]]


def at(k: int) -> dict[str, Any]:
    """A step, and the work centre that does it."""
    return {"p_sequence": STEPS[k], "p_work_centre": CENTRES[STEPS[k]]}


@dataclass
class Station:
    """The floor as the stations of a test share it."""

    db: psycopg.Connection
    connections: list[psycopg.Connection]
    pool: ThreadPoolExecutor
    failures: list[tuple[Exception, list[Any]]] = field(default_factory=list)

    @contextmanager
    def told(self, log: list[Any]) -> Iterator[None]:
        """Keeps what failed first: the same bundles may end otherwise when they run again."""
        try:
            yield
        except Exception as error:
            self.failures.append((error, list(log)))
            raise

    def at_once(self, calls: list[tuple[str, str, dict[str, Any]]]) -> list[Any]:
        """The answers of RPCs that started together; a Refused where one was refused."""
        barrier = threading.Barrier(len(calls))

        def one(connection: psycopg.Connection, who: str, rpc: str, said: dict[str, Any]) -> Any:
            barrier.wait(60)
            try:
                return call(connection, who, rpc, **said)
            except Refused as refused:
                return refused

        work = [
            self.pool.submit(one, connection, *each)
            for connection, each in zip(self.connections, calls, strict=False)
        ]
        return [each.result(60) for each in work]


@dataclass
class Day(Order):
    """The oracle of one order; each takes back what they did last, wherever others are."""

    people: list[str] = field(default_factory=list)  # who gave each of the commands that stand

    def did(self, who: str) -> None:
        self.people += [who] * (len(self.commands) - len(self.people))
        self.settle()

    def take_back(self, who: str) -> None:
        mine = [n for n, other in enumerate(self.people) if other == who]
        last = mine[-1] if mine else len(self.commands) - 1  # a supervisor takes back anybody's
        assert mine or who == "supervisor", who
        self.commands.append(self.commands.pop(last))
        self.people.pop(last)
        self.undo()
        if self.steps[0].is_ended:  # those pieces are never started again
            self._fit()


class Stations(RuleBasedStateMachine):
    """One order of twelve tables, with parts for all of them."""

    def __init__(self, station: Station) -> None:
        super().__init__()
        self.at = station
        self.db = station.db
        self.code = order(self.db, PLANNED)
        self.oracle = Day({part: 0 for part in PARTS})
        self.oracle.stock = {"PANEL": PLANNED, "LEG": PLANNED * PARTS["LEG"]}
        self.oracle.release()
        self.tables = self.number("select coalesce(sum(on_hand), 0) from public.inventory_stock"
                                  " where sku = 'TABLE'")  # fmt: skip
        self.used_before = self.raw_used()
        self.ids: list[int] = []  # of the rows of oracle.records
        self.moved: Counter[str] = Counter()  # what lots were told
        self.log: list[Any] = []

    def number(self, query: str, *values: Any) -> int:
        row = self.db.execute(query, values).fetchone()
        assert row is not None
        return int(row[0])

    def raw_used(self) -> int:
        return self.number(
            "select p.used from public.production_lots p join public.lots l on l.id = p.lot_id"
            " where l.code = %s",
            RAW,
        )

    # What is said ---------------------------------------------------------------------------

    def rpc(self, command: tuple[Any, ...]) -> tuple[str, str, dict[str, Any]]:
        """A drawn command as (who, RPC, arguments)."""
        kind, who, *more = command
        rpc, said = getattr(self, f"say_{kind}")(*more)
        return who, rpc, {"p_code": self.code} | said

    def say_start(self, k: int, quantity: int) -> Said:
        return "start_step", at(k) | {"p_quantity": quantity}

    def say_report(self, k: int, good: int, scrap: int, rework: int) -> Said:
        pieces = {"p_good": good, "p_scrap": scrap, "p_rework": rework}
        return "report_production", at(k) | pieces | {"p_reason": "NOT_SQUARE"}

    def say_scan(self, k: int) -> Said:
        return "scan_step", at(k)

    def say_quality(self, k: int, disposition: str) -> Said:
        what = {"p_disposition": disposition, "p_quantity": 1, "p_reason": "NOT_SQUARE"}
        return "record_quality", at(k) | what

    def say_decide(self, which: int, is_scrap: int) -> Said:
        what = {"p_disposition": "scrap" if is_scrap else "accept", "p_quantity": 1}
        record = self.ids[which % len(self.ids)] if self.ids else 0
        return "record_quality", what | {"p_record": record, "p_sequence": STEPS[0]}

    def say_undo(self) -> Said:
        return "undo_production", {}

    def say_split(self, quantity: int) -> Said:
        return "split_lot", {"p_sku": "TABLE", "p_quantity": quantity, "p_part": "in_process"}

    def say_consume(self, quantity: int) -> Said:
        lot = {"p_code": RAW, "p_sku": "LEG", "p_quantity": quantity, "p_order": self.code}
        return "consume_lot", lot

    def say_complete(self, k: int) -> Said:
        return "complete_step", {"p_sequence": STEPS[k], "p_reason": "No boards"}

    def hear(self, command: tuple[Any, ...], said: dict[str, Any]) -> None:
        """What was accepted happens to the oracle too; it raises No where it must not."""
        kind, who, *more = command
        day = self.oracle
        if kind == "start":
            day.start(more[0], more[1])
        elif kind == "report":
            day.report(*more)
        elif kind == "quality":
            day.quality(more[0], more[1], 1)
        elif kind == "decide":
            record = self.by_id[said["p_record"]]
            day.decide(record, said["p_disposition"], 1)
        elif kind == "undo":
            day.take_back(who)
        elif kind == "complete":
            day.end_first()
        else:
            self.moved[kind] += more[0]
        day.did(who)

    @rule(bundle=st.lists(commands, min_size=2, max_size=STATIONS))
    def together(self, bundle: list[tuple[Any, ...]]) -> None:
        with self.at.told(self.log):
            self.run(bundle)

    def run(self, bundle: list[tuple[Any, ...]]) -> None:
        self.by_id = dict(zip(self.ids, self.oracle.records, strict=True))
        calls = [self.rpc(command) for command in bundle]
        answers = self.at.at_once(calls)
        self.log.append(
            [
                (c, a.code if isinstance(a, Refused) else a.get("event_id"))
                for c, a in zip(bundle, answers, strict=True)
            ]
        )
        for (kind, *_), answer in zip(bundle, answers, strict=True):
            # Who does not plan ends no order that nobody has begun.
            known = REFUSED | {"auth.forbidden"} if kind == "complete" else REFUSED
            assert not isinstance(answer, Refused) or answer.code in known, answer
        accepted = [
            (answer["event_id"], command, said)
            for command, (_, _, said), answer in zip(bundle, calls, answers, strict=True)
            if not isinstance(answer, Refused) and command[0] != "scan" and answer["changed"]
        ]
        for _, command, said in sorted(accepted, key=lambda each: each[0]):
            self.hear(command, said)

    # What must hold after every bundle --------------------------------------------------------

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        with self.at.told(self.log):
            self.books_agree()

    def books_agree(self) -> None:
        assert selfcheck(self.db) == []
        self.steps_conserve()
        self.lots_conserve()
        rows = self.db.execute(
            "select q.id, q.open_quantity from public.quality_records q"
            " join public.production_orders o on o.id = q.order_id where o.code = %s"
            " and q.reversed_at is null and q.disposition in ('rework', 'hold') order by q.id",
            (self.code,),
        ).fetchall()
        assert [row[1] for row in rows] == [record.open for record in self.oracle.records]
        self.ids = [row[0] for row in rows]

    def steps_conserve(self) -> None:
        rows = self.db.execute(
            "select started, good, scrap, rework_open, held_open, in_process, s.status"
            " from public.production_order_steps s"
            " join public.production_orders o on o.id = s.order_id where o.code = %s"
            " order by sequence",
            (self.code,),
        ).fetchall()
        for started, good, scrap, _, _, in_process, _ in rows:
            assert started == good + scrap + in_process
        assert [tuple(row) for row in rows] == [
            (s.started, s.good, s.scrap, s.rework, s.held, s.in_process, self.oracle.step_status(k))
            for k, s in enumerate(self.oracle.steps)
        ]
        status = self.db.execute(
            "select status from public.production_orders where code = %s", (self.code,)
        ).fetchone()
        assert status == (self.oracle.status,)

    def lots_conserve(self) -> None:
        rows = self.db.execute(
            "select p.received, p.moved_in, p.moved_out, p.used, p.scrapped, p.good, p.remaining"
            " from public.production_lots p join public.production_orders o on o.id = p.order_id"
            " where o.code = %s order by p.lot_id",
            (self.code,),
        ).fetchall()
        for came, moved_in, moved_out, used, scrapped, good, remaining in rows:
            in_process = remaining - good
            assert min(good, in_process) >= 0
            assert came + moved_in == moved_out + used + scrapped + good + in_process
        total = [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * 7
        first, last = self.oracle.steps[0], self.oracle.steps[-1]
        split = self.moved["split"]
        assert total[:6] == [first.started, split, split, 0, self.oracle.lost, last.good]
        assert self.raw_used() == self.used_before + self.moved["consume"]

    def teardown(self) -> None:
        made = self.number("select on_hand from public.inventory_stock where sku = 'TABLE'")
        assert made == self.tables + self.oracle.steps[-1].good
        if self.oracle.status != "CLOSED":
            call(self.db, "manager", "cancel_production_order", p_code=self.code, p_reason="Model")


@pytest.mark.timeout(600)
def test_stations_at_once_are_as_the_oracle_says(db: psycopg.Connection, clone: Clone) -> None:
    make_plant(db, stock=5000)
    set_setting(db, "production.replenish_auto", False)
    call(db, "operator", "receive_lot", p_sku="LEG", p_code=RAW, p_quantity=100000)
    with ExitStack() as open_ones:
        connections = [open_ones.enter_context(clone.connect()) for _ in range(STATIONS)]
        pool = open_ones.enter_context(ThreadPoolExecutor(STATIONS))
        station = Station(db, connections, pool)
        try:
            run_state_machine_as_test(
                lambda: Stations(station),  # type: ignore[arg-type]
                settings=settings(
                    max_examples=FLOORS,
                    stateful_step_count=BUNDLES,
                    deadline=None,
                    derandomize="TAKT_MODEL_SEQUENCES" not in os.environ,
                    phases=(Phase.generate,),  # who is first differs: nothing to make smaller
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except Exception:
            if station.failures:
                error, log = station.failures[0]
                raise AssertionError(f"{error}\nafter {log}") from error
            raise
