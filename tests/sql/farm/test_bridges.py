"""Heartbeats, leases, live state, blind windows, maintenance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.farm.farm import NOON, SERIAL, beat, machine, mapping, part, report
from tests.sql.inventory.stock import on_hand, refused
from tests.support.databases import USER_IDS
from tests.support.rpc import call

GAP = UUID("3a1f2b7c-1d52-4e60-8a0e-9b7d1f6c2e55")


@pytest.fixture
def farm(db: psycopg.Connection) -> psycopg.Connection:
    """One printer, one part, one file of four."""
    part(db)
    machine(db)
    mapping(db)
    return db


def second_bridge(db: psycopg.Connection) -> str:
    """Another bridge at the same site: the fixture's device takes up the work of one."""
    db.execute("update public.devices set kind = 'bambu_bridge' where code = 'fixture'")
    return "fixture"


def live(db: psycopg.Connection) -> dict[str, Any]:
    [row] = call(db, "viewer", "get_print_machines")
    return dict(row)


def expire(db: psycopg.Connection) -> None:
    db.execute("update private.machine_leases set lease_until = now() - interval '1 second'")


def test_the_first_bridge_owns_the_printer(farm: psycopg.Connection) -> None:
    other = second_bridge(farm)
    first = beat(farm, {"phase": "printing"})
    assert first["printers"] == [
        {
            "serial": SERIAL,
            "code": "a1",
            "name": "a1",
            "owned": True,
            "owner": "bambu_bridge",
            "enabled": True,
            "knows": True,
        }
    ]
    assert (first["every_s"], first["lease_s"]) == (30, 90)
    refused_one = beat(farm, {"phase": "idle"}, who=other)
    assert (refused_one["printers"][0]["owned"], refused_one["printers"][0]["owner"]) == (
        False, "bambu_bridge",
    )  # fmt: skip
    assert live(farm)["state"]["state"] == "printing", "who does not own it says nothing"
    expire(farm)
    assert beat(farm, who=other)["printers"][0]["owned"] is True
    assert beat(farm)["printers"][0]["owner"] == "fixture"
    assert live(farm)["owner"] == "fixture"


def test_a_lost_lease_does_not_lose_reports(farm: psycopg.Connection) -> None:
    beat(farm)
    expire(farm)
    beat(farm, who=second_bridge(farm))
    assert report(farm)["status"] == "recorded"


def test_two_bridges_that_saw_one_print_count_it_once(farm: psycopg.Connection) -> None:
    first = report(farm, idempotency_key="bambu:a")
    begin = farm.execute("select started_at from public.print_runs").fetchone()
    assert begin is not None
    second = report(farm, idempotency_key="bambu:b", start=begin[0])
    assert (first["status"], second["status"]) == ("recorded", "review")
    assert second["reasons"] == ["overlap"]


