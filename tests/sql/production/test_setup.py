"""Process steps, work centres and routings: what a planner sets up."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.sql.inventory.stock import refused
from tests.support.production import order
from tests.support.rpc import call


def routing(db: psycopg.Connection, *steps: Any, **more: Any) -> Any:
    rows = Jsonb([{"step": s} if isinstance(s, str) else s for s in steps])
    return call(db, "planner", "save_routing", p_sku="TABLE", p_steps=rows, **more)


def test_a_step_is_added_and_changed(plant: psycopg.Connection) -> None:
    save = "save_process_step"
    paint = call(plant, "planner", save, p_code="PAINT", p_kind="paint")
    assert (paint["needs_complete_sets"], paint["sequence"]) == (True, 13)
    changed = call(plant, "planner", save, p_code="PAINT", p_title="Painting")
    assert (changed["title"], changed["version"]) == ("Painting", 2)
    again = call(plant, "planner", save, p_code="PAINT", p_title="Painting")
    assert again["version"] == 2
    assert refused(plant, "operator", save, p_code="X").code == "auth.forbidden"
    assert refused(plant, "planner", save, p_code="X", p_kind="odd").constraint == (
        "process_steps_kind_check"
    )


def test_a_work_centre_is_added_and_changed(plant: psycopg.Connection) -> None:
    save = "save_work_centre"
    said = {"p_code": "saw-1", "p_capacity": 4, "p_type": "CNC", "p_line": "A"}
    request = uuid4()
    changed = call(plant, "planner", save, **said, p_request_id=request)
    assert (changed["capacity"], changed["line"], changed["step"]) == (4, "A", "CUT")
    assert call(plant, "planner", save, **said, p_request_id=request) == changed
    assert call(plant, "planner", save, **said)["version"] == changed["version"]
    unknown = refused(plant, "planner", save, p_code="saw-5", p_step="FLY", p_site="main")
    assert (unknown.status, unknown.code) == (404, "process_step.unknown")
    nowhere = refused(plant, "service", save, p_code="saw-5", p_step="CUT", p_site="moon")
    assert (nowhere.status, nowhere.code) == (404, "site.unknown")
    call(plant, "admin", "register_site", p_code="west", p_name="W", p_time_zone="UTC")
    moved = refused(plant, "admin", save, p_code="saw-1", p_site="west")
    assert (moved.status, moved.code) == (409, "work_centre.other_site")


def test_routings_have_versions(plant: psycopg.Connection) -> None:
    second = routing(plant, {"step": "CUT", "work_centre": "saw-1", "run_min": 2.5}, "PACK")
    assert (second["routing"]["version"], second["routing"]["is_active"]) == (2, True)
    assert [(s["sequence"], s["work_centre"], s["run_min"]) for s in second["steps"]] == [
        (10, "saw-1", 2.5),
        (20, None, 0),
    ]
    third = routing(plant, "PACK", p_activate=False)
    assert (third["routing"]["version"], third["routing"]["is_active"]) == (3, False)
    first = call(plant, "planner", "activate_routing", p_sku="table", p_version=1)
    assert (first["changed"], len(first["steps"])) == (True, 3)
    again = call(plant, "planner", "activate_routing", p_sku="TABLE", p_version=1)
    assert again["changed"] is False
    unknown = refused(plant, "planner", "activate_routing", p_sku="TABLE", p_version=9)
    assert (unknown.status, unknown.code) == (404, "routing.unknown")
    active = plant.execute(
        "select version from public.routings where sku = 'TABLE' and is_active"
    ).fetchall()
    assert active == [(1,)]


UNFOLLOWABLE: list[tuple[list[Any], int, str]] = [
    ([], 422, "routing.steps"),
    ([{"work_centre": "saw-1"}], 422, "routing.steps"),
    ([{"step": "CUT", "run_min": "long"}], 422, "routing.steps"),
    ([{"step": "CUT", "work_centre": "pack-1"}], 422, "routing.steps"),
    (
        [{"step": "CUT", "materials": ["LEG"]}, {"step": "PACK", "materials": ["leg"]}],
        422,
        "routing.steps",
    ),
    ([{"step": "FLY"}], 404, "process_step.unknown"),
    ([{"step": "CUT", "work_centre": "saw-9"}], 404, "work_centre.unknown"),
    ([{"step": "CUT", "materials": ["GOLD"]}], 404, "item.unknown"),
]


def test_a_routing_that_cannot_be_followed(plant: psycopg.Connection) -> None:
    for steps, status, code in UNFOLLOWABLE:
        no = refused(plant, "planner", "save_routing", p_sku="TABLE", p_steps=Jsonb(steps))
        assert (no.status, no.code) == (status, code), steps


def test_parts_that_no_step_names(plant: psycopg.Connection) -> None:
    """They go in where sets are put together; without such a step at the start."""
    routing(plant, "CUT", "ASSEMBLE", "PACK")
    order(plant, 1)
    routing(plant, "CUT", "PACK")
    order(plant, 1)
    found = plant.execute(
        "select step, jsonb_array_length(materials) from public.production_order_steps"
        " where materials <> '[]' order by order_id"
    ).fetchall()
    assert found == [("ASSEMBLE", 2), ("CUT", 2)]


def test_how_items_are_made_is_read_with_every_version(plant: psycopg.Connection) -> None:
    call(plant, "planner", "save_process_step", p_code="CUT", p_title="Cutting to size")
    steps: list[Any] = [{"step": "CUT", "work_centre": "saw-1", "run_min": 1.5}, "PACK"]
    routing(plant, *steps, p_note="Without legs", p_activate=False)
    page = call(plant, "viewer", "get_routings", p_with_total=True)
    assert ([item["sku"] for item in page["items"]], page["total"]) == (["TABLE"], 1)
    item = page["items"][0]
    assert (item["title"], item["active_version"]) == ("Table", 1)
    assert [(v["version"], v["is_active"]) for v in item["versions"]] == [(2, False), (1, True)]
    newest = item["versions"][0]
    assert (newest["note"], len(newest["steps"])) == ("Without legs", 2)
    first = newest["steps"][0]
    assert (first["title"], first["work_centre_title"], first["run_min"]) == (
        "Cutting to size",
        "saw-1",
        1.5,
    )
    assert item["versions"][1]["steps"][1]["materials"] == [{"sku": "LEG", "title": "Leg"}]


def test_routings_come_in_pages(plant: psycopg.Connection) -> None:
    for sku in ("LEG", "PANEL"):
        rows = Jsonb([{"step": "CUT"}])
        call(plant, "planner", "save_routing", p_sku=sku, p_steps=rows)
    first = call(plant, "viewer", "get_routings", p_limit=2)
    assert ([i["sku"] for i in first["items"]], first["total"]) == (["LEG", "PANEL"], None)
    rest = call(plant, "viewer", "get_routings", p_limit=2, p_cursor=first["next_cursor"])
    assert ([i["sku"] for i in rest["items"]], rest["next_cursor"]) == (["TABLE"], None)
    found = call(plant, "viewer", "get_routings", p_search="pan")
    assert [i["sku"] for i in found["items"]] == ["PANEL"]
    cursor = refused(plant, "viewer", "get_routings", p_cursor="nonsense")
    assert (cursor.status, cursor.code) == (400, "request.bad_cursor")


def test_one_person_takes_no_work_centre_out_of_use(plant: psycopg.Connection) -> None:
    """To disable it takes two people; to tick it away took one."""
    away = {"p_code": "saw-1", "p_is_active": False}
    no = refused(plant, "planner", "save_work_centre", **away)
    assert (no.status, no.code) == (409, "work_centre.in_use")
    asked = call(
        plant,
        "operator",
        "request_approval",
        p_type="DISABLE_EQUIPMENT",
        p_justification="Sold",
        p_work_centre="saw-1",
    )["approval"]
    seen = {"p_id": asked["id"], "p_version": asked["version"]}
    call(plant, "manager", "decide_approval", **seen, p_decision="APPROVED")
    gone = call(plant, "planner", "save_work_centre", **away)
    assert (gone["is_active"], gone["is_enabled"]) == (False, False)
    assert call(plant, "planner", "save_work_centre", **away)["version"] == gone["version"]
    back = call(plant, "planner", "save_work_centre", p_code="saw-1", p_is_active=True)
    assert (back["is_active"], back["is_enabled"]) == (True, False), "still disabled"
