"""One stack for the farm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bambu.conftest import authority  # noqa: F401
from tests.farm_e2e.plant import Plant
from tests.services.conftest import stack  # noqa: F401
from tests.services.stack import Stack


@pytest.fixture(scope="package")
def farm(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:  # noqa: F811
    made = Plant(stack, tmp_path_factory.mktemp("farm"))
    yield made
    for gate in made.gates:
        gate.close()


@pytest.fixture
def plant(farm: Plant) -> Iterator[Plant]:
    """The farm; after each test the books agree."""
    yield farm
    farm.books_agree()
