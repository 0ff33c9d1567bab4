"""People who try: to rise, to lend their place, to rewrite history."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql

from services.local.postgres import SUPERUSER
from tests.support.databases import USER_IDS, Clone
from tests.support.rpc import Refused, acting_as, call


def refusal(db: psycopg.Connection, who: str, rpc: str, **arguments: Any) -> str | None:
    """The code of the refusal; None when the call was let through (and rolled back)."""
    try:
        with db.transaction(force_rollback=True):
            call(db, who, rpc, **arguments)
    except Refused as refused:
        return refused.code
    return None


def staff(who: str, role: str, stores: list[str] | None = None) -> dict[str, Any]:
    return {
        "p_user_id": USER_IDS[who],
        "p_full_name": who.title(),
        "p_email": f"{who}@takt.localhost",
        "p_role": role,
        "p_stores": stores or ["*"],
    }


ESCALATIONS: list[tuple[str, str, dict[str, Any], str]] = [
    ("operator", "upsert_staff", staff("operator", "admin"), "auth.forbidden"),
    ("stranger", "upsert_staff", staff("stranger", "admin"), "auth.not_staff"),
    ("disabled", "upsert_staff", staff("disabled", "operator"), "auth.not_staff"),
    ("manager", "upsert_staff", staff("manager", "admin"), "staff.rank"),
    ("manager", "upsert_staff", staff("stranger", "admin"), "staff.rank"),
    ("manager", "upsert_staff", staff("admin", "viewer"), "staff.rank"),
    ("manager", "set_staff_active", {"p_user_id": USER_IDS["admin"], "p_is_active": False},
     "staff.rank"),
    ("admin", "upsert_staff", staff("stranger", "service"), "staff.unknown_role"),
    ("admin", "upsert_staff", staff("stranger", "device.kiosk"), "staff.unknown_role"),
    ("admin", "upsert_staff", staff("stranger", "operator", ["nowhere"]), "staff.unknown_store"),
    ("manager", "set_role_permission",
     {"p_role": "manager", "p_permission": "roles.manage", "p_granted": True}, "auth.forbidden"),
    ("operator", "set_role_permission",
     {"p_role": "operator", "p_permission": "staff.manage", "p_granted": True}, "auth.forbidden"),
    ("admin", "set_role_permission",
     {"p_role": "service", "p_permission": "orders.edit", "p_granted": True}, "roles.fixed"),
    ("kiosk", "complete_filling", {"p_order_id": "bannos-18617"}, "auth.forbidden"),
    ("print_agent", "get_queue", {}, "auth.forbidden"),
    ("bambu_bridge", "upsert_staff", staff("stranger", "viewer"), "auth.forbidden"),
    ("revoked_device", "device_heartbeat", {}, "auth.not_staff"),
]  # fmt: skip


@pytest.mark.parametrize(("who", "rpc", "arguments", "code"), ESCALATIONS)
def test_nobody_rises(
    plant: psycopg.Connection, who: str, rpc: str, arguments: dict[str, Any], code: str
) -> None:
    assert refusal(plant, who, rpc, **arguments) == code


def test_who_may_do_it_can(plant: psycopg.Connection) -> None:
    """Positive controls of the refusals above."""
    assert refusal(plant, "manager", "upsert_staff", **staff("stranger", "manager")) is None
    assert refusal(plant, "admin", "upsert_staff", **staff("stranger", "admin")) is None
    grant = {"p_role": "manager", "p_permission": "roles.manage", "p_granted": True}
    assert refusal(plant, "admin", "set_role_permission", **grant) is None


class TestAManagerOfOneStore:
    @pytest.fixture(autouse=True)
    def one_store(self, plant: psycopg.Connection) -> Any:
        with plant.transaction(force_rollback=True):
            plant.execute(
                "update public.staff_shared set stores = '{flourlane}' where role = 'manager'"
            )
            yield

    @pytest.mark.parametrize("stores", [["*"], ["bannos"], ["flourlane", "bannos"]])
    @pytest.mark.parametrize("whom", ["manager", "stranger"])
    def test_hands_out_no_other_store(
        self, plant: psycopg.Connection, whom: str, stores: list[str]
    ) -> None:
        arguments = staff(whom, "operator", stores)
        assert refusal(plant, "manager", "upsert_staff", **arguments) == "auth.other_store"

    def test_touches_nobody_of_another_store(self, plant: psycopg.Connection) -> None:
        arguments = staff("operator", "operator", ["flourlane"])
        assert refusal(plant, "manager", "upsert_staff", **arguments) == "auth.other_store"
        off = {"p_user_id": USER_IDS["operator"], "p_is_active": False}
        assert refusal(plant, "manager", "set_staff_active", **off) == "auth.other_store"

    def test_manages_the_own_store(self, plant: psycopg.Connection) -> None:
        arguments = staff("flourlane_operator", "supervisor", ["flourlane"])
        assert refusal(plant, "manager", "upsert_staff", **arguments) is None
        off = {"p_user_id": USER_IDS["flourlane_operator"], "p_is_active": False}
        assert refusal(plant, "manager", "set_staff_active", **off) is None


def whoami_with(db: psycopg.Connection, claims: dict[str, Any]) -> str | None:
    """What whoami says to somebody with these claims: None, or the refusal."""
    try:
        with acting_as(db, "stranger"):
            db.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
            db.execute("select public.whoami()")
    except Refused as refused:
        return f"{refused.sqlstate} {refused.code}"
    return None


def test_metadata_in_the_token_gives_no_right(plant: psycopg.Connection) -> None:
    claims = {
        "role": "authenticated",
        "sub": str(USER_IDS["stranger"]),
        "app_metadata": {"role": "admin"},
        "user_metadata": {"role": "admin", "stores": ["*"]},
        "staff_role": "admin",
    }
    assert whoami_with(plant, claims) == "PT403 auth.not_staff"


def test_without_a_user_the_guard_asks_to_sign_in(plant: psycopg.Connection) -> None:
    assert whoami_with(plant, {"role": "authenticated"}) == "PT401 auth.required"
    assert whoami_with(plant, {}) == "PT401 auth.required"


def test_a_disabled_person_is_out_at_the_next_call(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        assert call(plant, "operator", "whoami")["role"] == "operator"
        off: dict[str, Any] = {"p_user_id": USER_IDS["operator"], "p_is_active": False}
        call(plant, "manager", "set_staff_active", **off)
        assert refusal(plant, "operator", "whoami") == "auth.not_staff"
        with acting_as(plant, "operator"):
            assert plant.execute("select 1 from public.orders").fetchall() == []


def test_a_taken_permission_is_gone_at_the_next_call(plant: psycopg.Connection) -> None:
    with plant.transaction(force_rollback=True):
        call(
            plant,
            "admin",
            "set_role_permission",
            p_role="viewer",
            p_permission="orders.read",
            p_granted=False,
        )
        assert refusal(plant, "viewer", "get_queue") == "auth.forbidden"
        with acting_as(plant, "viewer"):
            assert plant.execute("select 1 from public.orders").fetchall() == []


REWRITES = ["update {} set event = 'x'", "delete from {}", "truncate {}"]


@pytest.mark.parametrize("login", ["postgres", SUPERUSER])
@pytest.mark.parametrize("statement", REWRITES)
def test_nobody_rewrites_events(
    module_clone: Clone, plant: psycopg.Connection, login: str, statement: str
) -> None:
    partitions = plant.execute(
        "select n.nspname, c.relname from pg_catalog.pg_inherits i"
        " join pg_catalog.pg_class c on c.oid = i.inhrelid"
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
        " where i.inhparent = 'public.events'::regclass"
    ).fetchall()
    assert len(partitions) >= 5
    with module_clone.connect(login) as owner:
        for relation in [("public", "events"), *partitions]:
            with pytest.raises(psycopg.Error) as refused, owner.transaction():
                owner.execute(sql.SQL(statement).format(sql.Identifier(*relation)))
            assert refused.value.diag.message_hint == "events.append_only", relation


def test_an_api_role_sends_no_broadcast(plant: psycopg.Connection) -> None:
    for who in ("operator", "admin", "kiosk", "anon"):
        with pytest.raises(Refused) as refused, acting_as(plant, who):
            plant.execute(
                "insert into realtime.messages (topic, extension, event, payload, private)"
                " values ('site:main:order', 'broadcast', 'x', '{}', true)"
            )
        assert refused.value.sqlstate == "42501"


TOPICS = [
    ("site:main:order", "operator", True),
    ("site:main:settings", "kiosk", True),
    ("site:main:order", "print_agent", False),
    ("site:main:staff", "operator", False),
    ("site:main:staff", "manager", True),
    ("site:main:order", "stranger", False),
    ("site:main:order", "disabled", False),
    ("site:main:order", "revoked_device", False),
    ("site:other:order", "kiosk", False),
    ("site:other:order", "flourlane_operator", False),
    ("anything", "admin", False),
]


@pytest.mark.parametrize(("topic", "who", "may"), TOPICS)
def test_who_may_listen(plant: psycopg.Connection, topic: str, who: str, may: bool) -> None:
    with acting_as(plant, who):
        row = plant.execute("select private.may_listen(%s)", (topic,)).fetchone()
    assert row == (may,)
