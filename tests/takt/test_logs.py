from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from takt import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.set_up("INFO", stream)
    yield stream
    root.handlers[:], root.level = handlers, level


def test_a_line_is_json_with_action_and_ids(stream: io.StringIO) -> None:
    logging.getLogger("x").info("stored %s", "Zoë", extra={"action": "a.b", "job": 7})
    line = json.loads(stream.getvalue())
    assert (line["message"], line["action"], line["job"], line["level"]) == (
        "stored Zoë",
        "a.b",
        7,
        "info",
    )


def test_secrets_never_appear(stream: io.StringIO) -> None:
    logs.hide("planted-value-1")
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYSJ9.c2lnbmF0dXJl"
    log = logging.getLogger("x")
    log.info("key planted-value-1 and sb_secret_planted-2", extra={"password": "planted-3"})
    log.info(jwt, extra={"headers": {"Authorization": "planted-4", "x": ["planted-value-1"]}})
    log.info("postgresql://postgres:planted-5@localhost/x")
    try:
        raise ValueError("planted-value-1")
    except ValueError:
        log.exception("failed")
    assert "planted" not in stream.getvalue()
    assert jwt not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 4
