"""Photos: the server makes the path, only who got it uploads, only the site's staff sees it."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tests.sql.core.photos import photo, start, upload
from tests.sql.farm.farm import machine, mapping, part, report, run_of
from tests.sql.inventory.stock import refused
from tests.support.databases import USER_IDS
from tests.support.rpc import Refused, acting_as, call


@pytest.fixture
def run(db: psycopg.Connection) -> int:
    part(db)
    machine(db)
    mapping(db)
    return int(report(db)["print_run_id"])


def seen(db: psycopg.Connection, who: str) -> int:
    with acting_as(db, who):
        row = db.execute(
            "select count(*) from storage.objects where bucket_id = 'photos'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def attach(db: psycopg.Connection, run: int, path: str, who: str = "operator") -> str | None:
    try:
        call(db, who, "confirm_plate", p_run_id=run, p_photo=path)
    except Refused as refusal:
        return refusal.code
    return None


def test_a_photo_is_taken_uploaded_and_kept(db: psycopg.Connection, run: int) -> None:
    request = uuid4()
    asked = {"p_about": "print_run", "p_site": "main", "p_request_id": request}
    place = call(db, "operator", "start_photo", **asked)
    assert call(db, "operator", "start_photo", **asked) == place, (
        "a lost answer makes no other path"
    )
    assert place["bucket"] == "photos"
    assert place["path"].startswith("main/print_run/")
    assert attach(db, run, place["path"]) == "photo.missing"
    upload(db, place["path"])
    assert attach(db, run, place["path"]) is None
    assert run_of(db, run)["photo"] == place["path"]
    assert seen(db, "viewer") == 1
    with pytest.raises(Refused, match="row-level security"):
        upload(db, place["path"])


@pytest.mark.parametrize(
    ("who", "bucket"), [("planner", "photos"), ("kiosk", "photos"), ("operator", "other")]
)
def test_nobody_else_uploads_and_no_name_is_made_up(
    db: psycopg.Connection, run: int, who: str, bucket: str
) -> None:
    db.execute("insert into storage.buckets (id, name) values ('other', 'other')")
    path = start(db)
    for name in (path, f"main/print_run/{uuid4()}.jpg", f"{path}/../x", "x"):
        with pytest.raises(Refused, match="row-level security"):
            upload(db, name, who, bucket)
    assert attach(db, run, "main/print_run/mine.jpg") == "photo.unknown"


def test_an_old_path_takes_no_file(db: psycopg.Connection) -> None:
    path = start(db)
    db.execute("update private.photos set created_at = now() - interval '2 days'")
    with pytest.raises(Refused, match="row-level security"):
        upload(db, path)


def test_a_photo_shows_one_thing_and_is_of_who_took_it(db: psycopg.Connection, run: int) -> None:
    other = int(report(db)["print_run_id"])
    path = photo(db)
    assert attach(db, run, path, "planner") == "photo.unknown"
    assert attach(db, run, path) is None
    assert attach(db, other, path) == "photo.unknown"
    again = call(db, "operator", "confirm_plate", p_run_id=run, p_photo=path)
    assert again["changed"] is False
    newer = photo(db)
    assert attach(db, run, newer) is None
    assert run_of(db, run)["photo"] == newer


@pytest.mark.parametrize("who", ["stranger", "disabled", "print_agent", "kiosk", "anon"])
def test_who_is_no_active_staff_of_the_site_sees_nothing(db: psycopg.Connection, who: str) -> None:
    photo(db)
    assert seen(db, who) == 0
    db.execute("insert into public.sites (code, name) values ('second', 'Second')")
    db.execute(
        "insert into public.stores (code, site, name, scan_prefix)"
        " values ('far', 'second', 'F', 'X')"
    )
    db.execute(
        "update public.staff_shared set stores = '{far}' where user_id = %s", (USER_IDS["viewer"],)
    )
    assert seen(db, "viewer") == 0


def test_no_file_is_replaced_or_removed(db: psycopg.Connection) -> None:
    path = photo(db)
    for statement in (
        "update storage.objects set name = 'x' where name = %s",
        "delete from storage.objects where name = %s",
    ):
        with acting_as(db, "admin"):
            assert db.execute(statement, (path,)).rowcount == 0


def test_what_cannot_be_taken(db: psycopg.Connection) -> None:
    wrong = refused(db, "operator", "start_photo", p_about="cat", p_site="main")
    assert (wrong.status, wrong.code) == (422, "photo.about")
    assert refused(db, "viewer", "start_photo", p_about="print_run", p_site="main").status == 403
    unknown = refused(db, "operator", "start_photo", p_about="print_run", p_site="moon")
    assert (unknown.status, unknown.code) == (404, "site.unknown")


def test_a_stolen_token_fills_no_bucket(db: psycopg.Connection) -> None:
    db.execute(
        "insert into private.photos (about, site, uploader, created_by)"
        " select 'print_run', 'main', %(who)s, %(who)s from generate_series(1, 200)",
        {"who": USER_IDS["operator"]},
    )
    full = refused(db, "operator", "start_photo", p_about="print_run", p_site="main")
    assert (full.status, full.code) == (429, "photo.too_many")
    start(db, "planner")
