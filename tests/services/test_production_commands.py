"""`takt production`: an ERP's file comes in, every row is reported, twice changes nothing."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.services.stack import Stack
from tests.services.test_commands import data, takt


@pytest.fixture(scope="module")
def sku(stack: Stack) -> str:
    name = f"SHELF-{uuid.uuid4().hex[:6]}"
    with stack.rpc() as rpc:
        rpc.call("upsert_item", p_sku=name, p_title=name)
    return name


def test_a_file_of_orders_is_shown_then_imported_and_then_unchanged(
    stack: Stack, tmp_path: Path, sku: str
) -> None:
    ref = uuid.uuid4().hex[:6]
    file = tmp_path / "orders.csv"
    lines = [f"{ref}-{n};1;{sku};{n % 9 + 1};2026-12-01;rush" for n in range(1050)]
    head = "external_id;Version;product_sku;quantity;due_date;priority"
    file.write_text("\n".join([head, *lines, f"{ref}-x;1;{sku};none;;"]), encoding="utf-8")
    command = ("production", "import", str(file), "--system", f"erp.{ref}")

    dry = takt(stack, *command, "--dry-run")
    assert (dry.returncode, "Dry run: nothing was changed" in dry.stderr) == (7, True)
    done = takt(stack, *command, "--apply", "--json")
    assert done.returncode == 7, "done in part"
    assert "1000 of 1051 rows" in done.stderr, "it says how far it is"
    again = takt(stack, *command, "--apply")
    assert "unchanged" in again.stdout
    assert "created" not in again.stdout
    assert "quantity: none is not a number" in again.stdout

    events = data(takt(stack, "production", "trace", f"{ref}-7", "--json"))
    assert [event["event_type"] for event in events] == ["OP_IMPORTED_FROM_ERP"]
    assert data(takt(stack, "production", "selfcheck", "--json")) == []


def test_a_file_without_errors_is_wholly_fine(stack: Stack, tmp_path: Path, sku: str) -> None:
    file = tmp_path / "orders.json"
    ref = uuid.uuid4().hex[:6]
    file.write_text(f'[{{"external_id": "{ref}", "product_sku": "{sku}", "quantity": 2}}]')
    (row,) = data(takt(stack, "production", "import", str(file), "--apply", "--json"))
    assert (row["result"], row["code"], row["errors"]) == ("created", ref, [])
