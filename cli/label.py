"""`takt label`: templates of labels, their pictures, and the proof that their codes scan."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli.connect import Client, given
from cli.output import Exit, Failure, Json, group, report, say, show
from takt.labels.decode import read_codes
from takt.labels.picture import PictureError, Picturer
from takt.labels.proof import DPMM, prove

app = group("Labels: templates, previews, proofs.")

_LIST = (
    "code",
    "label_type",
    "name",
    "media",
    "is_default",
    "active_version",
    "newest_version",
    "newest_status",
    "newest_is_proved",
)
_PROVED = ("ok", "template", "version", "dpi", "cases", "wrong")

Row = dict[str, Any]
Version = Annotated[int | None, typer.Option(help="Number of a version; default the newest.")]


@app.command("list")
def list_(
    label_type: Annotated[str | None, typer.Option("--type", help="Only labels for this.")] = None,
    as_json: Json = False,
) -> None:
    """All templates, which version of each prints, and what waits for its proof."""
    with Client() as client:
        rows = client.call("list_label_templates", safe=True, **given(p_label_type=label_type))
    show(rows, as_json, _LIST)


@app.command("show")
def show_template(code: str, as_json: Json = False) -> None:
    """One template with its versions, newest first."""
    with Client() as client:
        template = client.call("get_label_template", safe=True, p_code=code)
    if as_json:
        show(template, as_json)
        return
    versions = template.pop("versions")
    show({**template, "variables": versions[0]["variables"]}, as_json)
    columns = ("version", "status", "is_proved", "width_mm", "height_mm", "created_at")
    show(versions, as_json, columns)


@app.command()
def preview(
    code: str,
    *,
    data: Annotated[
        str | None, typer.Option(help="JSON: {variable: value}; default shows the names.")
    ] = None,
    dpi: Annotated[int, typer.Option(help="203, 300 or 600.")] = 203,
    language: Annotated[str, typer.Option(help="zpl or tspl: what is printed to stdout.")] = "zpl",
    open_file: Annotated[
        Path | None, typer.Option("--open-file", dir_okay=False, help="Write a picture (PNG).")
    ] = None,
    version: Version = None,
    as_json: Json = False,
) -> None:
    """What a printer would be sent; with --open-file its picture and what a scanner reads in it."""
    if dpi not in DPMM:
        raise Failure("Printers have 203, 300 or 600 dpi.", Exit.USAGE)
    with Client() as client:
        chosen = _version(client, code, version)
        values = _values(data) if data else _names(chosen["variables"])
        arguments = {
            "p_fields": chosen["fields"],
            "p_width_mm": chosen["width_mm"],
            "p_height_mm": chosen["height_mm"],
            "p_dpi": dpi,
            "p_data": values,
        }
        sent = client.call("preview_label", safe=True, **arguments, p_language=language)
        facts = {"template": code, "version": chosen["version"], "dpi": dpi, "payload": sent}
        if open_file is not None:
            zpl = client.call("preview_label", safe=True, **arguments, p_language="zpl")
            size = float(chosen["width_mm"]), float(chosen["height_mm"])
            picture = client.run(_draw(zpl, *size, DPMM[dpi]))
            open_file.write_bytes(picture)
            codes = [found.as_dict() for found in read_codes(picture)]
            facts |= {"file": str(open_file), "codes": codes}
    if as_json or open_file is not None:
        facts = facts if as_json else {k: v for k, v in facts.items() if k != "payload"}
        show(facts, as_json)
    else:
        typer.echo(sent, nl=False)


@app.command()
def proof(
    codes: Annotated[list[str] | None, typer.Argument(help="Templates.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every template.")] = False,
    version: Version = None,
    as_json: Json = False,
) -> None:
    """Draw a version at 203, 300 and 600 dpi with awkward data and read its codes back.

    The result is kept; a version that passed may be activated.
    """
    if bool(codes) == every or (every and version is not None):
        raise Failure("Name templates, or use --all.", Exit.USAGE)
    results: list[Row] = []
    with Client() as client:
        for code in codes or _all_codes(client):
            results += _prove(client, _version(client, code, version))
    report(results, as_json, _PROVED, applied=True)


@app.command()
def activate(code: str, version: Version = None, as_json: Json = False) -> None:
    """From now on this version prints; it needs a passed proof."""
    with Client() as client:
        chosen = _version(client, code, version)
        row = client.call(
            "activate_label_version", p_version_id=chosen["id"], p_request_id=str(uuid4())
        )
    show({name: row[name] for name in ("template", "version", "status", "activated_at")}, as_json)


def _all_codes(client: Client) -> list[str]:
    return [row["code"] for row in client.call("list_label_templates", safe=True)]


def _version(client: Client, code: str, number: int | None) -> Row:
    """The version with this number, else the newest. Errors: Failure."""
    versions: list[Row] = client.call("get_label_template", safe=True, p_code=code)["versions"]
    for row in versions:
        if number is None or row["version"] == number:
            return row
    raise Failure(f"{code} has no version {number}.")


def _values(text: str) -> Row:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise Failure(f"--data is not JSON: {error}", Exit.USAGE) from error
    if not isinstance(values, dict):
        raise Failure('--data looks like {"code": "bannos-18617"}.', Exit.USAGE)
    return values


def _names(variables: list[str]) -> Row:
    """Every variable says its own name, in letters that a code can hold."""
    return {name: name.replace("_", "-").ljust(3, "-") for name in variables}


async def _draw(zpl: str, width_mm: float, height_mm: float, dpmm: int) -> bytes:
    async with Picturer() as picturer:
        try:
            return await picturer.render(zpl, width_mm, height_mm, dpmm)
        except PictureError as error:
            raise Failure(str(error)) from error


def _prove(client: Client, version: Row) -> list[Row]:
    """Prove one version and keep the result; one row per resolution."""
    name = f"{version['template']} version {version['version']}"
    cases = client.call("label_proof_cases", safe=True, p_version_id=version["id"])

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == len(cases) else ""
            typer.echo(f"\r{name}: {done}/{len(cases)} labels read", err=True, nl=False)
            typer.echo(end, err=True, nl=False)

    say(f"{name}: {len(cases)} labels to draw and read.")
    kept = client.call(
        "record_label_proof",
        p_version_id=version["id"],
        p_results=client.run(_read(cases, progress)),
        p_request_id=str(uuid4()),
    )
    return [
        {
            "ok": row["passed"],
            "template": version["template"],
            "version": version["version"],
            "dpi": row["dpi"],
            "cases": row["results"]["cases"],
            "wrong": row["results"]["wrong"],
        }
        for row in kept
    ]


async def _read(cases: list[Row], progress: Any) -> list[Row]:
    async with Picturer() as picturer:
        try:
            return await prove(picturer, cases, progress)
        except PictureError as error:
            raise Failure(str(error)) from error
