"""A scan of the code proves that its label is on something."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.orders import make_order
from tests.support.printing import (
    act,
    add_printer,
    alarms,
    begin,
    bring,
    claim,
    job,
    labels_of,
    route,
    state_of,
)
from tests.support.rpc import call


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")


# A scan proves a label ----------------------------------------------------------------------


def ticket_job(db: psycopg.Connection, state: str = "unknown", **more: Any) -> dict[str, Any]:
    make_order(db)
    return bring(db, state, "bannos-18617", p_label_type="order_ticket", p_printer="prn-1", **more)


def scan(db: psycopg.Connection, code: str = "bannos-18617", **more: Any) -> dict[str, Any]:
    return dict(call(db, "operator", "scan", p_code=code, p_request_id=uuid4(), **more))


def test_the_first_scan_settles_the_unknown_label(db: psycopg.Connection) -> None:
    taken = ticket_job(db)
    assert scan(db, "#B18617")["changed"]
    row = job(db, taken["job_id"])
    assert (row["state"], row["evidence_level"]) == ("printed", 4)
    assert alarms(db) == []


def test_a_refused_scan_settles_it_too(db: psycopg.Connection) -> None:
    taken = ticket_job(db)
    call(
        db,
        "admin",
        "register_station",
        p_code="pack-1",
        p_name="Packing",
        p_site="main",
        p_stage="Packing",
    )
    assert scan(db, p_station="pack-1")["hint"] == "scan.wrong_stage"
    assert state_of(db, taken["job_id"]) == "printed"


def test_a_scan_of_another_ticket_settles_nothing(db: psycopg.Connection) -> None:
    taken = ticket_job(db)
    make_order(db, "bannos-18618")
    scan(db, "bannos-18618")
    assert state_of(db, taken["job_id"]) == "unknown"


def test_a_scan_proves_nothing_where_two_labels_can_be_out_there(db: psycopg.Connection) -> None:
    """The code names the ticket, not the paper."""
    ticket_job(db, "printed")
    call(db, "operator", "reprint", p_job_id=1, p_reason="lost")
    second = claim(db)
    assert second is not None
    begin(db, second, 101)
    act(db, "print_unknown", second)
    scan(db)
    assert state_of(db, second["job_id"]) == "unknown"


def test_a_scan_proves_nothing_about_copies(db: psycopg.Connection) -> None:
    taken = ticket_job(db, p_copies=2)
    scan(db)
    assert state_of(db, taken["job_id"]) == "unknown"


def test_each_label_of_a_batch_needs_its_scan(db: psycopg.Connection) -> None:
    ids = [make_order(db, f"bannos-{n}") for n in (1, 2)]
    labels = Jsonb([{"subject": i} for i in ids])
    call(
        db,
        "operator",
        "request_prints",
        p_label_type="order_ticket",
        p_labels=labels,
        p_printer="prn-1",
    )
    taken = claim(db)
    assert taken is not None
    begin(db, taken)
    act(db, "print_unknown", taken)
    scan(db, "bannos-1")
    assert labels_of(db, taken["job_id"]) == ["printed", "wanted"]
    assert state_of(db, taken["job_id"]) == "unknown"
    scan(db, "bannos-2")
    assert state_of(db, taken["job_id"]) == "printed"
