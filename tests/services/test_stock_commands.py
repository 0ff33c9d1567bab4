"""`takt stock`: files in, every error at once, and the books."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest

from takt.tables import TableError, read_table
from tests.services.stack import Stack
from tests.services.test_commands import data, takt


@pytest.fixture
def sku() -> str:
    return f"ITEM-{uuid.uuid4().hex[:8]}"


def write(tmp_path: Path, name: str, text: str) -> str:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def listed(stack: Stack, sku: str) -> dict[str, Any]:
    (row,) = data(takt(stack, "stock", "list", sku, "--json"))
    return dict(row)


def test_items_and_stock_come_from_files_and_go_again(
    stack: Stack, tmp_path: Path, sku: str
) -> None:
    items = write(tmp_path, "items.csv", f"sku,title,kind,min_stock\n{sku},Candle,accessory,5\n")
    stock = write(tmp_path, "stock.csv", f"SKU;on_hand;Location\n{sku.lower()};7.5;\n")
    dry = takt(stack, "stock", "import", items, "--dry-run")
    assert (dry.returncode, "Dry run: nothing was changed" in dry.stderr) == (0, True)
    assert data(takt(stack, "stock", "list", sku, "--json")) == []

    for _ in range(2):
        assert takt(stack, "stock", "import", items, "--apply").returncode == 0
    done = takt(stack, "stock", "import", stock, "--apply")
    assert done.returncode == 0
    batch = done.stderr.split("Import ")[1].split(".")[0]
    row = listed(stack, sku)
    assert (row["on_hand"], row["is_low"]) == (7.5, False)
    entries = data(takt(stack, "stock", "ledger", sku, "--json"))
    assert [(e["kind"], e["quantity"]) for e in entries] == [("adjust", 7.5)]

    assert takt(stack, "stock", "undo", batch).returncode == 0
    assert listed(stack, sku)["on_hand"] == 0
    assert sku in {a["sku"] for a in data(takt(stack, "stock", "alarms", "--json"))}


def test_every_error_of_a_file_is_shown_and_nothing_is_imported(
    stack: Stack, tmp_path: Path, sku: str
) -> None:
    text = f"sku,kind,min_stock\n{sku},component,1\n{sku}-2,spaceship,1\n,component,lots\n"
    file = write(tmp_path, "items.csv", text)
    done = takt(stack, "stock", "import", file, "--apply")
    assert done.returncode == 1
    assert "kind: " in done.stdout
    assert "lots is not a number" in done.stdout
    assert "The SKU is missing." in done.stdout
    assert "2 of 3 rows have errors" in done.stderr
    assert data(takt(stack, "stock", "list", sku, "--json")) == []
    rows = json.loads(takt(stack, "stock", "import", file, "--json").stdout)["data"]
    assert [row["ok"] for row in rows] == [True, False, False]
    assert [e["field"] for e in rows[2]["errors"]] == ["min_stock", "sku"]


def test_the_books_agree(stack: Stack) -> None:
    done = takt(stack, "stock", "selfcheck")
    assert (done.returncode, "The books agree." in done.stderr) == (0, True)
    assert takt(stack, "stock", "list", "--only", "shiny").returncode == 1


# Workbooks ----------------------------------------------------------------------------------

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOC = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(tmp_path: Path, rows: str, shared: str = "") -> Path:
    """An .xlsx with one sheet of these rows, as spreadsheets write it."""
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOC}"><sheets>'
        '<sheet name="Stock" sheetId="1" r:id="rId7"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        '<Relationship Id="rId7" Target="worksheets/sheet9.xml"/></Relationships>',
        "xl/worksheets/sheet9.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData>'
        "</worksheet>",
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">{shared}</sst>',
    }
    file = tmp_path / "stock.xlsx"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)
    file.write_bytes(packed.getvalue())
    return file


HEADER = (
    '<row><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c>'
    '<c r="D1" t="s"><v>2</v></c></row>'
)
SHARED = "<si><t>sku</t></si><si><r><t>on_</t></r><r><t>hand</t></r></si><si><t>reason</t></si>"


def test_a_workbook_is_read_like_a_csv_file(stack: Stack, tmp_path: Path, sku: str) -> None:
    rows = (
        f'{HEADER}<row><c r="A2" t="inlineStr"><is><t>{sku}</t></is></c><c r="B2"><v>0.1</v></c>'
        '<c r="D2" t="b"><v>1</v></c></row><row><c r="A3" t="s"><v>0</v></c>'
        '<c r="B3"><v>1.2000000000000000E2</v></c></row><row/>'
    )
    file = workbook(tmp_path, rows, SHARED)
    assert read_table(file.name, file.read_bytes()).rows == [
        {"sku": sku, "on_hand": "0.1", "reason": "true"},
        {"sku": "sku", "on_hand": "120"},
    ]
    answer = json.loads(takt(stack, "stock", "import", str(file), "--json").stdout)["data"]
    assert [row["errors"][0]["code"] for row in answer] == ["item.unknown", "item.unknown"]


@pytest.mark.parametrize("rows", ["", HEADER, f'{HEADER}<row><c r="F2"><v>1</v></c></row>'])
def test_a_workbook_without_sense_is_a_usage_error(tmp_path: Path, rows: str) -> None:
    with pytest.raises(TableError):
        read_table("stock.xlsx", workbook(tmp_path, rows, SHARED).read_bytes())
    with pytest.raises(TableError):
        read_table("broken.xlsx", b"PK no workbook")


@pytest.mark.parametrize(
    "rows",
    [
        '<row><c r="ZZZ1"><v>1</v></c></row>',
        "<row/>" * 20_001,
        '<row><c r="A1" t="s"><v>77</v></c></row>',
    ],
)
def test_a_workbook_that_is_a_trap_is_refused(tmp_path: Path, rows: str) -> None:
    with pytest.raises(TableError):
        read_table("stock.xlsx", workbook(tmp_path, rows, SHARED).read_bytes())


def test_a_workbook_that_unpacks_to_a_mountain_is_refused(tmp_path: Path) -> None:
    content = workbook(tmp_path, f"<!--{' ' * 20_000_001}-->").read_bytes()
    with pytest.raises(TableError, match="too large"):
        read_table("stock.xlsx", content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_file_is_read_as_it_was_written(encoding: str) -> None:
    table = read_table("stock.csv", "sku;on_hand\n\nZoë;1\n".encode(encoding))
    assert (table.rows, table.lines) == ([{"sku": "Zoë", "on_hand": "1"}], [3])
