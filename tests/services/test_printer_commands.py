"""`takt printer`: real processes against a real stack."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.services.stack import Stack
from tests.services.test_commands import data, takt


def printer(stack: Stack, *arguments: str) -> Any:
    return data(takt(stack, "printer", *arguments, "--json"))


def card(stack: Stack, code: str) -> dict[str, Any]:
    return next(dict(c) for c in printer(stack, "list") if c["printer"]["code"] == code)


@pytest.fixture
def zebra(stack: Stack) -> str:
    """A printer without an agent."""
    code = f"zebra-{uuid.uuid4().hex[:6]}"
    place = ("--site", "main", "--language", "zpl", "--address", "127.0.0.1:9100")
    printer(stack, "add", code, *place, "--dpi", "203", "--name", "Bench")
    return code


def test_a_printer_is_added_and_changed_without_losing_the_rest(stack: Stack, zebra: str) -> None:
    device = f"agent-{uuid.uuid4().hex[:6]}"
    data(takt(stack, "device", "add", device, "--kind", "print_agent", "--site", "main", "--json"))
    printer(stack, "add", zebra, "--device", device, "--width", "100", "--height", "60")
    changed = printer(stack, "add", zebra, "--address", "127.0.0.1:9101")
    names = ("name", "language", "address", "dpi", "media_width_mm", "evidence_level")
    assert [changed[name] for name in names] == ["Bench", "zpl", "127.0.0.1:9101", 203, 100, 2]
    assert card(stack, zebra)["agent"] == device
    assert printer(stack, "add", zebra, "--language", "tspl")["evidence_level"] == 1


def test_what_a_new_printer_needs_is_named(stack: Stack) -> None:
    refused = takt(stack, "printer", "add", "lonely", "--site", "main")
    assert refused.returncode == 2
    assert "--language, --address" in refused.stderr
    wrong = ("--language", "pcl", "--address", "x")
    assert takt(stack, "printer", "add", "lonely", "--site", "main", *wrong).returncode == 1
    said = takt(stack, "printer", "add", "Not A Code", "--site", "main", *wrong)
    assert said.returncode == 1


def test_the_list_says_in_words_what_is_wrong(stack: Stack, zebra: str) -> None:
    shown = takt(stack, "printer", "list")
    assert f"{zebra}: No agent looks after it. Choose one." in shown.stderr
    assert "127.0.0.1:9100" in shown.stdout
    assert printer(stack, "list", "--site", "main")


def test_halt_media_resume_and_remove(stack: Stack, zebra: str) -> None:
    assert printer(stack, "media", zebra, "100x60")["loaded_media"] == "100x60"
    assert printer(stack, "media", zebra)["loaded_media"] is None
    halted = printer(stack, "halt", zebra, "--reason", "new head")
    assert halted["halted_reason"] == "new head"
    assert card(stack, zebra)["state"] == "halted"
    assert printer(stack, "resume", zebra)["halted_reason"] is None
    assert printer(stack, "remove", zebra)["is_enabled"] is False
    assert printer(stack, "add", zebra)["is_enabled"] is True
    unknown = takt(stack, "printer", "halt", "nobody", "--json")
    assert (unknown.returncode, json.loads(unknown.stdout)["error"]["code"]) == (
        1,
        "printer.unknown",
    )


def test_routes_jobs_and_alarms(stack: Stack, zebra: str) -> None:
    rows = printer(stack, "route", "item", zebra, "--site", "main")
    assert [(r["label_type"], r["printer"], r["station"]) for r in rows] == [("item", zebra, None)]
    with stack.connect() as db:  # who asks for a label is a person; here it is the plant's owner
        db.execute(
            "select private.add_prints(row('main', null, null)::private.print_place,"
            " row('item', 1, null, null, 10)::private.print_wish,"
            ' \'[{"subject": "FLOUR", "data": {"code": "FLOUR", "name": "Flour"}}]\', null)'
        )
    (job,) = printer(stack, "jobs", "--subject", "FLOUR")
    assert (job["state"], job["printer"], job["payload"]) == ("queued", zebra, None)
    assert printer(stack, "jobs", "--state", "printed", "--printer", zebra) == []
    assert "FLOUR" in takt(stack, "printer", "jobs", "--limit", "1").stdout
    found = takt(stack, "printer", "alarms", "--site", "main", "--json")
    assert found.returncode in (0, 1)
    assert (found.returncode == 1) == bool(json.loads(found.stdout)["data"])
    assert printer(stack, "route", "item", "--site", "main", "--none") == []
    assert takt(stack, "printer", "route", "item", "--site", "main").returncode == 2
