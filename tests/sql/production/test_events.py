"""What happened, in the names that users know: broadcast, and readable by cursor."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.printing import attempt
from tests.support.production import CUT, order, quality, report
from tests.support.rpc import call

NAMES = {
    "OP_IMPORTED_FROM_ERP",
    "BARCODE_SCANNED",
    "STEP_STARTED",
    "PIECE_COUNTED",
    "QUALITY_RECORDED",
    "REPLENISHMENT_OP_CREATED",
    "STEP_COMPLETED",
}


def run(db: psycopg.Connection) -> str:
    """An imported order of which two are sawn, one of them to waste."""
    row = {
        "external_id": "E-1",
        "code": "E-1",
        "product_sku": "TABLE",
        "quantity": 2,
        "site": "main",
    }
    call(db, "planner", "import_production_orders", p_system="erp", p_rows=Jsonb([row]))
    call(db, "planner", "release_order", p_code="E-1")
    call(db, "operator", "scan_step", p_code="E-1", p_work_centre="saw-1")
    report(db, "E-1", CUT, good=1, scrap=1, reason="KNOT")
    return "E-1"


def read(db: psycopg.Connection, who: str = "viewer", **more: Any) -> dict[str, Any]:
    arguments = {f"p_{name}": value for name, value in more.items()}
    return dict(call(db, who, "get_execution_events", **arguments))


def test_every_name_comes_by_cursor(plant: psycopg.Connection) -> None:
    start = call(plant, "viewer", "events_cursor")
    run(plant)
    page = read(plant, cursor=start)
    assert {e["event_type"] for e in page["events"]} >= NAMES
    ids = [e["id"] for e in page["events"]]
    assert ids == sorted(ids)
    (counted,) = [e for e in page["events"] if e["event_type"] == "PIECE_COUNTED"]
    assert (counted["code"], counted["step"], counted["sequence"], counted["work_centre"]) == (
        "E-1",
        "CUT",
        CUT,
        "saw-1",
    )
    seen, cursor = [], start
    while (step := read(plant, cursor=cursor, limit=2))["events"]:
        seen += [e["id"] for e in step["events"]]
        cursor = step["next_cursor"]
    assert seen == ids
    assert read(plant, cursor=cursor)["next_cursor"] == cursor
    assert attempt(plant, "viewer", "get_execution_events", p_cursor="?") == (
        400,
        "events.bad_cursor",
    )


def test_they_are_filtered_and_the_cursor_goes_on(plant: psycopg.Connection) -> None:
    run(plant)
    page = read(plant, types=["STEP_STARTED", "QUALITY_RECORDED"])
    assert [e["event_type"] for e in page["events"]] == ["STEP_STARTED", "QUALITY_RECORDED"]
    assert [e["code"] for e in read(plant, code="E-1-R1")["events"]] == ["E-1-R1"]
    nothing = read(plant, types=["OVERTIME"])
    assert (nothing["events"], nothing["next_cursor"] > "0:0") == ([], True)


def test_every_name_is_broadcast(plant: psycopg.Connection) -> None:
    run(plant)
    sent = plant.execute(
        "select event, private, payload from realtime.messages"
        " where topic = 'site:main:execution' order by inserted_at"
    ).fetchall()
    assert {event for event, _, _ in sent} >= NAMES
    assert all(is_private for _, is_private, _ in sent)
    for event, _, payload in sent:
        assert payload["event_type"] == event
        assert not {"payload", "reason", "notes", "actor_id"} & set(payload), "ids only"


def test_somebody_elses_store_is_not_told(plant: psycopg.Connection) -> None:
    code = order(plant, 2, store="bannos")
    quality(plant, code, "rework")
    assert read(plant, code=code)["events"]
    assert read(plant, "flourlane_operator", code=code)["events"] == []
    rows = plant.execute("select count(*) from public.execution_events").fetchone()
    assert rows is not None
    assert rows[0] > 2
