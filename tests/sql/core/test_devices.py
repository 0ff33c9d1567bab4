"""Devices: a code that works once, an identity that can be taken away."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.sql.concurrency.together import together
from tests.support.databases import USER_IDS, Clone
from tests.support.rpc import Refused, call

NEW: dict[str, Any] = {
    "p_code": "printer-9",
    "p_kind": "print_agent",
    "p_name": "Printer 9",
    "p_site": "main",
}


def refused(db: psycopg.Connection, who: str, rpc: str, **arguments: Any) -> tuple[Any, Any]:
    with pytest.raises(Refused) as caught:
        call(db, who, rpc, **arguments)
    return caught.value.status, caught.value.code


def enrol(db: psycopg.Connection, code: str, who: str = "stranger") -> Any:
    return call(db, "service", "redeem_enrolment", p_enrolment_code=code, p_user_id=USER_IDS[who])


def test_a_device_enrols_works_and_is_revoked(db: psycopg.Connection) -> None:
    made = call(db, "manager", "create_device", **NEW)
    assert re.fullmatch(r"([A-HJKMNP-Z2-9]{4}-){3}[A-HJKMNP-Z2-9]{4}", made["enrolment_code"])
    assert refused(db, "stranger", "device_heartbeat") == (403, "auth.not_staff")
    # Typed in by hand: case, dashes and spaces do not matter.
    device = enrol(db, f" {made['enrolment_code'].lower().replace('-', ' ')} ")
    assert (device["code"], device["user_id"]) == ("printer-9", str(USER_IDS["stranger"]))
    alive = call(db, "stranger", "device_heartbeat", p_version="1.2", p_status={"queue": 3})
    assert (alive["version"], alive["status"]) == ("1.2", {"queue": 3})
    assert alive["last_seen_at"] is not None
    assert call(db, "stranger", "device_heartbeat")["version"] == "1.2", "kept when not said"
    for _ in range(2):
        gone = call(db, "manager", "revoke_device", p_code="printer-9")
        assert gone["revoked_at"] is not None
    assert refused(db, "stranger", "device_heartbeat") == (403, "auth.not_staff")
    told = db.execute("select event from public.events where stream = 'device' order by id")
    assert [r[0] for r in told] == ["device.created", "device.enrolled", "device.revoked"]


def test_a_code_works_once(db: psycopg.Connection) -> None:
    code = call(db, "manager", "create_device", **NEW)["enrolment_code"]
    enrol(db, code)
    arguments: dict[str, Any] = {"p_enrolment_code": code, "p_user_id": USER_IDS["stranger"]}
    assert refused(db, "service", "redeem_enrolment", **arguments) == (404, "device.bad_code")


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA", None])
def test_a_wrong_code_is_refused(db: psycopg.Connection, code: str | None) -> None:
    call(db, "manager", "create_device", **NEW)
    arguments: dict[str, Any] = {"p_enrolment_code": code, "p_user_id": USER_IDS["stranger"]}
    assert refused(db, "service", "redeem_enrolment", **arguments) == (404, "device.bad_code")


def test_a_code_expires_after_15_minutes(db: psycopg.Connection) -> None:
    made = call(db, "manager", "create_device", **NEW)
    row = db.execute(
        "update private.device_enrolments set expires_at = expires_at - interval '15 minutes'"
        " returning expires_at between now() - interval '1 minute' and now()"
    ).fetchone()
    assert row == (True,)
    arguments: dict[str, Any] = {
        "p_enrolment_code": made["enrolment_code"],
        "p_user_id": USER_IDS["stranger"],
    }
    assert refused(db, "service", "redeem_enrolment", **arguments) == (404, "device.bad_code")


def test_a_new_code_ends_the_old_one(db: psycopg.Connection) -> None:
    old = call(db, "manager", "create_device", **NEW)["enrolment_code"]
    new = call(db, "manager", "create_device", **NEW)["enrolment_code"]
    arguments: dict[str, Any] = {"p_enrolment_code": old, "p_user_id": USER_IDS["stranger"]}
    assert refused(db, "service", "redeem_enrolment", **arguments) == (404, "device.bad_code")
    assert enrol(db, new)["code"] == "printer-9"


def test_of_ten_takers_of_a_code_one_gets_the_device(clone: Clone, db: psycopg.Connection) -> None:
    code = call(db, "manager", "create_device", **NEW)["enrolment_code"]
    users = [UUID(int=0xC000 + n) for n in range(10)]
    for user in users:
        db.execute("insert into auth.users (id, email) values (%s, %s)", (user, f"{user}@x.test"))

    def take(connection: psycopg.Connection, number: int) -> str:
        try:
            return str(
                call(
                    connection,
                    "service",
                    "redeem_enrolment",
                    p_enrolment_code=code,
                    p_user_id=users[number],
                )["user_id"]
            )
        except Refused as caught:
            return str(caught.code)

    outcomes = together(clone, 10, take)
    assert outcomes.count("device.bad_code") == 9
    owner = db.execute("select user_id::text from public.devices where code = 'printer-9'")
    assert owner.fetchone() == (next(o for o in outcomes if o != "device.bad_code"),)


def test_a_code_in_use_is_not_given_again(db: psycopg.Connection) -> None:
    enrol(db, call(db, "manager", "create_device", **NEW)["enrolment_code"])
    assert refused(db, "manager", "create_device", **NEW) == (409, "device.exists")
    other: dict[str, Any] = NEW | {"p_code": "fresh"}
    call(db, "manager", "create_device", **other)
    assert refused(db, "manager", "create_device", **other | {"p_kind": "kiosk"}) == (
        409,
        "device.exists",
    )
    again: dict[str, Any] = NEW | {"p_code": "revoked_device", "p_kind": "kiosk"}
    assert refused(db, "manager", "create_device", **again) == (409, "device.exists")


def test_revoking_ends_an_open_code(db: psycopg.Connection) -> None:
    code = call(db, "manager", "create_device", **NEW)["enrolment_code"]
    call(db, "manager", "revoke_device", p_code="printer-9")
    arguments: dict[str, Any] = {"p_enrolment_code": code, "p_user_id": USER_IDS["stranger"]}
    assert refused(db, "service", "redeem_enrolment", **arguments) == (404, "device.bad_code")


def test_a_revoked_device_does_not_enrol(db: psycopg.Connection) -> None:
    code = call(db, "manager", "create_device", **NEW)["enrolment_code"]
    db.execute("update public.devices set revoked_at = now() where code = 'printer-9'")
    arguments: dict[str, Any] = {"p_enrolment_code": code, "p_user_id": USER_IDS["stranger"]}
    assert refused(db, "service", "redeem_enrolment", **arguments) == (409, "device.revoked")


def test_what_is_unknown(db: psycopg.Connection) -> None:
    assert refused(db, "manager", "revoke_device", p_code="ghost") == (404, "device.unknown")
    nowhere: dict[str, Any] = NEW | {"p_site": "nowhere"}
    assert refused(db, "manager", "create_device", **nowhere) == (404, "site.unknown")
    odd: dict[str, Any] = NEW | {"p_kind": "toaster"}
    with pytest.raises(Refused) as caught:
        call(db, "manager", "create_device", **odd)
    assert caught.value.constraint == "devices_kind_check"


def test_the_code_is_kept_nowhere(db: psycopg.Connection) -> None:
    code = call(db, "manager", "create_device", **NEW)["enrolment_code"]
    for table in (
        "public.events",
        "public.devices",
        "private.device_enrolments",
        "private.commands",
        "realtime.messages",
    ):
        rows = db.execute(f"select t::text from {table} t").fetchall()
        assert not any(code in row[0] or code.replace("-", "") in row[0] for row in rows), table
