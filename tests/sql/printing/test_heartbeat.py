"""What an agent says about itself and its printers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.printing import (
    AGENT,
    OTHER_AGENT,
    Row,
    add_printer,
    alarms,
    begin,
    bring,
    confirm,
    events,
    heartbeat,
    mark_sent,
    new_job,
    refusal,
    route,
    second_agent,
    taken_job,
)
from tests.support.rpc import acting_as, call


def printer(db: psycopg.Connection, code: str = "prn-1") -> Row:
    row = db.execute(
        "select to_jsonb(p) from public.printers p where p.code = %s", (code,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


# The agent speaks ---------------------------------------------------------------------------


def test_a_heartbeat_brings_the_printers_up_to_date(db: psycopg.Connection) -> None:
    add_printer(db, p_dpi=None)
    report: Row = {
        "code": "prn-1", "status": "stopped", "reasons": ["media-empty", "something-new"],
        "odometer": 500, "boot_id": "b", "dpi": 300, "capabilities": {"model": "ZD421"},
    }  # fmt: skip
    answer = heartbeat(db, report, {"code": "somebody-elses"})
    row = printer(db)
    assert (row["status"], row["reasons"]) == ("stopped", ["media-empty", "something-new"])
    assert (row["odometer"], row["dpi"], row["capabilities"]) == (500, 300, {"model": "ZD421"})
    assert [p["code"] for p in answer["printers"]] == ["prn-1"]
    assert answer["printers"][0]["address"] == "127.0.0.1:9100"
    assert "printer.status" in events(db, "prn-1")
    board = call(db, "viewer", "get_printers_board")[0]
    assert board["state"] == "trouble"
    assert board["message"] == "Out of labels: load a roll, something-new."


def test_the_time_of_a_fault_does_not_start_anew_with_every_report(db: psycopg.Connection) -> None:
    add_printer(db)
    heartbeat(db, {"code": "prn-1", "status": "stopped", "reasons": ["paused"]})
    db.execute("update public.printers set status_since = now() - interval '5 minutes'")
    since = printer(db)["status_since"]
    heartbeat(db, {"code": "prn-1", "status": "stopped", "reasons": ["paused", "cover-open"]})
    assert printer(db)["status_since"] == since
    heartbeat(db, {"code": "prn-1", "status": "idle"})
    assert printer(db)["status_since"] > since


def test_a_fault_in_the_middle_of_a_label_is_remembered_with_it(db: psycopg.Connection) -> None:
    """A roll that ends may leave a poor label although it counts: a person should look at it."""
    add_printer(db)
    route(db, "prn-1")
    taken = bring(db, "sent")
    heartbeat(db, {"code": "prn-1", "status": "stopped", "reasons": ["media-empty"]})
    heartbeat(db, {"code": "prn-1", "status": "stopped", "reasons": ["media-empty", "paused"]})
    heartbeat(db, {"code": "prn-1", "status": "idle"})
    done = confirm(db, taken)
    assert done["state"] == "printed"
    assert done["why"].endswith("A fault struck meanwhile: look at the label.")
    assert events(db, str(taken["job_id"])).count("print.fault") == 1
    other = bring(db, "printed", "SKU-2")
    assert events(db, str(other["job_id"])).count("print.fault") == 0


def test_only_the_owner_speaks_for_a_printer(db: psycopg.Connection) -> None:
    second_agent(db)
    add_printer(db)
    answer = heartbeat(db, {"code": "prn-1", "status": "unreachable"}, who=OTHER_AGENT)
    assert answer["printers"] == []
    assert printer(db)["status"] == "idle"


def test_the_clock_of_the_agent_does_not_matter_but_is_shown(db: psycopg.Connection) -> None:
    late = datetime.now(UTC) - timedelta(hours=3)
    answer = heartbeat(db, p_clock=late, p_status={"queue": 3})
    assert -10_860_000 < answer["clock_skew_ms"] < -10_740_000
    with acting_as(db, "technician"):
        row = db.execute(
            "select state, version, clock_skew_ms, status ->> 'queue' from public.print_agents"
            " where code = 'print_agent'"
        ).fetchone()
    assert row is not None
    assert row[:2] == ("online", "1.0")
    assert row[2] < -10_000_000
    assert row[3] == "3"


BAD_REPORTS: list[Any] = [
    ["prn-1"], [{"status": "idle"}], [{"code": "prn-1", "status": "happy"}],
    [{"code": "prn-1", "reasons": "none"}], [{"code": "prn-1", "odometer": "many"}],
    [{"code": "prn-1", "odometer": -1}], [{"code": "prn-1", "dpi": 200}],
    [{"code": "prn-1", "capabilities": []}], [{"code": "prn-1", "x": "y" * 9000}],
    [{"code": f"p-{n}"} for n in range(101)], {"code": "prn-1"},
]  # fmt: skip


@pytest.mark.parametrize("reports", BAD_REPORTS)
def test_a_report_that_cannot_be_read(db: psycopg.Connection, reports: Any) -> None:
    said = refusal(db, AGENT, "agent_heartbeat", p_printers=Jsonb(reports))
    assert said == "422 print.bad_report"


@pytest.mark.parametrize("status", [[1], {"x": "y" * 8000}])
def test_a_status_that_cannot_be_kept(db: psycopg.Connection, status: Any) -> None:
    said = refusal(db, AGENT, "agent_heartbeat", p_status=Jsonb(status))
    assert said == "422 device.status"


@pytest.mark.parametrize("who", ["operator", "admin", "kiosk", "fixture"])
def test_who_is_no_agent(db: psycopg.Connection, who: str) -> None:
    for rpc, more in [
        ("agent_heartbeat", {}), ("claim_print_job", {"p_nonce": uuid4()}),
        ("my_unsettled_prints", {}),
    ]:  # fmt: skip
        assert refusal(db, who, rpc, **more) == "403 auth.forbidden"


def test_two_programs_with_one_sign_in_are_noticed(db: psycopg.Connection) -> None:
    add_printer(db)
    for name in ("a", "a", "b", "b"):  # a restart is none
        heartbeat(db, {"code": "prn-1", "status": "idle"}, p_status={"instance": name})
    assert "agent.twice" not in alarms(db)
    heartbeat(db, {"code": "prn-1", "status": "idle"}, p_status={"instance": "a"})
    assert "agent.twice" in alarms(db)


def test_labels_without_a_job_are_noticed(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")
    idle: Row = {"code": "prn-1", "status": "idle", "boot_id": "boot-1"}
    heartbeat(db, idle | {"odometer": 100})
    taken = taken_job(db)
    begin(db, taken, 100)
    heartbeat(db, idle | {"status": "printing", "odometer": 101})
    mark_sent(db, taken)
    confirm(db, taken, 101)
    heartbeat(db, idle | {"odometer": 101})
    heartbeat(db, idle | {"odometer": 101})
    assert alarms(db) == []
    assert printer(db)["labels_since_media"] == 1
    heartbeat(db, idle | {"odometer": 104})
    assert alarms(db) == ["printer.stray"]
    assert (printer(db)["stray_labels"], printer(db)["labels_since_media"]) == (3, 4)
    call(db, "operator", "set_loaded_media", p_printer="prn-1", p_media="new roll")
    assert printer(db)["labels_since_media"] == 0


def test_an_old_reading_is_not_a_stray_label(db: psycopg.Connection) -> None:
    """The report was made before the job was settled and arrived after it."""
    add_printer(db)
    route(db, "prn-1")
    idle: Row = {"code": "prn-1", "status": "idle", "boot_id": "boot-1"}
    heartbeat(db, idle | {"odometer": 100})
    bring(db, "printed")
    heartbeat(db, idle | {"odometer": 100})
    heartbeat(db, idle | {"odometer": 101})
    assert alarms(db) == []


def test_a_new_job_of_a_printer_that_is_off_waits(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")
    call(db, "planner", "remove_printer", p_printer="prn-1")
    wish: Row = {"p_label_type": "item", "p_subject": "S-1", "p_data": {"name": "x", "sku": "1"}}
    assert refusal(db, "operator", "request_print", **wish) == "412 print.no_printer"
    add_printer(db)
    assert new_job(db)
