"""A printer is done: what goes into stock, what waits, and that nothing is counted twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.farm.farm import NOON, machine, mapping, part, report, run_of
from tests.sql.inventory.production import fulfilment, has, produce, produce_lines
from tests.sql.inventory.stock import ledger, on_hand, refused
from tests.support.rpc import call


@pytest.fixture
def farm(db: psycopg.Connection) -> psycopg.Connection:
    """One printer, one part, one file of four."""
    part(db)
    machine(db)
    mapping(db)
    return db


def test_a_finished_print_fulfils_the_order_that_waits(farm: psycopg.Connection) -> None:
    order = produce(farm, quantity=3)
    answer = report(farm)
    assert answer["status"] == "recorded"
    assert answer["lines"] == [
        {"part_id": "BRACKET", "sku": "BRACKET", "title": "Bracket", "planned": 4, "qty": 4}
    ]
    assert (on_hand(farm, "BRACKET"), has(farm, order)) == (4, 3)
    assert fulfilment(farm, order) == "fulfilled"
    [row] = call(farm, "viewer", "get_print_runs")
    assert row["orders"] == [{"code": order, "sku": "BRACKET", "quantity": 3}]
    assert (row["machine"], row["run"]["minutes"], row["run"]["plate_status"]) == (
        "a1", 60, "waiting",
    )  # fmt: skip


def test_formset_8_a_replayed_finish_adds_nothing(farm: psycopg.Connection) -> None:
    first = report(farm, idempotency_key="k")
    again = report(farm, idempotency_key="k", start=NOON)
    assert (again["status"], again["print_run_id"]) == ("duplicate", first["print_run_id"])
    assert again["lines"] == first["lines"]
    assert ledger(farm, "BRACKET") == [("produce", 4)]


def test_another_report_under_a_known_key_moves_no_stock(farm: psycopg.Connection) -> None:
    run = report(farm, idempotency_key="k")["print_run_id"]
    later = report(farm, idempotency_key="k", outcome="failed", payload_hash="other", start=NOON)
    assert (later["status"], later["print_run_id"]) == ("conflict", run)
    kept = run_of(farm, run)
    assert (kept["outcome"], kept["is_counted"], kept["reasons"]) == (
        "success", True, ["reported_again"],
    )  # fmt: skip
    assert on_hand(farm, "BRACKET") == 4


def test_a_failed_run_that_was_a_cancellation_is_reclassified(farm: psycopg.Connection) -> None:
    run = report(farm, idempotency_key="k", outcome="failed")["print_run_id"]
    answer = report(farm, idempotency_key="k", outcome="cancelled", payload_hash="2", start=NOON)
    assert answer["status"] == "conflict"
    assert run_of(farm, run)["outcome"] == "cancelled"
    assert on_hand(farm, "BRACKET") == 0


def test_a_failed_run_that_is_reported_as_a_success_waits_for_a_person(
    farm: psycopg.Connection,
) -> None:
    run = report(farm, idempotency_key="k", outcome="failed")["print_run_id"]
    report(farm, idempotency_key="k", payload_hash="2", start=NOON)
    assert run_of(farm, run)["status"] == "review"
    assert on_hand(farm, "BRACKET") == 0
    call(farm, "operator", "resolve_print_run", p_run_id=run, p_action="book")
    assert on_hand(farm, "BRACKET") == 4


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_what_did_not_finish_gives_nothing_and_is_kept(
    farm: psycopg.Connection, outcome: str
) -> None:
    error = Jsonb({"code": "0300-400C", "text": "Cancelled at the printer"})
    answer = report(farm, outcome=outcome, error=error, progress=Jsonb({"percent": 40}))
    assert answer["status"] == "recorded"
    assert [(line["planned"], line["qty"]) for line in answer["lines"]] == [(4, 0)]
    reason = farm.execute("select failure_reason from public.inventory_print_log").fetchone()
    assert reason == ("Cancelled at the printer",)
    assert on_hand(farm, "BRACKET") == 0


def test_a_reprint_with_identical_names_and_ids_is_another_run(farm: psycopg.Connection) -> None:
    native = Jsonb({"task_id": "0", "subtask_name": "bracket"})
    for _ in range(5):
        assert report(farm, native=native)["status"] == "recorded"
    assert on_hand(farm, "BRACKET") == 20


def test_an_unmapped_print_is_kept_and_booked_once_later(farm: psycopg.Connection) -> None:
    order = produce(farm, quantity=6)
    answer = report(farm, gcode_filename="lamp.3mf")
    assert (answer["status"], answer["reasons"], answer["lines"]) == ("unmapped", ["unmapped"], [])
    assert mapping(farm, "LAMP.gcode.3mf", {"BRACKET": 6})["waiting"] == 1
    assert on_hand(farm, "BRACKET") == 0
    [booked] = call(farm, "operator", "book_waiting_prints", p_gcode_filename="lamp")
    assert (booked["print_run_id"], booked["status"]) == (answer["print_run_id"], "recorded")
    assert call(farm, "operator", "book_waiting_prints") == []
    assert (on_hand(farm, "BRACKET"), fulfilment(farm, order)) == (6, "fulfilled")


def test_the_mapping_at_the_finish_counts_and_is_kept(farm: psycopg.Connection) -> None:
    run = report(farm)["print_run_id"]
    mapping(farm, parts={"BRACKET": 9})
    assert run_of(farm, run)["mapping"] == [{"sku": "BRACKET", "planned": 4, "object_ids": None}]
    report(farm)
    assert on_hand(farm, "BRACKET") == 13


def test_the_project_name_decides_not_the_plate_file(farm: psycopg.Connection) -> None:
    """X1: every project prints /data/Metadata/plate_1.gcode."""
    part(farm, "KNOB")
    mapping(farm, "Lamp", {"KNOB": 2})
    for project, sku in (("bracket", "BRACKET"), ("Lamp", "KNOB")):
        names = ["plate_1.gcode", project]
        report(farm, gcode_filename="/data/Metadata/plate_1.gcode", candidates=names, plate=1)
        assert on_hand(farm, sku) > 0
    nameless = report(farm, gcode_filename="/data/Metadata/plate_1.gcode", plate=1)
    assert (nameless["status"], nameless["reasons"]) == ("review", ["unnamed"])


def test_plates_of_a_project_have_their_own_mappings(farm: psycopg.Connection) -> None:
    part(farm, "KNOB")
    mapping(farm, "kiosk_plate_6.3mf", {"KNOB": 2})
    mapping(farm, "kiosk", {"BRACKET": 1}, plate=7)
    report(farm, gcode_filename="kiosk.3mf", plate=6)
    report(farm, gcode_filename="kiosk_plate_7.3mf")
    assert (on_hand(farm, "KNOB"), on_hand(farm, "BRACKET")) == (2, 1)
    for plate in (None, 8):  # no plate is guessed
        assert report(farm, gcode_filename="kiosk.3mf", plate=plate)["status"] == "unmapped"


def test_a_file_mapped_without_a_plate_serves_all(farm: psycopg.Connection) -> None:
    for plate in (None, 1, 3):
        assert report(farm, plate=plate)["status"] == "recorded"
    part(farm, "KNOB")
    mapping(farm, "bracket", {"KNOB": 1}, plate=3)
    assert report(farm, plate=3)["lines"][0]["sku"] == "KNOB"
    assert report(farm, plate=1)["status"] == "unmapped"


def test_names_that_are_mapped_to_different_parts_go_to_a_person(
    farm: psycopg.Connection,
) -> None:
    part(farm, "KNOB")
    mapping(farm, "lamp", {"KNOB": 1})
    answer = report(farm, candidates=["bracket.3mf", "lamp.3mf"])
    assert (answer["status"], answer["reasons"]) == ("review", ["ambiguous"])
    mapping(farm, "lamp", {"BRACKET": 4})
    assert report(farm, candidates=["bracket.3mf", "lamp.3mf"])["status"] == "recorded"


def test_a_part_that_is_no_longer_made_is_not_booked(farm: psycopg.Connection) -> None:
    part(farm, is_active=False)
    assert report(farm)["status"] == "unmapped"


def test_a_plate_of_several_parts_is_one_run(farm: psycopg.Connection) -> None:
    part(farm, "KNOB")
    mapping(farm, "mixed", {"BRACKET": 2, "KNOB": 6})
    order = produce_lines(farm, {"BRACKET": 2, "KNOB": 5})
    answer = report(farm, gcode_filename="mixed.3mf")
    assert [(line["sku"], line["qty"]) for line in answer["lines"]] == [("BRACKET", 2), ("KNOB", 6)]
    assert fulfilment(farm, order) == "fulfilled"


# Skipped objects ------------------------------------------------------------------------------


def test_skipped_objects_are_subtracted(farm: psycopg.Connection) -> None:
    mapping(farm, "twelve", {"BRACKET": 12})
    answer = report(farm, gcode_filename="twelve", skipped_object_ids=[112, 118])
    assert (answer["status"], answer["lines"][0]["qty"]) == ("recorded", 10)


def test_the_object_map_says_which_part_was_skipped(farm: psycopg.Connection) -> None:
    part(farm, "KNOB")
    objects = {"BRACKET": [101, 102], "KNOB": [103, 104, 105]}
    mapping(farm, "mixed", {"BRACKET": 2, "KNOB": 6}, objects=objects)
    answer = report(farm, gcode_filename="mixed", skipped_object_ids=[102, 104, 999])
    assert [(line["sku"], line["qty"]) for line in answer["lines"]] == [("BRACKET", 1), ("KNOB", 4)]


def test_skipped_objects_of_unknown_parts_go_to_a_person(farm: psycopg.Connection) -> None:
    part(farm, "KNOB")
    mapping(farm, "mixed", {"BRACKET": 2, "KNOB": 6})
    answer = report(farm, gcode_filename="mixed", skipped_object_ids=[1])
    assert (answer["status"], answer["reasons"]) == ("review", ["skipped"])
    run = answer["print_run_id"]
    refusal = refused(farm, "operator", "resolve_print_run", p_run_id=run, p_action="book")
    assert refusal.code == "print_run.which_parts"
    lines = Jsonb([{"sku": "KNOB", "quantity": 6}, {"sku": "BRACKET", "quantity": 1}])
    call(farm, "operator", "resolve_print_run", p_run_id=run, p_action="book", p_lines=lines)
    assert (on_hand(farm, "BRACKET"), on_hand(farm, "KNOB")) == (1, 6)


@pytest.mark.parametrize(
    ("skipped", "reason"), [([1, 2, 3, 4], "all_skipped"), ([1, 2, 3, 4, 5], "skipped")]
)
def test_nothing_left_is_looked_at(
    farm: psycopg.Connection, skipped: list[int], reason: str
) -> None:
    answer = report(farm, skipped_object_ids=skipped)
    assert (answer["status"], answer["reasons"]) == ("review", [reason])


# What is not sure -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status", "reasons"),
    [
        ({"outcome": "unknown"}, "review", ["unknown"]),
        ({"outcome": "unknown", "gcode_filename": None}, "review", ["unknown", "unnamed"]),
        ({"outcome": "ignored"}, "ignored", []),
        ({"evidence": "recovered"}, "recorded", []),
        ({"evidence": "recovered_unseen"}, "review", ["recovered_unseen"]),
        (
            {"evidence": "recovered_unseen", "native": {"task_id": "0"}},
            "review",
            ["recovered_unseen"],
        ),
        ({"evidence": "recovered_unseen", "native": {"task_id": "77"}}, "recorded", []),
        ({"evidence": "superseded"}, "review", ["superseded"]),
        ({"evidence": "lost"}, "review", ["lost"]),
        ({"minutes": 0.5}, "review", ["short_run"]),
        ({"minutes": 0.5, "outcome": "failed"}, "recorded", []),
        ({"progress": {"percent": 85}}, "recorded", ["finish_below_100"]),
        ({"progress": {"percent": "x"}}, "recorded", []),
        ({"started_at": None}, "recorded", []),
        ({"gcode_filename": None}, "review", ["unnamed"]),
    ],
)  # fmt: skip
def test_doubt_is_for_a_person(
    farm: psycopg.Connection, fields: dict[str, Any], status: str, reasons: list[str]
) -> None:
    wrapped = {k: Jsonb(v) if isinstance(v, dict) else v for k, v in fields.items()}
    answer = report(farm, **wrapped)
    assert (answer["status"], answer["reasons"]) == (status, reasons)
    counted = status == "recorded" and fields.get("outcome", "success") == "success"
    assert on_hand(farm, "BRACKET") == (4 if counted else 0)


def test_one_printer_cannot_print_two_things_at_once(farm: psycopg.Connection) -> None:
    report(farm, start=NOON)
    twin = report(farm, start=NOON + timedelta(minutes=30))
    assert (twin["status"], twin["reasons"]) == ("review", ["overlap"])
    assert on_hand(farm, "BRACKET") == 4
    refusal = refused(
        farm, "operator", "resolve_print_run", p_run_id=twin["print_run_id"], p_action="book"
    )
    assert refusal.code == "print_run.overlap"
    next_one = report(farm, start=NOON + timedelta(minutes=60))
    assert next_one["status"] == "recorded", "one may begin when the other ends"
    machine(farm, "a2", "01S00B")
    other = report(farm, start=NOON, printer_serial="01s00b ")
    assert other["status"] == "recorded", "another printer prints at the same time"


def test_the_constraint_is_there_even_when_the_judge_is_not(farm: psycopg.Connection) -> None:
    report(farm, start=NOON)
    twin = report(farm, start=NOON)["print_run_id"]
    with pytest.raises(psycopg.errors.ExclusionViolation, match="print_runs_one_at_a_time_excl"):
        farm.execute(
            "update public.print_runs set is_counted = true, status = 'recorded' where id = %s",
            (twin,),
        )


def test_a_recovered_end_leaves_the_blind_time_to_others(farm: psycopg.Connection) -> None:
    """Seen until 12:20, found finished at 15:00: another print in between is possible."""
    report(
        farm, start=NOON, minutes=180, evidence="recovered",
        finished_not_before=NOON + timedelta(minutes=20),
    )  # fmt: skip
    assert report(farm, start=NOON + timedelta(minutes=60))["status"] == "recorded"
    run = call(farm, "viewer", "get_print_runs")[1]["run"]
    assert run["minutes"] is None, "what was not seen is not invented"


def test_clocks_that_run_backwards_make_no_negative_run(farm: psycopg.Connection) -> None:
    answer = report(farm, started_at=NOON + timedelta(hours=5), finished_at=NOON)
    assert answer["status"] == "review"
    run = run_of(farm, answer["print_run_id"])
    assert run["started_at"] == run["finished_at"]


def test_pauses_are_not_print_time(farm: psycopg.Connection) -> None:
    run = report(farm, progress=Jsonb({"paused_s": 900}))["print_run_id"]
    assert run_of(farm, run)["minutes"] == 45


def test_filament_is_that_of_the_plate_and_of_the_share_of_a_failure(
    farm: psycopg.Connection,
) -> None:
    part(farm, grams_per_print=30, parts_per_print=2)
    done = report(farm)["print_run_id"]
    failed = report(farm, outcome="failed", progress=Jsonb({"percent": 25}))["print_run_id"]
    assert (run_of(farm, done)["grams"], run_of(farm, failed)["grams"]) == (60, 15)
    counters = farm.execute(
        "select jobs, failed_jobs, print_minutes, grams from public.print_machine_counters"
    ).fetchone()
    assert counters == (2, 1, 120, 75)
