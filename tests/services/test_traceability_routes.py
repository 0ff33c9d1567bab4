"""`/api/v1/traceability/…` and GS1 scans over HTTP: read at the edge, known in the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.services.stack import Stack
from tests.services.test_rest import client, token

_GTIN = "04006381333931"


@dataclass(frozen=True)
class Traced:
    """An order of a new product, and the lot of planks that went into it."""

    order: str
    lot: str
    sku: str


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Iterator[httpx.Client]:
    with client(stack, token(stack, "operator")) as http:
        yield http


@pytest.fixture(scope="module")
def traced(stack: Stack) -> Traced:
    name = uuid.uuid4().hex[:6].upper()
    plank, product, lot, code = f"PLANK-{name}", f"BENCH-{name}", f"LOT-{name}", f"OP-{name}"
    with stack.rpc() as rpc:
        for item in (plank, product):
            rpc.call("upsert_item", p_sku=item, p_title=item)
        rpc.call("save_item_gtin", p_gtin=_GTIN, p_sku=plank)
        rpc.call("receive_lot", p_sku=plank, p_code=lot, p_quantity=40)
        rpc.call(
            "create_production_order",
            p_product_sku=product,
            p_code=code,
            p_quantity=4,
            p_lines=[{"sku": plank, "quantity": 2}],
            p_site="main",
        )
        rpc.call("consume_lot", p_code=lot, p_quantity=8, p_order=code)
    return Traced(code, lot, plank)


def test_a_lot_an_order_and_a_label_are_traced(operator: httpx.Client, traced: Traced) -> None:
    base = "/api/v1/traceability"
    lot = operator.get(f"{base}/lots/{traced.lot}", params={"sku": traced.sku})
    assert lot.status_code == 200, lot.text
    assert (lot.json()["mass"]["used"], lot.json()["mass"]["remaining"]) == (8, 32)
    assert traced.order in {e["key"] for e in lot.json()["genealogy"]["went_into"]}
    order = operator.get(f"{base}/ops/{traced.order}").json()
    assert traced.lot in {e["key"] for e in order["genealogy"]["made_of"]}
    label = operator.get(f"{base}/labels/{traced.order}").json()
    assert label["production_order"] == traced.order
    assert {row["lot"]["code"] for row in label["lots"]} == {traced.order, traced.lot}
    for path in (f"lots/{traced.lot}", f"ops/{traced.order}"):
        events = operator.get(f"{base}/{path}/timeline", params={"limit": "5"}).json()
        assert events[0]["event_type"]


def test_what_nobody_knows_is_not_found(operator: httpx.Client) -> None:
    for path, code in (
        ("lots/none", "lot.unknown"),
        ("ops/none", "production.unknown"),
        ("labels/none", "trace.unknown"),
    ):
        answer = operator.get(f"/api/v1/traceability/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_a_gs1_scan_is_read_and_resolved(operator: httpx.Client, traced: Traced) -> None:
    text = f"]d201{_GTIN}10{traced.lot}\x1d378"
    answer = operator.post("/api/v1/scans/gs1", json={"code": text, "station": "gate"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["action"], answer.json()["details"]["lot"]) == ("lot", traced.lot)
    again = {"code": text, "request_id": str(uuid.uuid4())}
    first, second = (operator.post("/api/v1/scans/gs1", json=again).json() for _ in range(2))
    assert first["event_id"] == second["event_id"]


def test_a_code_that_is_no_gs1_code_is_refused_in_words(operator: httpx.Client) -> None:
    answer = operator.post("/api/v1/scans/gs1", json={"code": "bannos-18617"})
    assert answer.status_code == 404
    assert operator.post("/api/v1/scans/gs1", json={}).status_code == 400
