"""Serials: the plant's month, widths as data, batches, and sixty-four sessions at once."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.printing import attempt
from tests.support.rpc import call
from tests.support.units import label_printer, make_units, unit_events, unit_row

SESSIONS, BATCH = 64, 25


def serials(db: psycopg.Connection, at: str, count: int = 1, code: str = "GN") -> list[str]:
    row = db.execute(
        "select private.next_serials('main', %s, %s, %s)", (code, count, at)
    ).fetchone()
    assert row is not None
    return list(row[0])


def test_the_month_turns_in_the_zone_of_the_plant(db: psycopg.Connection) -> None:
    assert serials(db, "2026-10-31 12:59:59+00") == ["2610-GN-00001"]  # 23:59 in Sydney
    assert serials(db, "2026-10-31 13:00:00+00") == ["2611-GN-00001"]  # midnight there
    assert serials(db, "2026-10-31 12:00:00+00") == ["2610-GN-00002"]


def test_numbers_run_per_product_code(db: psycopg.Connection) -> None:
    now = "2026-11-15"
    assert serials(db, now, 2) == ["2611-GN-00001", "2611-GN-00002"]
    assert serials(db, now, 1, "PSU2") == ["2611-PSU2-00001"]
    assert serials(db, now, 1) == ["2611-GN-00003"]


def test_a_number_that_outgrows_its_width_is_never_cut(db: psycopg.Connection) -> None:
    serials(db, "2026-11-15")
    db.execute("update private.serial_sequences set next_number = 99999")
    assert serials(db, "2026-11-15", 2) == ["2611-GN-99999", "2611-GN-100000"]


def test_code_and_width_are_settings(db: psycopg.Connection) -> None:
    for key, value in (("product_code", "FX"), ("serial_digits", 4)):
        call(
            db, "admin", "set_setting",
            p_key=f"units.{key}", p_value=Jsonb(value), p_site="main",
        )  # fmt: skip
    (sn,) = make_units(db)
    assert sn[4:] == "-FX-0001"


def test_a_batch_is_one_call(db: psycopg.Connection) -> None:
    sns = make_units(db, 1000)
    assert len(set(sns)) == 1000
    assert sns == sorted(sns)
    assert unit_row(db, sns[-1])["status"] == "CREATED"
    assert unit_events(db, sns[500]) == ["unit.created"]


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"p_count": 0}, (422, "unit.count")),
        ({"p_count": 1001}, (422, "unit.count")),
        ({"p_product_code": "gn"}, (422, "unit.product_code")),
        ({"p_product_code": "X"}, (422, "unit.product_code")),
        ({"p_production_order": "nope"}, (404, "production.unknown")),
        ({"p_site": "mars"}, (403, "auth.other_site")),
        ({"p_request_labels": True}, (412, "print.no_printer")),
    ],
)
def test_a_batch_is_refused_whole(
    db: psycopg.Connection, arguments: dict[str, object], refusal: tuple[int, str]
) -> None:
    who = "flourlane_operator" if "p_site" in arguments else "operator"
    assert attempt(db, who, "create_generic_units", **arguments) == refusal
    assert db.execute("select count(*) from public.units").fetchone() == (0,)


def test_a_site_must_be_named_where_there_are_several(db: psycopg.Connection) -> None:
    db.execute("insert into public.sites (code, name) values ('second', 'Second')")
    assert attempt(db, "operator", "create_generic_units") == (422, "unit.where")
    assert attempt(db, "operator", "create_generic_units", p_site="mars") == (404, "site.unknown")
    assert make_units(db, site="second")


def test_units_of_a_production_order(db: psycopg.Connection) -> None:
    call(db, "planner", "upsert_item", p_sku="FX", p_title="FX")
    order = call(
        db, "planner", "create_production_order", p_product_sku="FX", p_site="main", p_quantity=3
    )
    code = order["order_row"]["code"]
    (sn,) = make_units(db, production_order=code)
    assert call(db, "operator", "get_unit", p_sn=sn)["production_order"] == code
    call(db, "planner", "cancel_production_order", p_code=code, p_reason="x")
    assert attempt(db, "operator", "create_generic_units", p_production_order=code) == (
        409,
        "production.closed",
    )


def test_labels_are_asked_for_with_the_units(db: psycopg.Connection) -> None:
    label_printer(db)
    answer = call(db, "operator", "create_generic_units", p_count=12, p_request_labels=True)
    assert len(answer["print_job_ids"]) == 2, "ten to a job"
    page = call(db, "operator", "get_unit", p_sn=answer["sns"][3])
    assert page["label"] == {"state": "wanted", "job_id": answer["print_job_ids"][0]}


def test_a_repeat_makes_no_second_batch(db: psycopg.Connection) -> None:
    key = "00000000-0000-0000-0000-00000000beef"
    assert make_units(db, 3, request_id=key) == make_units(db, 3, request_id=key)
    assert db.execute("select count(*) from public.units").fetchone() == (3,)
    assert attempt(db, "operator", "create_generic_units", p_count=4, p_request_id=key) == (
        422,
        "request.reused",
    )


def test_a_serial_is_for_ever(db: psycopg.Connection) -> None:
    (sn,) = make_units(db)
    for statement in (
        "update public.units set sn = '2611-GN-77777'",
        "update public.units set site = 'other'",
        "delete from public.units",
        "truncate public.units cascade",
    ):
        with pytest.raises(psycopg.Error) as error:
            db.execute(statement.encode())
        assert error.value.diag.message_hint in ("unit.immutable", "unit.append_only")
    for status in ("PACKED", "IN_FINISHED_STOCK", "TEST_PASS"):
        with pytest.raises(psycopg.Error) as error:
            db.execute("update public.units set status = %s where sn = %s", (status, sn))
        assert error.value.diag.message_hint == "unit.illegal_move"


def test_sixty_four_sessions_make_no_duplicate(clone: Clone, db: psycopg.Connection) -> None:
    made = together(clone, SESSIONS, lambda c, _: make_units(c, BATCH))
    flat = [sn for sns in made for sn in sns]
    assert len(set(flat)) == SESSIONS * BATCH
    numbers = sorted(int(sn[-5:]) for sn in flat)
    assert numbers == list(range(1, SESSIONS * BATCH + 1))
    for sns in made:
        assert int(sns[-1][-5:]) - int(sns[0][-5:]) == BATCH - 1, "a batch is one run of numbers"
