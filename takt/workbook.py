"""The first sheet of an .xlsx workbook as lines of text cells, as of a CSV file; or a new one."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree import ElementTree  # its expat stops entity bombs; sizes are checked
from xml.sax.saxutils import escape

_MAX_BYTES = 20_000_000  # of one part of the workbook, unpacked
_MAX_ROWS, _MAX_COLUMNS = 20_000, 200
_NS = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SKELETON = {  # what a workbook is made of besides its sheet
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_NS["m"]}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="Takt" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def sheet_lines(content: bytes) -> list[tuple[int, list[str]]]:
    """(number from 1, cells) of every line. Errors: ValueError when it is no workbook, or too
    large to be a table of a person."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            return list(_lines(book, _first_sheet(book), _shared(book)))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, IndexError) as error:
        raise ValueError(f"it is no workbook: {error}") from error
    except (NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise ValueError(f"it is packed in a way nobody reads: {error}") from error


def _part(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > _MAX_BYTES:
        raise ValueError(f"{name} is too large")
    try:
        return ElementTree.fromstring(book.read(name))  # noqa: S314
    except ElementTree.ParseError as error:
        raise ValueError(f"{name}: {error}") from error


def _first_sheet(book: zipfile.ZipFile) -> str:
    sheet = _part(book, "xl/workbook.xml").findall("m:sheets/m:sheet", _NS)[0]
    for relation in _part(book, "xl/_rels/workbook.xml.rels"):
        if relation.get("Id") == sheet.get(_REL):
            target = str(relation.get("Target"))
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise ValueError("the first sheet is missing")


def _shared(book: zipfile.ZipFile) -> list[str]:
    """The workbook's table of texts."""
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    return [_text(item) for item in _part(book, "xl/sharedStrings.xml").findall("m:si", _NS)]


def _text(item: ElementTree.Element) -> str:
    """Text of an item, in one piece or in formatted runs; readings of characters left out."""
    return "".join(t.text or "" for path in ("m:t", "m:r/m:t") for t in item.findall(path, _NS))


def _lines(book: zipfile.ZipFile, sheet: str, shared: list[str]) -> Iterator[tuple[int, list[str]]]:
    rows = _part(book, sheet).findall("m:sheetData/m:row", _NS)
    if len(rows) > _MAX_ROWS:
        raise ValueError(f"it has more than {_MAX_ROWS} rows")
    number = 0
    for row in rows:
        said = row.get("r", "")
        number = int(said) if said.isdecimal() else number + 1
        cells: list[str] = []
        for cell in row.findall("m:c", _NS):
            place = _column(cell.get("r", ""), len(cells))
            if place >= _MAX_COLUMNS:
                raise ValueError(f"row {number} has a cell in column {place + 1}")
            cells += [""] * (place - len(cells)) + [_value(cell, shared)]
        yield number, cells


def _column(reference: str, following: int) -> int:
    """0 for A1, 27 for AB7; the next one when the cell does not say."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        return following
    place = 0
    for letter in letters.group():
        place = place * 26 + ord(letter) - 64
    return place - 1


def _value(cell: ElementTree.Element, shared: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inline = cell.find("m:is", _NS)
        return _text(inline) if inline is not None else ""
    text = cell.findtext("m:v", "", _NS)
    if kind == "s":
        return shared[int(text)]
    if kind == "b":
        return "true" if text == "1" else "false"
    return _number(text) if kind == "n" and text else text


def _number(text: str) -> str:
    """As a person typed it: 0.1, not 0.10000000000000001 or 1E-1."""
    try:
        return f"{Decimal(repr(float(text))).normalize():f}"
    except (ValueError, InvalidOperation):
        return text


def sheet_file(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """An .xlsx workbook with one sheet: numbers as numbers, all else as text, never a formula."""
    lines = [list(names), *rows]
    body = "".join(
        f'<row r="{n}">{"".join(map(_cell_xml, line))}</row>' for n, line in enumerate(lines, 1)
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in _SKELETON.items():
            book.writestr(name, _XML + content)
        sheet = f'<worksheet xmlns="{_NS["m"]}"><sheetData>{body}</sheetData></worksheet>'
        book.writestr("xl/worksheets/sheet1.xml", _XML + sheet)
    return file.getvalue()


def _cell_xml(value: Any) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float | Decimal):
        return f"<c><v>{value}</v></c>"
    text = escape(_UNPRINTABLE.sub("\ufffd", str(value)))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
