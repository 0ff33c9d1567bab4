"""Affected units as a file: from the gatekeeper, streamed, and from `takt recall`."""

from __future__ import annotations

import asyncio
import csv
import io
import uuid
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from services.api.recall import PATH, RecallExport
from services.api.settings import ApiSettings
from takt.errors import RpcError
from takt.recall import COLUMNS, csv_lines
from tests.services.stack import Stack
from tests.services.test_commands import data, takt
from tests.services.test_rest import client, token

UNITS = 2600


@pytest.fixture(scope="module")
def lot(stack: Stack) -> str:
    """A lot that went into more units than fit on a page."""
    code = f"LOT-{uuid.uuid4().hex[:8]}"
    with stack.rpc() as rpc:
        rpc.call("upsert_item", p_sku="CELL", p_title="Cell")
        rpc.call("upsert_lot", p_sku="CELL", p_code=code)
        sns: list[str] = []
        while len(sns) < UNITS:
            count = min(1000, UNITS - len(sns))
            sns += rpc.call("create_generic_units", p_count=count, p_site="main")["sns"]
        rpc.call("install_component", p_sn=sns[0], p_lot=code)
    with stack.connect() as db:
        db.execute(
            "select private.link('lot', %s, 'unit', sn, 1, 'CELL') from unnest(%s::text[]) sn",
            (code, sns[1:]),
        )
        db.execute("select private.link('unit', %s, 'order', '=1+1', 1)", (sns[0],))
        db.execute(
            "insert into public.orders (id, store, source, order_number, product_title,"
            " customer_name) values ('=1+1', 'bannos', 'manual', '1', 'Light', '=cmd()')"
            " on conflict do nothing"
        )
    return code


@pytest.fixture(scope="module")
def supervisor(stack: Stack) -> httpx.Client:
    return client(stack, token(stack, "supervisor"))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_file_has_every_unit_once(supervisor: httpx.Client, lot: str) -> None:
    with supervisor.stream("GET", PATH, params={"key": lot}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert "recall.csv" in answer.headers["content-disposition"]
        assert "content-length" not in answer.headers, "it is streamed"
        text = b"".join(answer.iter_bytes()).decode("utf-8-sig")
    rows = rows_of(text)
    assert tuple(rows[0]) == COLUMNS
    serials = [row["sn"] for row in rows]
    assert len(serials) == len(set(serials)) == UNITS
    assert serials == sorted(serials)
    first = rows[0]
    assert first["through"] == f"lot CELL {lot}"
    assert first["customer_name"] == "'=cmd()", "not a formula in anybody's spreadsheet"


def test_refusals_come_before_the_file(stack: Stack, supervisor: httpx.Client, lot: str) -> None:
    assert supervisor.get(PATH, params={"key": "NOWHERE"}).json()["code"] == "trace.unknown"
    answer = supervisor.get(PATH, params={"lot": lot})
    assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed")
    assert httpx.get(f"{stack.url}{PATH}", params={"key": lot}).status_code == 401
    with client(stack, token(stack, "operator")) as operator:
        answer = operator.get(PATH, params={"key": lot})
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")


def test_half_a_file_is_no_file(stack: Stack, db: psycopg.Connection, lot: str) -> None:
    """An export that ends between two pages breaks the answer off, it does not end it."""

    async def read() -> int:
        async with httpx.AsyncClient(base_url=f"{stack.url}/rest/v1/") as http:
            settings = ApiSettings.load(supabase_url=stack.url)
            signed_in = [(b"apikey", stack.secret_key.encode())]
            scope = {"type": "http", "query_string": f"key={lot}".encode(), "headers": signed_in}
            answer = await RecallExport(http, settings).export(Request(scope))
            assert isinstance(answer, StreamingResponse)
            count = 0
            async for _ in answer.body_iterator:
                count += 1
                if count == 2:
                    db.execute("delete from private.recall_exports")
        return count

    with pytest.raises(RpcError) as caught:
        asyncio.run(read())
    assert caught.value.code == "recall.no_export"


def test_the_command_line_traces_holds_and_exports(stack: Stack, lot: str, tmp_path: Path) -> None:
    traced = takt(stack, "recall", "trace", lot, "--limit", "3")
    assert (traced.returncode, f"{UNITS} unit" in traced.stderr) == (0, True)
    assert "Not everything is listed" in traced.stderr
    file = tmp_path / "affected.csv"
    done = data(takt(stack, "recall", "export", lot, "-o", str(file), "--json"))
    rows = rows_of(file.read_text(encoding="utf-8"))
    assert done["units"] == len(rows) == UNITS
    sn = rows[0]["sn"]
    made_of = data(takt(stack, "recall", "trace", sn, "--back", "--json"))
    assert {e["key"] for e in made_of["entries"]} == {sn, lot}
    shown = takt(stack, "recall", "export", "--kind", "unit", "--from", sn, "--to", sn)
    assert [row["sn"] for row in rows_of(shown.stdout)] == [sn]
    held = data(takt(stack, "recall", "hold", sn, "--reason", "swollen", "--json"))
    assert (held["units_held"], held["lots_held"]) == (1, 0)
    (one,) = data(takt(stack, "recall", "list", "--json"))
    assert (one["units_on_hold"], one["reason"]) == (1, "swollen")
    over = ("recall", "release", str(one["recall_id"]), "--reason", "checked", "--json")
    assert data(takt(stack, *over))["units_released"] == 1
    again = takt(stack, *over)
    assert (data(again)["changed"], "over already" in again.stderr) == (False, True)
    assert data(takt(stack, "recall", "list", "--json")) == []
    (gone,) = data(takt(stack, "recall", "list", "--with-released", "--json"))
    assert gone["release_reason"] == "checked"
    nothing = takt(stack, "recall", "trace")
    assert (nothing.returncode, "trace.query" in nothing.stderr) == (1, True)


def test_cells_are_plain_text() -> None:
    row: dict[str, Any] = {"sn": "1", "through": ["lot A 1", "lot B 2"], "customer_name": '@x, "y"'}
    (found,) = rows_of(csv_lines([row], head=True))
    assert found["through"] == "lot A 1; lot B 2"
    assert found["customer_name"] == '\'@x, "y"'
    assert found["store"] == ""


def test_an_export_is_remembered(
    supervisor: httpx.Client, lot: str, db: psycopg.Connection
) -> None:
    supervisor.get(PATH, params={"key": lot, "kind": "lot", "with_removed": "true"})
    row = db.execute(
        "select payload -> 'trace', actor_id is not null from public.events"
        " where event = 'recall.exported' and stream_id = %s order by id desc limit 1",
        (lot,),
    ).fetchone()
    assert row == ({"key": lot, "kind": "lot", "with_removed": "true"}, True)
