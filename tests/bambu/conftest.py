"""Virtual printers with real brokers and TLS, and the folder of recorded cases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.simulator.bambu.certs import Authority
from services.simulator.bambu.printer import VirtualPrinter
from services.simulator.bambu.profiles import PROFILES

FIXTURES = Path(__file__).parents[1] / "fixtures" / "bambu"
CASES = Path(os.environ.get("TAKT_BAMBU_CASES") or FIXTURES)
CODE = "40718253"

MakePrinter = Callable[..., VirtualPrinter]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The vendor's CA of this run."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def make_printer(authority: Authority, tmp_path: Path) -> Iterator[MakePrinter]:
    """Switched-on printers, on the real mosquitto where there is one."""
    with _printers(authority, tmp_path, small=False) as make:
        yield make


@pytest.fixture(params=["mosquitto", "small"])
def make_any_printer(
    request: pytest.FixtureRequest, authority: Authority, tmp_path: Path
) -> Iterator[MakePrinter]:
    """The same on each kind of broker."""
    with _printers(authority, tmp_path, small=request.param == "small") as make:
        yield make


@contextmanager
def _printers(authority: Authority, tmp_path: Path, *, small: bool) -> Iterator[MakePrinter]:
    made: list[VirtualPrinter] = []

    def make(serial: str = "01P00A123456789", model: str = "P1S", **more: Any) -> VirtualPrinter:
        folder = tmp_path / "brokers"
        printer = VirtualPrinter(
            serial, CODE, authority, folder, PROFILES[model], small=small, **more
        )
        printer.start()
        made.append(printer)
        return printer

    yield make
    for printer in made:
        printer.stop()
