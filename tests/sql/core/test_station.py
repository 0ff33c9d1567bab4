"""Shared stations: the device signs in once, people identify; events carry both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.support.databases import USER_IDS, Clone
from tests.support.orders import make_order
from tests.support.rpc import Refused, acting_as, call

OPERATOR = USER_IDS["operator"]
PIN = "4711"


@pytest.fixture
def db(db: psycopg.Connection) -> psycopg.Connection:
    call(db, "operator", "set_pin", p_pin=PIN)
    return db


def by_pin(db: psycopg.Connection, pin: str, who: str = "operator") -> Any:
    return call(db, "kiosk", "identify_by_pin", p_user_id=USER_IDS[who], p_pin=pin)


def person(answer: dict[str, Any]) -> dict[str, str]:
    return {"x-takt-person": answer["token"]}


def test_a_person_works_at_the_station(db: psycopg.Connection) -> None:
    make_order(db)
    hello = by_pin(db, PIN)
    assert (hello["ok"], hello["full_name"], hello["role"]) == (True, "Operator", "operator")
    call(db, "kiosk", "handle_print_barcode", p_order_id="bannos-18617", headers=person(hello))
    call(db, "kiosk", "complete_filling", p_order_id="bannos-18617", headers=person(hello))
    rows = db.execute(
        "select actor_id, station from public.events where stream = 'order'"
    ).fetchall()
    assert rows == [(OPERATOR, "kiosk")] * 2
    me = call(db, "kiosk", "whoami", headers=person(hello))
    assert (me["user_id"], me["site"]) == (str(OPERATOR), "main")


def test_without_a_person_the_station_completes_nothing(db: psycopg.Connection) -> None:
    make_order(db)
    with pytest.raises(Refused) as refused:
        call(db, "kiosk", "complete_filling", p_order_id="bannos-18617")
    assert refused.value.code == "auth.forbidden"


def test_without_a_person_the_station_does_and_reads_nothing(db: psycopg.Connection) -> None:
    """Its own token took a ticket from Filling to Complete, and read customers."""
    make_order(db)
    for rpc, given in (
        ("scan", {"p_code": "bannos-18617"}),
        ("get_order_for_scan", {"p_scan": "bannos-18617"}),
        ("get_queue", {}),
        ("list_staff", {}),
        ("events_since", {}),
        ("request_print", {"p_label_type": "item", "p_subject": "SKU-1"}),
        ("get_stock_alarms", {}),
    ):
        with pytest.raises(Refused) as refused:
            call(db, "kiosk", rpc, **given)
        assert refused.value.code == "auth.forbidden", rpc
    with acting_as(db, "kiosk"):
        for table in ("orders", "events", "staff_shared", "inventory_items", "print_jobs"):
            assert db.execute(f"select from public.{table}").rowcount == 0, table


def test_a_station_offers_the_names_of_its_site_and_no_more(db: psycopg.Connection) -> None:
    rows = call(db, "kiosk", "list_station_people")
    assert {"user_id": str(OPERATOR), "full_name": "Operator"} in rows
    assert "Disabled" not in {row["full_name"] for row in rows}
    assert {tuple(row) for row in rows} == {("user_id", "full_name")}
    seen = call(db, "kiosk", "list_staff", headers=person(by_pin(db, PIN)))
    assert {row["role"] for row in seen} > {"operator", "admin"}


def test_a_new_pin_or_badge_ends_what_the_old_one_opened(db: psycopg.Connection) -> None:
    for renew in (
        lambda: call(db, "manager", "set_pin", p_pin="8264", p_user_id=OPERATOR),
        lambda: call(db, "manager", "issue_badge", p_user_id=OPERATOR),
    ):
        call(db, "operator", "set_pin", p_pin=PIN)
        hello = by_pin(db, PIN)
        renew()
        with pytest.raises(Refused) as refused:
            call(db, "kiosk", "keep_person", headers=person(hello))
        assert refused.value.code == "station.locked"


def test_the_station_of_an_event_is_the_tablet_whatever_it_says(db: psycopg.Connection) -> None:
    make_order(db)
    headers = person(by_pin(db, PIN)) | {"x-takt-station": "elsewhere"}
    call(db, "kiosk", "scan", p_code="bannos-18617", p_station="elsewhere", headers=headers)
    rows = db.execute("select distinct station from public.events where stream = 'order'")
    assert rows.fetchall() == [("kiosk",)]


def test_a_stolen_tablet_locks_nobody_out_who_does_not_work_there(db: psycopg.Connection) -> None:
    db.execute("insert into public.sites (code, name) values ('other', 'Other')")
    db.execute(
        "insert into public.stores (code, site, name, scan_prefix)"
        " values ('else', 'other', 'Else', 'E')"
    )
    db.execute("update public.staff_shared set stores = '{else}' where user_id = %s", (OPERATOR,))
    for _ in range(6):
        with pytest.raises(Refused) as refused:
            by_pin(db, "9999")
        assert refused.value.code == "person.not_here"
    assert db.execute("select max(failed_attempts) from private.staff_secrets").fetchone() == (0,)


def test_after_very_many_wrong_guesses_it_still_locks_for_a_day(db: psycopg.Connection) -> None:
    db.execute("update private.staff_secrets set failed_attempts = 999")
    assert by_pin(db, "9999")["hint"] == "person.locked"
    in_a_day = "select locked_until > now() + interval '23 hours' from private.staff_secrets"
    assert db.execute(in_a_day).fetchone() == (True,)


def test_a_station_hears_what_the_person_there_may_hear(db: psycopg.Connection) -> None:
    topic = "select private.may_listen('site:main:order')"
    with acting_as(db, "kiosk") as kiosk:
        assert kiosk.execute(topic).fetchone() == (False,)
    by_pin(db, PIN)
    with acting_as(db, "kiosk") as kiosk:
        assert kiosk.execute(topic).fetchone() == (True,)
    db.execute("update private.person_sessions set expires_at = now()")
    with acting_as(db, "kiosk") as kiosk:
        assert kiosk.execute(topic).fetchone() == (False,)


def test_the_token_works_at_its_own_station_only_and_ends(db: psycopg.Connection) -> None:
    hello = by_pin(db, PIN)
    me = call(db, "operator", "whoami", headers=person(hello))
    assert me["role"] == "operator", "elsewhere the header means nothing"
    assert call(db, "kiosk", "keep_person", headers=person(hello)) is not None
    assert call(db, "kiosk", "leave_station") is True
    assert call(db, "kiosk", "leave_station") is False
    with pytest.raises(Refused) as refused:
        call(db, "kiosk", "whoami", headers=person(hello))
    assert (refused.value.status, refused.value.code) == (401, "station.locked")


def test_the_station_locks_by_itself_and_a_disabled_person_is_out_at_once(
    db: psycopg.Connection,
) -> None:
    hello = by_pin(db, PIN)
    call(db, "admin", "set_staff_active", p_user_id=OPERATOR, p_is_active=False)
    with pytest.raises(Refused) as refused:
        call(db, "kiosk", "whoami", headers=person(hello))
    assert refused.value.code == "station.locked"
    call(db, "admin", "set_staff_active", p_user_id=OPERATOR, p_is_active=True)
    call(db, "kiosk", "whoami", headers=person(hello))
    db.execute("update private.person_sessions set expires_at = now()")
    with pytest.raises(Refused) as refused:
        call(db, "kiosk", "whoami", headers=person(hello))
    assert refused.value.code == "station.locked"


def test_the_next_person_replaces_the_one_before(db: psycopg.Connection) -> None:
    first = by_pin(db, PIN)
    badge = call(db, "manager", "issue_badge", p_user_id=USER_IDS["technician"])
    second = call(db, "kiosk", "identify_by_badge", p_badge=badge.lower())
    assert second["full_name"] == "Technician"
    with pytest.raises(Refused) as refused:
        call(db, "kiosk", "whoami", headers=person(first))
    assert refused.value.code == "station.locked"
    with pytest.raises(Refused) as refused:
        call(db, "kiosk", "identify_by_badge", p_badge="TB-AAAA")
    assert (refused.value.status, refused.value.code) == (404, "person.unknown_badge")


def test_wrong_pins_are_counted_before_they_are_checked_and_lock(db: psycopg.Connection) -> None:
    for left in (4, 3, 2, 1):
        wrong = by_pin(db, "9999")
        assert (wrong["status"], wrong["hint"]) == (403, "person.wrong_pin")
        assert wrong["details"] == {"left": left}
    assert by_pin(db, "9999")["hint"] == "person.locked"
    assert by_pin(db, PIN)["hint"] == "person.locked", "even the right one has to wait"
    db.execute("update private.staff_secrets set locked_until = now()")
    assert by_pin(db, PIN)["ok"] is True
    assert by_pin(db, "9999")["details"] == {"left": 4}, "a right PIN clears the count"


def test_a_burst_of_parallel_guesses_is_capped(clone: Clone) -> None:
    with clone.connect() as connection:
        call(connection, "operator", "set_pin", p_pin=PIN)

    def guess(n: int) -> str:
        with clone.connect() as connection:
            return str(by_pin(connection, f"{n:04}")["hint"])

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(guess, range(40)))
    assert answers.count("person.wrong_pin") == 4
    assert answers.count("person.locked") == 36


def test_nobody_is_more_than_a_supervisor_at_a_station(db: psycopg.Connection) -> None:
    call(db, "admin", "set_pin", p_pin="8246")
    hello = by_pin(db, "8246", "admin")
    assert hello["role"] == "supervisor"
    with pytest.raises(Refused) as refused:
        call(db, "kiosk", "set_role_permission", p_role="viewer", p_permission="orders.cancel",
             p_granted=True, headers=person(hello))  # fmt: skip
    assert refused.value.code == "auth.forbidden"
    with pytest.raises(Refused) as refused:
        call(db, "kiosk", "set_pin", p_pin="8247", headers=person(hello))
    assert refused.value.code == "person.not_at_station"


@pytest.mark.parametrize("pin", ["123", "123456789", "1111", "1234", "9876", "12a4", ""])
def test_a_weak_pin_is_refused(db: psycopg.Connection, pin: str) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "operator", "set_pin", p_pin=pin)
    assert (refused.value.status, refused.value.code) == (422, "person.weak_pin")


def test_who_may_set_pins_and_badges(db: psycopg.Connection) -> None:
    assert call(db, "manager", "set_pin", p_pin="5926", p_user_id=OPERATOR) is True
    assert by_pin(db, "5926")["ok"] is True
    for who, target, code in (
        ("operator", "technician", "auth.forbidden"),
        ("manager", "admin", "staff.rank"),
        ("manager", "stranger", "staff.unknown"),
    ):
        for rpc, more in (("set_pin", {"p_pin": "5926"}), ("issue_badge", {})):
            with pytest.raises(Refused) as refused:
                call(db, who, rpc, p_user_id=USER_IDS[target], **more)
            assert refused.value.code == code


def test_pins_are_for_stations_and_people_of_the_site(db: psycopg.Connection) -> None:
    for who in ("operator", "print_agent"):
        with pytest.raises(Refused) as refused:
            call(db, who, "identify_by_pin", p_user_id=OPERATOR, p_pin=PIN)
        assert refused.value.code in ("station.not_a_station", "auth.forbidden")
    with pytest.raises(Refused) as refused:
        by_pin(db, PIN, "technician")
    assert (refused.value.status, refused.value.code) == (409, "person.no_pin")
    db.execute("update public.staff_shared set stores = '{}' where role = 'operator'")
    with pytest.raises(Refused) as refused:
        by_pin(db, PIN)
    assert refused.value.code == "person.not_here"


def test_no_secret_is_stored_in_the_clear_or_told(db: psycopg.Connection) -> None:
    badge = call(db, "manager", "issue_badge", p_user_id=OPERATOR)
    token = by_pin(db, PIN)["token"]
    kept = db.execute(
        "select string_agg(x, ' ') from (select s::text from private.staff_secrets s union all"
        " select p::text from private.person_sessions p union all"
        " select e::text from public.events e union all select c::text from private.commands c"
        ") as t (x)"
    ).fetchone()
    assert kept is not None
    for secret in (badge, token, f'"{PIN}"', f",{PIN},"):
        assert secret not in kept[0]
