"""The demo as a user gets it: `takt up --demo`, then only addresses, keys and official clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.support import Stack
from tests.support.shopify import cases_folder


@pytest.fixture(scope="package")
def demo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with the dev seed; its simulator posts rarely, so that tests see their own orders."""
    running = Stack(tmp_path_factory.mktemp("demo"), env={"TAKT_SIM_SECONDS": "3600"})
    running.up("--demo")
    yield running
    assert running.takt("down").returncode == 0


@pytest.fixture(scope="package")
def demo(demo_stack: Stack) -> dict[str, Any]:
    """What `takt status --json` tells: addresses, keys, sign-ins, shops."""
    return demo_stack.status()


@pytest.fixture(scope="session", autouse=True)
def _cases() -> None:
    cases_folder()
