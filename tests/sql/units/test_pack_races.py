"""Whatever happens at the same instant: no unit is packed whose gate was closed at its commit."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
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
    to_status,
    variant,
)

SESSIONS, ROUNDS = 10, 30
# What a busy line meets: somebody else was faster. A deadlock is none of them.
LOST_RACES = {"unit.wrong_state", "unit.on_hold", "unit.changed"}


def test_one_kit_is_packed_once(clone: Clone, db: psycopg.Connection) -> None:
    variant(db)
    units = [to_status(db, "TEST_PASS") for _ in range(8)]
    name = kit(db)
    for sn in units:
        scan_kit(db, sn, name)
    answers = together(clone, len(units), lambda c, n: pack(c, units[n]))
    assert Counter(a["allowed"] for a in answers) == {True: 1, False: len(units) - 1}
    codes = {b["code"] for a in answers for b in a["blockers"]}
    assert codes == {"KIT_ALREADY_USED"}


def test_packed_once_by_many(clone: Clone, db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "TEST_PASS")
    scan_kit(db, sn)
    answers = together(clone, 8, lambda c, _: pack(c, sn))
    assert Counter((a["allowed"], a["changed"]) for a in answers) == {
        (True, True): 1,
        (True, False): 7,
    }
    moved = together(clone, 8, lambda c, _: call(c, "operator", "move_unit_to_stock", p_sn=sn))
    assert Counter(a["changed"] for a in moved) == {True: 1, False: 7}


# The packed row itself keeps the witness: a trigger looks at the gate as the transaction that
# packs sees it when it commits, with locks that only that transaction holds.
_WITNESS = """
create table private.witness (sn text, blockers jsonb);
create function private.witness() returns trigger language plpgsql security definer as $$
declare
  v_unit public.units;
begin
  select u.* into v_unit from public.units u where u.sn = new.sn;
  v_unit.status := old.status;   -- the gate does not look at it, except for a hold
  insert into private.witness values (new.sn, private.unit_blockers(v_unit));
  return null;
end $$;
create constraint trigger _999_witness after update on public.units deferrable initially deferred
  for each row when (new.status = 'PACKED' and old.status not in ('PACKED', 'ON_HOLD'))
  execute function private.witness();
"""


def _moves(
    db: psycopg.Connection, rng: random.Random, units: list[str], kits: list[str]
) -> list[Callable[[], Any]]:
    sn, kit_id = rng.choice(units), rng.choice(kits)
    strict = {"required_tests": [{"test": "final", "limits": {"v": {"min": rng.randint(1, 2)}}}]}
    return [
        lambda: measure(db, sn, rng.choice(("PASS", "FAIL")), metrics={"v": 2}),
        lambda: measure(db, sn, metrics={"v": 2}),
        lambda: flash(db, sn),
        lambda: call(db, "supervisor", "hold_unit", p_sn=sn, p_reason="race"),
        lambda: call(db, "supervisor", "release_unit", p_sn=sn),
        lambda: call(db, "supervisor", "release_unit", p_sn=sn),
        lambda: call(db, "operator", "scan_pack_kit", p_sn=sn, p_kit_id=kit_id),
        lambda: call(
            db, "planner", "set_kit_active", p_kit_id=kit_id, p_is_active=rng.random() < 0.8
        ),
        lambda: put_rules(db, "FX-EU", strict),
        lambda: call(db, "supervisor", "unpack_unit", p_sn=sn, p_reason="race"),
        lambda: call(db, "supervisor", rng.choice(("hold_lot", "release_lot")),
                     p_code="L-1", p_reason="race"),
        *([lambda: pack(db, sn)] * 3),
        *([lambda: _repair_and_pack(db, sn, kit_id)] * 6),
    ]  # fmt: skip


def _repair_and_pack(db: psycopg.Connection, sn: str, kit_id: str) -> Any:
    """Opens every door of the gate, one by one, while others close them."""
    call(db, "supervisor", "release_lot", p_code="L-1", p_reason="race")
    call(db, "planner", "set_kit_active", p_kit_id=kit_id, p_is_active=True)
    call(db, "supervisor", "release_unit", p_sn=sn)
    call(db, "operator", "scan_pack_kit", p_sn=sn, p_kit_id=kit_id)
    measure(db, sn, metrics={"v": 2})
    return pack(db, sn)


def _work(db: psycopg.Connection, number: int, units: list[str], kits: list[str]) -> Counter[str]:
    rng = random.Random(number)
    seen: Counter[str] = Counter()
    for _ in range(ROUNDS):
        try:
            answer = rng.choice(_moves(db, rng, units, kits))()
            seen["packed"] += isinstance(answer, dict) and bool(answer.get("allowed"))
        except Refused as refused:
            if refused.code not in LOST_RACES:
                raise
            seen[str(refused.code)] += 1
    return seen


def test_no_interleaving_packs_past_a_closed_gate(clone: Clone, db: psycopg.Connection) -> None:
    db.execute(_WITNESS.encode())
    variant(db, rules={"required_tests": [{"test": "final", "limits": {"v": {"min": 1}}}]})
    call(db, "planner", "upsert_item", p_sku="CELL", p_title="Cell")
    call(db, "operator", "upsert_lot", p_sku="CELL", p_code="L-1")
    units = [new_unit(db) for _ in range(3)]
    kits = [kit(db) for _ in range(4)]
    for sn in units:
        call(db, "operator", "install_component", p_sn=sn, p_sku="CELL", p_lot="L-1")
        flash(db, sn)
        measure(db, sn, metrics=Jsonb({"v": 2}))
        scan_kit(db, sn, kits[units.index(sn)])
    total: Counter[str] = Counter()
    for seen in together(clone, SESSIONS, lambda c, n: _work(c, n, units, kits)):
        total += seen
    witnessed = db.execute("select sn, blockers from private.witness").fetchall()
    assert len(witnessed) >= 10, f"the line was really packing: {total}"
    assert [w for w in witnessed if w[1] != []] == []
    twice = db.execute(
        "select kit_id from public.units where packed_at is not null and kit_id is not null"
        " group by 1 having count(*) > 1"
    ).fetchall()
    assert twice == []


def test_a_held_lot_and_a_pack_never_cross(clone: Clone, db: psycopg.Connection) -> None:
    """Either the lot was held first and the pack refused, or the unit was packed before."""
    db.execute(_WITNESS.encode())
    variant(db)
    call(db, "planner", "upsert_item", p_sku="CELL", p_title="Cell")
    for n in range(6):
        call(db, "operator", "upsert_lot", p_sku="CELL", p_code=f"L-{n}")
    units = [new_unit(db) for _ in range(6)]
    for n, sn in enumerate(units):
        call(db, "operator", "install_component", p_sn=sn, p_sku="CELL", p_lot=f"L-{n}")
        to_status(db, "TEST_PASS", sn)
        scan_kit(db, sn)

    def work(c: psycopg.Connection, number: int) -> Any:
        n = number // 2
        if number % 2 or n == 5:  # the last one is held by nobody: it is packed
            return pack(c, units[n])["allowed"]
        return call(c, "supervisor", "hold_lot", p_code=f"L-{n}", p_reason="swollen")["changed"]

    together(clone, 12, work)
    witnessed: dict[str, Any] = dict(
        db.execute("select sn, blockers from private.witness").fetchall()
    )
    assert set(witnessed) >= {units[5]}
    assert all(blockers == [] for blockers in witnessed.values())
