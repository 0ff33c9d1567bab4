"""What one hold_all held is released in one call; what others hold stays on hold."""

from __future__ import annotations

import random
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.sql.inventory.production import has, produce
from tests.sql.inventory.stock import levels, refused
from tests.support.databases import Clone
from tests.support.rpc import Refused, call
from tests.support.trace import hold_all, lot, unit_of
from tests.support.units import make_units, status_of, to_status, unit_events, unit_row, variant


def release_all(db: psycopg.Connection, held: dict[str, Any], **more: Any) -> dict[str, Any]:
    arguments = {"p_recall_id": held["recall_id"], "p_reason": "measured, it is fine", **more}
    return dict(call(db, "supervisor", "release_all", **arguments))


def counts(answer: dict[str, Any]) -> tuple[int, int, int, int]:
    """Units released and kept, lots released and kept."""
    return (
        answer["units_released"], answer["units_kept"], answer["lots_released"],
        answer["lots_kept"],
    )  # fmt: skip


def reason_of(db: psycopg.Connection, sn: str) -> str | None:
    reason = unit_row(db, sn)["hold_reason"]
    return None if reason is None else str(reason)


def test_everything_is_again_what_it_was(db: psycopg.Connection) -> None:
    variant(db)
    lot(db, "L-1")
    states = ("IN_FINISHED_STOCK", "PACKED", "FLASHED", "ON_HOLD", "SCRAPPED")
    sns = {state: unit_of(db, "L-1") for state in states}
    for state, sn in sns.items():
        call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
        to_status(db, state, sn)
    order = produce(db, "FX-DONE")
    held = hold_all(db, key="L-1")
    assert (held["units_held"], has(db, order)) == (3, 0)
    key = uuid4()
    first = release_all(db, held, p_request_id=key)
    assert counts(first) == (3, 0, 1, 0)
    assert release_all(db, held, p_request_id=key) == first
    assert {state: status_of(db, sn) for state, sn in sns.items()} == {s: s for s in states}
    assert reason_of(db, sns["ON_HOLD"]) == "for a test", "it had its own reason"
    assert (has(db, order), levels(db, "FX-DONE")["held"]) == (1, 0)
    assert unit_events(db, sns["PACKED"])[-2:] == ["unit.held", "unit.released"]
    assert call(db, "operator", "get_recalls") == []
    (over,) = call(db, "operator", "get_recalls", p_with_released=True)
    assert (over["release_reason"], over["released_by_name"]) == (
        "measured, it is fine",
        "Supervisor",
    )
    again = release_all(db, held)
    assert (again["changed"], again["event_id"], counts(again)) == (False, None, (0, 0, 0, 0))
    install = {"p_sn": sns["FLASHED"], "p_lot": "L-1"}
    assert call(db, "operator", "install_component", **install)["changed"], "the lot is free"


