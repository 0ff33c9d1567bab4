"""`takt label`: real processes against a real stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from takt.labels.decode import Code, read_codes
from tests.services.stack import Stack
from tests.services.test_commands import data, takt
from tests.support.labels import BUILT_IN, code, text

FIELDS: list[dict[str, Any]] = [text("{{name}}", w=45), code("qr", "{{code}}", y=8, w=15)]


@pytest.fixture
def jar(stack: Stack) -> str:
    """A template with a draft."""
    with stack.rpc() as rpc:
        rpc.call(
            "save_label_template",
            p_code="jar",
            p_label_type="jar",
            p_name="Jar",
            p_media="50x25",
            p_width_mm=50,
            p_height_mm=25,
            p_fields=FIELDS,
        )
    return "jar"


def test_list_shows_what_prints(stack: Stack) -> None:
    rows = data(takt(stack, "label", "list", "--json"))
    assert {row["code"] for row in rows} >= set(BUILT_IN)
    (row,) = data(takt(stack, "label", "list", "--type", "order_ticket", "--json"))
    assert (row["code"], row["active_version"], row["newest_is_proved"]) == (
        "order_ticket",
        1,
        True,
    )
    assert "packing_slip_code" in takt(stack, "label", "list").stdout


def test_show_names_variables_and_versions(stack: Stack, jar: str) -> None:
    assert data(takt(stack, "label", "show", jar, "--json"))["versions"][0]["status"] == "draft"
    shown = takt(stack, "label", "show", jar).stdout
    assert "code, name" in shown
    assert "draft" in shown


def test_preview_prints_what_a_printer_would_be_sent(stack: Stack, jar: str) -> None:
    values = json.dumps({"name": "Plum jam", "code": "JAR-1"})
    zpl = takt(stack, "label", "preview", jar, "--data", values, "--dpi", "300")
    assert zpl.stdout.startswith("^XA^CI28^PW590^LL295")
    assert zpl.stdout.endswith("^XZ\n")
    tspl = takt(stack, "label", "preview", jar, "--data", values, "--language", "tspl")
    assert '"Plum jam"' in tspl.stdout


def test_preview_draws_and_scans(stack: Stack, jar: str, tmp_path: Path) -> None:
    file = tmp_path / "jar.png"
    facts = data(takt(stack, "label", "preview", jar, "--open-file", str(file), "--json"))
    assert facts["codes"] == [{"symbology": "qr", "text": "code"}]
    assert read_codes(file.read_bytes()) == [Code("qr", "code")]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("preview", "jar", "--dpi", "100"), 2, "203, 300 or 600"),
        (("preview", "jar", "--data", "{"), 2, "not JSON"),
        (("preview", "jar", "--data", "[]"), 2, "--data looks like"),
        (("preview", "jar", "--data", "{}"), 1, "label.bad_data"),
        (("preview", "jar", "--version", "9"), 1, "no version 9"),
        (("show", "nope"), 1, "label.unknown_template"),
        (("activate", "jar"), 1, "label.not_proved"),
        (("proof",), 2, "Name templates"),
        (("proof", "jar", "--all"), 2, "Name templates"),
    ],
)
def test_failures_are_sentences(
    stack: Stack, jar: str, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    result = takt(stack, "label", *arguments)
    assert result.returncode == exit_code
    assert said in result.stderr


def test_without_node_the_configuration_is_missing(stack: Stack, jar: str, tmp_path: Path) -> None:
    file = str(tmp_path / "x.png")
    result = takt(stack, "label", "preview", jar, "--open-file", file, env={"PATH": str(tmp_path)})
    assert result.returncode == 3
    assert "Install Node 20" in result.stderr


def test_proof_then_activation(stack: Stack, db: psycopg.Connection) -> None:
    with stack.rpc() as rpc:
        rpc.call(
            "save_label_template",
            p_code="lid",
            p_label_type="lid",
            p_name="Lid",
            p_media=None,
            p_width_mm=50,
            p_height_mm=25,
            p_fields=FIELDS,
        )
    rows = data(takt(stack, "label", "proof", "lid", "--json"))
    assert [(row["dpi"], row["ok"], row["cases"]) for row in rows] == [
        (203, True, 6),
        (300, True, 6),
        (600, True, 6),
    ]
    row = data(takt(stack, "label", "activate", "lid", "--json"))
    assert (row["template"], row["version"], row["status"]) == ("lid", 1, "active")


def test_a_proof_that_fails_ends_with_1(stack: Stack) -> None:
    # A line through the code: nothing reads it.
    line = {"kind": "box", "x": 1, "y": 15, "w": 48, "h": 3, "line_mm": 3}
    with stack.rpc() as rpc:
        rpc.call(
            "save_label_template",
            p_code="crossed",
            p_label_type="crossed",
            p_name="Crossed out",
            p_media=None,
            p_width_mm=50,
            p_height_mm=25,
            p_fields=[*FIELDS, line],
        )
    result = takt(stack, "label", "proof", "crossed")
    assert result.returncode == 1
    assert "3 with errors" in result.stderr
