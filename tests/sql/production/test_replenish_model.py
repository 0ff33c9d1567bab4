"""Whatever is lost, wherever and in whatever order: as much is made again, and no piece more."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.databases import Clone
from tests.support.production import (
    CUT,
    make_plant,
    order,
    order_row,
    quality,
    release,
    replenishments,
    report,
    selfcheck,
    set_setting,
)
from tests.support.rpc import Refused

QUANTITY = 8
_LOSSES = ("scrap", "return")
_SAFE = ("rework", "hold", "repair")
KNOWN = (
    "production.more_than_input",
    "production.not_released",
    "production.step_completed",
    "production.closed",
)
# What is done, to which order of the family (modulo how many there are), to how many pieces.
COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(("good", "release", *_LOSSES, *_SAFE)),
        st.integers(0, 5),
        st.integers(1, 3),
    ),
    min_size=4,
    max_size=10,
)


@pytest.fixture(scope="module")
def family_plant(module_clone: Clone) -> Iterator[psycopg.Connection]:
    """A plant without caps, shared by all examples; each has an order of its own."""
    with module_clone.connect() as db:
        make_plant(db, stock=100_000)
        set_setting(db, "production.replenish_generations", 100)
        set_setting(db, "production.replenish_cap_percent", 10_000)
        yield db
        assert selfcheck(db) == []


def act(db: psycopg.Connection, code: str, what: str, pieces: int) -> bool:
    """Do it at the saw; False when it was refused for a reason that the plant knows."""
    try:
        if what == "release":
            release(db, code)
        elif what == "good":
            report(db, code, CUT, good=pieces)
        else:
            quality(db, code, what, pieces, "manager")
    except Refused as refused:
        if refused.code not in KNOWN:
            raise
        return False
    return True


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(commands=COMMANDS)
def test_as_much_is_made_again_as_was_lost(
    family_plant: psycopg.Connection, commands: list[tuple[str, int, int]]
) -> None:
    db = family_plant
    root = order(db, QUANTITY)
    lost = 0
    for what, which, pieces in commands:
        family = [root, *(code for code, _, _ in replenishments(db, root))]
        code = family[which % len(family)]
        if act(db, code, what, pieces) and what in _LOSSES:
            lost += pieces
        made_again = replenishments(db, root)
        assert sum(quantity for _, quantity, _ in made_again) == lost
        unreleased = db.execute(
            "select count(*) from public.replenishments r where r.is_open and r.root_id ="
            " (select id from public.production_orders where code = %s)",
            (root,),
        ).fetchone()
        assert unreleased in ((0,), (1,))
        assert order_row(db, root)["quantity"] == QUANTITY
