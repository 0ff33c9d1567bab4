"""A problem reported by the QR code of a machine, over HTTP, without an account."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from tests.services.stack import Stack
from tests.services.test_rest import client, token

# The smallest JPEG that is one: start of image, end of image.
_PHOTO = b"\xff\xd8\xff\xd9"


@pytest.fixture
def anybody(stack: Stack) -> httpx.Client:
    """Somebody's phone: the client's publishable key and nothing else."""
    return httpx.Client(base_url=stack.url, headers={"apikey": stack.publishable_key})


@pytest.fixture
def qr(stack: Stack) -> str:
    """The token on a new machine."""
    code = f"qr-{uuid.uuid4().hex[:6]}"
    with stack.rpc() as rpc:
        rpc.call("save_machine", p_code=code, p_site="main", p_name="Press")
    with client(stack, token(stack, "supervisor")) as boss:
        answer = boss.post("/rest/v1/rpc/get_machine_qr", json={"p_machine": code})
    return str(answer.json()["token"])


def _report(anybody: httpx.Client, qr: str, **more: Any) -> httpx.Response:
    asked = {"p_token": qr, "p_symptom": "leak"} | more
    return anybody.post("/rest/v1/rpc/report_problem", json=asked)


def _upload(anybody: httpx.Client, path: str, kind: str = "image/jpeg") -> int:
    target = f"/storage/v1/object/maintenance/{path}"
    return anybody.post(target, content=_PHOTO, headers={"content-type": kind}).status_code


def test_from_the_scan_to_the_ticket_with_its_photo(
    stack: Stack, anybody: httpx.Client, qr: str
) -> None:
    form = anybody.post("/rest/v1/rpc/get_report_form", json={"p_token": qr})
    assert (form.status_code, form.json()["name"]) == (200, "Press")
    ticket = _report(anybody, qr, p_photo_type="image/jpeg").json()
    assert ticket["is_new"] is True
    assert _upload(anybody, ticket["photo_path"].replace(".jpg", ".png")) >= 400
    assert _upload(anybody, ticket["photo_path"]) == 200
    assert _upload(anybody, ticket["photo_path"]) >= 400, "written once"
    with client(stack, token(stack, "technician")) as technician:
        number = {"p_id": ticket["repair_id"]}
        repair = technician.post("/rest/v1/rpc/get_repair", json=number).json()
        assert [a["is_there"] for a in repair["attachments"]] == [True]
        photo = f"/storage/v1/object/maintenance/{ticket['photo_path']}"
        assert technician.get(photo).content == _PHOTO
    assert anybody.get(photo).status_code >= 400, "who reported may not look"


def test_what_a_phone_without_an_account_gets_to_see(anybody: httpx.Client, qr: str) -> None:
    assert _report(anybody, qr, p_symptom="bored").json()["hint"] == "symptom.unknown"
    assert _report(anybody, "x" * 22).status_code == 404
    for rpc in ("get_machines", "get_repairs"):
        assert anybody.post(f"/rest/v1/rpc/{rpc}", json={}).status_code in (401, 403)
    for table in ("machines", "repairs", "machine_symptoms"):
        assert anybody.get(f"/rest/v1/{table}").status_code in (401, 403)


def test_the_limit_per_address_is_the_gateway_s_address(
    stack: Stack, anybody: httpx.Client, qr: str
) -> None:
    """A header that the phone makes up itself is not believed."""
    codes = []
    for n in range(7):
        headers = {"x-forwarded-for": f"203.0.113.{n}"}
        asked = {"p_token": qr, "p_symptom": "heat" if n < 6 else "leak"}
        answer = anybody.post("/rest/v1/rpc/report_problem", json=asked, headers=headers)
        codes.append(answer.status_code)
    assert codes == [200] * 6 + [429]
    with stack.connect() as db:
        seen = db.execute(
            "select count(distinct address) from private.problem_reports p"
            " join private.machine_tokens t on t.machine = p.machine where t.token = %s",
            (qr,),
        ).fetchone()
    assert seen == (1,)
