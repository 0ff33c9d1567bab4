"""What stations and planners see: what can run now, what waits, and why."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.sql.inventory.stock import refused
from tests.sql.production.test_attacks import disable
from tests.support.production import (
    ASSEMBLE,
    CUT,
    PACK,
    make_centre,
    make_plant,
    order,
    quality,
    release,
    report,
    shown,
)
from tests.support.rpc import call


def queue(db: psycopg.Connection, centre: str = "saw-1", **more: Any) -> Any:
    return call(db, "operator", "get_work_centre_queue", p_work_centre=centre, **more)


def board(db: psycopg.Connection, who: str = "planner", **more: Any) -> Any:
    return call(db, who, "get_production_board", **more)


def codes(page: Any) -> list[str]:
    return [row["order_row"]["code"] for row in page["orders"]]


def test_the_queue_of_a_station(plant: psycopg.Connection) -> None:
    waits, urgent, running = order(plant, 4), order(plant, 4, priority="rush"), order(plant, 4)
    for code in (urgent, running):
        report(plant, code, CUT, 2)
    call(plant, "operator", "start_step", p_code=running, p_work_centre="bench-1")
    found = queue(plant, "bench-1")
    assert [(i["code"], i["can_run"]) for i in found["items"]] == [
        (running, True),
        (urgent, True),
        (waits, False),
    ]
    assert (found["total"], found["can_run"], found["pending"]) == (3, 2, None)
    first, second, last = found["items"]
    assert (first["waiting"], first["can_start"], second["can_start"]) == (2, 0, 2)
    assert (last["hint"], last["previous"]["step"], last["next"]["step"]) == (
        "production.previous_step",
        "CUT",
        "PACK",
    )
    assert first["minutes_left"] == 4  # a minute a piece
    assert len(queue(plant, "bench-1", p_limit=1)["items"]) == 1
    report(plant, running, ASSEMBLE, 2)
    assert [i["code"] for i in queue(plant, "bench-1", p_code=running)["items"]] == [running]


def test_the_queue_counts_parts_that_came_since(db: psycopg.Connection) -> None:
    make_plant(db, stock=8)
    code = order(db, 4)  # legs for two
    report(db, code, CUT, 4)
    report(db, code, ASSEMBLE, 2)
    (item,) = queue(db, "bench-1")["items"]
    assert (item["can_run"], item["hint"]) == (False, "production.parts_missing")
    assert item["detail"]["missing"] == [{"sku": "LEG", "needed": 8, "available": 0, "missing": 8}]
    call(db, "operator", "receive_stock", p_sku="LEG", p_quantity=4)
    (item,) = queue(db, "bench-1")["items"]
    assert (item["can_run"], item["can_start"]) == (True, 1)


def test_the_queue_of_a_disabled_press(plant: psycopg.Connection) -> None:
    order(plant, 4)
    ask = {"p_type": "DISABLE_EQUIPMENT", "p_work_centre": "saw-1", "p_justification": "Blunt"}
    asked = call(plant, "operator", "request_approval", **ask)
    assert queue(plant)["pending"]["id"] == asked["approval"]["id"]
    call(
        plant,
        "manager",
        "decide_approval",
        **shown(plant, asked["approval"]["id"]),
        p_decision="APPROVED",
    )
    found = queue(plant)
    assert (found["centre"]["is_enabled"], found["items"][0]["hint"]) == (
        False,
        "work_centre.disabled",
    )
    (saw, *_) = call(plant, "viewer", "get_work_centres")
    assert (saw["work_centre"]["code"], saw["can_run"], saw["pending"]) == ("saw-1", 0, None)
    unknown = refused(plant, "viewer", "get_work_centre_queue", p_work_centre="saw-9")
    assert (unknown.status, unknown.code) == (404, "work_centre.unknown")


def test_centres_of_a_plant(plant: psycopg.Connection) -> None:
    code = order(plant, 4)
    report(plant, code, CUT, 1)
    found = {
        row["work_centre"]["code"]: (row["running"], row["can_run"], row["in_process"])
        for row in call(plant, "viewer", "get_work_centres", p_site="main")
    }
    assert found == {"saw-1": (0, 1, 0), "bench-1": (0, 1, 0), "pack-1": (0, 0, 0)}
    disable(plant, "pack-1")
    call(plant, "planner", "save_work_centre", p_code="pack-1", p_is_active=False)
    assert len(call(plant, "viewer", "get_work_centres")) == 2
    assert len(call(plant, "viewer", "get_work_centres", p_with_inactive=True)) == 3


def test_rework_is_no_work_for_the_station(plant: psycopg.Connection) -> None:
    code = order(plant, 1)
    quality(plant, code, "rework")
    (item,) = queue(plant)["items"]
    assert (item["can_run"], item["hint"]) == (False, "production.only_rework")


def test_no_parts_are_said_to_be_missing_when_none_are(plant: psycopg.Connection) -> None:
    fresh = order(plant, 1, released=False)
    (row,) = [r for r in board(plant)["orders"] if r["order_row"]["code"] == fresh]
    assert [why["code"] for why in row["why"]] == ["production.not_released"]


def test_the_board_says_why(db: psycopg.Connection) -> None:
    make_plant(db, stock=8)
    runs = order(db, 2)
    fresh = order(db, 4, released=False)
    odd = order(db, 1, sku="ROD", released=False)
    rows = {row["order_row"]["code"]: row for row in board(db)["orders"]}
    assert [rows[c]["can_run"] for c in (runs, fresh, odd)] == [True, False, False]
    assert rows[runs]["why"] == []
    assert [w["code"] for w in rows[fresh]["why"]] == [
        "production.not_released",
        "production.parts_missing",
    ]
    assert [w["code"] for w in rows[odd]["why"]] == ["production.no_routing"]
    release(db, fresh)
    row = board(db, p_search=fresh)["orders"][0]
    assert [(w["code"], w["sequence"]) for w in row["why"]] == []
    report(db, fresh, CUT, 4)
    row = board(db, p_search=fresh)["orders"][0]
    assert [(w["code"], w["sequence"]) for w in row["why"]] == [
        ("production.parts_missing", ASSEMBLE)
    ]


def test_the_board_is_sorted_filtered_and_paged(plant: psycopg.Connection) -> None:
    late = order(plant, 1, due_date="2026-12-24")
    soon = order(plant, 1, due_date="2026-12-01")
    rush = order(plant, 1, priority="rush", code="A-1")
    never = order(plant, 1, released=False)
    assert codes(board(plant)) == [rush, soon, late, never]
    assert codes(board(plant, p_sort="due")) == [soon, late, rush, never]
    assert codes(board(plant, p_sort="newest")) == [never, rush, soon, late]
    assert codes(board(plant, p_sort="code"))[0] == "A-1"
    assert codes(board(plant, p_due_from="2026-12-02")) == [late]
    assert codes(board(plant, p_due_to="2026-12-02")) == [soon]
    assert codes(board(plant, p_can_run=False)) == [never]
    assert codes(board(plant, p_can_run=True, p_search="a-1")) == [rush]
    assert codes(board(plant, p_types=["REPLENISHMENT"])) == []
    call(plant, "planner", "cancel_production_order", p_code=late, p_reason="Off")
    assert codes(board(plant, p_statuses=["CANCELLED"])) == [late]
    for sort in ("priority", "due", "code", "newest"):
        paged, cursor = [], None
        while True:
            page = board(plant, p_sort=sort, p_limit=1, p_cursor=cursor, p_with_total=True)
            paged += codes(page)
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert paged == codes(board(plant, p_sort=sort))
        assert page["total"] == 3


def test_a_board_that_is_not_there(plant: psycopg.Connection) -> None:
    for said, status, code in (
        ({"p_sort": "size"}, 422, "production.sort"),
        ({"p_statuses": ["LOST"]}, 422, "production.filter"),
        ({"p_types": ["LOST"]}, 422, "production.filter"),
        ({"p_cursor": "?"}, 400, "request.bad_cursor"),
    ):
        no = refused(plant, "planner", "get_production_board", **said)
        assert (no.status, no.code) == (status, code)


def test_one_order_with_all_that_belongs_to_it(plant: psycopg.Connection) -> None:
    code = order(plant, 4)
    report(plant, code, CUT, 2, scrap=1, reason="KNOT")
    found = call(plant, "viewer", "get_production_order", p_code=code)
    assert [s["sequence"] for s in found["steps"]] == [CUT, ASSEMBLE, PACK]
    cut = found["steps"][0]
    assert (cut["good"], cut["first_pass_good"], cut["scrap"], cut["can_start"]) == (2, 2, 1, 1)
    assert [c["code"] for c in cut["work_centres"]] == ["saw-1"]
    assert {p["sku"]: (p["consumed"], p["missing"]) for p in found["parts"]} == {
        "LEG": (12, 0),
        "PANEL": (4, 0),
    }
    assert found["lots"][0]["remaining"] == 2
    again = found["replenishments"][0]["code"]
    root = call(plant, "viewer", "get_production_order", p_code=again)["root"]
    assert (root, found["routing_version"]) == (code, 1)
    last = call(plant, "viewer", "get_production_order", p_code=code, p_events=1)["events"]
    assert (last, last[0]["actor_name"]) == (found["events"][:1], "Operator")
    unknown = refused(plant, "viewer", "get_production_order", p_code="P-none")
    assert (unknown.status, unknown.code) == (404, "production.unknown")


def test_orders_of_other_stores_stay_theirs(plant: psycopg.Connection) -> None:
    code = order(plant, 1, store="bannos")
    assert codes(board(plant, "flourlane_operator")) == []
    assert codes(board(plant, "operator")) == [code]
    (theirs,) = (i["code"] for i in queue(plant)["items"])
    assert theirs == code
    no = refused(plant, "flourlane_operator", "get_production_order", p_code=code)
    assert (no.status, no.code) == (403, "auth.other_store")


def test_the_self_check_sees_what_does_not_agree(plant: psycopg.Connection) -> None:
    code = order(plant, 4)
    assert call(plant, "manager", "production_selfcheck") == []
    with plant.transaction(force_rollback=True):
        plant.execute("update public.production_order_steps set good = 1, started = 1")
        plant.execute("update public.production_orders set status = 'IN_PROGRESS'")
        found = {
            (row[0], row[1])
            for row in plant.execute(
                "select subject, what from private.production_selfcheck"
            ).fetchall()
        }
        assert {
            (f"{code} {CUT}", "good"),
            (code, "executed good is that of the last step"),
            (code, "good pieces in stock"),
        } <= found
    assert refused(plant, "operator", "production_selfcheck").code == "auth.forbidden"


def test_a_centre_of_its_own(plant: psycopg.Connection) -> None:
    """What the routing binds to one work centre is in no other queue."""
    make_centre(plant, "saw-2", "CUT")
    order(plant, 1)
    plant.execute("update public.production_order_steps set work_centre = 'saw-1' where is_first")
    assert (queue(plant)["total"], queue(plant, "saw-2")["total"]) == (1, 0)
