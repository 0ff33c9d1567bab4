"""Quality figures: a piece is one defect, a corrected figure is corrected in the past, one FPY."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.sql.inventory.stock import refused
from tests.support.production import CUT, PACK, order, quality, report, route
from tests.support.rpc import call

Db = psycopg.Connection


def figures(db: Db, code: str, **more: Any) -> Any:
    arguments = {f"p_{name}": value for name, value in more.items()}
    return call(db, "viewer", "get_quality", p_code=code, **arguments)


def decide(db: Db, record: int, disposition: str, reason: str | None = None) -> int:
    """What becomes of the piece of an open record; the id of the new record."""
    answer = call(
        db, "manager", "record_quality", p_code=code_of(db, record), p_disposition=disposition,
        p_quantity=1, p_record=record, p_reason=reason,
    )  # fmt: skip
    return int(answer["record"]["id"])


def code_of(db: Db, record: int) -> str:
    row = db.execute(
        "select o.code from public.quality_records q"
        " join public.production_orders o on o.id = q.order_id where q.id = %s",
        (record,),
    ).fetchone()
    assert row is not None
    return str(row[0])


def held_in_rework(db: Db) -> tuple[str, int]:
    """One piece of an order, found out of square, reworked, then set aside for a knot."""
    code = order(db, 1)
    rework = quality(db, code, "rework", 1)["record"]["id"]
    return code, decide(db, rework, "hold", "KNOT")


def backdate(db: Db, by: timedelta) -> None:
    """All that was recorded so far was so long ago."""
    db.execute("alter table public.piece_counts disable trigger _200_append_only")
    db.execute("update public.piece_counts set at = at - %s", (by,))
    db.execute("alter table public.piece_counts enable trigger _200_append_only")
    db.execute("update public.quality_records set recorded_at = recorded_at - %s", (by,))


def test_a_reworked_piece_that_was_held_and_scrapped_is_one_defect(plant: Db) -> None:
    code, held = held_in_rework(plant)
    decide(plant, held, "scrap")
    found = figures(plant, code)
    assert [(r["reason"], r["quantity"]) for r in found["reasons"]] == [("NOT_SQUARE", 1)]
    assert found["steps"][0]["fpy"] == 0


def test_a_reworked_piece_that_was_held_and_accepted_is_no_first_pass(plant: Db) -> None:
    code, held = held_in_rework(plant)
    decide(plant, held, "accept")
    (cut,) = figures(plant, code)["steps"]
    assert (cut["good"], cut["first_good"], cut["fpy"]) == (1, 0, 0)


def test_a_piece_that_was_only_held_is_good_at_the_first_go(plant: Db) -> None:
    code = order(plant, 1)
    held = quality(plant, code, "hold", 1)["record"]["id"]
    decide(plant, held, "accept")
    (cut,) = figures(plant, code)["steps"]
    assert (cut["first_good"], cut["fpy"]) == (1, 1)


def test_a_held_piece_counts_where_it_is_decided(plant: Db) -> None:
    code = order(plant, 1)
    held = quality(plant, code, "hold", 1)["record"]["id"]
    decide(plant, held, "rework", "KNOT")
    found = figures(plant, code)
    assert [(r["reason"], r["quantity"]) for r in found["reasons"]] == [("KNOT", 1)]


def test_scrap_of_yesterday_that_is_undone_today_is_no_negative_scrap(plant: Db) -> None:
    """The figures of the past are corrected: those of yesterday, not those of today."""
    code = order(plant, 10)
    report(plant, code, CUT, good=2)
    quality(plant, code, "scrap", 5)
    backdate(plant, timedelta(days=1))
    night = datetime.now(UTC) - timedelta(hours=12)
    assert figures(plant, code, to=night.isoformat())["totals"]["scrap"] == 5
    call(plant, "supervisor", "undo_production", p_code=code)
    today = figures(plant, code, **{"from": night.isoformat()})
    assert (today["totals"]["scrap"], today["reasons"], today["steps"]) == (0, [], [])
    yesterday = figures(plant, code, to=night.isoformat())
    assert (yesterday["totals"]["scrap"], yesterday["reasons"]) == (0, [])
    (cut,) = yesterday["steps"]
    assert (cut["good"], cut["fpy"]) == (2, 1)


def test_good_of_yesterday_that_is_undone_today_was_never_good(plant: Db) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, good=4, scrap=1, reason="KNOT")
    backdate(plant, timedelta(days=1))
    call(plant, "supervisor", "undo_production", p_code=code)
    for days in ({}, {"from": (datetime.now(UTC) - timedelta(hours=12)).isoformat()}):
        found = figures(plant, code, **days)
        assert (found["steps"], found["reasons"], found["rty"]) == ([], [], None)


def first_pass(db: Db, code: str) -> list[Any]:
    steps = call(db, "viewer", "get_production_order", p_code=code)["steps"]
    return [step["first_pass_good"] for step in steps]


def test_the_order_and_the_quality_page_agree_on_the_first_pass(plant: Db) -> None:
    """Held and accepted is good at the first go, used as it is is not, and undone is nothing."""
    code = order(plant, 10)
    report(plant, code, CUT, good=5)
    report(plant, code, CUT, good=2)
    call(plant, "operator", "undo_production", p_code=code)
    decide(plant, quality(plant, code, "hold", 1)["record"]["id"], "accept")
    decide(plant, quality(plant, code, "rework", 1)["record"]["id"], "accept")
    quality(plant, code, "use_as_is", 1, "manager", **{"from": "good"})
    quality(plant, code, "scrap", 1, **{"from": "good"})
    (cut,) = figures(plant, code)["steps"]
    assert cut["first_good"] == 4
    assert first_pass(plant, code) == [4, 0, 0]


def test_the_first_pass_of_a_step_that_comes_twice_is_its_own(plant: Db) -> None:
    route(plant, "TABLE", ("CUT", ["PANEL"]), ("ASSEMBLE", ["LEG"]), ("CUT", []))
    code = order(plant, 6)
    report(plant, code, CUT, good=6)
    call(plant, "operator", "report_production", p_code=code, p_work_centre="bench-1", p_good=5)
    call(
        plant, "operator", "report_production",
        p_code=code, p_work_centre="saw-1", p_sequence=PACK, p_good=3,
    )  # fmt: skip
    assert first_pass(plant, code) == [6, 5, 3]


# By how much --------------------------------------------------------------------------------


def losses(db: Db) -> str:
    """Three pieces lost when sawn (one minute of work), one when packed (three minutes)."""
    code = order(db, 10)
    report(db, code, CUT, good=4, scrap=3, reason="KNOT")
    for centre, good, scrap in (("bench-1", 4, 0), ("pack-1", 2, 1)):
        call(
            db, "operator", "report_production", p_code=code, p_work_centre=centre,
            p_good=good, p_scrap=scrap, p_reason="NOT_SQUARE",
        )  # fmt: skip
    quality(db, code, "rework", 1, sequence=PACK, reason="NOT_SQUARE")
    return code


def rows(found: Any) -> list[tuple[Any, ...]]:
    names = ("reason", "quantity", "weight", "weight_scrap", "share", "cumulative")
    return [tuple(row[name] for name in names) for row in found["reasons"]]


def test_the_pareto_weighs_pieces_unless_told_otherwise(plant: Db) -> None:
    code = losses(plant)
    found = figures(plant, code)
    assert found["by"] == "quantity"
    assert rows(found) == [
        ("KNOT", 3, 3, 3, 0.6, 0.6),
        ("NOT_SQUARE", 2, 2, 1, 0.4, 1),
    ]


def test_the_pareto_by_time_weighs_the_work_that_was_in_the_pieces(plant: Db) -> None:
    found = figures(plant, losses(plant), by="time")
    assert rows(found) == [
        ("NOT_SQUARE", 2, 6, 3, 0.6667, 0.6667),
        ("KNOT", 3, 3, 3, 0.3333, 1),
    ]


def test_the_pareto_by_cost_weighs_the_standard_cost_of_the_product(plant: Db) -> None:
    code = losses(plant)
    unknown = figures(plant, code, by="cost")["reasons"]
    assert [(r["reason"], r["weight"], r["unknown"], r["share"]) for r in unknown] == [
        ("KNOT", None, 3, None),
        ("NOT_SQUARE", None, 2, None),
    ]
    plant.execute("update public.inventory_items set unit_cost = 12.5 where sku = 'TABLE'")
    assert rows(figures(plant, code, by="cost")) == [
        ("KNOT", 3, 37.5, 37.5, 0.6, 0.6),
        ("NOT_SQUARE", 2, 25, 12.5, 0.4, 1),
    ]


@pytest.mark.parametrize("by", ["weight", ""])
def test_a_pareto_by_something_else_is_refused(plant: Db, by: str) -> None:
    no = refused(plant, "viewer", "get_quality", p_by=by)
    assert (no.status, no.code, no.detail["actual"]) == (422, "quality.by", by)
