"""The preview shows exactly what the request prints, and stores nothing."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.labels import printed_texts
from tests.support.orders import make_order
from tests.support.printing import add_printer, route
from tests.support.rpc import Refused, call


@pytest.fixture(autouse=True)
def printers(db: psycopg.Connection) -> None:
    add_printer(db)
    add_printer(db, "prn-2", p_dpi=300, p_language="tspl")
    route(db, "prn-1", label_type="order_ticket")
    make_order(db, "bannos-18617-A", customer_name="Zoë Müller")


def preview(db: psycopg.Connection, who: str = "operator", **changes: Any) -> dict[str, Any]:
    arguments = {"p_label_type": "order_ticket", "p_subject": "bannos-18617-A", **changes}
    return dict(call(db, who, "preview_print", **arguments))


def test_the_preview_is_what_the_request_prints(db: psycopg.Connection) -> None:
    shown = preview(db)
    assert (shown["template"], shown["printer"], shown["printer_name"]) == (
        "order_ticket",
        "prn-1",
        "PRN-1",
    )
    assert (shown["dpi"], shown["width_mm"], shown["height_mm"]) == (203, 100, 60)
    assert "Zoë Müller" in printed_texts(shown["payload"])
    assert db.execute("select count(*) from public.print_jobs").fetchone() == (0,)
    call(
        db,
        "operator",
        "request_print",
        p_label_type="order_ticket",
        p_subject="bannos-18617-A",
    )
    row = db.execute("select payload, version_id from public.print_jobs").fetchone()
    assert row == (shown["payload"], shown["version_id"])


def test_another_printer_is_shown_at_its_own_resolution_as_a_picture_can_be_drawn(
    db: psycopg.Connection,
) -> None:
    shown = preview(db, p_printer="prn-2")
    assert shown["dpi"] == 300
    assert shown["payload"].startswith("^XA^CI28^PW1181")


def test_data_of_the_dialog_is_shown(db: psycopg.Connection) -> None:
    route(db, "prn-1", label_type="item")
    shown = preview(
        db, p_label_type="item", p_subject="SKU-7", p_data={"name": "Flour"}, p_printer="prn-1"
    )
    assert {"Flour", "SKU-7", "MA,SKU-7"} <= set(printed_texts(shown["payload"]))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"p_template": "nope"}, "label.unknown_template"),
        ({"p_label_type": "jar", "p_printer": "prn-1"}, "label.no_template"),
        (
            {"p_label_type": "item", "p_subject": "A" * 32, "p_printer": "prn-1"},
            "label.does_not_fit",
        ),
        ({"p_label_type": "item", "p_subject": "A>5B", "p_printer": "prn-1"}, "label.bad_data"),
        ({"p_label_type": "box"}, "print.no_printer"),
        ({"p_printer": "nope"}, "printer.unknown"),
    ],
)
def test_what_would_be_refused_is_refused_in_the_preview(
    db: psycopg.Connection, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        preview(db, **changes)
    assert refused.value.code == code


def test_a_ticket_of_another_store_is_not_shown(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        preview(db, "flourlane_operator")
    assert refused.value.code == "auth.other_store"


def test_who_may_not_print_sees_no_preview(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        preview(db, "viewer")
    assert refused.value.code == "auth.forbidden"
