"""Maintenance under bad luck and bad will: words that get lost, a request id used again, work that
nobody wants, somebody who reports for fun, parts of a repair that ends otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.maintenance.test_plans import in_days, plans, tick
from tests.support.maintenance import bring, machine, plan, report, scanned_from, token
from tests.support.printing import attempt
from tests.support.rpc import Refused, acting_as, call

HERE = scanned_from("10.0.0.1")


def scan(db: psycopg.Connection, qr: str, symptom: str = "stopped", **more: Any) -> dict[str, Any]:
    more.setdefault("headers", HERE)
    return dict(call(db, "anon", "report_problem", p_token=qr, p_symptom=symptom, **more))


# What people said -------------------------------------------------------------------------------


def test_the_words_of_every_reporter_stay_on_the_ticket(db: psycopg.Connection) -> None:
    code = machine(db)
    qr = token(db, code)
    first = scan(db, qr, p_description="Smoke", p_reporter="Ann", p_photo_type="image/jpeg")
    scan(db, qr, p_description="It burns!", p_reporter="Ben", p_photo_type="image/png")
    report(db, code, p_description="Fire is out", p_is_down=True)
    bring(db, first["repair_id"])
    scan(db, qr, p_description="Smoke again")
    shown = call(db, "technician", "get_repair", p_id=first["repair_id"])
    assert [(r["by"], r["description"], r["source"]) for r in shown["reported"]] == [
        ("Ann", "Smoke", "qr"), ("Ben", "It burns!", "qr"), ("Operator", "Fire is out", "staff"),
        (None, "Smoke again", "qr"),
    ]  # fmt: skip
    assert [r["is_down"] for r in shown["reported"]] == [True] * 4
    assert shown["repair"]["description"] == "Smoke"
    assert shown["repair"]["reports"] == 4
    assert len(shown["attachments"]) == 2
    assert [r["at"] for r in shown["reported"]] == sorted(r["at"] for r in shown["reported"])


def test_a_request_id_is_of_one_report(db: psycopg.Connection) -> None:
    qr, key = token(db, machine(db)), uuid4()
    said: dict[str, Any] = {"p_description": "Smoke", "p_photo_type": "image/jpeg"}
    first = scan(db, qr, **said, p_request_id=key)
    assert scan(db, qr, **said, p_request_id=key) == first
    for other in (
        {"p_description": "Fire"}, {"p_photo_type": None}, {"p_reporter": "Ann"},
        {"p_is_down": False}, {"symptom": "noise"},
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            scan(db, qr, **said | other, p_request_id=key)
        assert (refused.value.status, refused.value.code) == (422, "request.reused"), other
    shown = call(db, "technician", "get_repair", p_id=first["repair_id"])
    assert (shown["repair"]["reports"], len(shown["reported"])) == (1, 1)


def test_a_report_sent_again_after_an_hour_still_takes_its_photo(db: psycopg.Connection) -> None:
    """The phone lost the wireless after the report, before the photo."""
    qr, key = token(db, machine(db)), uuid4()
    said: dict[str, Any] = {"p_photo_type": "image/jpeg", "p_request_id": key}
    path = scan(db, qr, **said)["photo_path"]
    put = "insert into storage.objects (bucket_id, name) values ('maintenance', %s)"
    db.execute("update public.repair_attachments set created_at = now() - interval '61 minutes'")
    with pytest.raises(Refused, match="row-level security"), acting_as(db, "anon"):
        db.execute(put, (path,))
    assert scan(db, qr, **said)["photo_path"] == path
    with acting_as(db, "anon"):
        db.execute(put, (path,))
    db.execute("update public.repair_attachments set created_at = now() - interval '61 minutes'")
    scan(db, qr, **said)
    old = db.execute("select created_at < now() - interval '1 hour' from public.repair_attachments")
    assert old.fetchone() == (True,), "what is there already takes no second file"


# Limits -----------------------------------------------------------------------------------------


def limits(db: psycopg.Connection, **most: int) -> None:
    for key, value in most.items():
        call(db, "admin", "set_setting", p_key=f"maintenance.reports_per_{key}",
             p_value=Jsonb(value), p_site="main")  # fmt: skip


def refused(db: psycopg.Connection, qr: str, symptom: str, address: str = "10.0.0.1") -> bool:
    said = attempt(db, "anon", "report_problem", p_token=qr, p_symptom=symptom,
                   headers=scanned_from(address))  # fmt: skip
    if said[0] != 200:
        assert said == (429, "report.too_many")
    return said[0] != 200


def test_one_hoaxer_does_not_lock_the_factory_behind_one_address(db: psycopg.Connection) -> None:
    limits(db, machine=4, address=3)
    one, two = (token(db, machine(db, code)) for code in ("press-1", "press-2"))
    for symptom in ("stopped", "noise", "leak"):
        assert not refused(db, one, symptom)
    assert refused(db, one, "heat"), "this address has told enough of this machine"
    assert not refused(db, two, "heat"), "another machine, the same address"
    assert not refused(db, one, "heat", "10.0.0.2"), "another address, the same machine"
    assert refused(db, one, "slow", "10.0.0.3"), "the machine has heard enough"


def test_what_is_known_already_is_answered_and_not_refused(db: psycopg.Connection) -> None:
    """Everybody at the machine reports the same: the last one is told that it is known."""
    limits(db, machine=2, address=2)
    qr = token(db, machine(db))
    first = scan(db, qr)
    scan(db, qr)
    known = scan(db, qr, p_description="Me too", p_photo_type="image/jpeg")
    assert known | {"reports": 1, "is_new": True} == first
    assert (known["is_new"], known["reports"], known["photo_path"]) == (False, 2, None)
    assert refused(db, qr, "noise")


def test_who_signed_in_is_known_and_not_limited(db: psycopg.Connection) -> None:
    limits(db, machine=1, address=1, site=1)
    qr = token(db, machine(db))
    scan(db, qr)
    for symptom in ("noise", "leak"):
        ticket = call(db, "operator", "report_problem", p_token=qr, p_symptom=symptom, headers=HERE)
        assert ticket["is_new"]
    assert refused(db, qr, "heat")


def test_a_plant_takes_so_many_reports_an_hour(db: psycopg.Connection) -> None:
    limits(db, site=3)
    for n in range(1, 4):
        scan(db, token(db, machine(db, f"press-{n}")), headers=scanned_from(f"10.0.{n}.1"))
    last = token(db, machine(db, "press-4"))
    assert refused(db, last, "noise", "10.0.4.1")
    db.execute("update private.problem_reports set at = at - interval '61 minutes'")
    assert not refused(db, last, "noise", "10.0.4.1")


# Work by plan -----------------------------------------------------------------------------------


def skip(db: psycopg.Connection, order: int, how: str) -> None:
    call(db, "technician", "dismiss_repair", p_id=order, p_as=how, p_reason="Machine is new")


@pytest.mark.parametrize("how", ["cancelled", "rejected"])
def test_a_work_order_that_is_cancelled_is_skipped_until_the_next_interval(
    db: psycopg.Connection, how: str
) -> None:
    code = machine(db)
    made = plan(db, code, p_every=7, p_done_at=in_days(-100))
    [order] = tick(db)
    skip(db, order, how)
    assert tick(db) == [], "not opened again at once"
    [left] = plans(db)
    assert (left["left_days"], left["is_due"]) == (7, False)
    assert left["plan"]["done_at"] == made["done_at"], "skipped is not done"
    assert left["plan"]["skipped_at"] is not None
    assert len(tick(db, in_days(7))) == 1


def test_a_counter_plan_is_skipped_until_it_ran_as_long_again(db: psycopg.Connection) -> None:
    code = machine(db)
    plan(db, code, "Oil", p_based_on="run_hours", p_every=100, p_lead=10)
    read: dict[str, Any] = {"p_machine": code}
    for hours in (0, 130):  # counting begins at the first
        call(db, "operator", "record_machine_reading", **read, p_run_hours=hours)
    [order] = tick(db)
    skip(db, order, "cancelled")
    assert tick(db) == []
    [left] = plans(db)
    assert (left["left_count"], left["is_due"]) == (100, False)
    call(db, "supervisor", "save_maintenance_plan", p_machine=code, p_title="Oil", p_lead=20)
    assert tick(db) == [], "a change of the plan forgets nothing"
    call(db, "operator", "record_machine_reading", **read, p_run_hours=211)
    [order] = tick(db)
    bring(db, order)
    [left] = plans(db)
    assert left["left_count"] == 100


def test_work_done_after_it_was_skipped_counts_from_then(db: psycopg.Connection) -> None:
    made = plan(db, machine(db), p_every=7, p_done_at=in_days(-8))
    [order] = tick(db)
    skip(db, order, "cancelled")
    again = call(db, "technician", "start_work_order", p_plan_id=made["id"])["repair"]["id"]
    bring(db, again)
    [left] = plans(db)
    assert left["left_days"] == 7
    assert left["plan"]["done_at"] >= left["plan"]["skipped_at"]


# The second half of a life ----------------------------------------------------------------------


def test_when_work_began_and_ended_has_the_usual_names(db: psycopg.Connection) -> None:
    repair = report(db, machine(db), p_is_down=True)
    row = call(db, "viewer", "get_repair", p_id=repair)
    assert (row["start_datetime"], row["end_datetime"]) == (None, None)
    bring(db, repair)
    row = call(db, "viewer", "get_repair", p_id=repair)
    assert row["start_datetime"] == row["repair"]["started_at"] is not None
    assert row["end_datetime"] == row["repair"]["repaired_at"] is not None
    call(db, "technician", "reopen_repair", p_id=repair, p_reason="Again")
    page = call(db, "viewer", "get_repairs")["repairs"]
    assert (page[0]["start_datetime"], page[0]["end_datetime"]) == (row["start_datetime"], None)


def test_each_wait_is_on_record_with_how_long(db: psycopg.Connection) -> None:
    repair = report(db, machine(db), p_is_down=True)
    bring(db, repair, "in_repair")
    for what in ("parts", "people", "vendor"):
        call(db, "technician", "wait_repair", p_id=repair, p_waits_for=what, p_note=f"No {what}")
        call(db, "technician", "start_repair", p_id=repair)
    history = call(db, "viewer", "get_repair", p_id=repair)["history"]
    waits = [(h["waits_for"], h["note"]) for h in history if h["status"] == "waiting"]
    assert waits == [(w, f"No {w}") for w in ("parts", "people", "vendor")]
    assert all(h["minutes"] is not None for h in history[:-1])
    for command in ("verify_repair", "close_repair"):
        more = {"p_is_ok": True} if command == "verify_repair" else {}
        assert attempt(db, "technician", command, p_id=repair, **more) == (409, "repair.status")


def test_a_part_goes_back_also_when_the_repair_ended_otherwise(db: psycopg.Connection) -> None:
    call(db, "planner", "upsert_item", p_sku="BELT", p_title="Belt")
    call(db, "planner", "receive_stock", p_sku="BELT", p_quantity=10)
    repair = report(db, machine(db))
    bring(db, repair, "in_repair")
    call(db, "technician", "use_repair_part", p_id=repair, p_sku="BELT", p_quantity=3)
    call(db, "technician", "dismiss_repair", p_id=repair, p_as="cancelled", p_reason="Sold")
    shown = call(db, "viewer", "get_repair", p_id=repair)["parts"]
    back = call(db, "technician", "return_repair_part", p_id=repair, p_txn_id=shown[0]["txn_id"])
    assert back["changed"]
    rows = db.execute("select on_hand from public.inventory_stock where sku = 'BELT'").fetchall()
    assert rows == [(10,)]


def test_reopened_within_the_hours_it_is_one_failure_and_after_them_two(
    db: psycopg.Connection,
) -> None:
    code = machine(db)
    repair = report(db, code, p_is_down=True)
    bring(db, repair)
    call(db, "technician", "reopen_repair", p_id=repair, p_reason="Slips")
    bring(db, repair)
    assert _failures(db, code) == 1
    call(db, "admin", "set_setting", p_key="maintenance.same_failure_hours", p_value=Jsonb(0),
         p_site="main")  # fmt: skip
    other = report(db, code, p_is_down=True)
    assert other != repair
    assert _failures(db, code) == 2


def _failures(db: psycopg.Connection, code: str) -> int:
    since = datetime.now(UTC) - timedelta(hours=2)
    (row,) = call(db, "viewer", "get_mtbf", p_machine=code, p_from=since,
                  p_to=datetime.now(UTC) + timedelta(hours=1))  # fmt: skip
    return int(row["failures"])
