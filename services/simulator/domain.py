"""Invented cake orders: random, but the same for the same seed. No I/O."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

FIRST_NUMBER = 90001

_CAKES = (
    ("Confetti Celebration Cake", "CAKE-CONF", 95.0),
    ("Chocolate Drip Cake", "CAKE-DRIP", 105.0),
    ("Floral Buttercream Cake", "CAKE-FLOR", 120.0),
    ("Red Velvet Cake", "CAKE-RVEL", 99.0),
)
_SIZES = (("Small", "S", 0.0), ("Medium", "M", 20.0), ("Large", "L", 45.0))
_FLAVOURS = (("Vanilla", "VAN"), ("Chocolate", "CHO"), ("Lemon", "LEM"), ("Caramel", "CAR"))
_GELATO = ("Chocolate", "Pistachio", "Strawberry", "Hazelnut")
_WORDS = ("Happy Birthday Mia", "Happy 40th Zoë 🎂", "Congratulations!", "Happy Anniversary", "")
_NAMES = (("Ava", "Nguyen"), ("Oliver", "Smith"), ("Chloé", "Martin"), ("Noah", "O'Brien"))
_EXTRAS = (("Sparkler Candle (2 pack)", "ACC-SPARK", 10.0), ("Cake Topper Gold", "ACC-TOP", 14.0))
_WINDOWS = ("10:00 AM and 2:00 PM", "2:00 PM and 6:00 PM", "8:00 AM and 10:00 AM")


@dataclass
class Shop:
    """The orders one demo shop has taken; `number` is the next order number."""

    seed: int
    number: int = FIRST_NUMBER
    orders: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # demo data

    def next_webhook(self, now: datetime) -> tuple[str, dict[str, Any]]:
        """Topic and payload: mostly a new order, now and then an edit or a cancel."""
        chance = self._random.random()
        if self.orders and chance < 0.15:
            return "orders/updated", self._edit(now)
        if self.orders and chance < 0.2:
            return "orders/cancelled", self._cancel(now)
        return "orders/create", self._create(now)

    def _create(self, now: datetime) -> dict[str, Any]:
        pick, number = self._random, self.number
        self.number += 1
        # Demo databases live long: ids must not repeat when the simulator starts again.
        base = 9_000_000_000_000 + number * 100
        cakes = pick.choices((1, 2), (4, 1))[0]
        lines = [self._cake(base + n) for n in range(cakes)]
        if pick.random() < 0.4:
            lines.append(self._extra(base + 50))
        first, last = pick.choice(_NAMES)
        total = f"{sum(float(line['price']) * line['quantity'] for line in lines):.2f}"
        method = pick.choice(("Pickup", "Local Delivery"))
        due = (now + timedelta(days=pick.randint(0, 6))).strftime("%d/%m/%Y")
        order = {
            "id": base,
            "name": f"#{number}",
            "order_number": number,
            "test": False,
            "source_name": "web",
            "created_at": now.isoformat(timespec="seconds"),
            "updated_at": now.isoformat(timespec="seconds"),
            "cancelled_at": None,
            "cancel_reason": None,
            "currency": "AUD",
            "financial_status": "paid",
            "total_price": total,
            "current_total_price": total,
            "email": "customer@example.com",
            "note": pick.choice(("", "", "Please leave room for a sparkler", "nut free please")),
            "tags": "",
            "note_attributes": [
                {"name": "Delivery Method", "value": method},
                {
                    "name": "Local Delivery Date and Time",
                    "value": f"{due} between {pick.choice(_WINDOWS)}",
                },
            ],
            "line_items": lines,
            "shipping_lines": [{"title": method, "price": "0.00"}],
            "refunds": [],
            "customer": {"id": base, "first_name": first, "last_name": last},
            "shipping_address": {"name": f"{first} {last}", "city": "Exampleville"},
        }
        self.orders.append(order)
        del self.orders[:-20]
        return order

    def _cake(self, line_id: int) -> dict[str, Any]:
        pick = self._random
        words = pick.choice(_WORDS)
        if pick.random() < 0.15:
            flavours = ", ".join(pick.sample(_GELATO, 2))
            properties = {"Gelato Flavours": flavours, "Writing": words}
            return _line(line_id, ("Gelato Cake", "CAKE-GEL-LT", 89.0), "Large Tall", 1, properties)
        title, sku, price = pick.choice(_CAKES)
        size, size_code, more = pick.choice(_SIZES)
        flavour, flavour_code = pick.choice(_FLAVOURS)
        product = (title, f"{sku}-{size_code}-{flavour_code}", price + more)
        quantity = pick.choices((1, 2), (9, 1))[0]
        properties = {"Writing on cake": words, "_origin": "simulator"}
        return _line(line_id, product, f"{size} / {flavour}", quantity, properties)

    def _extra(self, line_id: int) -> dict[str, Any]:
        return _line(line_id, self._random.choice(_EXTRAS), None, 1, {})

    def _edit(self, now: datetime) -> dict[str, Any]:
        order = self._random.choice(self.orders)
        line = order["line_items"][0]
        line["properties"] = [{"name": "Writing on cake", "value": self._random.choice(_WORDS)}]
        return _touched(order, now)

    def _cancel(self, now: datetime) -> dict[str, Any]:
        order = self.orders.pop(self._random.randrange(len(self.orders)))
        order |= {"cancelled_at": now.isoformat(timespec="seconds"), "cancel_reason": "customer"}
        for line in order["line_items"]:
            line["current_quantity"] = line["fulfillable_quantity"] = 0
        return _touched(order, now)


def _touched(order: dict[str, Any], now: datetime) -> dict[str, Any]:
    order["updated_at"] = now.isoformat(timespec="seconds")
    return copy.deepcopy(order)


def _line(
    line_id: int,
    product: tuple[str, str, float],
    variant: str | None,
    quantity: int,
    properties: dict[str, str],
) -> dict[str, Any]:
    title, sku, price = product
    return {
        "id": line_id,
        "title": title,
        "name": f"{title} - {variant}" if variant else title,
        "variant_title": variant,
        "sku": sku,
        "price": f"{price:.2f}",
        "quantity": quantity,
        "current_quantity": quantity,
        "fulfillable_quantity": quantity,
        "properties": [{"name": name, "value": value} for name, value in properties.items()],
    }
