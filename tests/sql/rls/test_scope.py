"""A person of one store never sees, and never touches, the other store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.sql.rls.matrix import GRANTS, rpcs
from tests.sql.rls.rpc_grid import BY_NAME, BY_TYPE
from tests.support.databases import USER_IDS
from tests.support.orders import ticket
from tests.support.rpc import Refused, acting_as, call

WHO = "flourlane_operator"


@pytest.fixture
def supervisor(plant: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The person of flourlane may do everything that is done to orders, in flourlane."""
    with plant.transaction(force_rollback=True):
        plant.execute(
            "update public.staff_shared set role = 'supervisor' where user_id = %s",
            (USER_IDS[WHO],),
        )
        plant.execute(
            "insert into public.role_permissions select 'supervisor', permission"
            " from public.permissions on conflict do nothing"
        )
        yield plant


def stores_in(answer: Any) -> set[str]:
    """Every value of a key `store` (and of order ids) anywhere in an answer."""
    if isinstance(answer, dict):
        own = {answer["store"]} if isinstance(answer.get("store"), str) else set()
        return own.union(*(stores_in(v) for v in answer.values()))
    if isinstance(answer, list):
        return set().union(*(stores_in(v) for v in answer))
    return {"bannos"} if isinstance(answer, str) and answer.startswith("bannos") else set()


READS: list[tuple[str, dict[str, Any]]] = [
    ("get_queue", {}),
    ("get_queue", {"p_search": "18617"}),
    ("get_unassigned_list", {}),
    ("get_orders_for_dashboard", {"p_with_total": True}),
    ("get_stage_counts", {}),
    ("get_unassigned_counts", {}),
    ("get_order_for_scan", {"p_scan": "18617"}),
    ("get_order_fulfilment", {}),
    ("events_since", {}),
    ("whoami", {}),
]


@pytest.mark.parametrize(("rpc", "arguments"), READS)
def test_reads_stay_in_the_own_store(
    plant: psycopg.Connection, rpc: str, arguments: dict[str, Any]
) -> None:
    mine = call(plant, WHO, rpc, **arguments)
    everything = call(plant, "operator", rpc, **arguments)
    text_of = stores_in({"answer": mine}) | set(mine["stores"] if rpc == "whoami" else ())
    assert text_of == {"flourlane"}
    others = stores_in({"answer": everything}) | set(
        everything["stores"] if rpc == "whoami" else ()
    )
    assert "bannos" in others, "the other store's rows are there for those who may see them"


def test_the_total_counts_only_the_own_store(plant: psycopg.Connection) -> None:
    mine = call(plant, WHO, "get_queue", p_with_total=True)
    assert mine["total"] == len(mine["orders"])


@pytest.mark.parametrize("relation", ["orders", "events", "stage_events", "settings"])
def test_an_unfiltered_select_shows_only_the_own_store(
    plant: psycopg.Connection, relation: str
) -> None:
    query = sql.SQL("select distinct store from public.{}").format(sql.Identifier(relation))
    with acting_as(plant, WHO):
        mine = {row[0] for row in plant.execute(query).fetchall()}
    with acting_as(plant, "admin"):
        everything = {row[0] for row in plant.execute(query).fetchall()}
    assert mine - {None} == {"flourlane"}
    assert everything >= {"bannos", "flourlane"}


def test_every_rpc_with_an_order_id_refuses_the_other_stores_ticket(
    supervisor: psycopg.Connection,
) -> None:
    before = ticket(supervisor, "bannos-18617")
    outcome = {}
    for rpc in rpcs(supervisor):
        name = next((n for n in ("p_order_id", "p_order_ids") if n in rpc.arguments), None)
        if name is None or "authenticated" not in GRANTS.get(rpc.name, ()):
            continue
        arguments = {n: BY_NAME.get(n, BY_TYPE.get(t)) for n, t in rpc.required.items()}
        arguments[name] = BY_NAME[name]
        if "p_staff_id" in rpc.arguments:
            arguments["p_staff_id"] = USER_IDS[WHO]
        outcome[rpc.name] = _outcome(supervisor, rpc.name, arguments)
        arguments[name] = _flourlane(BY_NAME[name])
        control = _outcome(supervisor, rpc.name, arguments)
        assert not str(control).startswith("auth."), f"{rpc.name}: no positive control ({control})"
    assert len(outcome) >= 20
    assert set(outcome.values()) == {"auth.other_store"}, outcome
    assert ticket(supervisor, "bannos-18617") == before


