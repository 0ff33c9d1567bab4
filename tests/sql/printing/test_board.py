"""What people see: the board, the alarms, the lists, one job with its history."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.orders import make_order
from tests.support.printing import (
    AGENT,
    OTHER_AGENT,
    Row,
    act,
    add_printer,
    alarms,
    begin,
    bring,
    claim,
    heartbeat,
    job,
    mark_sent,
    new_job,
    refusal,
    request,
    rest,
    route,
    second_agent,
    sweep,
)
from tests.support.rpc import acting_as, call


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")


def card(db: psycopg.Connection, who: str = "operator", code: str = "prn-1") -> Row:
    cards = {c["printer"]["code"]: dict(c) for c in call(db, who, "get_printers_board")}
    return cards[code]


def test_the_board_says_how_a_printer_is(db: psycopg.Connection) -> None:
    empty = card(db)
    assert (empty["state"], empty["message"], empty["waiting"]) == ("ready", "Ready.", 0)
    assert (empty["agent"], empty["agent_state"], empty["agent_version"]) == (
        "print_agent",
        "online",
        "1.0",
    )
    done = bring(db, "printed", "SKU-1")
    unknown = bring(db, "unknown", "SKU-2")
    rest(db, ago="2 minutes")
    taken = bring(db, "claimed", "SKU-3")
    new_job(db, "SKU-4")
    bring(db, "held", "SKU-5")
    full = card(db)
    assert (full["waiting"], full["held"], full["unknown"]) == (1, 1, 1)
    assert (full["job_id"], full["job_state"]) == (taken["job_id"], "claimed")
    assert full["last_job_id"] == done["job_id"]
    assert full["oldest_waiting_at"] is not None
    assert full["begin_p95_ms"] >= full["begin_p50_ms"] >= 0
    assert full["done_p50_ms"] >= 0
    assert job(db, unknown["job_id"])["state"] == "unknown"


WORDS: list[tuple[str, str, str]] = [
    ("update public.printers set status = 'printing'", "printing", "Printing."),
    ("update public.printers set status = 'unreachable', reasons = '{unreachable}'", "trouble",
     "Not reachable: switch it on, check its cable."),
    ("update public.printers set status = 'stopped', reasons = '{}'", "trouble",
     "It stands still and does not say why."),
    ("update public.printers set reasons = '{media-low}'", "ready", "Ready; nearly out of labels."),
    ("update public.printers set is_enabled = false", "off", "Out of service."),
    ("update public.printers set device_id = null", "away", "No agent looks after it. Choose one."),
    ("update public.devices set last_seen_at = now() - interval '2 minutes'", "away",
     "Its agent is not there: is the computer beside it running?"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "state", "message"), WORDS)
def test_every_state_has_its_words(
    db: psycopg.Connection, change: str, state: str, message: str
) -> None:
    db.execute(change.encode())
    shown = card(db)
    assert (shown["state"], shown["message"]) == (state, message)


def test_an_agent_is_online_late_or_offline(db: psycopg.Connection) -> None:
    for seconds, state in [(29, "online"), (31, "late"), (89, "late"), (91, "offline")]:
        db.execute(
            "update public.devices set last_seen_at = now() - make_interval(secs => %s)", (seconds,)
        )
        assert card(db)["agent_state"] == state
        with acting_as(db, "technician"):
            row = db.execute(
                "select state from public.print_agents where code = 'print_agent'"
            ).fetchone()
        assert row == (state,)


def test_an_agent_sees_its_own_printers_and_jobs_only(db: psycopg.Connection) -> None:
    second_agent(db)
    add_printer(db, "prn-2", p_device="agent2")
    mine = new_job(db, "SKU-1")
    theirs = new_job(db, "SKU-2", p_printer="prn-2")
    seen = {
        who: [c["printer"]["code"] for c in call(db, who, "get_printers_board")]
        for who in (AGENT, OTHER_AGENT)
    }
    assert seen == {AGENT: ["prn-1"], OTHER_AGENT: ["prn-2"]}
    assert [j["id"] for j in call(db, AGENT, "get_print_jobs")["jobs"]] == [mine]
    assert refusal(db, AGENT, "get_print_job", p_job_id=theirs) == "404 print.no_job"
    with acting_as(db, AGENT):
        for table in ("print_jobs", "print_job_labels", "print_job_events"):
            column = "id" if table == "print_jobs" else "job_id"
            rows = db.execute(f"select distinct {column} from public.{table}".encode()).fetchall()
            assert rows == [(mine,)], table


# Alarms -------------------------------------------------------------------------------------


def test_a_quiet_plant_has_no_alarm(db: psycopg.Connection) -> None:
    bring(db, "printed")
    assert alarms(db) == []


def test_an_unknown_label_is_an_alarm_at_once(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown")
    alarm = call(db, "operator", "get_print_alarms")[0]
    assert (alarm["kind"], alarm["job_id"], alarm["subject"]) == (
        "print.unknown",
        taken["job_id"],
        "SKU-1",
    )
    assert alarm["message"] == "Did the label of SKU-1 come out on prn-1? Look there and say so."
    assert (alarm["next_action"], alarm["target"]) == (
        "resolve_print",
        f"/printing/jobs/{taken['job_id']}",
    )


def test_a_fault_is_an_alarm_after_a_minute_and_only_with_work(db: psycopg.Connection) -> None:
    """Scenario 8: raised after 60 seconds, cleared when it prints again."""
    heartbeat(db, {"code": "prn-1", "status": "stopped", "reasons": ["media-empty"]})
    db.execute("update public.printers set status_since = now() - interval '2 minutes'")
    assert alarms(db) == []
    new_job(db)
    assert alarms(db) == ["printer.fault"]
    db.execute("update public.printers set status_since = now() - interval '50 seconds'")
    assert alarms(db) == []
    db.execute("update public.printers set status_since = now() - interval '61 seconds'")
    message = call(db, "operator", "get_print_alarms")[0]["message"]
    assert message == "PRN-1 does not print, 1 labels wait: out of labels: load a roll."
    heartbeat(db, {"code": "prn-1", "status": "idle"})
    assert alarms(db) == []


def test_a_fault_in_the_middle_of_a_job_is_an_alarm_too(db: psycopg.Connection) -> None:
    bring(db, "sent")
    heartbeat(db, {"code": "prn-1", "status": "stopped", "reasons": ["media-empty"]})
    db.execute("update public.printers set status_since = now() - interval '2 minutes'")
    assert alarms(db) == ["printer.fault"]


OTHERS: list[tuple[str, list[str]]] = [
    ("update public.print_jobs set queued_at = now() - interval '119 seconds'", []),
    ("update public.print_jobs set queued_at = now() - interval '3 minutes'", ["print.waiting"]),
    ("update public.devices set last_seen_at = now() - interval '89 seconds'", []),
    ("update public.devices set last_seen_at = now() - interval '91 seconds'", ["agent.offline"]),
    ("update public.printers set reasons = '{media-low}'", ["printer.media"]),
]


@pytest.mark.parametrize(("change", "expected"), OTHERS)
def test_the_other_alarms(db: psycopg.Connection, change: str, expected: list[str]) -> None:
    new_job(db)
    db.execute(change.encode())
    assert alarms(db) == expected


def test_an_agent_of_no_printer_may_be_away(db: psycopg.Connection) -> None:
    db.execute("update public.devices set last_seen_at = now() - interval '1 hour'")
    call(db, "planner", "remove_printer", p_printer="prn-1")
    assert alarms(db) == []


def test_a_template_that_keeps_failing_is_an_alarm(db: psycopg.Connection) -> None:
    for n in range(3):
        assert "template.failing" not in alarms(db)
        bring(db, "failed", f"SKU-{n}")
    assert alarms(db) == ["template.failing"]


def test_alarms_of_another_store_are_not_told(db: psycopg.Connection) -> None:
    make_order(db, "bannos-1")
    bring(db, "unknown", "bannos-1", p_label_type="order_ticket", p_printer="prn-1")
    assert alarms(db, "flourlane_operator") == []
    assert alarms(db) == ["print.unknown"]


def test_the_reads_ask_for_the_site(db: psycopg.Connection) -> None:
    call(db, "admin", "register_site", p_code="west", p_name="West", p_time_zone="UTC")
    db.execute("update public.staff_shared set stores = '{bannos}' where role = 'viewer'")
    for rpc in ("get_printers_board", "get_print_alarms"):
        assert refusal(db, "viewer", rpc, p_site="west") == "403 auth.other_site"
        assert refusal(db, "viewer", rpc, p_site="main") is None
    assert call(db, "admin", "get_printers_board", p_site="west") == []


# Lists --------------------------------------------------------------------------------------


def ids(page: Row) -> list[int]:
    return [row["id"] for row in page["jobs"]]


def test_jobs_are_listed_page_by_page(db: psycopg.Connection) -> None:
    made = [new_job(db, f"SKU-{n}") for n in range(7)]
    first = call(db, "viewer", "get_print_jobs", p_limit=3)
    assert ids(first) == made[:-4:-1]
    assert all(row["payload"] is None for row in first["jobs"])
    second = call(db, "viewer", "get_print_jobs", p_limit=3, p_cursor=first["next_cursor"])
    third = call(db, "viewer", "get_print_jobs", p_limit=3, p_cursor=second["next_cursor"])
    assert ids(first) + ids(second) + ids(third) == made[::-1]
    assert third["next_cursor"] is None
    for cursor in ("nonsense", "WzEsMl0="):
        assert refusal(db, "viewer", "get_print_jobs", p_cursor=cursor) == "400 request.bad_cursor"


def test_jobs_are_found_by_state_printer_and_thing(db: psycopg.Connection) -> None:
    add_printer(db, "prn-2")
    one = new_job(db, "SKU-1")
    two = new_job(db, "SKU-2", p_printer="prn-2")
    held = bring(db, "held", "SKU-3")["job_id"]
    wanted: list[tuple[dict[str, Any], list[int]]] = [
        ({"p_state": "held"}, [held]), ({"p_printer": "prn-2"}, [two]),
        ({"p_subject": "SKU-1"}, [one]),
        ({"p_subject": "nothing"}, []), ({"p_state": "held", "p_printer": "prn-2"}, []),
    ]  # fmt: skip
    for arguments, expected in wanted:
        assert ids(call(db, "viewer", "get_print_jobs", **arguments)) == expected


def test_one_job_with_everything(db: psycopg.Connection) -> None:
    job_id = new_job(db)
    taken = claim(db)
    assert taken is not None
    begin(db, taken)
    mark_sent(db, taken)
    act(db, "print_unknown", taken, p_reason="lost")
    call(db, "operator", "resolve_print", p_job_id=job_id, p_outcome="came_out", p_note="found it")
    shown = call(db, "viewer", "get_print_job", p_job_id=job_id)
    assert shown["job"]["payload"].startswith("^XA")
    assert (shown["printer_name"], shown["template"]) == ("PRN-1", "item")
    assert (shown["width_mm"], shown["requested_by_name"]) == (60, "Operator")
    assert [label["subject"] for label in shown["labels"]] == ["SKU-1"]
    told = [(e["from_state"], e["to_state"], e["actor_name"]) for e in shown["events"]]
    assert told == [
        (None, "queued", "Operator"), ("queued", "claimed", "print agent"),
        ("claimed", "sending", "print agent"), ("sending", "sent", "print agent"),
        ("sent", "unknown", "print agent"), ("unknown", "printed", "Operator"),
    ]  # fmt: skip
    assert shown["events"][2]["evidence"]["odometer"] == 100
    assert shown["events"][-1]["reason"] == "found it"
    assert refusal(db, "viewer", "get_print_job", p_job_id=99) == "404 print.no_job"


def test_a_client_may_follow_the_stream(db: psycopg.Connection) -> None:
    """Names that wake an agent, and a payload that tells nothing about the customer."""
    make_order(db, customer_name="Ana")
    request(db, "bannos-18617", p_label_type="order_ticket", p_printer="prn-1")
    taken = claim(db)
    assert taken is not None
    act(db, "release_print", taken)
    sweep(db, "1 day")
    rows = db.execute(
        "select topic, event, payload from realtime.messages where topic = 'site:main:print'"
        " and payload ->> 'stream_id' = '1' order by inserted_at, id"
    ).fetchall()
    names = {row[1] for row in rows}
    assert {"print.requested", "print.claimed", "print.released", "print.expired"} <= names
    assert "Ana" not in str(rows)
    for who, may in [(AGENT, True), ("operator", True), ("kiosk", False), ("fixture", False)]:
        with acting_as(db, who):
            row = db.execute("select private.may_listen('site:main:print')").fetchone()
        assert row == (may,), who
