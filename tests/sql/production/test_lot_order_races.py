"""Lots are split, merged and taken back while their order runs: nobody waits for ever."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.production import ASSEMBLE, CUT, PACK, order, report, step
from tests.support.rpc import call


def test_a_lot_is_split_while_its_order_runs(plant: psycopg.Connection, clone: Clone) -> None:
    """A split names the order of its lot, and a station at that order waits for the lot."""
    code = order(plant, 200)
    report(plant, code, CUT, 40)

    def work(connection: psycopg.Connection, n: int) -> None:
        said: dict[str, Any] = {"p_code": code, "p_sku": "TABLE", "p_quantity": 1}
        for _ in range(10):
            if n:
                split = call(connection, "operator", "split_lot", **said)
                lot = split["lots"][0]["lot"]["code"]
                undo = {"p_activity_id": split["activity"]["id"]}
                if n == 1:
                    call(connection, "operator", "undo_lot_activity", **undo)
                else:
                    call(
                        connection, "operator", "merge_lots",
                        p_codes=[lot], p_into=code, p_sku="TABLE",
                    )  # fmt: skip
            else:
                report(connection, code, CUT, 1)

    together(clone, 3, work)
    assert step(plant, code)["good"] == 50


def test_finished_pieces_are_thrown_away_while_their_order_runs(
    plant: psycopg.Connection, clone: Clone
) -> None:
    code = order(plant, 200)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, code, sequence, 20)

    def work(connection: psycopg.Connection, n: int) -> None:
        said: dict[str, Any] = {"p_code": code, "p_sku": "TABLE", "p_quantity": 1}
        for _ in range(10):
            if n:
                call(connection, "operator", "dispose_lot", **said, p_how="scrap", p_reason="x")
            else:
                report(connection, code, CUT, 1)

    together(clone, 2, work)
    assert step(plant, code)["good"] == 30
