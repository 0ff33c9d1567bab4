"""The file that names the printers, and what is wrong with it in words."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from bambu_bridge.probe import Found, announcement, discover
from bambu_bridge.settings import EXAMPLE, BridgeSettings, read_printers
from takt.ports import free_port
from takt.settings import ConfigError


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    file = tmp_path / "printers.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def test_the_example_is_right(tmp_path: Path) -> None:
    bambu, klipper = read_printers(written(tmp_path, EXAMPLE))
    assert bambu.address == ("192.168.1.50", 8883)
    assert (klipper.serial, klipper.address[1]) == ("VORON-1", 7125)
    assert "12345678" not in repr(bambu)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "names no printers"),
        ("printer = 1", "cannot be read"),
        ("[[printer]\n", "cannot be read"),
        ('[[printer]]\nserial = "A"', "host"),
        ('[[printer]]\nserial = "A"\nhost = "h"\nacess_code = "x"', "acess_code"),
        ('[[printer]]\nserial = "A B"\nhost = "h"', "serial"),
        ('[[printer]]\nserial = "a"\nhost = "h"\n[[printer]]\nserial = "A "\nhost = "i"', "twice"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        read_printers(written(tmp_path, text))


def test_a_missing_file_shows_an_example(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="access_code"):
        read_printers(tmp_path / "none.toml")


def test_codes_must_be_private(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        read_printers(written(tmp_path, EXAMPLE, 0o640))


def test_bambu_printers_need_the_vendors_certificates(tmp_path: Path) -> None:
    settings = BridgeSettings(_env_file=None, bambu_printers=written(tmp_path, EXAMPLE))
    with pytest.raises(ConfigError, match="TAKT_BAMBU_CA"):
        settings.printers()


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, EXAMPLE)
    (tmp_path / "ca.pem").write_text("no certificate")
    for ca in (tmp_path / "ca.pem", tmp_path / "none.pem"):
        settings = BridgeSettings(_env_file=None, bambu_printers=file, bambu_ca=ca)
        with pytest.raises(ConfigError, match="Bambu Studio"):
            settings.printers()


def test_a_printer_on_this_network_is_found() -> None:
    port = free_port()
    packet = b"NOTIFY * HTTP/1.1\r\nNT: urn:bambulab-com:device\r\nUSN: 01P00A1\r\n\r\n"

    async def look() -> list[Found]:
        looking = asyncio.create_task(discover(2.0, (port,)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as printer:
            while not looking.done():
                printer.sendto(packet, ("127.0.0.1", port))
                await asyncio.wait({looking}, timeout=0.1)
        return await looking

    (found,) = asyncio.run(look())
    assert (found.serial, found.host) == ("01P00A1", "127.0.0.1")


def test_printers_that_announce_themselves() -> None:
    packet = (
        b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nServer: UPnP/1.0\r\n"
        b"Location: 192.168.1.50\r\nNT: urn:bambulab-com:device:3dprinter:1\r\n"
        b"USN: 01P00A123456789\r\nDevModel.bambu.com: C12\r\nDevName.bambu.com: P1S 3\r\n"
        b"DevConnect.bambu.com: lan\r\nDevVersion.bambu.com: 01.09.00.00\r\n\r\n"
    )
    found = announcement(packet, "192.168.1.9")
    assert found is not None
    assert (found.serial, found.host, found.mode) == ("01P00A123456789", "192.168.1.50", "lan")
    assert announcement(b"NOTIFY * HTTP/1.1\r\nNT: upnp:rootdevice\r\n\r\n", "192.168.1.9") is None
    assert announcement(b"\xff\x00", "192.168.1.9") is None
