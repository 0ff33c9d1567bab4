"""Tables that people keep: CSV as spreadsheets write it, and workbooks, as rows of text cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from takt.workbook import sheet_lines

Row = dict[str, Any]
_WORKBOOK = b"PK\x03\x04"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class TableError(ValueError):
    """The file is no table; the message says why, and in which line."""


@dataclass(frozen=True)
class Table:
    """`rows` {column: text or None}; `lines` the line of the file where each of them stands."""

    rows: list[Row]
    lines: list[int]


def read_table(name: str, content: bytes) -> Table:
    """A CSV file (comma, semicolon or tab) or an .xlsx workbook, whatever it is called.

    The first line names the columns; lines without a cell are left out. Errors: TableError.
    """
    try:
        if content.startswith(_WORKBOOK) or name.lower().endswith(".xlsx"):
            return _named(sheet_lines(content))
        return _named(_csv_lines(_text(content)))
    except (csv.Error, ValueError) as error:
        raise TableError(f"{name} cannot be read: {error}") from error


def csv_file(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV file, RFC 4180, with a byte order mark: spreadsheets need it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def safe_cell(value: Any) -> str:
    """What somebody wrote must not run as a formula in whoever's spreadsheet."""
    if value is None:
        return ""
    if isinstance(value, int | float | Decimal):
        return str(value)
    text = "; ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def kind_of(rows: Iterable[Row]) -> str:
    """What a table for the stock is about: "stock" when it has figures, else "items"."""
    columns = {name.strip().lower() for row in rows for name in row}
    return "stock" if columns & {"on_hand", "quantity"} else "items"


def csv_rows(text: str) -> list[Row]:
    """The rows of a CSV text. Errors: ValueError, csv.Error."""
    return _named(_csv_lines(text)).rows


def _text(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")  # what spreadsheets on Windows write otherwise


def _csv_lines(text: str) -> Iterable[tuple[int, list[str]]]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    first = 1
    for cells in reader:
        yield first, cells
        first = reader.line_num + 1


def _named(lines: Iterable[tuple[int, list[str]]]) -> Table:
    filled = [(n, [cell.strip() for cell in cells]) for n, cells in lines if any(cells)]
    header = filled[0][1] if filled else []
    table = Table([], [])
    for number, cells in filled[1:]:
        if any(cells[len(header) :]):
            raise ValueError(f"line {number} has more cells than the first line has names")
        row = {key: text or None for key, text in zip(header, cells, strict=False) if key}
        if any(row.values()):
            table.rows.append(row)
            table.lines.append(number)
    if len(set(header) - {""}) != len([key for key in header if key]):
        raise ValueError("two columns have the same name")
    if not table.rows:
        raise ValueError("it has no rows below the names of the columns")
    return table
