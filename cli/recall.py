"""`takt recall`: what a lot went into; hold all of it, let go of it; who has it, as a file."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, TextIO

import typer

from cli.connect import Client, CliSettings, given
from cli.output import Exit, Json, fail, group, say, show
from takt.recall import csv_lines

app = group("Recall: trace, hold everything affected, release it, export who has it.")

_COLUMNS = ("kind", "key", "sku", "title", "status", "held_at", "details")
_RECALL = (
    "recall_id", "held_at", "held_by_name", "reason", "units_on_hold", "lots_on_hold",
    "released_at",
)  # fmt: skip
_SECONDS = 110.0  # longer than the statement timeout of hold_all
_PAGE = 2000

Key = Annotated[
    str | None, typer.Argument(help="Code of a lot, serial, unit, box, pallet or order.")
]
Kind = Annotated[str | None, typer.Option(help="lot, serial, item, unit, box, pallet or order.")]
Sku = Annotated[str | None, typer.Option(help="The item of the lot; or all of an item.")]
First = Annotated[str | None, typer.Option("--from", help="First code of a range.")]
Last = Annotated[str | None, typer.Option("--to", help="Last code of a range.")]
Since = Annotated[str | None, typer.Option(help="Used since: 2026-11-01 or an instant.")]
Until = Annotated[str | None, typer.Option(help="Used until.")]
Removed = Annotated[
    bool, typer.Option("--with-removed", help="Also through what was taken out again.")
]


@app.command()
def trace(
    key: Key = None,
    *,
    kind: Kind = None,
    sku: Sku = None,
    first: First = None,
    last: Last = None,
    since: Since = None,
    until: Until = None,
    with_removed: Removed = False,
    back: Annotated[bool, typer.Option("--back", help="What it is made of.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows of each kind.")] = 100,
    as_json: Json = False,
) -> None:
    """What it went into, or with --back what it is made of. Counts are of everything."""
    asked = given(
        key=key, kind=kind, sku=sku, first=first, last=last, since=since, until=until,
        with_removed=with_removed or None,
    )  # fmt: skip
    if back and (key is None or set(asked) - {"key", "kind", "sku", "with_removed"}):
        fail("--back takes a code, no range.", Exit.USAGE)
    arguments = {f"p_{name}": value for name, value in asked.items()}
    with _client() as client:
        if back:
            arguments["p_sn"] = arguments.pop("p_key")
            answer = client.call("trace_back", safe=True, p_limit=limit, **arguments)
        else:
            answer = client.call("trace_forward", safe=True, p_limit=limit, **arguments)
    if as_json:
        show(answer, as_json)
        return
    show(answer["entries"], as_json, _COLUMNS)
    kinds = {name: n for name, n in answer["counts"].items() if isinstance(n, int)}
    say(", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(kinds.items())))
    if not answer["is_complete"]:
        say("Not everything is listed. `takt recall export` lists every unit.")


@app.command()
def hold(
    key: Key = None,
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; people will read it.")],
    kind: Kind = None,
    sku: Sku = None,
    first: First = None,
    last: Last = None,
    since: Since = None,
    until: Until = None,
    with_removed: Removed = False,
    as_json: Json = False,
) -> None:
    """Put every unit and lot that a trace reaches on hold, in one step."""
    asked = given(
        key=key, kind=kind, sku=sku, first=first, last=last, since=since, until=until,
        with_removed=with_removed or None,
    )  # fmt: skip
    with _client() as client:
        answer = client.call(
            "hold_all", p_trace=asked, p_reason=reason, p_request_id=str(uuid.uuid4())
        )
    show(answer, as_json)
    say("Held." if answer["changed"] else "Everything was on hold already.")


@app.command("list")
def list_recalls(
    *,
    with_released: Annotated[
        bool, typer.Option("--with-released", help="Those that are over too.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Json = False,
) -> None:
    """The recalls that are open, newest first, with what each still holds."""
    with _client() as client:
        found = client.call("get_recalls", safe=True, p_with_released=with_released, p_limit=limit)
    show(found, as_json, _RECALL)
    if not found:
        say("No recall holds anything.")


@app.command()
def release(
    recall_id: Annotated[int, typer.Argument(help="The number in `takt recall list`.")],
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; people will read it.")],
    as_json: Json = False,
) -> None:
    """Let go of everything that one hold put on hold; other recalls keep what they hold."""
    with _client() as client:
        answer = client.call(
            "release_all", p_recall_id=recall_id, p_reason=reason, p_request_id=str(uuid.uuid4())
        )
    show(answer, as_json)
    say("Released." if answer["changed"] else "That recall was over already.")


@app.command()
def export(
    key: Key = None,
    *,
    kind: Kind = None,
    sku: Sku = None,
    first: First = None,
    last: Last = None,
    since: Since = None,
    until: Until = None,
    with_removed: Removed = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="File; default stdout.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Every affected unit, where it is and whose, as CSV. --json: a line of JSON at the end."""
    if as_json and output is None:
        fail("--json says how many rows went to a file: give --output too.", Exit.USAGE)
    asked = given(
        key=key, kind=kind, sku=sku, first=first, last=last, since=since, until=until,
        with_removed=with_removed or None,
    )  # fmt: skip
    with _client() as client:
        started = client.call(
            "start_recall_export", p_trace=asked, p_request_id=str(uuid.uuid4())
        )  # fmt: skip
        if output is None:
            rows = _write(client, started["export_id"], typer.get_text_stream("stdout"))
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                rows = _write(client, started["export_id"], file)
    if as_json:
        show({"units": rows, "file": str(output)}, as_json)
    say(f"{rows} units.")


def _write(client: Client, export_id: str, file: TextIO) -> int:
    """Page by page, however many there are; the number of rows."""
    file.write(csv_lines([], head=True))
    rows, cursor = 0, None
    while True:
        page = client.call(
            "get_recall_export", safe=True, p_export_id=export_id, p_limit=_PAGE, p_cursor=cursor
        )
        file.write(csv_lines(page["rows"]))
        rows += len(page["rows"])
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


def _client() -> Client:
    return Client(CliSettings.find(), timeout=_SECONDS)