def test_every_rpc_with_a_store_refuses_the_other_one(supervisor: psycopg.Connection) -> None:
    outcome = {}
    for rpc in rpcs(supervisor):
        if "p_store" not in rpc.arguments or "authenticated" not in GRANTS[rpc.name]:
            continue
        arguments = {n: BY_NAME.get(n, BY_TYPE.get(t)) for n, t in rpc.required.items()}
        outcome[rpc.name] = _outcome(supervisor, rpc.name, arguments | {"p_store": "bannos"})
        control = _outcome(supervisor, rpc.name, arguments | {"p_store": "flourlane"})
        assert not str(control).startswith("auth."), f"{rpc.name}: no positive control ({control})"
    assert len(outcome) >= 12
    assert set(outcome.values()) == {"auth.other_store"}, outcome


@pytest.mark.parametrize("relation", ["shop_tokens", "channel_orders", "sync_runs"])
def test_the_other_stores_shop_is_not_seen(supervisor: psycopg.Connection, relation: str) -> None:
    query = sql.SQL("select distinct store from public.{}").format(sql.Identifier(relation))
    everything = {row[0] for row in supervisor.execute(query).fetchall()}
    with acting_as(supervisor, WHO):
        mine = {row[0] for row in supervisor.execute(query).fetchall()}
    assert mine == {"flourlane"}
    assert everything == {"bannos", "flourlane"}


@pytest.mark.parametrize("rpc", ["list_inbox", "channel_status"])
def test_the_other_stores_inbox_is_not_told(supervisor: psycopg.Connection, rpc: str) -> None:
    assert stores_in(call(supervisor, WHO, rpc)) == {"flourlane"}


def test_the_other_stores_webhook_is_not_shown(supervisor: psycopg.Connection) -> None:
    ids: dict[str, int] = dict(
        supervisor.execute("select store, id from private.webhook_inbox").fetchall()
    )
    refused = _outcome(supervisor, "get_inbox_body", {"p_id": ids["bannos"]})
    assert refused == "auth.other_store"
    assert _outcome(supervisor, "get_inbox_body", {"p_id": ids["flourlane"]}) == "allowed"


def test_a_mixed_bulk_changes_nothing(supervisor: psycopg.Connection) -> None:
    ids = ["flourlane-18617", "bannos-18617"]
    with pytest.raises(Refused) as refused:
        call(supervisor, WHO, "assign_staff_bulk", p_order_ids=ids, p_staff_id=USER_IDS[WHO])
    assert refused.value.code == "auth.other_store"
    assert ticket(supervisor, "flourlane-18617")["assignee_id"] is None


@pytest.mark.parametrize("code", ["bannos-18617", "#B18617", "BANNOS-18617"])
def test_a_scan_of_the_other_stores_ticket_is_refused_and_remembered(
    plant: psycopg.Connection, code: str
) -> None:
    with plant.transaction(force_rollback=True):
        before = ticket(plant, "bannos-18617")
        answer = call(plant, WHO, "scan", p_code=code)
        assert (answer["status"], answer["hint"]) == (403, "auth.other_store")
        assert (answer["order_row"] or {}).get("id") is None, "nothing of the ticket is told"
        plant.execute("reset role")
        remembered = plant.execute(
            "select payload ->> 'reason' from public.events order by id desc limit 1"
        ).fetchone()
        assert remembered == ("auth.other_store",)
        assert ticket(plant, "bannos-18617") == before


@pytest.mark.parametrize("rpc", ["get_queue", "get_stage_counts", "get_settings"])
def test_naming_the_other_store_is_refused(plant: psycopg.Connection, rpc: str) -> None:
    with pytest.raises(Refused) as refused:
        call(plant, WHO, rpc, p_store="bannos")
    assert refused.value.code == "auth.other_store"


def _flourlane(value: Any) -> Any:
    return [_flourlane(v) for v in value] if isinstance(value, list) else "flourlane-18617"


def _outcome(db: psycopg.Connection, rpc: str, arguments: dict[str, Any]) -> str | None:
    try:
        with db.transaction(force_rollback=True):
            call(db, WHO, rpc, **arguments)
    except Refused as refused:
        return refused.code or refused.sqlstate
    return "allowed"