SEEN_UNTIL_12_20: dict[str, Any] = {
    "start": NOON,
    "minutes": 180,
    "evidence": "recovered",
    "finished_not_before": NOON + timedelta(minutes=20),
}
TAKEN_OVER_AT_12_30: dict[str, Any] = {
    "started_at": None,
    "finished_at": NOON + timedelta(minutes=60),
    "progress": Jsonb({"first_seen_at": (NOON + timedelta(minutes=30)).isoformat()}),
}
FOUND_LATER: dict[str, Any] = {
    "started_at": None,
    "finished_at": NOON + timedelta(minutes=180),
    "evidence": "recovered_unseen",
    "finished_not_before": NOON - timedelta(minutes=10),
    "native": Jsonb({"job_id": "500001"}),
}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (TAKEN_OVER_AT_12_30, SEEN_UNTIL_12_20),
        (SEEN_UNTIL_12_20, TAKEN_OVER_AT_12_30),
        ({"start": NOON}, FOUND_LATER),
        (TAKEN_OVER_AT_12_30, FOUND_LATER),
        (FOUND_LATER, TAKEN_OVER_AT_12_30),
        (FOUND_LATER, {"start": NOON}),
    ],
)
def test_a_print_that_two_bridges_saw_in_parts_is_counted_once(
    farm: psycopg.Connection, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """One saw it begin and later only FINISH, the other took over in between and saw it end."""
    answers = [report(farm, **first), report(farm, **second)]
    assert [answer["status"] for answer in answers] == ["recorded", "review"]
    assert answers[1]["reasons"] == ["overlap"]
    assert on_hand(farm, "BRACKET") == 4
    # A person who knows better may book it: what was surely seen does not overlap.
    run = {"p_run_id": answers[1]["print_run_id"], "p_action": "book"}
    assert call(farm, "operator", "resolve_print_run", **run)["changed"]


def test_a_serial_nobody_registered_is_left_out(farm: psycopg.Connection) -> None:
    answer = beat(farm, {"serial": " 01s00a123 "}, {"serial": "UNKNOWN"}, {"serial": None})
    assert [p["serial"] for p in answer["printers"]] == [SERIAL]


def test_a_printer_of_another_site_is_not_owned(farm: psycopg.Connection) -> None:
    farm.execute("insert into public.sites (code, name) values ('second', 'Second')")
    farm.execute("update public.print_machines set site = 'second'")
    assert beat(farm)["printers"] == []


def test_a_heartbeat_counts_as_the_devices(farm: psycopg.Connection) -> None:
    call(
        farm, "bambu_bridge", "bridge_heartbeat", p_version="2.1",
        p_spool=Jsonb({"ready": 3, "oldest_s": 700}), p_status=Jsonb({"host": "pi"}),
    )  # fmt: skip
    row = farm.execute(
        "select version, status, last_seen_at is not null from public.devices where user_id = %s",
        (USER_IDS["bambu_bridge"],),
    ).fetchone()
    assert row == ("2.1", {"host": "pi", "spool": {"ready": 3, "oldest_s": 700}}, True)
    status = call(farm, "viewer", "get_farm_status")
    assert [a["code"] for a in status["alarms"]] == ["farm.spool"]
    assert status["bridges"][0]["is_silent"] is False


@pytest.mark.parametrize("printers", [Jsonb({}), Jsonb("x"), Jsonb([{}] * 201)])
def test_a_heartbeat_is_a_list_of_printers(farm: psycopg.Connection, printers: Any) -> None:
    refusal = refused(farm, "bambu_bridge", "bridge_heartbeat", p_printers=printers)
    assert refusal.code == "print_run.bad_heartbeat"


@pytest.mark.parametrize(
    "odd",
    [
        {"percent": "x", "remaining_min": None, "plate": -1, "candidates": "no", "gaps": {}},
        {"percent": 140, "remaining_min": "12", "plate": "3", "candidates": [None, 3]},
        {"link": None, "connected": None, "phase": 7, "last_report_at": "yesterday"},
        {"gaps": [{"id": str(uuid4()), "from": "x", "to": "y"}]},
    ],
)
def test_odd_values_do_not_silence_a_bridge(farm: psycopg.Connection, odd: dict[str, Any]) -> None:
    assert beat(farm, odd)["printers"][0]["owned"] is True


def test_a_percent_that_was_not_said_is_not_known(farm: psycopg.Connection) -> None:
    beat(farm, {"phase": "starting", "filename": "bracket.3mf", "percent": None})
    assert live(farm)["state"]["percent"] is None


def test_live_state_shows_what_the_job_will_give(farm: psycopg.Connection) -> None:
    beat(farm, {"phase": "printing", "filename": "bracket.3mf", "percent": 40, "remaining_min": 30})
    row = live(farm)
    assert (row["state"]["percent"], row["state"]["minutes_left"]) == (40, 30)
    assert (row["parts"], row["problem"]) == ([{"sku": "BRACKET", "quantity": 4}], None)
    assert (row["is_stale"], row["waiting_because"], row["owner"]) == (False, None, "bambu_bridge")
    beat(farm, {"phase": "printing", "filename": "lamp.3mf"})
    assert (live(farm)["parts"], live(farm)["problem"]) == (None, "unmapped")


def test_only_changes_are_remembered(farm: psycopg.Connection) -> None:
    for percent in (1, 2, 3):
        beat(farm, {"phase": "printing", "filename": "bracket.3mf", "percent": percent})
    beat(farm, {"phase": "idle"})
    events = farm.execute(
        "select event from public.events where stream = 'print_machine'"
        " and event <> 'machine.saved' order by id"
    ).fetchall()
    assert events == [("machine.printing",), ("machine.idle",)]


def test_a_printer_says_why_it_waits(farm: psycopg.Connection) -> None:
    assert live(farm)["waiting_because"] == "offline"  # no bridge has spoken yet
    beat(farm)
    assert live(farm)["waiting_because"] == "nothing_started"
    run = report(farm)["print_run_id"]
    assert live(farm)["waiting_because"] == "plate"
    call(farm, "operator", "confirm_plate", p_run_id=run)
    beat(farm, {"phase": "paused"})
    assert live(farm)["waiting_because"] == "paused"
    machine(farm, is_in_maintenance=True)
    assert live(farm)["waiting_because"] == "maintenance"
    beat(farm, {"connected": False, "link": "auth", "link_text": "access code changed?"})
    machine(farm, is_in_maintenance=False)
    assert live(farm)["waiting_because"] == "offline"
    [alarm] = call(farm, "viewer", "get_farm_status")["alarms"]
    assert (alarm["code"], alarm["message"]) == ("farm.printer_link", "a1: access code changed?")


@pytest.mark.parametrize("gap_id", [str(GAP), GAP.hex], ids=["dashes", "hex"])
def test_a_blind_window_is_kept_once_and_shown(farm: psycopg.Connection, gap_id: str) -> None:
    gap = {"id": gap_id, "from": "2026-11-20T10:00:00Z", "to": "2026-11-20T11:30:00Z"}
    for _ in range(2):
        beat(farm, {"gaps": [gap]})
    assert [g["to_at"] for g in live(farm)["gaps"]] == ["2026-11-20T11:30:00+00:00"]


def test_hours_and_jobs_since_the_last_service(farm: psycopg.Connection) -> None:
    machine(farm, service_every_hours=2)
    for _ in range(2):
        report(farm)
    assert live(farm)["service_due"] is True
    request = uuid4()
    served = {"p_code": "a1", "p_notes": "nozzle", "p_request_id": request}
    done = call(farm, "technician", "service_print_machine", **served)
    assert (done["jobs"], done["jobs_at_service"], done["minutes_at_service"]) == (2, 2, 120)
    assert call(farm, "technician", "service_print_machine", **served) == done
    assert live(farm)["service_due"] is False
    unknown = refused(farm, "technician", "service_print_machine", p_code="z9")
    assert unknown.code == "print_machine.unknown"


def test_printers_are_unique_by_serial(farm: psycopg.Connection) -> None:
    refusal = refused(farm, "planner", "upsert_print_machine", p_code="a2", p_serial=SERIAL.lower())
    assert refusal.constraint == "print_machines_serial_key"
    for fields, code in (
        ({"p_code": "a2", "p_site": "nowhere"}, "site.unknown"),
        ({"p_code": "a2", "p_location": "nowhere"}, "location.unknown"),
    ):
        assert refused(farm, "planner", "upsert_print_machine", **fields).code == code
    assert refused(farm, "operator", "upsert_print_machine", p_code="a2").code == "auth.forbidden"
    request = uuid4()
    made = {"p_code": "a2", "p_name": "Second", "p_request_id": request}
    first = call(farm, "planner", "upsert_print_machine", **made)
    assert call(farm, "planner", "upsert_print_machine", **made) == first
    cleared = call(farm, "planner", "upsert_print_machine", p_code="a1", p_serial="")
    assert cleared["serial"] is None


def test_a_part_is_an_item(farm: psycopg.Connection) -> None:
    request = uuid4()
    made = {"p_sku": "KNOB", "p_title": "Knob", "p_min_stock": 5, "p_request_id": request}
    first = call(farm, "planner", "upsert_part", **made)
    assert call(farm, "planner", "upsert_part", **made) == first
    row = farm.execute(
        "select title, kind, min_stock from public.inventory_items where sku = 'KNOB'"
    ).fetchone()
    assert row == ("Knob", "part", 5)
    call(farm, "planner", "upsert_item", p_sku="LEG", p_title="Leg", p_kind="component")
    assert call(farm, "planner", "upsert_part", p_sku="leg")["sku"] == "LEG"
    kind = farm.execute("select kind from public.inventory_items where sku = 'LEG'").fetchone()
    assert kind == ("component",)
    refusal = refused(farm, "planner", "upsert_part", p_sku="KNOB", p_parts_per_print=0)
    assert refusal.constraint == "parts_parts_per_print_check"
