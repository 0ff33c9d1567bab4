from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers


@pytest.fixture
def printer() -> Iterator[RunningPrinter]:
    """A Zebra on real TCP ports; a label takes 10 ms."""
    with running_printers([Spec("z1", label_s=0.01)]) as printers:
        yield printers["z1"]
