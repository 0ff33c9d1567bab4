"""Nasty data, double clicks, reprints: what people do to labels."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from takt.errors import RpcError
from takt.rpc_sync import SyncRpcClient
from tests.printing.floor import Floor, Zebra, serial
from tests.support.labels import INJECTIONS

EVIL = (*INJECTIONS, "~JR", "^PQ9999", "A>5B", "_1", '"', "\n", "🎂", "x" * 4000)


def refusal(rpc: SyncRpcClient, name: str, **arguments: Any) -> RpcError | None:
    """Why a call was refused; None when it was not."""
    try:
        rpc.call(name, **arguments)
    except RpcError as error:
        return error
    return None


def ask(rpc: SyncRpcClient, zebra: Zebra, labels: list[dict[str, Any]]) -> list[int]:
    jobs = rpc.call(
        "request_prints", p_label_type="item", p_labels=labels, p_printer=zebra.code, p_priority=10
    )
    return [int(job["id"]) for job in jobs]


def test_s12_evil_data_is_printed_literally_or_refused(floor: Floor) -> None:
    with floor.zebra() as zebra, floor.person() as rpc:
        labels, shown, refused = [], {}, []
        for evil in EVIL:
            for field in ("name", "sku", "location", "code"):
                name = serial()
                wish = {"subject": name, "data": {"code": name, "name": "Flour", field: evil}}
                where = {"p_label_type": "item", "p_printer": zebra.code}
                one = {"p_subject": name, "p_data": wish["data"]}
                if refusal(rpc, "preview_print", **where, **one) is None:
                    labels.append(wish)
                    shown[name] = evil
                else:
                    error = refusal(rpc, "request_print", **where, **one)
                    assert error is not None
                    refused.append(error)
        assert {error.status for error in refused} == {422}
        assert {error.code for error in refused} <= {"label.bad_data", "label.does_not_fit"}
        assert all(error.message.endswith(".") for error in refused)
        assert len(labels) > len(EVIL)
        for job in ask(rpc, zebra, labels):
            floor.until(job, "printed")
        state, paper = zebra.real.state, zebra.real.paper
        assert (state["boots"], state["odometer"]) == (1, 1000 + len(labels))
        assert {label.kind for label in paper} == {"label"}
        assert sorted(zebra.serials) == sorted(shown)
        for label, name in zip(paper, zebra.serials, strict=True):
            assert any(is_literal(text, shown[name]) for text in label.texts), shown[name]


def is_literal(text: str, evil: str) -> bool:
    """`text` is what was asked for, or as much of it as fits. White space shows nothing."""
    if not evil.strip():
        return True
    return bool(text.strip()) and text.rstrip("…. ").split("\\&")[0] in evil


def test_s13_a_serial_that_does_not_fit(floor: Floor) -> None:
    with floor.zebra() as zebra, floor.person() as rpc:
        serials = [f"IT-{uuid.uuid4().hex.upper()}"[:n] for n in (4, 8, 12, 14, 16, 18, 20, 24, 32)]
        fits, refused = [], []
        for name in serials:
            wish = {"p_label_type": "item", "p_subject": name, "p_printer": zebra.code}
            error = refusal(rpc, "preview_print", **wish)
            if error is None:
                fits.append(name)
                continue
            asked = refusal(rpc, "request_print", **wish)
            assert asked is not None
            assert (asked.status, asked.code) == (422, "label.does_not_fit")
            assert "does not fit at 203 dpi" in asked.message
            refused.append(name)
        assert serials[-1] in refused
        assert serials[0] in fits
        bars = {"kind": "code128", "x": 0, "y": 2, "h": 10, "module_mm": 0.25, "value": "{{code}}"}
        narrow = {"p_fields": [bars], "p_width_mm": 50, "p_height_mm": 25, "p_dpi": 203}
        error = refusal(rpc, "preview_label", **narrow, p_data={"code": serials[-1]})
        assert error is not None
        assert "does not fit at 203 dpi" in error.message
        for job in ask(rpc, zebra, [{"subject": n, "data": {"name": "Flour"}} for n in fits]):
            floor.until(job, "printed")
        assert zebra.codes() == [{("code128", n), ("qr", n)} for n in fits]


def test_s16_two_clicks_are_one_label(floor: Floor) -> None:
    with floor.zebra() as zebra:
        name = serial()
        wish = {"p_label_type": "item", "p_subject": name, "p_printer": zebra.code}
        click = str(uuid.uuid4())

        def press(request_id: str) -> dict[str, Any]:
            with floor.person() as rpc:
                return dict(rpc.call("request_print", **wish, p_request_id=request_id))

        with ThreadPoolExecutor(4) as tabs:
            answers = list(tabs.map(press, [click, click, str(uuid.uuid4()), str(uuid.uuid4())]))
        (job,) = {answer["job"]["id"] for answer in answers}
        # The retry of one click gets the answer of that click; the other tab is told.
        assert answers[0] == answers[1]
        assert sum(answer["changed"] for answer in answers[1:]) == 1
        floor.until(job, "printed")
        with floor.person() as rpc:
            again = rpc.call("request_print", **wish)
            assert (again["changed"], again["job"]["id"]) == (False, job)
            other = {**wish, "p_data": {"name": "Sugar"}}
            error = refusal(rpc, "request_print", **other)
            assert error is not None
            assert (error.status, error.code) == (409, "print.other_data")
            error = refusal(rpc, "request_print", **other, p_request_id=click)
            assert error is not None
            assert (error.status, error.code) == (422, "request.reused")
        assert zebra.serials == [name]


def test_s20_a_reprint_and_the_lost_label_that_turns_up(floor: Floor) -> None:
    with floor.zebra() as zebra, floor.person() as rpc:
        made = rpc.call("create_manual_order", p_store="bannos", p_product_title="Bun")
        order = made[0]["id"]
        first = rpc.call(
            "request_print", p_label_type="order_ticket", p_subject=order, p_printer=zebra.code
        )["job"]
        floor.until(first["id"], "printed")
        for reason in (None, "just so"):
            with pytest.raises(RpcError) as refused:
                rpc.call("reprint", p_job_id=first["id"], p_reason=reason)
            assert (refused.value.status, refused.value.code) == (422, "print.reason")
        answer = rpc.call("reprint", p_job_id=first["id"], p_reason="lost", p_note="not found")
        second = floor.until(answer["job"]["id"], "printed")
        assert (second["reprint_of"], second["print_no"], second["reason"]) == (
            *(first["id"], 2, "lost"),
        )
        told = rpc.call("get_print_job", p_job_id=second["id"])
        assert (told["requested_by_name"], told["job"]["note"]) == ("Ada", "not found")
        assert second["payload_sha256"] == first["payload_sha256"]
        assert len(zebra.real.paper) == 2
        # The first label turns up again, and both are used.
        assert rpc.call("scan", p_code=order)["changed"]
        assert floor.alarms("print.duplicate", job=second["id"]) == []
        floor.sql("update private.recent_scans set at = at - interval '10 minutes'")
        assert rpc.call("scan", p_code=order)["changed"]
        (alarm,) = floor.alarms("print.duplicate", job=second["id"])
        assert f"Two labels of {order}" in alarm["message"]
