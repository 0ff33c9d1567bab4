"""The list of affected units as a CSV file: the same from the gatekeeper and the command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

# Columns of the RPC's rows (public.recall_row), in the order of the file.
COLUMNS = (
    *("sn", "status", "variant_code", "variant_title", "product_code", "site", "through"),
    *("customer_name", "store", "order_number", "order_id", "production_order"),
    *("box_code", "pallet_code", "hw_rev", "fw_version"),
    *("created_at", "packed_at", "held_at", "hold_reason"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(rows: Iterable[Mapping[str, Any]], *, head: bool = False) -> str:
    """Lines for rows of `get_recall_export`, RFC 4180; `head`: the names of the columns first."""
    text = io.StringIO()
    writer = csv.writer(text)
    if head:
        writer.writerow(COLUMNS)
    writer.writerows([_cell(row.get(name)) for name in COLUMNS] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    """What a customer wrote must not run as a formula in whoever's spreadsheet."""
    if value is None:
        return ""
    text = "; ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
