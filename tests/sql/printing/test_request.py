"""Asking for labels: what becomes a job, what is refused, and what is the same label again."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.orders import make_order
from tests.support.printing import (
    Row,
    add_printer,
    bring,
    events,
    job,
    labels_of,
    new_job,
    refusal,
    request,
    route,
    steps,
    sweep,
)
from tests.support.rpc import call


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")


def count(db: psycopg.Connection) -> int:
    row = db.execute("select count(*) from public.print_jobs").fetchone()
    assert row is not None
    return int(row[0])


def data_of(db: psycopg.Connection, job_id: int) -> Row:
    row = db.execute(
        "select data from public.print_job_labels where job_id = %s", (job_id,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


# One label ----------------------------------------------------------------------------------


def test_a_label_is_compiled_when_it_is_asked_for(db: psycopg.Connection) -> None:
    answer = request(db, "SKU-7", p_copies=3)
    assert answer["changed"]
    assert answer["printer_name"] == "PRN-1"
    assert answer["message"] == "The label of SKU-7 goes to PRN-1."
    assert answer["job"]["payload"] is None, "people get no payload with the answer"
    row = job(db, answer["job"]["id"])
    assert row["payload_sha256"] == hashlib.sha256(row["payload"].encode()).hexdigest()
    assert "^PQ3" in row["payload"]
    assert (row["site"], row["store"], row["state"]) == ("main", None, "queued")
    assert data_of(db, row["id"])["code"] == "SKU-7"
    assert events(db, str(row["id"])) == ["print.requested"]


def test_a_double_click_is_one_label(db: psycopg.Connection) -> None:
    """Scenario 16: two clicks, two tabs, a client that tries again."""
    first = request(db)
    again = request(db)
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["job"]["id"] == again["job"]["id"]
    assert "reprint" in again["message"]
    assert count(db) == 1


def test_the_same_request_id_gives_the_same_answer(db: psycopg.Connection) -> None:
    request_id = uuid4()
    first = request(db, p_request_id=request_id)
    assert request(db, p_request_id=request_id) == first
    refused = refusal(
        db, "operator", "request_print", p_label_type="item", p_subject="SKU-2",
        p_request_id=request_id,
    )  # fmt: skip
    assert refused == "422 request.reused"


def test_the_same_label_with_other_data_is_refused(db: psycopg.Connection) -> None:
    """Kiln#112: the same key with another body is a conflict, not a second job."""
    request(db, p_data={"name": "Flour", "sku": "1"})
    said = refusal(
        db, "operator", "request_print", p_label_type="item", p_subject="SKU-1",
        p_data={"name": "Sugar"},
    )  # fmt: skip
    assert said == "409 print.other_data"
    assert request(db, p_data={"name": "Flour"})["changed"] is False


@pytest.mark.parametrize("state", ["cancelled", "expired", "failed"])
def test_a_label_that_never_came_out_can_be_asked_for_again(
    db: psycopg.Connection, state: str
) -> None:
    first = bring(db, state)
    assert labels_of(db, first["job_id"]) == ["void"]
    again = request(db)
    assert again["changed"]
    assert again["job"]["print_no"] == 2
    assert request(db)["changed"] is False


@pytest.mark.parametrize("state", ["held", "claimed", "sending", "sent", "unknown", "printed"])
def test_a_label_that_may_come_out_is_not_made_again(db: psycopg.Connection, state: str) -> None:
    first = bring(db, state)
    again = request(db)
    assert (again["changed"], again["job"]["id"]) == (False, first["job_id"])


