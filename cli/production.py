"""`takt production`: orders from an ERP's files, and whether pieces and lots add up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connect import Client
from cli.output import Json, fail, group, report, say, show
from cli.stock import rows_of

app = group("Production orders: import, trace, check.")

_BATCH = 1000
_RESULT = ("row", "ok", "result", "external_id", "code", "version", "message")
_EVENT = ("id", "at", "stream_id", "event_type", "actor_name", "station")
_CHECK = ("subject", "what", "kept", "expected")


def batches(rows: list[dict[str, Any]], size: int = _BATCH) -> list[list[int]]:
    """Positions of the rows, so many at a time; rows that name one order go together.

    A dry run judges a batch as if nothing came before it: no other batch may be about its orders.
    """
    first: dict[tuple[str, str], int] = {}
    before = list(range(len(rows)))

    def head(number: int) -> int:
        while before[number] != number:
            before[number] = number = before[before[number]]
        return number

    for number, row in enumerate(rows):
        said = {str(key).strip().lower(): str(cell or "").strip() for key, cell in row.items()}
        external_id = said.get("external_id", "")
        for name in (("id", external_id.lower()), ("code", said.get("code") or external_id)):
            if name[1]:
                ends = sorted((head(number), head(first.setdefault(name, number))))
                before[ends[1]] = ends[0]
    groups: dict[int, list[int]] = {}
    for number in range(len(rows)):
        groups.setdefault(head(number), []).append(number)
    found: list[list[int]] = []
    for together in groups.values():
        if not found or len(found[-1]) + len(together) > size:
            found.append([])
        found[-1] += together
    return found


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, XLSX or JSON.")],
    system: Annotated[str, typer.Option(help="Name of the system they come from.")] = "erp",
    apply: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Do it; default shows what would happen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import production orders (columns external_id, version, code, product_sku, quantity,
    due_date, priority, site, store, type, notes, cancelled). Rows with errors are left out.
    """
    rows = rows_of(file)
    results: list[dict[str, Any]] = []
    with Client(timeout=120) as client:
        for numbers in batches(rows):
            # Safe to repeat: what is here already in this version changes nothing.
            answer = client.call(
                "import_production_orders",
                safe=True,
                p_system=system,
                p_rows=[rows[number] for number in numbers],
                p_dry_run=not apply,
            )
            results += [{**row, "row": numbers[row["row"] - 1] + 1} for row in answer["rows"]]
            if len(rows) > _BATCH:
                say(f"{len(results)} of {len(rows)} rows")
    results.sort(key=lambda row: row["row"])
    if not as_json:
        results = [{**row, "message": _sentences(row)} for row in results]
    report(results, as_json, _RESULT, apply)


@app.command()
def trace(code: str, as_json: Json = False) -> None:
    """What happened to an order and to its lots, newest first."""
    with Client() as client:
        events = client.call("get_production_order_timeline", safe=True, p_code=code, p_limit=500)
    show(events, as_json, _EVENT)


@app.command()
def selfcheck(as_json: Json = False) -> None:
    """Do pieces, steps, lots and quality records add up? Exit 1 when they do not."""
    with Client() as client:
        differences = client.call("production_selfcheck", safe=True)
    show(differences, as_json, _CHECK)
    if differences:
        fail(f"{len(differences)} differences: the counts do not add up.")
    say("The counts add up.")


def _sentences(row: dict[str, Any]) -> str:
    """What is wrong with a row, or worth knowing, as a person reads it."""
    return "; ".join(
        f"{note['field']}: {note['message']}" for note in row["errors"] + row["notices"]
    )
