"""Dispositions: what becomes of pieces that are not simply good."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.support.printing import attempt
from tests.support.production import (
    ASSEMBLE,
    CUT,
    PACK,
    events_of,
    order,
    order_row,
    quality,
    replenishments,
    report,
    selfcheck,
    step,
)
from tests.support.rpc import Refused, call


def counters(db: psycopg.Connection, code: str, *names: str, sequence: int = CUT) -> list[Any]:
    row = step(db, code, sequence)
    return [row[name] for name in names]


def refusal(db: psycopg.Connection, code: str, disposition: str, **more: Any) -> tuple[Any, Any]:
    with pytest.raises(Refused) as refused:
        quality(db, code, disposition, **more)
    return refused.value.status, refused.value.code


@pytest.mark.parametrize(
    ("disposition", "counter"),
    [
        ("rework", "rework_open"),
        ("repair", "rework_open"),
        ("use_as_is", "good"),
        ("scrap", "scrap"),
        ("return", "returned"),
        ("hold", "held_open"),
    ],
)
def test_each_disposition_has_its_counter(
    plant: psycopg.Connection, disposition: str, counter: str
) -> None:
    code = order(plant, 10)
    answer = quality(plant, code, disposition, 2, "manager")
    assert answer["changed"] is True
    moved = {n: v for n, v in step(plant, code).items() if v and n not in ("planned", "released")}
    in_process = {"in_process": 2} if counter.endswith("open") else {}
    assert moved == {"started": 2, counter: 2, **in_process}
    assert answer["record"]["open_quantity"] == (2 if in_process else 0)
    assert events_of(plant, code).count("production.quality") == 1
    assert bool(replenishments(plant, code)) == (disposition in ("scrap", "return"))


@pytest.mark.parametrize("disposition", ["rework", "repair", "use_as_is"])
def test_defect_4_reuse_is_never_scrap(plant: psycopg.Connection, disposition: str) -> None:
    """RENAR counted REUSE into scrapQty. Reused pieces are good in the end, and none is scrap."""
    code = order(plant, 4)
    record = quality(plant, code, disposition, 3, "manager")["record"]
    if disposition != "use_as_is":
        quality(plant, code, "accept", 3, record=record["id"], reason=None)
    report(plant, code, CUT, good=1)
    report(plant, code, ASSEMBLE, good=4)
    report(plant, code, PACK, good=4)
    assert counters(plant, code, "good", "scrap", "returned") == [4, 0, 0]
    assert (order_row(plant, code)["status"], replenishments(plant, code)) == ("CLOSED", [])
    figures = call(plant, "viewer", "get_quality", p_code=code)
    assert figures["totals"]["scrap"] == 0
    assert sum(reason["scrap"] for reason in figures["reasons"]) == 0


def test_good_pieces_that_are_not_good_after_all(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, good=6)
    report(plant, code, ASSEMBLE, good=2)
    assert refusal(plant, code, "rework", quantity=5, **{"from": "good"}) == (
        409,
        "quality.too_many",
    )
    quality(plant, code, "rework", 4, **{"from": "good"})
    assert counters(plant, code, "good", "rework_open") == [2, 4]


def test_finished_pieces_leave_stock_when_they_are_scrapped(plant: psycopg.Connection) -> None:
    code = order(plant, 3)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, code, sequence, good=2)
    quality(plant, code, "scrap", 1, sequence=PACK, **{"from": "good"})
    stock = plant.execute("select on_hand from public.inventory_stock where sku = 'TABLE'")
    assert stock.fetchone() == (1,)
    assert [r[1] for r in replenishments(plant, code)] == [1]


def test_an_open_record_is_decided_piece_by_piece(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    held = quality(plant, code, "hold", 6)["record"]["id"]
    assert refusal(plant, code, "rework", record=held) == (403, "auth.forbidden")
    rework = quality(plant, code, "rework", 4, "supervisor", record=held, reason=None)["record"]
    assert (rework["taken_from"], rework["reason"]) == ("hold", "NOT_SQUARE")
    quality(plant, code, "accept", 1, "supervisor", record=held, reason=None)
    quality(plant, code, "accept", 3, record=rework["id"], reason=None)
    quality(plant, code, "scrap", 1, record=rework["id"])
    assert counters(plant, code, "good", "scrap", "rework_open", "held_open") == [4, 1, 0, 1]
    open_now = call(plant, "viewer", "get_quality_records", p_is_open=True)
    assert [r["record"]["id"] for r in open_now["records"]] == [held]
    assert refusal(plant, code, "scrap", record=rework["id"]) == (409, "quality.decided")
    assert refusal(plant, code, "scrap", who="manager", quantity=2, record=held) == (
        409,
        "quality.too_many",
    )


def test_use_as_is_of_good_pieces_moves_nothing_and_costs_the_first_pass(
    plant: psycopg.Connection,
) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, good=10)
    quality(plant, code, "use_as_is", 1, "manager", **{"from": "good"})
    assert counters(plant, code, "good") == [10]
    (cut,) = call(plant, "viewer", "get_quality", p_code=code)["steps"]
    assert (cut["first_good"], cut["use_as_is"], cut["fpy"]) == (9, 1, 0.9)


def test_what_is_refused(plant: psycopg.Connection) -> None:
    code = order(plant, 5)
    expected = [
        ("burn", {}, (422, "quality.disposition")),
        ("accept", {}, (422, "quality.disposition")),
        ("scrap", {"from": "rework"}, (422, "quality.from")),
        ("scrap", {"reason": None}, (422, "quality.reason_required")),
        ("scrap", {"reason": "BAD_LUCK"}, (422, "quality.reason_unknown")),
        ("scrap", {"record": 99}, (404, "quality.record_unknown")),
        ("scrap", {"quantity": 0}, (422, "stock.quantity")),
        ("scrap", {"quantity": 6}, (409, "production.more_than_input")),
        ("scrap", {"sequence": 99}, (404, "production.no_step")),
        ("scrap", {"work_centre": "bench-1"}, (409, "production.wrong_step")),
        ("scrap", {"cause": "x" * 201}, (422, "request.too_long")),
        ("scrap", {"defect_position": "x" * 101}, (422, "request.too_long")),
        ("use_as_is", {}, (403, "auth.forbidden")),
        ("repair", {}, (403, "auth.forbidden")),
        ("return", {}, (403, "auth.forbidden")),
    ]
    for disposition, more, refused in expected:
        assert refusal(plant, code, disposition, **more) == refused, (disposition, more)
    held = quality(plant, code, "hold", 1)["record"]["id"]
    assert refusal(plant, code, "hold", who="manager", record=held) == (422, "quality.disposition")
    assert refusal(plant, "P-99", "scrap") == (404, "production.unknown")
    assert refusal(plant, order(plant, 1, released=False), "scrap") == (
        409,
        "production.not_released",
    )
    done = order(plant, 1)
    for sequence in (CUT, ASSEMBLE, PACK):
        report(plant, done, sequence, good=1)
    assert refusal(plant, done, "scrap") == (409, "production.closed")


def test_a_reason_belongs_to_its_step(plant: psycopg.Connection) -> None:
    call(plant, "planner", "save_quality_reason", p_code="GLUE", p_title="Glue", p_step="ASSEMBLE",
         p_parent="MATERIAL")  # fmt: skip
    code = order(plant, 5)
    with pytest.raises(Refused) as refused:
        quality(plant, code, "scrap", reason="GLUE")
    assert refused.value.code == "quality.reason_unknown"
    assert "GLUE" not in refused.value.detail["expected"]
    report(plant, code, CUT, good=5)
    quality(plant, code, "scrap", sequence=ASSEMBLE, reason="glue")
    shown = {
        at: {r["code"] for family in call(plant, "operator", "get_quality_reasons", p_step=at)
             for r in family["reasons"]}
        for at in ("CUT", "ASSEMBLE")
    }  # fmt: skip
    assert ("GLUE" in shown["CUT"], "GLUE" in shown["ASSEMBLE"]) == (False, True)


def test_reasons_are_two_taps_deep(plant: psycopg.Connection) -> None:
    families = call(plant, "operator", "get_quality_reasons")
    assert [f["code"] for f in families][:2] == ["MATERIAL", "DIMENSION"]
    assert {r["code"] for r in families[1]["reasons"]} == {"TOO_SMALL", "TOO_LARGE", "NOT_SQUARE"}
    for code, parent in (("SUB", "KNOT"), ("MATERIAL", "DIMENSION")):
        assert attempt(plant, "planner", "save_quality_reason", p_code=code, p_parent=parent) == (
            422,
            "quality.too_deep",
        )
    saved = call(plant, "planner", "save_quality_reason", p_code="KNOT", p_is_active=False)
    again = call(plant, "planner", "save_quality_reason", p_code="KNOT", p_is_active=False)
    assert (saved["version"], saved["title"], again["version"]) == (2, "Knot or crack", 2)
    families = call(plant, "operator", "get_quality_reasons")
    assert "KNOT" not in {r["code"] for r in families[0]["reasons"]}


def test_the_same_request_is_one_record(plant: psycopg.Connection) -> None:
    code, key = order(plant, 5), uuid.uuid4()
    first, second = (quality(plant, code, "scrap", request_id=key) for _ in range(2))
    assert first == second
    assert counters(plant, code, "scrap") == [1]
    assert refusal(plant, code, "scrap", quantity=2, request_id=key) == (422, "request.reused")


def test_defect_5_a_refused_request_can_be_tried_again(plant: psycopg.Connection) -> None:
    """RENAR set its idempotency key before it ran: after a failure every retry got null."""
    code, key = order(plant, 5), uuid.uuid4()
    assert refusal(plant, code, "scrap", reason="NONE", request_id=key)[1] == (
        "quality.reason_unknown"
    )
    assert quality(plant, code, "scrap", request_id=key)["changed"] is True
    assert counters(plant, code, "scrap") == [1]


def test_undo_takes_back_record_and_counters(plant: psycopg.Connection) -> None:
    code = order(plant, 5)
    rework = quality(plant, code, "rework", 3)["record"]["id"]
    quality(plant, code, "accept", 2, record=rework, reason=None)
    assert attempt(plant, "operator", "undo_production", p_code=code)[0] == 200
    assert counters(plant, code, "good", "rework_open") == [0, 3]
    assert selfcheck(plant) == []
    call(plant, "operator", "undo_production", p_code=code)
    assert counters(plant, code, "started", "rework_open") == [0, 0]
    rows = plant.execute(
        "select disposition, open_quantity, reversed_at is not null from public.quality_records"
        " order by id"
    ).fetchall()
    assert rows == [("rework", 0, True), ("accept", 0, True)]


def test_what_was_decided_about_later_cannot_be_undone_first(plant: psycopg.Connection) -> None:
    code = order(plant, 5)
    quality(plant, code, "rework", 3)
    record = plant.execute("select max(id) from public.quality_records").fetchone()
    assert record is not None
    quality(plant, code, "accept", 1, "supervisor", record=record[0], reason=None)
    # The operator's own last action is the rework; a supervisor has decided since.
    assert attempt(plant, "operator", "undo_production", p_code=code) == (409, "undo.blocked")


def test_pareto_and_yields(plant: psycopg.Connection) -> None:
    """.8 × .9 × 1 of 10, and 20 per cent fall off at the saw."""
    code = order(plant, 10)
    report(plant, code, CUT, good=8)
    quality(plant, code, "scrap", 1, reason="KNOT")
    quality(plant, code, "rework", 1)
    report(plant, code, ASSEMBLE, good=7)
    quality(plant, code, "scrap", 1, sequence=ASSEMBLE, reason="KNOT")
    report(plant, code, PACK, good=7)
    figures = call(plant, "viewer", "get_quality", p_code=code, p_site="main")
    assert [(s["step"], s["fpy"]) for s in figures["steps"]] == [
        ("CUT", 0.8),
        ("ASSEMBLE", 0.875),
        ("PACK", 1),
    ]
    assert Decimal(str(figures["rty"])) == Decimal("0.7")
    assert [
        (r["reason"], r["quantity"], r["share"], r["cumulative"]) for r in figures["reasons"]
    ] == [("KNOT", 2, 0.6667, 0.6667), ("NOT_SQUARE", 1, 0.3333, 1)]
    assert figures["totals"]["rework_open"] == 1
    later = call(plant, "viewer", "get_quality", p_from="2030-01-01", p_code=code)
    assert (later["reasons"], later["rty"]) == ([], None)


def test_a_page_of_records(plant: psycopg.Connection) -> None:
    code = order(plant, 5)
    ids = [quality(plant, code, "scrap")["record"]["id"] for _ in range(3)]
    page = call(plant, "viewer", "get_quality_records", p_code=code, p_limit=2)
    rest = call(plant, "viewer", "get_quality_records", p_code=code, p_cursor=page["next_cursor"])
    found = [r["record"]["id"] for r in (*page["records"], *rest["records"])]
    assert (found, rest["next_cursor"]) == (ids[::-1], None)
    assert page["records"][0]["reason_title"] == "Out of square"
    assert attempt(plant, "viewer", "get_quality_records", p_cursor="?") == (
        400,
        "request.bad_cursor",
    )
