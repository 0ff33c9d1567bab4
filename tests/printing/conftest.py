"""One stack and one agent for all scenarios that do not kill it, another one for those that do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.printing.floor import Floor
from tests.services.conftest import stack  # noqa: F401
from tests.services.stack import Stack


@pytest.fixture(scope="package")
def floor(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:  # noqa: F811
    """An agent that lives through all scenarios."""
    made = Floor.make(stack, tmp_path_factory.mktemp("floor"))
    made.start()
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def mortal(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:  # noqa: F811
    """An agent of one scenario, not started yet."""
    made = Floor.make(stack, tmp_path_factory.mktemp("mortal"))
    try:
        yield made
    finally:
        made.end()
