"""Which printers are there, and what does one of them say? Reads only."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass, replace
from typing import Any

from bambu_bridge import mqtt
from bambu_bridge.inbox import Inbox
from bambu_bridge.merge import Garbled, Picture, Snapshot, Status, Version, parse
from bambu_bridge.settings import BridgeSettings, PrinterConfig

SSDP_PORTS = (2021, 1990)
_GROUP = "239.255.255.250"
_SIGNED = 0x20000000


@dataclass(frozen=True)
class Found:
    """A printer that announced itself on the network."""

    serial: str
    host: str
    model: str
    name: str
    firmware: str
    mode: str


def announcement(data: bytes, sender: str) -> Found | None:
    """Read a printer's SSDP packet; None for anything else on that port."""
    lines = data.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines[1:])
    said = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if "bambulab" not in said.get("nt", said.get("st", "")).lower():
        return None
    serial = said.get("usn", "").removeprefix("uuid:")
    return Found(
        serial=serial,
        host=said.get("location", sender),
        model=said.get("devmodel.bambu.com", ""),
        name=said.get("devname.bambu.com", ""),
        firmware=said.get("devversion.bambu.com", ""),
        mode=said.get("devconnect.bambu.com", ""),
    )


async def discover(seconds: float, ports: tuple[int, ...] = SSDP_PORTS) -> list[Found]:
    """Listen for announcements; printers send one every few seconds. Ports in use are left out."""
    found: dict[str, Found] = {}

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
            if printer := announcement(data, str(addr[0])):
                found[printer.serial] = printer

    loop = asyncio.get_running_loop()
    transports = []
    for port in ports:
        with contextlib.suppress(OSError):
            transport, _ = await loop.create_datagram_endpoint(Listener, sock=_listening(port))
            transports.append(transport)
    await asyncio.sleep(seconds)
    for transport in transports:
        transport.close()
    return sorted(found.values(), key=lambda printer: printer.serial)


async def ask(printer: PrinterConfig, settings: BridgeSettings, seconds: float) -> dict[str, Any]:
    """Connect as the bridge does and tell what comes; `ok` is False when no full report came."""
    inbox = Inbox()
    link = mqtt.Link(printer, settings, inbox)
    link.start()
    picture, version = Picture(), Version("", "", ())
    snapshot: Snapshot | None = None
    signed: bool | None = None
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (snapshot and version.firmware):
        for item in await inbox.take(0.2):
            with contextlib.suppress(Garbled):
                message = parse(item.raw) if item.raw is not None else None
                if isinstance(message, Version):
                    version = message
                elif isinstance(message, Status):
                    signed = _signature(message) if signed is None else signed
                    seen = picture.apply(message)
                    snapshot = seen if message.full else snapshot
        if link.state.link in ("auth", "cert_mismatch"):
            break
    state = replace(link.state)
    link.stop()
    await asyncio.to_thread(link.join, 3.0)
    return {
        "serial": printer.serial,
        "host": printer.host,
        "ok": snapshot is not None,
        "link": state.link,
        "said": state.text,
        "reports": state.reports,
        "model": version.model,
        "firmware": version.firmware,
        **(_told(snapshot, signed) if snapshot else {}),
    }


def _told(snapshot: Snapshot, signed: bool | None) -> dict[str, Any]:
    identity = snapshot.identity
    control = {True: "needs a signature", False: "open", None: "not said"}[signed]
    return {
        "state": snapshot.state,
        "commands": f"{control} (the bridge sends none)",
        "file": identity.filename,
        "plate": identity.plate,
        "mapping_names": identity.candidates(),
        "native_ids": identity.ids,
    }


def _signature(status: Status) -> bool | None:
    """Does the printer want signed commands? Reading needs none."""
    with contextlib.suppress(ValueError, TypeError):
        return (
            bool(int(str(status.fields["fun"]), 16) & _SIGNED) if "fun" in status.fields else None
        )
    return None


def _listening(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    try:
        sock.bind(("", port))
        member = struct.pack("4sl", socket.inet_aton(_GROUP), socket.INADDR_ANY)
        with contextlib.suppress(OSError):  # no multicast here: broadcasts still arrive
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    except OSError:
        sock.close()
        raise
    return sock