def test_the_list_of_recalls_says_what_is_still_held(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    first, second = unit_of(db, "L-1"), unit_of(db, "L-1")
    held = hold_all(db, reason="bad foil", key="L-1")
    call(db, "technician", "release_unit", p_sn=first, p_reason="fine")
    (entry,) = call(db, "viewer", "get_recalls")
    assert entry["recall_id"] == held["recall_id"]
    assert (entry["trace"], entry["reason"]) == ({"key": "L-1"}, "bad foil")
    assert (entry["units_on_hold"], entry["lots_on_hold"]) == (1, 1)
    call(db, "technician", "scrap_unit", p_sn=second, p_reason="burnt")
    (entry,) = call(db, "viewer", "get_recalls")
    assert entry["units_on_hold"] == 0


def test_what_two_recalls_want_is_free_after_both(db: psycopg.Connection) -> None:
    """Released with the first one, a unit would be sold with the bad part of the second."""
    for code in ("L-1", "L-2"):
        lot(db, code)
    one, both = unit_of(db, "L-1"), unit_of(db, "L-1", "L-2")
    first = hold_all(db, reason="swollen", key="L-1")
    second = hold_all(db, reason="cracked", key="L-2")
    assert (second["changed"], second["units_held"], second["units_held_before"]) == (True, 0, 1)
    assert counts(release_all(db, first)) == (1, 1, 1, 0)
    assert (status_of(db, one), status_of(db, both)) == ("CREATED", "ON_HOLD")
    assert reason_of(db, both) == "cracked"
    assert unit_events(db, both)[-2:] == ["unit.held", "unit.held"]
    assert counts(release_all(db, second)) == (1, 0, 1, 0)
    assert status_of(db, both) == "CREATED"


def test_the_same_lot_in_two_recalls(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    sn = unit_of(db, "L-1")
    first = hold_all(db, reason="one", key="L-1")
    second = hold_all(db, reason="two", kind="lot", key="L-1")
    assert first["recall_id"] != second["recall_id"]
    assert counts(release_all(db, first)) == (0, 1, 0, 1)
    answer = call(db, "technician", "release_lot", p_code="L-1", p_reason="fine")
    assert answer["lot"]["held_at"] is None
    assert counts(release_all(db, second)) == (1, 0, 0, 0)
    assert status_of(db, sn) == "CREATED"


def test_a_release_by_hand_ends_one_hold(db: psycopg.Connection) -> None:
    """Held for a scratch, then recalled: polished is not yet recalled in vain."""
    lot(db, "L-1")
    sn = unit_of(db, "L-1")
    call(db, "technician", "hold_unit", p_sn=sn, p_reason="scratched")
    held = hold_all(db, reason="swollen", key="L-1")
    answer = call(db, "technician", "release_unit", p_sn=sn, p_reason="polished")
    assert answer["unit"]["status"] == "ON_HOLD"
    assert [n["code"] for n in answer["notices"]] == ["unit.still_held"]
    assert reason_of(db, sn) == "swollen"
    answer = call(db, "technician", "release_unit", p_sn=sn, p_reason="checked by hand")
    assert (answer["unit"]["status"], answer["notices"]) == ("CREATED", None)
    call(db, "technician", "hold_unit", p_sn=sn, p_reason="scratched again")
    assert counts(release_all(db, held)) == (0, 0, 1, 0)
    assert reason_of(db, sn) == "scratched again", "not this recall's business any more"


def test_the_same_trace_again_adds_to_its_recall(db: psycopg.Connection) -> None:
    lot(db, "L-1")
    unit_of(db, "L-1")
    held = hold_all(db, key="L-1")
    again = hold_all(db, key="L-1")
    assert (again["changed"], again["recall_id"]) == (False, held["recall_id"])
    call(db, "technician", "release_lot", p_code="L-1", p_reason="some more")
    late = unit_of(db, "L-1")
    more = hold_all(db, key="L-1")
    assert (more["recall_id"], more["units_held"], more["lots_held"]) == (held["recall_id"], 1, 1)
    assert counts(release_all(db, held)) == (2, 0, 1, 0)
    assert status_of(db, late) == "CREATED"
    assert hold_all(db, key="L-1")["recall_id"] != held["recall_id"], "a recall that is over"


def test_nothing_to_hold_is_no_recall(db: psycopg.Connection) -> None:
    (sn,) = make_units(db)
    call(db, "technician", "scrap_unit", p_sn=sn, p_reason="burnt")
    held = hold_all(db, kind="unit", first=sn, last=sn)
    assert (held["changed"], held["recall_id"], held["units_scrapped"]) == (False, None, 1)
    assert call(db, "viewer", "get_recalls") == []


def test_who_may_release_and_how_it_is_refused(db: psycopg.Connection) -> None:
    sns = make_units(db, 2)
    held = hold_all(db, kind="unit", first=sns[0], last=sns[1])
    ask = {"p_recall_id": held["recall_id"], "p_reason": "fine"}
    for who in ("viewer", "operator", "technician", "fixture", "stranger", "disabled"):
        assert refused(db, who, "release_all", **ask).status in (401, 403)
    error = refused(db, "supervisor", "release_all", **{**ask, "p_reason": " "})
    assert (error.status, error.code) == (422, "unit.reason_required")
    error = refused(db, "supervisor", "release_all", **{**ask, "p_recall_id": 4711})
    assert (error.status, error.code) == (404, "recall.unknown")
    assert {status_of(db, sn) for sn in sns} == {"ON_HOLD"}


def test_hundreds_are_announced_once(db: psycopg.Connection) -> None:
    sns = make_units(db, 101)
    held = hold_all(db, kind="unit", first=sns[0], last=sns[-1])
    release_all(db, held)
    told = "select count(*) from realtime.messages where event = 'unit.released'"
    assert db.execute(told).fetchone() == (1,)
    assert {tuple(unit_events(db, sn)[1:]) for sn in sns} == {("unit.held", "unit.released")}


def _turmoil(
    sns: list[str], lots: list[str], seed: int, db: psycopg.Connection, number: int
) -> None:
    """Recalls, their ends, single holds, releases, scraps and movements, as they come."""
    rng = random.Random(seed * 100 + number)
    for _ in range(12):
        sn, code = rng.choice(sns), rng.choice(lots)
        try:
            match rng.randrange(7):
                case 0 | 1:
                    hold_all(db, key=code)
                case 2:
                    for entry in call(db, "supervisor", "get_recalls")[:1]:
                        release_all(db, entry)
                case 3:
                    call(db, "technician", "hold_unit", p_sn=sn, p_reason="by hand")
                case 4:
                    call(db, "technician", "release_unit", p_sn=sn, p_reason="by hand")
                case 5:
                    call(db, "operator", "receive_stock", p_sku="FX-DONE", p_quantity=1)
                    call(db, "operator", "issue_stock", p_sku="FX-DONE", p_quantity=1)
                case _:
                    call(db, "technician", "release_lot", p_code=code, p_reason="by hand")
        except Refused as error:
            if error.status is None:
                raise  # a deadlock, or a constraint that nobody speaks of


@pytest.mark.parametrize("seed", [1, 2])
def test_whoever_comes_between_claims_and_holds_agree(
    db: psycopg.Connection, clone: Clone, seed: int
) -> None:
    variant(db)
    lots = [lot(db, f"L-{n}") for n in range(3)]
    sns = [unit_of(db, *lots[: n % 3 + 1]) for n in range(6)]
    for sn in sns:
        call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
        to_status(db, "IN_FINISHED_STOCK", sn)
    produce(db, "FX-DONE", 3)
    together(clone, 8, partial(_turmoil, sns, lots, seed))
    free = "select count(*) from public.units u join private.recall_claims c on c.key = u.sn"
    row = db.execute(f"{free} where u.status <> 'ON_HOLD'").fetchone()
    assert row == (0,), "a free unit is wanted by no recall"
    doubled = db.execute(
        "select kind, key from private.recall_claims where is_cause group by 1, 2"
        " having count(*) > 1"
    ).fetchall()
    assert doubled == []
    for entry in call(db, "supervisor", "get_recalls"):
        release_all(db, entry)
    for sn in sns:
        call(db, "technician", "release_unit", p_sn=sn, p_reason="done")
    assert {status_of(db, sn) for sn in sns} == {"IN_FINISHED_STOCK"}
    assert db.execute("select count(*) from private.recall_claims").fetchone() == (0,)
    assert (levels(db, "FX-DONE")["on_hand"], levels(db, "FX-DONE")["held"]) == (6, 0)


def test_a_trace_of_any_length_can_be_held(db: psycopg.Connection) -> None:
    (sn,) = make_units(db)
    trace = {
        "kind": "unit",
        "first": sn,
        "last": sn + "".join(chr(65 + n % 57) for n in range(9000)),
    }
    held = call(db, "supervisor", "hold_all", p_trace=Jsonb(trace), p_reason="x")
    assert held["units_held"] == 1
