"""`takt stock`: what is there, import it from files, and whether the books agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connect import Client, given
from cli.order import read_rows
from cli.output import Exit, Failure, Json, fail, group, say, show
from takt.tables import TableError, kind_of, read_table

app = group("Stock: list, import, check.")

_LIST = ("sku", "title", "kind", "uom", "on_hand", "held", "reserved", "ats", "min_stock", "is_low")
_LEDGER = ("id", "at", "location", "kind", "quantity", "balance", "reason", "ref_id", "actor_name")
_ALARMS = ("severity", "kind", "sku", "order_id", "message")
_CHECK = ("sku", "location", "what", "kept", "ledger")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, XLSX or JSON.")],
    kind: Annotated[
        str | None, typer.Option(help="items or stock; default: stock if it has figures.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Do it; default shows every error.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import items, or stock (columns sku, location, on_hand or quantity). All rows or none."""
    rows = rows_of(file)
    chosen = kind or kind_of(rows)
    if chosen not in ("items", "stock"):
        fail("--kind is items or stock.", Exit.USAGE)
    with Client() as client:
        # Safe to repeat: rows that say what is there book nothing twice, and a file that adds is
        # known by its content.
        answer = client.call(f"import_{chosen}", safe=True, p_rows=rows, p_dry_run=not apply)
    rows = [{**row, "errors": _sentences(row["errors"], as_json)} for row in answer["rows"]]
    show(rows, as_json, ("row", "ok", "result", "sku", "errors"))
    if wrong := sum(not row["ok"] for row in rows):
        fail(f"{wrong} of {len(rows)} rows have errors: nothing is imported until all are right.")
    if answer["applied"]:
        say(f"Import {answer['batch_id']}. `takt stock undo {answer['batch_id']}` takes it back.")
    else:
        say("Dry run: nothing was changed. Repeat with --apply.")


@app.command()
def undo(batch: int, as_json: Json = False) -> None:
    """Take a whole import back."""
    with Client() as client:
        show(client.call("undo_import", safe=True, p_batch_id=batch), as_json)


@app.command("list")
def list_(
    search: Annotated[str | None, typer.Argument(help="In SKU, title, supplier.")] = None,
    only: Annotated[str | None, typer.Option(help="low, out or negative")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    location: Annotated[str | None, typer.Option(help="Only what lies there.")] = None,
    as_json: Json = False,
) -> None:
    """Items with what is there, promised and available."""
    arguments = given(p_search=search, p_only=only, p_kind=kind, p_location=location)
    rows: list[dict[str, Any]] = []
    cursor = None
    with Client() as client:
        while True:
            page = client.call(
                "get_inventory", safe=True, p_limit=500, **given(p_cursor=cursor), **arguments
            )
            rows += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    show(rows, as_json, _LIST)


@app.command()
def ledger(
    sku: str,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Json = False,
) -> None:
    """The latest movements of an item, newest first."""
    with Client() as client:
        page = client.call("get_item_ledger", safe=True, p_sku=sku, p_limit=limit)
    show(page["entries"], as_json, _LEDGER)


@app.command()
def alarms(as_json: Json = False) -> None:
    """What about stock a person should look at."""
    with Client() as client:
        show(client.call("get_stock_alarms", safe=True), as_json, _ALARMS)


@app.command()
def selfcheck(as_json: Json = False) -> None:
    """Do balances, promises and ledger agree? Exit 1 when they do not."""
    with Client() as client:
        differences = client.call("inventory_selfcheck", safe=True)
    show(differences, as_json, _CHECK)
    if differences:
        fail(f"{len(differences)} differences: the books do not agree.")
    say("The books agree.")


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The rows of a CSV, XLSX or JSON file. Errors: Failure."""
    if file.suffix.lower() == ".json":
        return read_rows(file)
    try:
        return read_table(file.name, file.read_bytes()).rows
    except TableError as error:
        raise Failure(str(error), Exit.USAGE) from error


def _sentences(errors: list[dict[str, Any]], as_json: bool) -> Any:
    """The errors of a row as they are, or as a person reads them."""
    return errors if as_json else "; ".join(f"{e['field']}: {e['message']}" for e in errors)
