"""The list of affected units as a CSV file: the same from the gatekeeper and the command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from takt.tables import safe_cell

# Columns of the RPC's rows (public.recall_row), in the order of the file.
COLUMNS = (
    *("sn", "status", "variant_code", "variant_title", "product_code", "site", "through"),
    *("customer_name", "store", "order_number", "order_id", "production_order"),
    *("box_code", "pallet_code", "hw_rev", "fw_version"),
    *("created_at", "packed_at", "held_at", "hold_reason"),
)


def csv_lines(rows: Iterable[Mapping[str, Any]], *, head: bool = False) -> str:
    """Lines for rows of `get_recall_export`, RFC 4180; `head`: the names of the columns first."""
    text = io.StringIO()
    writer = csv.writer(text)
    if head:
        writer.writerow(COLUMNS)
    writer.writerows([safe_cell(row.get(name)) for name in COLUMNS] for row in rows)
    return text.getvalue()
