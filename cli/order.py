"""`takt order`: import from files, look at one order."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connect import Client
from cli.output import Exit, Failure, Json, group, report, show
from takt.errors import RpcError
from takt.tables import Row, csv_rows

app = group("Orders: import, show, explain.")

_BATCH = 200
_RESULT = ("row", "ok", "result", "order_ids", "needs_review", "changes", "error")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON or CSV.")],
    store: Annotated[str | None, typer.Option(help="Default: the column `store`.")] = None,
    source: Annotated[
        str | None, typer.Option(help="shopify, woocommerce or generic; default by file.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; default shows it.")] = False,
    as_json: Json = False,
) -> None:
    """Import orders through the same merge as webhooks. Shows the outcome; --apply does it."""
    rows = read_rows(file)
    kind = source or ("shopify" if file.suffix.lower() == ".json" else "generic")
    stores: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for number, row in enumerate(rows, start=1):
        target = store or str(row.get("store") or "")
        if not target:
            raise Failure(f"Row {number} names no store: use --store.", Exit.USAGE)
        stores[target].append((number, row))
    results: list[Row] = []
    with Client() as client:
        for target, numbered in stores.items():
            for batch in batches(numbered):
                results += _send(client, target, kind, batch, apply)
    results.sort(key=lambda result: int(result["row"]))
    report(results, as_json, _RESULT, apply)


@app.command("show")
def show_order(code: str, as_json: Json = False) -> None:
    """One order as a scan would find it."""
    with Client() as client:
        show(client.call("get_order_for_scan", safe=True, p_scan=code), as_json)


@app.command()
def why(order_id: str, as_json: Json = False) -> None:
    """Everything that keeps a ticket from going out. Nothing = it can go."""
    with Client() as client:
        rows = client.call("why_not_shipping", safe=True, p_order_id=order_id)
    show(rows, as_json, ("code", "message", "next_action"))


def read_rows(file: Path) -> list[Row]:
    """The rows of a JSON or CSV file (UTF-8, with or without BOM). Errors: Failure."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        rows = _json_rows(text) if file.suffix.lower() == ".json" else csv_rows(text)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise Failure(f"{file.name} cannot be read: {error}", Exit.USAGE) from error
    if not rows:
        raise Failure(f"{file.name} has no rows.", Exit.USAGE)
    return rows


def _json_rows(text: str) -> list[Row]:
    data = json.loads(text)
    if isinstance(data, dict):
        data = data["orders"] if isinstance(data.get("orders"), list) else [data]
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise ValueError("expected a list of objects")
    return data


def batches(numbered: list[tuple[int, Row]], size: int = _BATCH) -> Iterator[list[tuple[int, Row]]]:
    """Calls of about `size` rows. Rows that may be lines of one order stay together, wherever
    they stand in the file: the database takes what comes in one call as the whole order."""
    orders: dict[str, list[tuple[int, Row]]] = {}
    for number, row in numbered:
        name = row.get("external_order_id") or row.get("order_number") or number
        together = re.sub(r"\W", "", str(name)).lower()
        orders.setdefault(together, []).append((number, row))
    batch: list[tuple[int, Row]] = []
    for lines in orders.values():
        if batch and len(batch) + len(lines) > size:
            yield batch
            batch = []
        batch += lines
    if batch:
        yield batch


def _send(
    client: Client, store: str, source: str, batch: list[tuple[int, Row]], apply: bool
) -> list[Row]:
    """One call; the answer's row numbers become those of the file."""
    answer = client.call(
        "import_orders",
        safe=True,  # the merge is idempotent
        p_store=store,
        p_source=source,
        p_rows=[row for _, row in batch],
        p_dry_run=not apply,
    )
    reasons = _reasons(client, store, source, batch, answer)
    return [
        {**result, "row": batch[n][0], "needs_review": reasons.get(n, [])}
        for result in answer
        for n in [int(result["row"]) - 1]
    ]


def _reasons(
    client: Client, store: str, source: str, batch: list[tuple[int, Row]], answer: list[Row]
) -> dict[int, list[str]]:
    """Why a person must look at what came new or changed, by place in the batch.

    Empty for somebody who may import but not look into channels.
    """
    orders: dict[str, list[int]] = defaultdict(list)
    for result in answer:
        if result["result"] in ("created", "updated"):
            # Generic rows of one order are its lines, and have its tickets in common.
            orders[json.dumps(result["order_ids"])].append(int(result["row"]) - 1)
    found: dict[int, list[str]] = {}
    for places in orders.values():
        rows = [batch[n][1] for n in places]
        payload: Any = rows if source == "generic" else rows[0]
        arguments = {"p_store": store, "p_payload": payload, "p_source": source}
        try:
            seen = client.call("try_extraction", safe=True, **arguments)
        except RpcError as error:
            if error.status == 403:
                return {}
            raise
        wrong = {reason for unit in seen["units"] for reason in unit["fields"]["needs_review"]}
        found |= dict.fromkeys(places, sorted(wrong))
    return found