REFUSED: list[tuple[Row, str]] = [
    ({"p_copies": 0}, "422 print.copies"),
    ({"p_copies": 501}, "422 print.copies"),
    ({"p_copies": None}, "422 print.copies"),
    ({"p_priority": 5}, "422 print.priority"),
    ({"p_subject": " "}, "422 print.subject"),
    ({"p_subject": None}, "422 print.subject"),
    ({"p_subject": "x" * 201}, "422 print.subject"),
    ({"p_data": Jsonb([1])}, "422 print.subject"),
    ({"p_data": {"name": "x" * 30_000}}, "422 print.subject"),
    ({"p_data": {"name": "x\x07"}}, "422 label.bad_data"),
    ({"p_data": {"name": {"a": 1}}}, "422 label.bad_data"),
    ({"p_station": "nowhere"}, "404 print.no_station"),
    ({"p_printer": "nothing"}, "404 printer.unknown"),
    ({"p_template": "nothing"}, "404 label.unknown_template"),
    ({"p_label_type": "nothing"}, "412 label.no_template"),
    ({"p_label_type": "box", "p_data": {"product": "x"}}, "412 print.no_printer"),
    ({"p_label_type": "order_ticket"}, "404 order.unknown"),
    ({"p_data": {"code": "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"}}, "422 label.does_not_fit"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED)
def test_what_cannot_be_printed_is_refused_when_it_is_asked_for(
    db: psycopg.Connection, arguments: Row, said: str
) -> None:
    wish: Row = {"p_label_type": "item", "p_subject": "SKU-1", **arguments}
    assert refusal(db, "operator", "request_print", **wish) == said
    assert count(db) == 0


def test_a_printer_whose_resolution_is_not_known_prints_nothing(db: psycopg.Connection) -> None:
    """Never guessed: a default prints every label in the wrong size."""
    add_printer(db, "raw", p_dpi=None, p_device=None)
    said = refusal(
        db, "operator", "request_print", p_label_type="item", p_subject="SKU-1", p_printer="raw"
    )
    assert said == "412 print.no_resolution"


def test_a_label_larger_than_the_labels_in_the_printer_is_refused(db: psycopg.Connection) -> None:
    add_printer(db, p_media_width_mm=50, p_media_height_mm=25)
    wish: Row = {"p_label_type": "item", "p_subject": "SKU-1", "p_data": {"name": "F", "sku": "1"}}
    assert refusal(db, "operator", "request_print", **wish) == "412 print.too_large"
    add_printer(db, p_media_width_mm=60, p_media_height_mm=40)
    assert refusal(db, "operator", "request_print", **wish) is None


@pytest.mark.parametrize("who", ["viewer", "print_agent", "bambu_bridge", "fixture"])
def test_who_may_not_ask(db: psycopg.Connection, who: str) -> None:
    wish: Row = {"p_label_type": "item", "p_subject": "SKU-1"}
    assert refusal(db, who, "request_print", **wish) == "403 auth.forbidden"
    wishes: Row = {"p_label_type": "item", "p_labels": Jsonb([{"subject": "SKU-1"}])}
    assert refusal(db, who, "request_prints", **wishes) == "403 auth.forbidden"


def test_nobody_prints_at_a_locked_station(db: psycopg.Connection) -> None:
    wish: Row = {"p_label_type": "item", "p_subject": "SKU-1"}
    assert refusal(db, "kiosk", "request_print", **wish) == "403 auth.forbidden"


# Where --------------------------------------------------------------------------------------


def register(db: psycopg.Connection, station: str) -> None:
    call(db, "admin", "register_station", p_code=station, p_name=station, p_site="main")


def test_the_stations_route_comes_before_the_one_of_the_site(db: psycopg.Connection) -> None:
    register(db, "fill-1")
    add_printer(db, "prn-2")
    route(db, "prn-2", station="fill-1")
    assert request(db, "SKU-1")["job"]["printer"] == "prn-1"
    answer = request(db, "SKU-2", p_station="fill-1")
    assert (answer["job"]["printer"], answer["job"]["station"]) == ("prn-2", "fill-1")
    named = call(
        db, "operator", "request_print", headers={"x-takt-station": "fill-1"},
        p_label_type="item", p_subject="SKU-3", p_data={"name": "Flour", "sku": "3"},
    )  # fmt: skip
    assert named["job"]["printer"] == "prn-2"


TROUBLE: dict[str, str] = {
    "halted": "update public.printers set halted_reason = 'cleaning' where code = 'prn-1'",
    "off": "update public.printers set is_enabled = false where code = 'prn-1'",
    "agent gone": "update public.printers set last_seen_at = now() - interval '2 minutes'"
    " where code = 'prn-1'",
    "fault": "update public.printers set status = 'stopped', status_since = now() - interval"
    " '2 minutes' where code = 'prn-1'",
    "wrong roll": "update public.printers set loaded_media = 'gold' where code = 'prn-1'",
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_the_next_printer_of_the_route_takes_over(db: psycopg.Connection, trouble: str) -> None:
    add_printer(db, "prn-2")
    route(db, "prn-1", "prn-2")
    db.execute(TROUBLE[trouble])
    assert request(db)["job"]["printer"] == "prn-2"


def test_without_a_good_printer_the_label_waits_for_the_first(db: psycopg.Connection) -> None:
    add_printer(db, "prn-2")
    route(db, "prn-1", "prn-2")
    db.execute("update public.printers set halted_reason = 'cleaning'")
    assert request(db)["job"]["printer"] == "prn-1"


def test_a_waiting_label_goes_to_the_next_printer_when_its_own_dies(
    db: psycopg.Connection,
) -> None:
    add_printer(db, "prn-2", p_dpi=300)
    route(db, "prn-1", "prn-2")
    waiting = new_job(db, "SKU-1")
    fixed = new_job(db, "SKU-2", p_printer="prn-1")
    payload = job(db, waiting)["payload"]
    sweep(db, "61 seconds")
    assert job(db, waiting)["printer"] == "prn-1", "it prints: nothing to do"
    call(db, "supervisor", "halt_printer", p_printer="prn-1")
    sweep(db, "30 seconds")
    assert job(db, waiting)["printer"] == "prn-1", "not in the first minute"
    sweep(db, "61 seconds")
    moved = job(db, waiting)
    assert (moved["printer"], moved["routed_from"], moved["dpi"]) == ("prn-2", "prn-1", 300)
    assert moved["payload"] != payload
    assert job(db, fixed)["printer"] == "prn-1", "somebody chose that printer"
    assert steps(db, waiting) == ["queued"]


def test_what_has_begun_never_goes_to_another_printer(db: psycopg.Connection) -> None:
    add_printer(db, "prn-2")
    route(db, "prn-1", "prn-2")
    taken = bring(db, "unknown")
    call(db, "supervisor", "halt_printer", p_printer="prn-1")
    sweep(db, "1 hour")
    assert job(db, taken["job_id"])["printer"] == "prn-1"


def test_a_printer_of_another_site_is_refused(db: psycopg.Connection) -> None:
    call(db, "admin", "register_site", p_code="west", p_name="West", p_time_zone="UTC")
    add_printer(db, "far", p_site="west", p_device=None)
    make_order(db)
    said = refusal(
        db, "operator", "request_print", p_label_type="order_ticket", p_subject="bannos-18617",
        p_printer="far",
    )  # fmt: skip
    assert said == "422 print.other_site"


def test_somebody_of_two_sites_says_where(db: psycopg.Connection) -> None:
    call(db, "admin", "register_site", p_code="west", p_name="West", p_time_zone="UTC")
    call(db, "admin", "register_store", p_code="third", p_name="Third", p_site="west")
    wish: Row = {"p_label_type": "item", "p_subject": "SKU-1", "p_data": {"name": "F", "sku": "1"}}
    assert refusal(db, "operator", "request_print", **wish) == "422 print.where"
    assert refusal(db, "operator", "request_print", **wish, p_printer="prn-1") is None


# Orders -------------------------------------------------------------------------------------


def test_the_database_says_what_a_ticket_says(db: psycopg.Connection) -> None:
    make_order(db, cake_writing="Happy\n40th", due_date="2026-12-24", customer_name="Ana")
    answer = request(
        db, "bannos-18617", p_label_type="order_ticket", p_printer="prn-1",
        p_data={"product": "Something else", "code": "bannos-1"},
    )  # fmt: skip
    data = data_of(db, answer["job"]["id"])
    assert answer["job"]["store"] == "bannos"
    assert data["code"] == "bannos-18617"
    assert data["product"] == "Confetti Cake"
    assert data["writing"] == "Happy 40th"
    assert data["due"] == "Thu 24 Dec"
    assert data["items"] == "1 × Confetti Cake"
    assert (data["customer"], data["store"], data["flavour"]) == ("Ana", "Bannos", "Vanilla")


def test_a_ticket_that_changed_meanwhile_is_not_a_conflict(db: psycopg.Connection) -> None:
    make_order(db)
    wish: Row = {"p_label_type": "order_ticket", "p_printer": "prn-1"}
    first = request(db, "bannos-18617", **wish)
    db.execute("update public.orders set priority = 'High', flavour = 'Lemon'")
    again = request(db, "bannos-18617", **wish)
    assert (again["changed"], again["job"]["id"]) == (False, first["job"]["id"])


def test_the_other_stores_ticket_is_refused(db: psycopg.Connection) -> None:
    make_order(db, "bannos-18617")
    make_order(db, "flourlane-18617")
    wish: Row = {"p_label_type": "order_ticket", "p_printer": "prn-1"}
    who = "flourlane_operator"
    said = refusal(db, who, "request_print", p_subject="bannos-18617", **wish)
    assert said == "403 auth.other_store"
    said = refusal(db, who, "request_print", p_subject="bannos-18617/2", **wish)
    assert said == "403 auth.other_store"
    mine = request(db, "flourlane-18617", who, **wish)
    theirs = request(db, "bannos-18617", **wish)
    seen = call(db, who, "get_print_jobs")["jobs"]
    assert [row["id"] for row in seen] == [mine["job"]["id"]]
    said = refusal(db, who, "get_print_job", p_job_id=theirs["job"]["id"])
    assert said == "403 auth.other_store"
    for rpc in ("cancel_print", "reprint", "resolve_print"):
        more: Row = {"reprint": {"p_reason": "lost"}, "resolve_print": {"p_outcome": "came_out"}}
        said = refusal(db, who, rpc, p_job_id=theirs["job"]["id"], **more.get(rpc, {}))
        assert said == "403 auth.other_store"
