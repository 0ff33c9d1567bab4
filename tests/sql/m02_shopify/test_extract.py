"""Extraction rules are data: tried out on a payload, changed by a manager, never guessing."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.m02_shopify.shop import connect_shop, merge, order, tickets
from tests.support.rpc import Refused, call


@pytest.fixture
def db(db: psycopg.Connection) -> psycopg.Connection:
    connect_shop(db)
    return db


def line(**fields: Any) -> dict[str, Any]:
    return {"id": 1, "title": "Cake", "quantity": 1, **fields}


def extract(db: psycopg.Connection, *lines: dict[str, Any], **top: Any) -> dict[str, Any]:
    data = {"id": 1, "name": "#1", "line_items": list(lines), **top}
    return dict(call(db, "supervisor", "try_extraction", p_store="bannos", p_payload=data))


def fields(db: psycopg.Connection, *lines: dict[str, Any], **top: Any) -> dict[str, Any]:
    return dict(extract(db, *(lines or (line(),)), **top)["units"][0]["fields"])


def attrs(**pairs: str) -> list[dict[str, str]]:
    return [{"name": k.replace("_", " "), "value": v} for k, v in pairs.items()]


def rule(db: psycopg.Connection, scope: str, match: str, pattern: str, **more: Any) -> Any:
    arguments = {"p_scope": scope, "p_match": match, "p_pattern": pattern, **more}
    return call(db, arguments.pop("who", "manager"), "upsert_extraction_rule", **arguments)


@pytest.mark.parametrize(
    ("text", "due", "time"),
    [
        ("08/12/2026 between 10:00 AM and 2:00 PM", "2026-12-08", "10:00 AM and 2:00 PM"),
        ("8.12.2026", "2026-12-08", None),
        ("8-12-2026 at 9 am", "2026-12-08", "9 am"),
        ("2026-12-08T00:00:00Z", "2026-12-08", None),
        ("Tuesday, 8 December 2026", "2026-12-08", None),
        ("December 8th, 2026", "2026-12-08", None),
        ("31/02/2026", None, None),
        ("as soon as possible", None, None),
    ],
)
def test_dates_are_read_as_they_are_written(
    db: psycopg.Connection, text: str, due: str | None, time: str | None
) -> None:
    found = fields(db, note_attributes=attrs(Local_Delivery_Date_and_Time=text))
    assert found["due_date"] == due
    if time is not None:
        assert found["due_time"] == time
    if due is None:
        assert "no_due_date" in found["needs_review"]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago"])
def test_a_date_is_never_shifted(db: psycopg.Connection, zone: str) -> None:
    db.execute("update public.sites set time_zone = %s", (zone,))
    db.execute("select set_config('TimeZone', %s, false)", (zone,))
    assert fields(db, note_attributes=attrs(due_date="2026-12-08"))["due_date"] == "2026-12-08"
    merge(db, order())
    assert {t["due_date"] for t in tickets(db).values()} == {"2026-12-08"}


@pytest.mark.parametrize(
    ("variant", "size", "flavour"),
    [
        ("Medium / Vanilla", "Medium", "Vanilla"),
        ("Blue + Metallic", "Blue", "Metallic"),
        ("Large Tall", "Large Tall", None),
        ("6 inch / Red / Gold", "6 inch", "Red / Gold"),
        ("Default Title", None, None),
        (None, None, None),
    ],
)
def test_variants(
    db: psycopg.Connection, variant: str | None, size: str | None, flavour: str | None
) -> None:
    found = fields(db, line(variant_title=variant))
    assert (found["size"], found["flavour"]) == (size, flavour)


def test_a_gelato_property_beats_the_variant(db: psycopg.Connection) -> None:
    properties = attrs(Gelato_Flavours="Mango, Lime")
    found = fields(db, line(variant_title="Large / Tub", properties=properties))
    assert (found["size"], found["flavour"]) == ("Large", "Mango, Lime")


def test_all_writing_is_joined_and_emoji_survive(db: psycopg.Connection) -> None:
    properties = attrs(Writing_on_cake="Zoë 🎂", Writing="", Plaque_writing="40")
    assert fields(db, line(properties=properties))["cake_writing"] == "Zoë 🎂 / 40"


def test_noise_is_skipped_and_the_unknown_is_shown(db: psycopg.Connection) -> None:
    properties = [
        {"name": name, "value": "x"}
        for name in ("_origin", "item_raw", "__gwp", "gwp", "_LocalDeliveryID", "Candle colour")
    ]
    found = extract(db, line(properties=properties))
    assert [f["name"] for f in found["unmatched"]] == ["Candle colour"]
    assert found["units"][0]["fields"]["notes"] == "Candle colour: x"


@pytest.mark.parametrize(
    ("title", "sku", "kind"),
    [
        ("Confetti Cake", None, "unit"),
        ("Number Topper", None, "accessory"),
        ("Sparkler Candle (2 pack)", None, "accessory"),
        ("Balloon bouquet", None, "accessory"),
        ("Cake Pick", None, "accessory"),
        ("Sugar Decorations", None, "accessory"),
        ("Anything", "ACC-1", "accessory"),
        ("Cake with candles", None, "unit"),
        ("Candle Cake", "CAKE-1", "unit"),
        ("Picknick box", None, "unit"),
        ("Tip", None, "ignore"),
    ],
)
def test_which_lines_are_tickets(
    db: psycopg.Connection, title: str, sku: str | None, kind: str
) -> None:
    found = extract(db, line(id=9, title="Carrot Cake"), line(id=1, title=title, sku=sku))
    units = [u["line_item_id"] for u in found["units"]]
    assert ("1" in units) == (kind == "unit")
    assert bool(found["first"]["accessories"]) == (kind == "accessory")


def test_what_belongs_to_an_accessory_is_kept_with_it(db: psycopg.Connection) -> None:
    topper = line(id=2, title="Topper", properties=attrs(Number="4"))
    found = extract(db, line(), topper)
    assert found["first"]["accessories"] == [
        {"title": "Topper", "quantity": 1, "note": "Number: 4"}
    ]
    assert found["units"][0]["fields"]["notes"] is None


def test_gift_cards_are_not_made(db: psycopg.Connection) -> None:
    assert extract(db, line(gift_card=True))["units"] == []


def test_delivery_or_pickup(db: psycopg.Connection) -> None:
    assert fields(db, shipping_lines=[{"title": "Local delivery"}])["delivery_method"] == "Delivery"
    both = fields(
        db,
        shipping_lines=[{"title": "Standard shipping"}],
        note_attributes=attrs(Delivery_Method="Pick up"),
    )
    assert both["delivery_method"] == "Pickup"
    assert fields(db, shipping_lines=[{"title": "Pigeon"}])["delivery_method"] is None


def test_a_rush_tag_is_high(db: psycopg.Connection) -> None:
    assert fields(db, tags="vip, RUSH")["priority"] == "High"
    assert fields(db, tags="vip")["priority"] is None


def test_a_rule_of_the_store_goes_first(db: psycopg.Connection) -> None:
    made = rule(
        db, "line_prop", "exact", "Filling", p_target="flavour", p_priority=10, p_store="bannos"
    )
    properties = attrs(Filling="Fig", Gelato_Flavours="Mango")
    assert fields(db, line(properties=properties))["flavour"] == "Fig"
    again = rule(
        db, "line_prop", "exact", "Filling", p_target="flavour", p_priority=10, p_store="bannos"
    )
    assert again == made
    assert call(db, "manager", "delete_extraction_rule", p_id=made["id"]) is True
    assert call(db, "manager", "delete_extraction_rule", p_id=made["id"]) is False
    assert fields(db, line(properties=properties))["flavour"] == "Mango"
    names = db.execute("select event from public.events where stream = 'channel' order by id")
    assert [n for (n,) in names if "rule" in n] == ["channel.rule_saved", "channel.rule_deleted"]


def test_an_inactive_rule_is_silent(db: psycopg.Connection) -> None:
    rule(
        db,
        "tag",
        "exact",
        "blue",
        p_target="flavour",
        p_parser="fixed",
        p_value="Blueberry",
        p_active=False,
    )
    assert fields(db, tags="blue")["flavour"] is None


def test_rules_that_make_no_sense_are_refused(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        rule(db, "title", "regex", "(", p_target="flavour")
    assert (refused.value.status, refused.value.code) == (422, "channels.bad_pattern")
    for more, constraint in (
        ({"p_target": "colour"}, "extraction_rules_target_check"),
        ({"p_target": "size", "p_parser": "fixed"}, "extraction_rules_value_check"),
        (
            {"p_target": "line_kind", "p_parser": "fixed", "p_value": "cake"},
            "extraction_rules_line_kind_check",
        ),
    ):
        with pytest.raises(Refused) as refused:
            rule(db, "title", "exact", "x", **more)
        assert refused.value.constraint == constraint


def test_a_rule_for_every_store_needs_every_store(db: psycopg.Connection) -> None:
    db.execute("update public.staff_shared set stores = '{bannos}' where role = 'manager'")
    with pytest.raises(Refused, match=r"auth\.other_store"):
        rule(db, "title", "exact", "x", p_target="size")
    with pytest.raises(Refused, match=r"auth\.other_store"):
        rule(db, "title", "exact", "x", p_target="size", p_store="flourlane")
    seeded = db.execute("select min(id) from public.extraction_rules").fetchone()
    assert seeded is not None
    with pytest.raises(Refused, match=r"auth\.other_store"):
        call(db, "manager", "delete_extraction_rule", p_id=seeded[0])
    assert rule(db, "title", "exact", "x", p_target="size", p_store="bannos")["store"] == "bannos"


def test_a_payload_that_is_no_order_is_refused(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "supervisor", "try_extraction", p_store="bannos", p_payload={"id": 1})
    assert (refused.value.status, refused.value.code) == (422, "channel.not_an_order")
    with pytest.raises(Refused) as refused:
        call(db, "supervisor", "try_extraction", p_store="bannos", p_payload={}, p_source="generic")
    assert (refused.value.status, refused.value.code) == (422, "channel.no_order_id")
