"""`takt device`: print agents, bridges, fixtures, kiosks and gateways."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from cli.connect import Client, CliSettings
from cli.output import Json, group, say, show
from takt.device import enroll as enroll_device

app = group("Devices: each has its own sign-in, made by a one-time code.")

_COLUMNS = ("code", "kind", "name", "site", "enrolled_at", "last_seen_at", "revoked_at", "version")


@app.command()
def add(
    code: Annotated[str, typer.Argument(help="Short name, e.g. printer-1.")],
    kind: Annotated[str, typer.Option(help="print_agent, bambu_bridge, fixture, kiosk, equipment")],
    site: Annotated[str, typer.Option(help="Code of the site where it stands.")],
    name: Annotated[str | None, typer.Option(help="Name for people; default the code.")] = None,
    as_json: Json = False,
) -> None:
    """Announce a device; prints a code that works once, for 15 minutes."""
    with Client() as client:
        made = client.call(
            "create_device", p_code=code, p_kind=kind, p_name=name or code, p_site=site
        )
    show(made, as_json)
    say(f"On the device: takt device enroll {made['enrolment_code']} --url ADDRESS")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """All devices and when each was last seen."""
    with Client() as client:
        show(client.call("list_devices", safe=True), as_json, _COLUMNS)


@app.command()
def revoke(code: str, as_json: Json = False) -> None:
    """A device is lost or retired; works at its next call, and Auth gives it no session."""
    with Client() as client:
        device = client.call("revoke_device", p_code=code, p_request_id=str(uuid4()))
        client.set_banned(device.get("user_id"), banned=True)
    show({name: device.get(name) for name in _COLUMNS}, as_json)


@app.command()
def enroll(
    code: Annotated[str, typer.Argument(help="The one-time code.")],
    out: Annotated[Path, typer.Option(help="Where to keep the sign-in (0600).")] = Path(
        "takt-device.json"
    ),
    url: Annotated[str | None, typer.Option(help="Address of Takt; default SUPABASE_URL.")] = None,
    as_json: Json = False,
) -> None:
    """On the device: exchange the code for its own sign-in."""
    credentials = asyncio.run(enroll_device(url or CliSettings.find().supabase_url, code))
    credentials.write(out)
    show({"device": credentials.device, "email": credentials.email, "file": str(out)}, as_json)
