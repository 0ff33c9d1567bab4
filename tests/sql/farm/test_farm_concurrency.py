"""Many printers, many bridges, the same report many times."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.sql.farm.farm import NOON, machine, mapping, part, report
from tests.sql.inventory.production import has, produce_lines
from tests.sql.inventory.stock import ledger, levels, on_hand
from tests.support.databases import Clone
from tests.support.rpc import Refused, call

SESSIONS = 64


@pytest.fixture
def farm(db: psycopg.Connection) -> psycopg.Connection:
    """Two parts, printed together on one plate, and 64 printers."""
    part(db)
    part(db, "KNOB")
    mapping(db, "mixed", {"BRACKET": 1, "KNOB": 2})
    for n in range(SESSIONS):
        machine(db, f"p{n}", f"S{n}")
    return db


def test_the_same_report_50_times_at_once_is_booked_once(
    clone: Clone, farm: psycopg.Connection
) -> None:
    arguments: dict[str, Any] = {
        "idempotency_key": "k",
        "gcode_filename": "mixed",
        "printer_serial": "S1",
        "start": NOON,
    }
    answers = together(clone, 50, lambda c, _: report(c, **arguments))
    assert Counter(a["status"] for a in answers) == {"recorded": 1, "duplicate": 49}
    assert len({a["print_run_id"] for a in answers}) == 1
    assert ledger(farm, "KNOB") == [("produce", 2)]


def test_64_printers_finish_at_once_and_feed_one_queue(
    clone: Clone, farm: psycopg.Connection
) -> None:
    orders = [produce_lines(farm, {"BRACKET": 2, "KNOB": 3}) for _ in range(20)]

    def work(connection: psycopg.Connection, number: int) -> list[str]:
        return [
            report(
                connection,
                printer_serial=f"S{number}",
                gcode_filename="mixed",
                start=NOON + timedelta(hours=hour),
            )["status"]
            for hour in range(2)
        ]

    answers = together(clone, SESSIONS, work)
    assert {status for found in answers for status in found} == {"recorded"}
    assert (on_hand(farm, "BRACKET"), on_hand(farm, "KNOB")) == (128, 256)
    assert [has(farm, code) for code in orders] == [5] * 20


def test_two_bridges_force_the_same_time_and_one_print_counts(
    clone: Clone, farm: psycopg.Connection
) -> None:
    """Each minted a key of its own for the same physical print."""

    def work(connection: psycopg.Connection, number: int) -> str:
        return str(
            report(
                connection,
                idempotency_key=f"bambu:{number}",
                printer_serial="S1",
                gcode_filename="mixed",
                start=NOON,
            )["status"]
        )

    assert Counter(together(clone, 16, work)) == {"recorded": 1, "review": 15}
    assert on_hand(farm, "KNOB") == 2


def test_reports_corrections_and_orders_do_not_deadlock(
    clone: Clone, farm: psycopg.Connection
) -> None:
    def work(connection: psycopg.Connection, number: int) -> None:
        for hour in range(4):
            run = report(
                connection,
                printer_serial=f"S{number}",
                gcode_filename="mixed",
                start=NOON + timedelta(hours=hour),
            )["print_run_id"]
            lines = {"KNOB": 1, "BRACKET": 1} if number % 2 else {"BRACKET": 1, "KNOB": 1}
            produce_lines(connection, lines)
            if number % 3 == 0:
                flip = {"p_outcome": "failed", "p_reason": "bad"}
                call(connection, "operator", "amend_print_run", p_run_id=run, **flip)
            else:
                good = Jsonb({"KNOB": 1})
                fields = {"p_good": good, "p_reason": "one bad"}
                call(connection, "operator", "confirm_plate", p_run_id=run, **fields)

    together(clone, 32, work)
    kept = levels(farm, "KNOB")
    assert kept["on_hand"] == 4 * 21  # 11 of 32 flip theirs, the others keep one knob of two


def test_waiting_prints_are_booked_once_by_however_many(
    clone: Clone, farm: psycopg.Connection
) -> None:
    for n in range(20):
        report(farm, gcode_filename="lamp", printer_serial=f"S{n}", start=NOON)
    mapping(farm, "lamp", {"KNOB": 3})
    booked = together(clone, 8, lambda c, _: call(c, "operator", "book_waiting_prints"))
    assert sum(len(b) for b in booked) == 20
    assert on_hand(farm, "KNOB") == 60


def test_a_person_and_a_correction_decide_about_one_print(
    clone: Clone, farm: psycopg.Connection
) -> None:
    run = report(farm, outcome="unknown", printer_serial="S1", gcode_filename="mixed")
    run_id = run["print_run_id"]

    def work(connection: psycopg.Connection, number: int) -> str:
        action = ("book", "fail")[number % 2]
        try:
            call(connection, "operator", "resolve_print_run", p_run_id=run_id, p_action=action)
        except Refused as refused:
            return str(refused.code)
        return action

    answers = Counter(together(clone, 16, work))
    winner = next(a for a in answers if a in ("book", "fail"))
    assert answers == {winner: 8, "print_run.decided": 8}
    assert on_hand(farm, "KNOB") == (2 if winner == "book" else 0)
