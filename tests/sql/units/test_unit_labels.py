"""What a device label says follows from the unit, whoever asks for it."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.inventory.stock import refused
from tests.support.printing import AGENT, begin, claim, confirm, mark_sent
from tests.support.rpc import call
from tests.support.units import (
    blockers,
    label_printer,
    make_units,
    measure,
    new_unit,
    scan_kit,
    to_status,
    variant,
)


@pytest.fixture(autouse=True)
def _printer(db: psycopg.Connection) -> None:
    label_printer(db)


def said(db: psycopg.Connection, sn: str) -> dict[str, str]:
    """The data of the latest label of a unit."""
    row = db.execute(
        "select data from public.print_job_labels where subject = %s"
        " order by print_no desc limit 1",
        (sn,),
    ).fetchone()
    assert row is not None
    return dict(row[0])


def test_the_label_says_what_the_unit_is(db: psycopg.Connection) -> None:
    variant(db)
    sn = new_unit(db)
    db.execute("alter table public.units disable trigger user")
    # Ten in the evening of London is tomorrow morning in the plant, in Sydney.
    db.execute("update public.units set created_at = '2026-11-20T22:00:00Z' where sn = %s", (sn,))
    db.execute("alter table public.units enable trigger user")
    answer = call(db, "operator", "print_unit_label", p_sn=sn.lower())
    assert (answer["changed"], answer["job"]["priority"]) == (True, 10)
    assert answer["job"]["label_type"] == "unit_device"
    assert said(db, sn) == {
        "code": sn, "product": "FX-EU", "variant": "FX-EU", "made": "2026-11-21",
    }  # fmt: skip


def test_it_is_made_once_whether_with_the_unit_or_later(db: psycopg.Connection) -> None:
    variant(db)
    (sn,) = make_units(db, request_labels=True)
    call(db, "operator", "assign_unit_variant", p_sn=sn, p_variant="FX-EU")
    answer = call(db, "operator", "print_unit_label", p_sn=sn)
    assert answer["changed"] is False, "its label was asked for before it had a variant"
    assert "reprint" in answer["message"]
    count = "select count(*) from public.print_jobs"
    assert db.execute(count).fetchone() == (1,)
    call(db, "supervisor", "cancel_print", p_job_id=answer["job"]["id"])
    again = call(db, "operator", "print_unit_label", p_sn=sn)
    assert again["changed"] is True, "what was cancelled can be asked for again"
    assert said(db, sn)["variant"] == "FX-EU"


def test_printed_through_its_job_it_opens_the_gate(db: psycopg.Connection) -> None:
    variant(db, rules={"packaging": {"require_device_label": True}})
    sn = to_status(db, "FLASHED")
    measure(db, sn)
    scan_kit(db, sn)
    call(db, "operator", "print_unit_label", p_sn=sn)
    assert blockers(db, sn) == ["DEVICE_LABEL_NOT_PRINTED"]
    taken = claim(db, AGENT)
    assert taken is not None
    begin(db, taken)
    mark_sent(db, taken)
    confirm(db, taken)
    assert blockers(db, sn) == []


def test_who_is_refused_a_label(db: psycopg.Connection) -> None:
    variant(db)
    sn = to_status(db, "SCRAPPED")
    error = refused(db, "operator", "print_unit_label", p_sn=sn)
    assert (error.status, error.code) == (409, "unit.wrong_state")
    assert refused(db, "operator", "print_unit_label", p_sn="2611-GN-99999").code == "unit.unknown"
    (other,) = make_units(db)
    assert refused(db, "viewer", "print_unit_label", p_sn=other).status == 403
    error = refused(db, "operator", "print_unit_label", p_sn=other, p_printer="nowhere")
    assert error.code == "printer.unknown"
