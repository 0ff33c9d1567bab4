"""M05: barcode scans."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tests.support.databases import USER_IDS
from tests.support.orders import STAGES, advance, events, make_order, ticket
from tests.support.rpc import Refused, acting_as, call


def let_time_pass(db: psycopg.Connection) -> None:
    """Make the last scans older than the double-scan window."""
    db.execute("update private.recent_scans set at = at - interval '3 seconds'")


def scan(db: psycopg.Connection, code: str, who: str = "operator", **more: object) -> dict:
    return call(db, who, "scan", p_code=code, **more)


@pytest.mark.parametrize(
    "code",
    ["#B18617", "b18617", "#b18617", "B18617", "bannos-18617", "BANNOS-18617", " bannos-18617\r\n",
     "bannos-18617-A", "18617", "#18617", "bannos\u201118617", "\uff11\uff18\uff16\uff11\uff17",
     "\ufeffbannos-18617\u200b"],
)  # fmt: skip
def test_every_form_of_a_code_finds_the_ticket(db: psycopg.Connection, code: str) -> None:
    make_order(db)
    make_order(db, "flourlane-18618")
    found = call(db, "operator", "get_order_for_scan", p_scan=code)
    assert (found["action"], found["order_row"]["id"]) == ("found", "bannos-18617")
    assert call(db, "operator", "get_order_for_scan", p_scan="#F18618")["action"] == "found"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("bannos-18617-B", "bannos-18617-B"),
        ("#B18617-b", "bannos-18617-B"),
        ("#B18617B", "bannos-18617-B"),
        ("bannos-18617-27", "bannos-18617-27"),
        ("bannos-P-1001", "bannos-P-1001"),
        ("BANNOS-p-1001", "bannos-P-1001"),
    ],
)
def test_suffixes_and_imported_numbers(db: psycopg.Connection, code: str, found: str) -> None:
    make_order(db, "bannos-18617-A")
    make_order(db, "bannos-18617-B", line_item_id="2")
    make_order(db, "bannos-18617-27", line_item_id="3", unit_no=27)
    make_order(db, "bannos-P-1001", order_number="P-1001", suffix=None, unit_no=1, line_item_id="4")
    answer = call(db, "operator", "get_order_for_scan", p_scan=code)
    assert (answer["action"], (answer["order_row"] or {}).get("id")) == ("found", found)


def test_a_bare_number_asks_when_two_stores_match(db: psycopg.Connection) -> None:
    make_order(db)
    make_order(db, "flourlane-18617")
    answer = scan(db, "18617")
    assert answer["action"] == "ask"
    assert [c["id"] for c in answer["candidates"]] == ["bannos-18617", "flourlane-18617"]
    assert events(db, "bannos-18617") == []
    only_mine = scan(db, "18617", who="flourlane_operator")
    assert only_mine["order_row"]["id"] == "flourlane-18617"


def test_a_customer_order_with_several_tickets_asks_which(db: psycopg.Connection) -> None:
    make_order(db, "bannos-18617-A")
    make_order(db, "bannos-18617-B", line_item_id="2")
    for code in ("#B18617", "bannos-18617", "18617"):
        answer = scan(db, code)
        assert answer["action"] == "ask", code
        assert [c["id"] for c in answer["candidates"]] == ["bannos-18617-A", "bannos-18617-B"]


@pytest.mark.parametrize(
    "code",
    ["]C10104012345123456", "(01)04012345123456", "0104012345123456", "0104012345123456\x1d10AB"],
)
def test_gs1_is_ignored_with_a_clear_message(db: psycopg.Connection, code: str) -> None:
    answer = scan(db, code)
    assert (answer["action"], answer["hint"], answer["status"]) == ("ignored", "scan.gs1", 200)
    assert "GS1" in answer["message"]


def test_an_operator_takes_a_ticket_to_complete_by_scans_alone(db: psycopg.Connection) -> None:
    make_order(db)
    call(db, "operator", "handle_print_barcode", p_order_id="bannos-18617")
    seen = []
    while ticket(db, "bannos-18617")["stage"] != "Complete":
        answer = scan(db, "#B18617", p_station="bench-1", p_request_id=uuid4())
        seen.append((answer["action"], answer["order_row"]["stage"], answer["offer"]))
        let_time_pass(db)
        assert len(seen) < 20
    assert seen == [
        ("completed", "Covering", "start_covering"),
        ("started", "Covering", "complete_covering"),
        ("completed", "Decorating", "start_decorating"),
        ("started", "Decorating", "complete_decorating"),
        ("completed", "Packing", "start_packing"),
        ("started", "Packing", "complete_packing"),
        ("completed", "Complete", None),
    ]
    after = scan(db, "#B18617")
    assert (after["action"], after["changed"], after["ok"]) == ("nothing", False, True)


def test_a_second_scan_within_two_seconds_is_the_same_scan(db: psycopg.Connection) -> None:
    make_order(db)
    advance(db, "bannos-18617", "Covering")
    first = scan(db, "#B18617")
    second = scan(db, "#B18617")
    assert (first["action"], first["changed"]) == ("started", True)
    assert (second["action"], second["changed"]) == ("started", False)
    assert second["event_id"] == first["event_id"]
    let_time_pass(db)
    assert scan(db, "#B18617")["action"] == "completed"


def test_two_people_within_the_window_are_one_scan(db: psycopg.Connection) -> None:
    make_order(db)
    advance(db, "bannos-18617", "Covering")
    first = scan(db, "#B18617")
    twin = scan(db, "#B18617", who="supervisor")
    assert (twin["action"], twin["changed"]) == ("started", False)
    assert twin["event_id"] == first["event_id"]


def test_a_scan_after_something_happened_is_a_new_one(db: psycopg.Connection) -> None:
    make_order(db)
    scan(db, "#B18617")
    call(db, "supervisor", "cancel_order", p_order_id="bannos-18617", p_reason="no show")
    assert scan(db, "#B18617")["hint"] == "order.cancelled"


def test_the_window_is_a_setting(db: psycopg.Connection) -> None:
    db.execute(
        "insert into public.settings (key, site, value) values ('scan.repeat_seconds', 'main', '0')"
    )
    make_order(db)
    assert scan(db, "#B18617")["action"] == "started"
    assert scan(db, "#B18617")["action"] == "completed"


def test_a_wrong_order_says_expected_and_actual_and_is_remembered(db: psycopg.Connection) -> None:
    make_order(db)
    make_order(db, "bannos-18618")
    before = ticket(db, "bannos-18618")
    answer = scan(db, "#B18618", p_expected_order="bannos-18617")
    assert (answer["status"], answer["code"], answer["hint"]) == (409, "PT409", "scan.wrong_order")
    assert answer["details"] == {
        "expected": "bannos-18617", "actual": "bannos-18618", "scanned": "#B18618",
    }  # fmt: skip
    assert "bannos-18617" in answer["message"]
    assert "bannos-18618" in answer["message"]
    assert ticket(db, "bannos-18618") == before
    assert events(db, "bannos-18618") == ["scan.refused"]


def test_a_station_takes_only_its_stage_and_store(db: psycopg.Connection) -> None:
    make_order(db)
    make_order(db, "flourlane-18618")
    call(
        db,
        "admin",
        "register_station",
        p_code="cover-1",
        p_name="Covering 1",
        p_site="main",
        p_store="bannos",
        p_stage="Covering",
    )
    wrong = scan(db, "#B18617", p_station="cover-1")
    assert (wrong["hint"], wrong["details"]["expected"], wrong["details"]["actual"]) == (
        "scan.wrong_stage", "Covering", "Filling",
    )  # fmt: skip
    assert scan(db, "#F18618", p_station="cover-1")["hint"] == "scan.wrong_store"
    advance(db, "bannos-18617", "Covering")
    assert scan(db, "#B18617", p_station="cover-1")["action"] == "started"


def test_refusals_set_the_http_status_and_commit(db: psycopg.Connection) -> None:
    with acting_as(db, "operator"):
        row = db.execute(
            "select (public.scan('nothing-1')).status, current_setting('response.status', true)"
        ).fetchone()
    assert row == (404, "404")
    assert db.execute("select event from public.events").fetchall() == [("scan.refused",)]


def test_a_refused_request_id_replays_as_refused(db: psycopg.Connection) -> None:
    request = uuid4()
    first = scan(db, "nothing-1", p_request_id=request)
    with acting_as(db, "operator"):
        row = db.execute(
            "select to_jsonb(s), current_setting('response.status', true)"
            " from public.scan('nothing-1', p_request_id => %s) s",
            (request,),
        ).fetchone()
    assert row == (first, "404")


@pytest.mark.parametrize("code", ["", "   ", "x" * 201])
def test_nothing_scanned(db: psycopg.Connection, code: str) -> None:
    assert scan(db, code)["hint"] == "scan.empty"


def test_cancelled_and_changed_tickets_are_not_worked_on(db: psycopg.Connection) -> None:
    make_order(db)
    db.execute('update public.orders set pending_change = \'{"reason": "edited"}\'')
    assert scan(db, "#B18617")["hint"] == "order.change_pending"
    call(db, "operator", "acknowledge_order_change", p_order_id="bannos-18617")
    assert scan(db, "#B18617")["action"] == "started"
    call(db, "supervisor", "cancel_order", p_order_id="bannos-18617", p_reason="no show")
    let_time_pass(db)
    assert scan(db, "#B18617")["hint"] == "order.cancelled"


def test_people_of_another_store_learn_only_that(db: psycopg.Connection) -> None:
    make_order(db)
    answer = scan(db, "#B18617", who="flourlane_operator")
    assert (answer["status"], answer["hint"], answer["order_row"]) == (
        403, "auth.other_store", None,
    )  # fmt: skip


@pytest.mark.parametrize("who", ["viewer", "stranger", "disabled", "print_agent"])
def test_the_wrong_people_do_not_scan(db: psycopg.Connection, who: str) -> None:
    make_order(db)
    with pytest.raises(Refused) as refused:
        scan(db, "#B18617", who=who)
    assert refused.value.status == 403


def test_any_stage_of_any_ticket_scans_without_error(db: psycopg.Connection) -> None:
    for number, stage in enumerate(STAGES):
        order = make_order(db, f"bannos-{100 + number}")
        advance(db, order, stage)
        assert scan(db, order)["ok"] is True
    assert USER_IDS
