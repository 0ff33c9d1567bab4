"""The import of a file through the gatekeeper: CSV or workbook, tried, then done once."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.services.stack import Stack
from tests.services.test_rest import client, token
from tests.services.test_stock_commands import HEADER, SHARED, workbook

PATH = "/api/v1/stock/import"


@pytest.fixture(scope="module")
def planner(stack: Stack) -> httpx.Client:
    return client(stack, token(stack, "planner"))


def send(planner: httpx.Client, content: bytes, key: str = "", **asked: str) -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    return planner.post(PATH, content=content, params=asked, headers=headers)


def items(db: psycopg.Connection, like: str) -> list[str]:
    rows = db.execute("select sku from public.inventory_items where sku like %s", (like,))
    return [row[0] for row in rows]


def test_a_file_is_tried_then_done_and_a_lost_answer_does_it_once(
    planner: httpx.Client, db: psycopg.Connection, tmp_path: Path
) -> None:
    stem = f"F{uuid.uuid4().hex[:8]}"
    file = f"SKU;Title\n\n{stem}-1;Zoë\n{stem}-2;Two\n".encode("cp1252")
    tried = send(planner, file, name="items.csv").json()
    assert (tried["kind"], tried["applied"], tried["lines"]) == ("items", False, [3, 4])
    assert (tried["counts"], items(db, f"{stem}%")) == ({"created": 2}, [])
    key = str(uuid.uuid4())
    done = [send(planner, file, key, name="items.csv", apply="true").json() for _ in range(2)]
    assert done[0]["applied"] is True
    assert done[0] == done[1]
    assert len(items(db, f"{stem}%")) == 2
    rows = (
        f'{HEADER}<row r="2"><c r="A2" t="inlineStr"><is><t>{stem}-1</t></is></c>'
        '<c r="B2"><v>12</v></c></row>'
    )
    book = workbook(tmp_path, rows, SHARED).read_bytes()
    booked = send(planner, book, apply="true").json()
    assert (booked["kind"], booked["counts"]) == ("stock", {"booked": 1})
    wrong = send(planner, book, kind="items").json()
    assert [row["errors"][0]["code"] for row in wrong["rows"]] == ["import.bad_value"]


@pytest.mark.parametrize(
    ("content", "asked", "status", "code"),
    [
        (b"PK\x03\x04 no workbook", {"name": "a.xlsx"}, 422, "import.file"),
        (b"a,b\n1,2,3\n", {}, 422, "import.file"),
        (b"", {}, 422, "import.file"),
        (b"sku\nx\n", {"kind": "people"}, 400, "request.malformed"),
        (b"sku\nx\n", {"apply": "yes"}, 400, "request.malformed"),
        (b"sku\nx\n", {"actor": "me"}, 400, "request.malformed"),
        (b"x" * (2 * 1024 * 1024 + 1), {}, 413, "request.too_large"),
        (b"sku\n" + b"x\n" * 5001, {}, 422, "import.table"),
    ],
)
def test_what_cannot_be_imported_says_why(
    planner: httpx.Client, content: bytes, asked: dict[str, str], status: int, code: str
) -> None:
    answer = send(planner, content, **asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_rights_are_the_callers_own_and_a_strangers_file_is_not_read(stack: Stack) -> None:
    with client(stack, token(stack, "operator")) as operator:
        refused = send(operator, b"sku\nx\n")
    assert (refused.status_code, refused.json()["code"]) == (403, "auth.forbidden")
    assert httpx.post(f"{stack.url}{PATH}", content=b"sku\nx\n").status_code == 401
    forged = {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30.x"}
    answer = httpx.post(f"{stack.api}{PATH}", content=b"PK\x03\x04 a bomb", headers=forged)
    assert answer.status_code == 401


def test_the_rows_of_a_file_are_read_for_who_maps_its_columns(planner: httpx.Client) -> None:
    file = "Order;Artikel;Menge\n\nP-1;DESK;4\nP-2;;\n".encode("utf-16")
    answer = planner.post("/api/v1/tables", content=file, params={"name": "erp.csv"})
    assert answer.json() == {
        "columns": ["Order", "Artikel", "Menge"],
        "rows": [
            {"Order": "P-1", "Artikel": "DESK", "Menge": "4"},
            {"Order": "P-2", "Artikel": None, "Menge": None},
        ],
        "lines": [3, 4],
    }
    no_table = planner.post("/api/v1/tables", content=b"")
    assert (no_table.status_code, no_table.json()["code"]) == (422, "import.file")
    odd = planner.post("/api/v1/tables", content=b"a\n1\n", params={"apply": "true"})
    assert (odd.status_code, odd.json()["code"]) == (400, "request.malformed")


def test_a_strangers_table_is_not_read(stack: Stack) -> None:
    assert httpx.post(f"{stack.url}/api/v1/tables", content=b"a\n1\n").status_code == 401
    forged = {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30.x"}
    answer = httpx.post(f"{stack.api}/api/v1/tables", content=b"PK\x03\x04 bomb", headers=forged)
    assert answer.status_code == 401
