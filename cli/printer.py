"""`takt printer`: label printers, their routes and rolls, what they print and what is wrong."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import typer

from cli.connect import Client, given
from cli.output import Exit, Failure, Json, group, say, show

app = group("Label printers: set up, watch, stop.")

_LIST = ("code", "name", "state", "waiting", "unknown", "agent", "language", "address", "dpi")
_PRINTER = ("code", "name", "site", "language", "address", "dpi", "loaded_media", "is_enabled")
_KEPT = ("name", "site", "language", "address", "dpi", "media_width_mm", "media_height_mm")
_JOBS = ("id", "state", "label_type", "subject", "labels", "copies", "printer", "queued_at", "why")
_ALARMS = ("since", "kind", "printer", "job_id", "message")

Row = dict[str, Any]
Code = Annotated[str, typer.Argument(help="Code of a printer.")]


@app.command("list")
def list_(
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None, as_json: Json = False
) -> None:
    """Every printer: how it is, what waits for it, who looks after it."""
    with Client() as client:
        cards = client.call("get_printers_board", safe=True, **given(p_site=site))
    if as_json:
        show(cards, as_json)
        return
    show([{**card["printer"], **card} for card in cards], as_json, _LIST)
    for card in cards:
        if card["state"] not in ("ready", "printing"):
            say(f"{card['printer']['code']}: {card['message']}")


@app.command()
def add(
    code: Annotated[str, typer.Argument(help="Short name, e.g. zebra-1.")],
    *,
    name: Annotated[str | None, typer.Option(help="Name for people; default the code.")] = None,
    site: Annotated[str | None, typer.Option(help="Code of the site where it stands.")] = None,
    language: Annotated[str | None, typer.Option(help="zpl, tspl, spooler or file.")] = None,
    address: Annotated[
        str | None, typer.Option(help="host[:port], /dev/…, the name of a queue or of a folder.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Code of the print agent beside it.")] = None,
    dpi: Annotated[
        int | None, typer.Option(help="203, 300 or 600; its agent asks it when it can.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="Width of the labels, mm.")] = None,
    height: Annotated[float | None, typer.Option(help="Height of the labels, mm.")] = None,
    evidence: Annotated[
        int | None, typer.Option(help="Proof that ends a job: 0 accepted, 1 drained, 2 counted.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a printer, or change one and put it back into service; what is not given stays."""
    wanted = given(
        p_name=name,
        p_site=site,
        p_language=language,
        p_address=address,
        p_device=device,
        p_dpi=dpi,
        p_media_width_mm=width,
        p_media_height_mm=height,
        p_evidence_level=evidence,
    )
    with Client() as client:
        facts = {"p_name": code, **_known(client, code, language), **wanted}
        missing = [n for n in ("site", "language", "address") if f"p_{n}" not in facts]
        if missing:
            options = ", ".join(f"--{name}" for name in missing)
            raise Failure(f"A new printer needs {options}.", Exit.USAGE)
        printer = _change(client, "upsert_printer", p_code=code, **facts)
    _show(printer, as_json)
    if "p_device" not in facts:
        say("No agent looks after it yet: --device CODE.")


@app.command()
def remove(printer: Code, as_json: Json = False) -> None:
    """Out of service: it gets no new label; what waits goes on to the next of its route."""
    with Client() as client:
        _show(_change(client, "remove_printer", p_printer=printer), as_json)


@app.command()
def route(
    label_type: Annotated[str, typer.Argument(help="order_ticket, unit_device, box, item, …")],
    printers: Annotated[list[str] | None, typer.Argument(help="First choice first.")] = None,
    *,
    site: Annotated[str, typer.Option(help="Code of the site.")],
    station: Annotated[str | None, typer.Option(help="Only for this station.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Remove the route.")] = False,
    as_json: Json = False,
) -> None:
    """Which printers take these labels; the next one when the one before cannot."""
    if bool(printers) == none:
        raise Failure("Name printers, or remove the route with --none.", Exit.USAGE)
    arguments = {"p_site": site, "p_label_type": label_type, "p_printers": printers or []}
    with Client() as client:
        rows = _change(client, "set_print_routes", **arguments, **given(p_station=station))
    show(rows, as_json, ("label_type", "site", "station", "position", "printer"))


@app.command()
def media(
    printer: Code,
    roll: Annotated[
        str | None, typer.Argument(help="As templates name it, e.g. 100x60; default not said.")
    ] = None,
    as_json: Json = False,
) -> None:
    """A new roll is in. Labels for another roll are held, not spoiled."""
    with Client() as client:
        _show(_change(client, "set_loaded_media", p_printer=printer, p_media=roll), as_json)


@app.command()
def halt(
    printer: Code,
    reason: Annotated[str | None, typer.Option(help="Shown to whoever waits for it.")] = None,
    as_json: Json = False,
) -> None:
    """It begins no further label; what it has begun is finished."""
    with Client() as client:
        arguments = given(p_printer=printer, p_reason=reason)
        _show(_change(client, "halt_printer", **arguments), as_json)


@app.command()
def resume(printer: Code, as_json: Json = False) -> None:
    """A halted printer goes on."""
    with Client() as client:
        _show(_change(client, "resume_printer", p_printer=printer), as_json)


@app.command()
def jobs(
    *,
    state: Annotated[
        str | None, typer.Option(help="queued, held, claimed, sending, sent, printed, unknown, …")
    ] = None,
    printer: Annotated[str | None, typer.Option(help="Only of this printer.")] = None,
    subject: Annotated[str | None, typer.Option(help="Labels of this order, serial, item.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
    as_json: Json = False,
) -> None:
    """Print jobs, newest first."""
    wanted = given(p_state=state, p_printer=printer, p_subject=subject, p_cursor=cursor)
    with Client() as client:
        page = client.call("get_print_jobs", safe=True, p_limit=limit, **wanted)
    show(page["jobs"], as_json, _JOBS)
    if page["next_cursor"]:
        say(f"More: --cursor {page['next_cursor']}")


@app.command()
def alarms(
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None, as_json: Json = False
) -> None:
    """What a person should look at now; exit code 1 when there is something."""
    with Client() as client:
        rows = client.call("get_print_alarms", safe=True, **given(p_site=site))
    show(rows, as_json, _ALARMS)
    if rows:
        raise typer.Exit(int(Exit.FAILED))


def _known(client: Client, code: str, language: str | None) -> Row:
    """The arguments of `upsert_printer` that leave a printer as it is; {} for a new one."""
    for card in client.call("get_printers_board", safe=True):
        now = card["printer"]
        if now["code"] == code:
            kept = {f"p_{name}": now[name] for name in _KEPT} | {"p_device": card["agent"]}
            if language in (None, now["language"]):
                kept["p_evidence_level"] = now["evidence_level"]
            return given(**kept)
    return {}


def _change(client: Client, rpc: str, **arguments: Any) -> Any:
    return client.call(rpc, **arguments, p_request_id=str(uuid4()))


def _show(printer: Row, as_json: bool) -> None:
    shown = (*_PRINTER, "halted_reason")
    show(printer if as_json else {name: printer[name] for name in shown}, as_json)
