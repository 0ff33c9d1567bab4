"""Ways to printers. `open_driver` picks one from what the database says about a printer."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from print_agent.drivers.base import AddressError, Driver
from print_agent.drivers.file import FileDriver
from print_agent.drivers.line import Dial, dial_tcp, tcp_address
from print_agent.drivers.spooler import Spooler
from print_agent.drivers.tspl import Tspl
from print_agent.drivers.usb import device_address, dial_device
from print_agent.drivers.zpl import Zpl


def open_driver(language: str, address: str, files: Path) -> Driver:
    """zpl, tspl: a host or a path below /dev; spooler: a queue; file: a folder below `files`.

    Errors: AddressError.
    """
    if language == "spooler":
        return Spooler(address)
    if language == "file":
        return FileDriver(files, address)
    if language == "zpl":
        return Zpl(_dial(address))
    if language == "tspl":
        return Tspl(_dial(address))
    raise AddressError(f"There is no driver for `{language}`.")


def _dial(address: str) -> Dial:
    if address.startswith("/"):
        return partial(dial_device, device_address(address))
    tcp_address(address)
    return partial(dial_tcp, address)
