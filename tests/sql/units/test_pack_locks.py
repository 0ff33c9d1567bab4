"""Each thing that can close the gate, begun before a pack or after it: one waits for the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.sql.units.waiting import SECONDS, blocked_by
from tests.support.databases import Clone
from tests.support.rpc import Refused, call
from tests.support.units import (
    flash,
    kit,
    measure,
    new_unit,
    pack,
    put_rules,
    scan_kit,
    status_of,
    to_status,
    variant,
)

KIT = "KIT-LOCKS"


def _hold(db: psycopg.Connection, sn: str) -> Any:
    return call(db, "supervisor", "hold_unit", p_sn=sn, p_reason="scratch")


def _inner(db: psycopg.Connection, sn: str) -> Any:
    (inner,) = db.execute(
        "select component_sn from public.unit_components where sn = %s and component_sn <> ''",
        (sn,),
    ).fetchone() or ("",)
    return _hold(db, inner)


# What closes the gate → the blocker that the pack then meets.
CLOSERS: dict[str, tuple[Callable[[psycopg.Connection, str], Any], str]] = {
    "a test fails": (lambda db, sn: measure(db, sn, "FAIL"), "TEST_NOT_PASS"),
    "it is flashed": (flash, "NO_TEST_RUN"),
    "it is held": (_hold, "UNIT_ON_HOLD"),
    "a unit inside is held": (_inner, "COMPONENT_ON_HOLD"),
    "a lot inside is held": (
        lambda db, _: call(db, "supervisor", "hold_lot", p_code="L-1", p_reason="swollen"),
        "COMPONENT_ON_HOLD",
    ),
    "another kit is scanned": (
        lambda db, sn: call(db, "operator", "scan_pack_kit", p_sn=sn, p_kit_id="none"),
        "PACK_KIT_INVALID",
    ),
    "the kit is taken out of use": (
        lambda db, _: call(db, "planner", "set_kit_active", p_kit_id=KIT, p_is_active=False),
        "PACK_KIT_INVALID",
    ),
    "the rules become stricter": (
        lambda db, _: put_rules(db, "FX-EU", {"allowed_hw_revs": ["C"]}),
        "HW_REV_NOT_ALLOWED",
    ),
    "the variant is no longer made": (
        lambda db, _: call(db, "planner", "upsert_variant", p_code="FX-EU", p_is_active=False),
        "VARIANT_NOT_FOUND",
    ),
}


def ready(db: psycopg.Connection) -> str:
    """A unit with a lot and a unit inside; its gate is open."""
    variant(db)
    for sku in ("CELL", "BOARD"):
        call(db, "planner", "upsert_item", p_sku=sku, p_title=sku)
    call(db, "operator", "upsert_lot", p_sku="CELL", p_code="L-1")
    inner, sn = new_unit(db, None), new_unit(db)
    call(db, "operator", "install_component", p_sn=sn, p_lot="L-1")
    call(db, "operator", "install_component", p_sn=sn, p_sku="BOARD", p_component_sn=inner)
    to_status(db, "TEST_PASS", sn)
    scan_kit(db, sn, kit(db, KIT))
    return sn


@pytest.mark.parametrize("closer", CLOSERS)
def test_what_was_begun_first_is_decided_first(
    clone: Clone, db: psycopg.Connection, closer: str
) -> None:
    close, code = CLOSERS[closer]
    sn = ready(db)
    with clone.connect() as other, ThreadPoolExecutor(1) as pool:
        with db.transaction():
            close(db, sn)
            later = pool.submit(pack, other, sn)
            blocked_by(db, later)
        answer = later.result(SECONDS)
    assert answer["allowed"] is False
    assert code in [b["code"] for b in answer["blockers"]]
    assert status_of(db, sn) != "PACKED"


@pytest.mark.parametrize("closer", CLOSERS)
def test_a_pack_that_was_begun_first_stands(
    clone: Clone, db: psycopg.Connection, closer: str
) -> None:
    close, _ = CLOSERS[closer]
    sn = ready(db)
    with clone.connect() as other, ThreadPoolExecutor(1) as pool:
        with db.transaction():
            assert pack(db, sn)["allowed"]
            later = pool.submit(close, other, sn)
            blocked_by(db, later)
        refused = later.exception(SECONDS)
    if refused is not None:  # some may be done to a packed unit, others not
        assert isinstance(refused, Refused)
        assert refused.code == "unit.wrong_state"
    packed = db.execute("select packed_at is not null from public.units where sn = %s", (sn,))
    assert packed.fetchone() == (True,)
