"""Stacks for the tests of the embedded stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.local.settings import Settings
from tests.local.support import Stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that tests share; they leave it running."""
    # pytest's folders are closed to other users; Postgres, run for root, must pass through.
    running = Stack(tmp_path_factory.mktemp("stack"))
    running.up()
    yield running
    assert running.takt("down").returncode == 0


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack for one test that may break it; not started."""
    mine = Stack(tmp_path)
    yield mine
    mine.takt("down")


@pytest.fixture
def facts(stack: Stack) -> dict[str, Any]:
    """The status of the shared stack."""
    return stack.status()


@pytest.fixture
def settings(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the shared stack."""
    monkeypatch.setenv("TAKT_HOME", str(stack.home))
    return Settings.load()
