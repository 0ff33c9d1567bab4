"""The floor: start, pause, report, count, complete, take back."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.sql.core import photos
from tests.sql.inventory.stock import refused
from tests.support.production import (
    ASSEMBLE,
    CUT,
    PACK,
    events_of,
    order,
    order_row,
    report,
    step,
)
from tests.support.rpc import Refused, acting_as, call


def counters(db: psycopg.Connection, code: str, sequence: int = CUT) -> tuple[Any, ...]:
    """(started, good, scrap, waiting) of a step."""
    row = step(db, code, sequence)
    return row["started"], row["good"], row["scrap"], row["waiting"]


def start(db: psycopg.Connection, code: str, **more: Any) -> Any:
    return call(db, "operator", "start_step", **{"p_code": code, "p_work_centre": "saw-1"} | more)


def count(db: psycopg.Connection, code: str, **more: Any) -> Any:
    arguments = {"p_code": code, "p_work_centre": "saw-1"} | more
    return call(db, "equipment", "record_count", **arguments)


def test_an_order_goes_over_the_floor(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    assert order_row(plant, code)["status"] == "OPEN_NOT_STARTED"
    assert start(plant, code, p_quantity=4)["step"]["waiting"] == 4
    answer = report(plant, code, CUT, 10)
    assert (answer["step"]["status"], answer["order_row"]["status"]) == ("COMPLETED", "IN_PROGRESS")
    report(plant, code, ASSEMBLE, 10)
    assert report(plant, code, PACK, 6)["progress"]["executed_good"] == 6
    answer = report(plant, code, PACK, 4)
    assert (answer["order_row"]["status"], answer["progress"]["executed_good"]) == ("CLOSED", 10)
    told = [e.removeprefix("production.") for e in events_of(plant, code)]
    assert told[1:5] == ["released", "step_started", "step_completed", "counted"]
    assert told.count("step_started") == told.count("step_completed") == 3
    row = plant.execute("select on_hand from public.inventory_stock where sku = 'TABLE'").fetchone()
    assert row == (10,)


def test_start_takes_what_can_start(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    assert start(plant, code)["step"]["started"] == 10
    assert start(plant, code)["changed"] is False
    report(plant, code, CUT, 3)
    bench = start(plant, code, p_work_centre="bench-1")
    assert (bench["step"]["sequence"], bench["step"]["started"]) == (ASSEMBLE, 3)
    more = refused(
        plant, "operator", "start_step", p_code=code, p_work_centre="bench-1", p_quantity=1
    )
    assert (more.status, more.code, more.detail["expected"]) == (
        409,
        "production.more_than_input",
        0,
    )


def test_a_step_without_good_pieces_before_it(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    early = refused(plant, "operator", "start_step", p_code=code, p_work_centre="bench-1")
    assert (early.status, early.code) == (409, "production.previous_step")
    report(plant, code, CUT, scrap=1, reason="KNOT")
    early = refused(plant, "operator", "start_step", p_code=code, p_work_centre="bench-1")
    assert (early.code, early.detail["good"]) == ("production.previous_step", 0)


def test_good_scrap_and_rework_in_one_go(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    path = photos.photo(plant, about="production_order")
    answer = report(plant, code, CUT, 6, scrap=1, rework=2, reason="KNOT", cause="Damp", photo=path)
    assert (answer["step"]["good"], answer["step"]["scrap"], answer["step"]["rework_open"]) == (
        6,
        1,
        2,
    )
    assert answer["step"]["in_process"] == 2
    assert answer["notices"][0]["code"] == "production.replenished"
    kept = plant.execute(
        "select disposition, quantity, reason, cause, photo from public.quality_records order by id"
    ).fetchall()
    assert kept == [("scrap", 1, "KNOT", "Damp", path), ("rework", 2, "KNOT", "Damp", path)]
    assert plant.execute("select photo from public.piece_counts order by id").fetchone() == (path,)


def test_a_photo_is_of_this_order_and_has_arrived(plant: psycopg.Connection) -> None:
    code, other = order(plant, 10), order(plant, 10)
    said = {"p_work_centre": "saw-1", "p_scrap": 1, "p_reason": "KNOT"}
    path = photos.start(plant, about="production_order")
    early = refused(plant, "operator", "report_production", p_code=code, p_photo=path, **said)
    assert (early.status, early.code) == (409, "photo.missing")
    photos.upload(plant, path)
    report(plant, code, CUT, scrap=1, reason="KNOT", photo=path)
    for wrong, whose in ((path, other), (photos.photo(plant), code), ("a/b", code)):
        no = refused(plant, "operator", "report_production", p_code=whose, p_photo=wrong, **said)
        assert (no.status, no.code) == (404, "photo.unknown")
    found = {"p_disposition": "scrap", "p_quantity": 1, "p_reason": "KNOT", "p_photo": "a/b"}
    no = refused(plant, "operator", "record_quality", p_code=code, p_work_centre="saw-1", **found)
    assert no.code == "photo.unknown"
    with acting_as(plant, "viewer"):
        seen = plant.execute("select name from storage.objects where bucket_id = 'photos'")
        assert (path,) in seen.fetchall(), "who may see orders sees what was wrong"


def test_sentences_name_the_work_not_its_code(plant: psycopg.Connection) -> None:
    for name, title in (("CUT", "Cutting to size"), ("ASSEMBLE", "Assembly"), ("PACK", "Packing")):
        call(plant, "planner", "save_process_step", p_code=name, p_title=title)
    code = order(plant, 2)
    at = {"p_code": code, "p_work_centre": "bench-1"}
    early = refused(plant, "operator", "start_step", **at)
    assert early.message == "Assembly waits for good pieces from Cutting to size: none came yet."
    assert early.detail["expected"] == "CUT", "programs read the code"
    wrong = refused(plant, "operator", "start_step", **at, p_sequence=CUT)
    assert wrong.message == f"bench-1 does Assembly; {code} needs Cutting to size."
    ready = call(plant, "operator", "scan_step", p_code=code, p_work_centre="saw-1")
    assert ready["message"].startswith(f"{code}: Cutting to size.")
    report(plant, code, CUT, 2)
    done = refused(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1")
    assert done.message == f"Cutting to size of {code} is completed."
    used = plant.execute(
        "select distinct reason from public.inventory_txn where ref_id = %s", (code,)
    )
    assert ("For Cutting to size",) in used.fetchall()


def test_counter_readings(plant: psycopg.Connection) -> None:
    code = order(plant, 40)
    answer = report(
        plant, code, CUT, good=None, scrap=2, reason="KNOT",
        counter_start=100, counter_end=105, pieces_per_cycle=4,
    )  # fmt: skip
    assert (answer["step"]["good"], answer["step"]["scrap"]) == (18, 2)
    kept = plant.execute(
        "select counter_start, counter_end, pieces_per_cycle from public.piece_counts order by id"
    ).fetchone()
    assert kept == (100, 105, 4)


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"p_good": 0}, "production.nothing"),
    ({"p_good": -1, "p_scrap": 2, "p_reason": "KNOT"}, "production.nothing"),
    ({"p_good": 1, "p_scrap": 1}, "quality.reason_required"),
    ({"p_good": 1, "p_rework": 1, "p_reason": "NONSENSE"}, "quality.reason_unknown"),
    ({"p_counter_start": 5, "p_counter_end": 4}, "production.counter"),
    ({"p_counter_start": 5}, "production.counter"),
    ({"p_good": 3, "p_counter_start": 5, "p_counter_end": 9}, "production.counter"),
    ({"p_good": 1, "p_pieces_per_cycle": 0}, "production.counter"),
    ({"p_good": 1, "p_notes": "x" * 2001}, "request.too_long"),
    ({"p_good": 1, "p_photo": "x" * 501}, "request.too_long"),
    ({"p_good": 1, "p_work_centre": None}, "production.which_step"),
]


def test_a_report_that_says_nothing_sensible(plant: psycopg.Connection) -> None:
    name = order(plant, 10)
    for said, code in NONSENSE:
        all_said = {"p_code": name, "p_work_centre": "saw-1"} | said
        no = refused(plant, "operator", "report_production", **all_said)
        assert (no.status, no.code) == (422, code), said
        assert counters(plant, name) == (0, 0, 0, 0)


def test_more_pieces_than_there_are(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    many = refused(
        plant, "operator", "report_production", p_code=code, p_work_centre="saw-1", p_good=11
    )
    assert (many.status, many.code, many.detail["expected"]) == (
        409,
        "production.more_than_input",
        10,
    )
    report(plant, code, CUT, 10)
    done = refused(
        plant, "operator", "report_production", p_code=code, p_work_centre="saw-1", p_good=1
    )
    assert (done.status, done.code) == (409, "production.step_completed")


def test_pause_and_go_on(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    idle = refused(plant, "operator", "pause_step", p_code=code, p_sequence=CUT)
    assert (idle.status, idle.code) == (409, "production.not_running")
    nowhere = refused(plant, "operator", "pause_step", p_code=code, p_sequence=99)
    assert (nowhere.status, nowhere.code) == (404, "production.no_step")
    unsaid = refused(plant, "operator", "pause_step", p_code=code, p_sequence=None)
    assert (unsaid.status, unsaid.code) == (422, "production.which_step")
    start(plant, code, p_quantity=4)
    paused = call(plant, "operator", "pause_step", p_code=code, p_sequence=CUT, p_reason="Lunch")
    assert (paused["step"]["status"], paused["step"]["pause_reason"]) == ("PAUSED", "Lunch")
    again = call(plant, "operator", "pause_step", p_code=code, p_sequence=CUT)
    assert again["changed"] is False
    stopped = refused(
        plant, "operator", "report_production", p_code=code, p_work_centre="saw-1", p_good=1
    )
    assert (stopped.status, stopped.code) == (409, "production.step_paused")
    count(plant, code, p_delta=1)  # a machine knows nothing of lunch
    assert start(plant, code, p_quantity=1)["step"]["status"] == "IN_PROGRESS"
    assert report(plant, code, CUT, 4)["step"]["pause_reason"] is None


def test_pause_and_go_on_with_what_is_in_process(plant: psycopg.Connection) -> None:
    code = order(plant, 4)
    start(plant, code)
    call(plant, "operator", "pause_step", p_code=code, p_sequence=CUT)
    answer = start(plant, code)  # all of it is started already
    assert (answer["changed"], answer["step"]["status"]) == (True, "IN_PROGRESS")
    assert events_of(plant, code)[-1] == "production.step_started"


def test_a_machine_counts(plant: psycopg.Connection) -> None:
    code = order(plant, 40)
    assert count(plant, code, p_delta=3, p_pieces_per_cycle=2)["step"]["good"] == 6
    first = count(plant, code, p_counter=1000)
    assert (first["changed"], first["notices"][0]["code"]) == (False, "production.counter_base")
    assert count(plant, code, p_counter=1005)["step"]["good"] == 11
    assert count(plant, code, p_counter=1005)["changed"] is False
    reset = count(plant, code, p_counter=2)
    assert (reset["changed"], reset["step"]["good"]) == (False, 11)  # what came between is unknown
    assert count(plant, code, p_counter=4)["step"]["good"] == 13
    assert count(plant, code, p_counter=9, p_source="plc-2")["changed"] is False


def test_a_refused_reading_is_not_taken_as_read(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    count(plant, code, p_counter=0)
    with pytest.raises(Refused):
        count(plant, code, p_counter=12)
    call(plant, "planner", "update_production_order", p_code=code, p_quantity=12)
    assert count(plant, code, p_counter=12)["step"]["good"] == 12


EMPTY_COUNTS: list[dict[str, Any]] = [
    {},
    {"p_delta": 1, "p_counter": 1},
    {"p_delta": 0},
    {"p_counter": -1},
    {"p_delta": 1, "p_pieces_per_cycle": 0},
    {"p_delta": 1, "p_source": "Über"},
]


def test_a_count_that_says_nothing(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    for said in EMPTY_COUNTS:
        no = refused(plant, "equipment", "record_count", p_code=code, p_work_centre="saw-1", **said)
        assert (no.status, no.code) == (422, "production.counter"), said


def test_a_machine_only_counts(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    for rpc in ("start_step", "report_production"):
        no = refused(plant, "equipment", rpc, p_code=code, p_work_centre="saw-1")
        assert (no.status, no.code) == (403, "auth.forbidden")


def complete(db: psycopg.Connection, code: str, sequence: int = CUT, **more: Any) -> Any:
    return call(db, "operator", "complete_step", p_code=code, p_sequence=sequence, **more)


def test_the_first_step_may_end_early(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    start(plant, code, p_quantity=4)
    busy = refused(plant, "operator", "complete_step", p_code=code, p_sequence=CUT, p_reason="x")
    assert (busy.status, busy.code) == (409, "production.in_process")
    report(plant, code, CUT, 4)
    unsaid = refused(plant, "operator", "complete_step", p_code=code, p_sequence=CUT)
    assert unsaid.code == "stock.reason_required"
    answer = complete(plant, code, p_reason="No more boards")
    assert (answer["step"]["status"], answer["changed"]) == ("COMPLETED", True)
    assert complete(plant, code)["changed"] is False
    done = refused(plant, "operator", "start_step", p_code=code, p_work_centre="saw-1")
    assert (done.status, done.code) == (409, "production.step_completed")
    for sequence in (ASSEMBLE, PACK):
        assert report(plant, code, sequence, 4)["step"]["status"] == "COMPLETED"
    assert order_row(plant, code)["status"] == "OPEN_PARTIAL"
    call(plant, "planner", "close_order", p_code=code, p_reason="No more boards")


def test_a_later_step_ends_when_all_has_come(plant: psycopg.Connection) -> None:
    code = order(plant, 10)
    report(plant, code, CUT, 6)
    report(plant, code, ASSEMBLE, 6)
    waits = refused(
        plant, "operator", "complete_step", p_code=code, p_sequence=ASSEMBLE, p_reason="x"
    )
    assert (waits.status, waits.code) == (409, "production.step_open")
    report(plant, code, CUT, 4)
    answer = complete(plant, code, ASSEMBLE, p_good=4)
    assert (answer["step"]["status"], answer["step"]["good"]) == ("COMPLETED", 10)


COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("start_step", {"p_work_centre": "saw-1", "p_quantity": 2}),
    ("report_production", {"p_work_centre": "saw-1", "p_good": 2}),
    ("record_count", {"p_work_centre": "saw-1", "p_delta": 2}),
    ("complete_step", {"p_sequence": CUT, "p_good": 10}),
    ("scan_step", {"p_work_centre": "saw-1"}),
    ("undo_production", {}),
    ("pause_step", {"p_sequence": CUT}),
]


def test_a_repeat_answers_the_same_and_does_nothing(plant: psycopg.Connection) -> None:
    other = order(plant, 1)
    for rpc, more in COMMANDS:
        code = order(plant, 10)
        if rpc in ("undo_production", "pause_step"):
            start(plant, code, p_quantity=1)
        said = {"p_code": code, "p_request_id": uuid4()} | more
        first = call(plant, "operator", rpc, **said)
        before = (step(plant, code), events_of(plant, code))
        assert call(plant, "operator", rpc, **said) == first
        assert (step(plant, code), events_of(plant, code)) == before
        reused = refused(plant, "operator", rpc, **said | {"p_code": other})
        assert (reused.status, reused.code) == (422, "request.reused")
