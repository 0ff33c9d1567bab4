"""Who reports a problem: staff, and whoever scans the QR code of a machine."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.sql.core import photos
from tests.support.databases import USER_IDS, Clone
from tests.support.maintenance import bring, events, machine, report, scanned_from, token
from tests.support.printing import attempt
from tests.support.rpc import Refused, acting_as, call


def scan(db: psycopg.Connection, qr: str, symptom: str = "stopped", **more: Any) -> dict[str, Any]:
    more.setdefault("headers", scanned_from("10.0.0.1"))
    return dict(call(db, "anon", "report_problem", p_token=qr, p_symptom=symptom, **more))


def test_staff_report_by_symptom_or_in_words(db: psycopg.Connection) -> None:
    code = machine(db)
    first = report(db, code)
    row = call(db, "viewer", "get_repair", p_id=first)
    assert row["repair"]["is_down"] is True, "what the symptom usually means"
    assert row["symptom"] == "Stopped by itself"
    assert row["reported_by"] == "Operator"
    assert report(db, code) == first, "the same symptom joins the open repair"
    words = report(db, code, None, p_description="Squeaks on Mondays")
    assert words != first
    assert report(db, code, None, p_description="Squeaks") != words
    given: dict[str, Any] = {"p_machine": code, "p_symptom": "noise"}
    say: dict[str, Any] = {"who": "operator", "rpc": "report_repair"}
    assert attempt(db, **say, p_machine=code) == (422, "repair.what")
    assert attempt(db, **say, p_machine="none") == (404, "machine.unknown")
    assert attempt(db, **say, p_machine=code, p_symptom="bad") == (404, "symptom.unknown")
    assert attempt(db, **say, **given, p_priority="huge") == (422, "repair.choice")
    assert attempt(db, **say, **given, p_assignee_id=uuid4()) == (404, "staff.unknown")
    assert attempt(db, "viewer", "report_repair", **given) == (403, "auth.forbidden")
    key = uuid4()
    once = call(db, "operator", "report_repair", **given, p_request_id=key)
    assert call(db, "operator", "report_repair", **given, p_request_id=key) == once
    other: dict[str, Any] = {"p_machine": code, "p_symptom": "leak", "p_request_id": key}
    assert attempt(db, **say, **other) == (422, "request.reused")


def test_planned_work_joins_no_report(db: psycopg.Connection) -> None:
    code = machine(db)
    found = report(db, code, "noise")
    planned = report(db, code, "noise", p_type="scheduled")
    assert planned != found
    row = call(db, "viewer", "get_repair", p_id=planned)["repair"]
    assert (row["type"], row["is_failure"]) == ("scheduled", False)


def test_a_worse_report_takes_the_machine_down(db: psycopg.Connection) -> None:
    code = machine(db)
    repair = report(db, code, "noise")
    report(db, code, "noise", p_is_down=True)
    now = call(db, "viewer", "get_repair", p_id=repair)["repair"]
    assert (now["is_down"], now["reports"]) == (True, 2)


def test_report_without_an_account(db: psycopg.Connection) -> None:
    code = machine(db)
    qr = token(db, code)
    form = call(db, "anon", "get_report_form", p_token=qr)
    assert (form["machine"], form["symptoms"][0]["code"]) == (code, "does_not_start")
    ticket = scan(db, qr, p_description="Smoke", p_reporter="Ann", p_photo_type="image/jpeg")
    assert ticket["is_new"] is True
    assert ticket["reports"] == 1
    row = call(db, "technician", "get_repair", p_id=ticket["repair_id"])
    assert (row["reported_by"], row["repair"]["source"]) == ("Ann", "qr")
    assert row["attachments"][0]["path"] == ticket["photo_path"]
    form = call(db, "anon", "get_report_form", p_token=qr)
    assert [s["code"] for s in form["symptoms"] if s["is_open"]] == ["stopped"]
    payloads = db.execute("select payload::text from public.events where stream = 'repair'")
    assert all("Ann" not in row[0] for row in payloads.fetchall()), "no name in an event"


def test_one_open_ticket_per_machine_and_symptom(db: psycopg.Connection) -> None:
    qr = token(db, machine(db))
    first = scan(db, qr)
    again = scan(db, qr, headers=scanned_from("10.0.0.2"))
    assert again | {"reports": 1, "is_new": True} == first
    assert again["reports"] == 2
    assert scan(db, qr, "noise")["repair_id"] != first["repair_id"]
    bring(db, first["repair_id"])
    assert scan(db, qr)["repair_id"] == first["repair_id"], "so soon it is the same failure"
    assert events(db, "repair", first["repair_id"])[-1] == "repair.reopened"


def test_a_repeat_over_bad_wifi_is_one_report(db: psycopg.Connection) -> None:
    qr, key = token(db, machine(db)), uuid4()
    first = scan(db, qr, p_request_id=key, p_photo_type="image/png")
    assert scan(db, qr, p_request_id=key, p_photo_type="image/png") == first
    assert call(db, "viewer", "get_repair", p_id=first["repair_id"])["repair"]["reports"] == 1


def test_staff_who_scan_are_known_by_name(db: psycopg.Connection) -> None:
    qr = token(db, machine(db))
    ticket = call(db, "operator", "report_problem", p_token=qr, p_symptom="leak")
    row = call(db, "viewer", "get_repair", p_id=ticket["repair_id"])
    assert row["repair"]["reported_by"] == str(USER_IDS["operator"])


def test_what_a_report_without_an_account_may_not_say(db: psycopg.Connection) -> None:
    code = machine(db)
    qr = token(db, code)
    ask = {"p_token": qr, "p_symptom": "stopped"}
    assert attempt(db, "anon", "report_problem", **ask | {"p_token": "x" * 22}) == (
        *(404, "report.unknown_code"),
    )
    assert attempt(db, "anon", "get_report_form", p_token="") == (404, "report.unknown_code")
    assert attempt(db, "anon", "report_problem", **ask | {"p_symptom": "bored"}) == (
        *(404, "symptom.unknown"),
    )
    for kind in ("text/html", "image/svg+xml", "application/pdf"):
        assert attempt(db, "anon", "report_problem", **ask, p_photo_type=kind) == (
            *(422, "attachment.type"),
        )
    for text in ({"p_description": "x" * 1001}, {"p_reporter": "x" * 101}):
        assert attempt(db, "anon", "report_problem", **ask, **text) == (422, "request.too_long")
    fresh = call(db, "supervisor", "renew_machine_qr", p_machine=code)["token"]
    assert attempt(db, "anon", "report_problem", **ask) == (404, "report.unknown_code")
    call(db, "supervisor", "save_machine", p_code=code, p_is_active=False)
    assert attempt(db, "anon", "get_report_form", p_token=fresh) == (409, "machine.inactive")
    assert attempt(db, "operator", "report_repair", p_machine=code, p_symptom="leak") == (
        *(409, "machine.inactive"),
    )
    for rpc in ("get_machines", "get_repairs", "get_repair"):
        with pytest.raises(Refused, match="permission denied"):
            call(db, "anon", rpc, **({"p_id": 1} if rpc == "get_repair" else {}))


def test_reports_without_an_account_are_forgotten_after_a_day(db: psycopg.Connection) -> None:
    scan(db, token(db, machine(db)))
    db.execute("update private.problem_reports set at = at - interval '25 hours'")
    db.execute("select private.forget_problem_reports(now())")
    left = db.execute("select count(*) from private.problem_reports").fetchone()
    assert left == (0,)
    assert db.execute("select count(*) from public.repair_reports").fetchone() == (1,), "words stay"


def _uploads(db: psycopg.Connection, who: str, path: str, bucket: str = "maintenance") -> bool:
    """May this caller put a file there? Rolled back."""
    insert = "insert into storage.objects (bucket_id, name) values (%s, %s)"
    try:
        with db.transaction(force_rollback=True), acting_as(db, who):
            db.execute(insert, (bucket, path))
    except Refused as refused:
        if refused.sqlstate != "42501":
            raise
        return False
    return True


def test_a_photo_goes_to_its_path_and_nowhere_else(db: psycopg.Connection) -> None:
    path = scan(db, token(db, machine(db)), p_photo_type="image/jpeg")["photo_path"]
    assert _uploads(db, "anon", path)
    assert not _uploads(db, "anon", path.replace(".jpg", ".png"))
    assert not _uploads(db, "anon", path, "other")
    assert not _uploads(db, "operator", path), "each to the paths made for them"
    db.execute("update public.repair_attachments set created_at = now() - interval '61 minutes'")
    assert not _uploads(db, "anon", path), "only within the hour"


def test_upload_keeps_the_client_file_name_in_the_path(db: psycopg.Connection) -> None:
    """H.O.M. kept it; here the path is made of nothing that a client said."""
    repair = report(db, machine(db))
    evil = "../../etc/passwd\x01.pdf"
    given: dict[str, Any] = {"p_id": repair, "p_name": evil, "p_mime_type": "application/pdf"}
    answer = call(db, "operator", "add_repair_attachment", **given)
    assert answer["attachment"]["path"] == f"main/{repair}/{answer['attachment']['id']}.pdf"
    assert answer["attachment"]["original_name"] == evil
    assert _uploads(db, "operator", answer["attachment"]["path"])
    assert not _uploads(db, "technician", answer["attachment"]["path"])
    assert not _uploads(db, "anon", answer["attachment"]["path"])
    for kind in ("text/html", "image/jpeg", None):
        wrong = given | {"p_mime_type": kind}
        assert attempt(db, "operator", "add_repair_attachment", **wrong) == (422, "attachment.type")
    assert attempt(db, "viewer", "add_repair_attachment", **given) == (403, "auth.forbidden")
    with acting_as(db, "operator"):
        db.execute(
            "insert into storage.objects (bucket_id, name) values ('maintenance', %s)",
            (answer["attachment"]["path"],),
        )
    shown = call(db, "viewer", "get_repair", p_id=repair)["attachments"]
    assert [(a["name"], a["is_there"]) for a in shown] == [(evil, True)]
    gone = {"p_attachment_id": answer["attachment"]["id"]}
    assert attempt(db, "operator", "remove_repair_attachment", **gone) == (403, "auth.forbidden")
    assert call(db, "technician", "remove_repair_attachment", **gone)["changed"] is True
    assert call(db, "technician", "remove_repair_attachment", **gone)["changed"] is False
    assert call(db, "viewer", "get_repair", p_id=repair)["attachments"] == []
    assert attempt(db, "technician", "remove_repair_attachment", p_attachment_id=uuid4()) == (
        *(404, "repair.unknown"),
    )
    db.execute(
        "insert into public.repair_attachments (repair_id, path, mime_type)"
        " select %(id)s, format('main/%%s/%%s.jpg', %(id)s, gen_random_uuid()), 'image/jpeg'"
        " from generate_series(1, 50)",
        {"id": repair},
    )
    assert attempt(db, "operator", "add_repair_attachment", **given) == (
        *(409, "attachment.too_many"),
    )


def test_a_repair_full_of_files_takes_the_next_report_without_its_photo(
    db: psycopg.Connection,
) -> None:
    code = machine(db)
    repair = report(db, code)
    db.execute(
        "insert into public.repair_attachments (repair_id, path, mime_type)"
        " select %(id)s, format('main/%%s/%%s.jpg', %(id)s, gen_random_uuid()), 'image/jpeg'"
        " from generate_series(1, 50)",
        {"id": repair},
    )
    ticket = scan(db, token(db, code), p_photo_type="image/jpeg")
    assert (ticket["repair_id"], ticket["photo_path"], ticket["reports"]) == (repair, None, 2)


def test_photos_of_staff_are_those_of_the_bench(db: psycopg.Connection) -> None:
    """start_photo, the file, then the command: the way every photo goes."""
    repair = report(db, machine(db))
    path = photos.start(db, about="repair")
    given: dict[str, Any] = {"p_id": repair, "p_photo": path}
    assert attempt(db, "operator", "add_repair_photo", **given) == (409, "photo.missing")
    photos.upload(db, path)
    assert attempt(db, "technician", "add_repair_photo", **given) == (404, "photo.unknown")
    assert attempt(db, "viewer", "add_repair_photo", **given) == (403, "auth.forbidden")
    key = uuid4()
    answer = call(db, "operator", "add_repair_photo", **given, p_request_id=key)
    assert (answer["changed"], answer["bucket"]) == (True, "photos")
    assert call(db, "operator", "add_repair_photo", **given, p_request_id=key) == answer
    assert call(db, "operator", "add_repair_photo", **given)["changed"] is False
    (shown,) = call(db, "viewer", "get_repair", p_id=repair)["attachments"]
    assert (shown["bucket"], shown["path"], shown["is_there"]) == ("photos", path, True)
    other = report(db, "press-1", "noise")
    assert attempt(db, "operator", "add_repair_photo", p_id=other, p_photo=path) == (
        *(404, "photo.unknown"),
    )
    gone = call(db, "technician", "remove_repair_attachment", p_attachment_id=shown["id"])
    assert (gone["changed"], gone["bucket"]) == (True, "photos")


def test_two_reports_at_once_are_one_ticket(clone: Clone, db: psycopg.Connection) -> None:
    qr = token(db, machine(db))
    with clone.connect() as one, clone.connect() as two:
        with one.transaction():
            first = scan(one, qr)
            two.execute("set lock_timeout = '100ms'")
            with pytest.raises(Refused) as waiting:
                scan(two, qr, headers=scanned_from("10.0.0.2"))
            assert waiting.value.sqlstate == "55P03", "the second waits for the machine"
        assert scan(two, qr, headers=scanned_from("10.0.0.2"))["repair_id"] == first["repair_id"]
