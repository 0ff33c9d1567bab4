"""People: the first admin, ranks, the last admin, what roles may do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.sql.concurrency.together import together
from tests.support.databases import STAFF_ROLES, USER_IDS, Clone
from tests.support.rpc import Refused, call

TAKERS = 20


def refused(db: psycopg.Connection, who: str, rpc: str, **arguments: Any) -> tuple[Any, Any]:
    with pytest.raises(Refused) as caught:
        call(db, who, rpc, **arguments)
    return caught.value.status, caught.value.code


def staff(who: str, role: str) -> dict[str, Any]:
    return {"p_user_id": USER_IDS[who], "p_full_name": who.title(), "p_email": None,
            "p_role": role, "p_stores": ["*"]}  # fmt: skip


def admins(db: psycopg.Connection) -> int:
    row = db.execute(
        "select count(*) from public.staff_shared where role = 'admin' and is_active"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_of_20_who_bootstrap_at_once_one_becomes_admin(
    clone: Clone, db: psycopg.Connection
) -> None:
    db.execute("update public.staff_shared set is_active = false where role = 'admin'")
    users = [UUID(int=0xB000 + n) for n in range(TAKERS)]
    for user in users:
        db.execute("insert into auth.users (id, email) values (%s, %s)", (user, f"{user}@x.test"))

    def take(connection: psycopg.Connection, number: int) -> Any:
        try:
            return call(
                connection,
                "service",
                "bootstrap_admin",
                p_user_id=users[number],
                p_full_name=f"Taker {number}",
                p_email=None,
            )["user_id"]
        except Refused as caught:
            return caught.code

    outcomes = together(clone, TAKERS, take)
    assert outcomes.count("staff.admin_exists") == TAKERS - 1
    assert admins(db) == 1
    told = db.execute("select stream_id from public.events where event = 'staff.bootstrapped'")
    assert [row[0] for row in told] == [o for o in outcomes if o != "staff.admin_exists"]


def test_there_is_no_bootstrap_while_an_admin_exists(db: psycopg.Connection) -> None:
    arguments: dict[str, Any] = {
        "p_user_id": USER_IDS["stranger"],
        "p_full_name": "S",
        "p_email": None,
    }
    assert refused(db, "service", "bootstrap_admin", **arguments) == (409, "staff.admin_exists")


def test_the_last_admin_stays(db: psycopg.Connection) -> None:
    me = USER_IDS["admin"]
    assert refused(db, "admin", "upsert_staff", **staff("admin", "manager")) == (
        409,
        "staff.last_admin",
    )
    assert refused(db, "admin", "set_staff_active", p_user_id=me, p_is_active=False) == (
        409,
        "staff.last_admin",
    )
    call(db, "admin", "upsert_staff", **staff("manager", "admin"))
    call(db, "admin", "upsert_staff", **staff("admin", "manager"))
    assert admins(db) == 1


def test_two_admins_who_demote_each_other_leave_one(clone: Clone, db: psycopg.Connection) -> None:
    call(db, "admin", "upsert_staff", **staff("manager", "admin"))
    pair = ("admin", "manager")

    def demote(connection: psycopg.Connection, number: int) -> str | None:
        try:
            call(connection, pair[number], "upsert_staff", **staff(pair[1 - number], "viewer"))
        except Refused as caught:
            return caught.code
        return None

    outcomes = together(clone, 2, demote)
    assert admins(db) == 1
    assert sorted(map(str, outcomes)) in (
        ["None", "staff.rank"],
        ["None", "staff.last_admin"],
        ["None", "auth.forbidden"],
    )


def test_saving_a_person_is_told_and_repeats_change_nothing(db: psycopg.Connection) -> None:
    arguments = staff("stranger", "operator") | {"p_request_id": UUID(int=7)}
    first = call(db, "manager", "upsert_staff", **arguments)
    assert (first["role"], first["is_active"], first["version"]) == ("operator", True, 1)
    assert call(db, "manager", "upsert_staff", **arguments) == first
    assert call(db, "stranger", "whoami")["role"] == "operator"
    told = db.execute("select payload from public.events where event = 'staff.saved'").fetchall()
    assert len(told) == 1
    assert told[0][0]["after"]["role"] == "operator"


def test_disabling_and_enabling(db: psycopg.Connection) -> None:
    arguments: dict[str, Any] = {"p_user_id": USER_IDS["operator"], "p_is_active": False}
    call(db, "manager", "set_staff_active", **arguments)
    call(db, "manager", "set_staff_active", **arguments)
    assert refused(db, "operator", "whoami") == (403, "auth.not_staff")
    call(db, "manager", "set_staff_active", **{**arguments, "p_is_active": True})
    assert call(db, "operator", "whoami")["role"] == "operator"
    told = db.execute("select event from public.events where stream = 'staff' order by id")
    assert [row[0] for row in told] == ["staff.disabled", "staff.enabled"]


WRONG: list[tuple[str, str, dict[str, Any], tuple[int, str]]] = [
    ("manager", "set_staff_active", {"p_user_id": UUID(int=1), "p_is_active": True},
     (404, "staff.unknown")),
    ("manager", "upsert_staff", staff("stranger", "king"), (422, "staff.unknown_role")),
    ("manager", "upsert_staff", staff("stranger", "admin"), (403, "staff.rank")),
    ("admin", "upsert_staff", staff("stranger", "viewer") | {"p_stores": ["bannos", "x"]},
     (422, "staff.unknown_store")),
    ("admin", "set_role_permission",
     {"p_role": "king", "p_permission": "orders.edit", "p_granted": True}, (404, "roles.unknown")),
    ("admin", "set_role_permission",
     {"p_role": "viewer", "p_permission": "no.such", "p_granted": True}, (404, "roles.unknown")),
    ("admin", "set_role_permission",
     {"p_role": "admin", "p_permission": "roles.manage", "p_granted": False},
     (409, "roles.fixed")),
    ("admin", "set_role_permission",
     {"p_role": "service", "p_permission": "work.run", "p_granted": False}, (409, "roles.fixed")),
]  # fmt: skip


@pytest.mark.parametrize(("who", "rpc", "arguments", "expected"), WRONG)
def test_what_is_refused(
    db: psycopg.Connection, who: str, rpc: str, arguments: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert refused(db, who, rpc, **arguments) == expected


def test_a_permission_given_and_taken_works_at_the_next_call(db: psycopg.Connection) -> None:
    arguments: dict[str, Any] = {
        "p_role": "viewer",
        "p_permission": "queue.manage",
        "p_granted": True,
    }
    assert refused(db, "viewer", "requeue_work", p_id=1) == (403, "auth.forbidden")
    for _ in range(2):
        assert call(db, "admin", "set_role_permission", **arguments) is True
    assert refused(db, "viewer", "requeue_work", p_id=1) == (404, "work.unknown")
    for _ in range(2):
        taken = call(db, "admin", "set_role_permission", **{**arguments, "p_granted": False})
        assert taken is False
    assert refused(db, "viewer", "requeue_work", p_id=1) == (403, "auth.forbidden")
    told = db.execute("select event from public.events where stream = 'role' order by id")
    assert [row[0] for row in told] == ["role.granted", "role.revoked"], "a repeat tells nothing"


@pytest.mark.parametrize("who", [*STAFF_ROLES, "flourlane_operator", "kiosk"])
def test_whoami_tells_what_the_client_shows(db: psycopg.Connection, who: str) -> None:
    me = call(db, who, "whoami")
    assert me["user_id"] == str(USER_IDS[who])
    stores = ["flourlane"] if who == "flourlane_operator" else ["bannos", "flourlane"]
    assert sorted(me["stores"]) == stores
    assert me["site"] == ("main" if who == "kiosk" else None)
    assert "plant.read" in me["permissions"]
    assert me["permissions"] == sorted(me["permissions"])
