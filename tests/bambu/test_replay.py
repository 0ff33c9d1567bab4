"""Recordings in many forms, and the command that replays them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bambu_bridge.recording import Unreadable
from bambu_bridge.replay import replay
from tests.bambu.conftest import FIXTURES
from tests.takt.processes import python

STEPS: list[tuple[float, dict[str, Any]]] = [
    (0.5, {"msg": 0, "gcode_state": "IDLE", "gcode_file": "", "subtask_name": ""}),
    (10, {"msg": 1, "gcode_state": "RUNNING", "subtask_name": "A", "gcode_file": "A.3mf"}),
    (110, {"msg": 1, "gcode_state": "FINISH", "s_obj": [4]}),
]
Wrap = Callable[[float, dict[str, Any]], dict[str, Any]]


def lines(wrap: Wrap) -> str:
    return "\n".join(json.dumps(wrap(at, {"print": said})) for at, said in STEPS)


FORMS: dict[str, Wrap] = {
    "payload": lambda t, p: {"t": t, "payload": p},
    "as text": lambda t, p: {"ts": t, "payload": json.dumps(p)},
    "base64": lambda t, p: {
        "time": t,
        "payload_b64": base64.b64encode(json.dumps(p).encode()).decode(),
    },
    "bare": lambda t, p: {"timestamp": t, **p},
    "inner": lambda t, p: {"t": t, **p["print"]},
    "topic": lambda t, p: {"t": t, "topic": "device/01P00A/report", "message": p},
    "envelope": lambda t, p: {"t": t, "data": {"message": p}},
    "milliseconds": lambda t, p: {"t_ms": t * 1000, "payload": p},
}


@pytest.mark.parametrize("form", FORMS)
def test_json_lines_in_many_forms(form: str) -> None:
    (row,) = replay(lines(FORMS[form]))
    scale = 1000 if form == "milliseconds" else 1
    assert (row["outcome"], row["gcode_filename"]) == ("success", "A")
    assert (row["started_at"], row["finished_at"]) == (10 * scale, 110 * scale)
    assert row["skipped_object_ids"] == [4]


def test_a_list_with_iso_times_answers_with_iso_times() -> None:
    records = [
        {"at": f"2026-11-21T10:{int(at) // 60:02}:{int(at) % 60:02}Z", "payload": {"print": said}}
        for at, said in STEPS
    ]
    (row,) = replay(json.dumps(records))
    assert row["started_at"] == "2026-11-21T10:00:10Z"
    assert row["finished_at"] == "2026-11-21T10:01:50Z"
    assert list(replay(json.dumps({"meta": 1, "messages": records}))) == [row]
    assert list(replay(json.dumps({"note": [1], "whatever": records}))) == [row]
    pairs = [[record["at"], record["payload"]] for record in records]
    assert list(replay(json.dumps(pairs))) == [row]


def test_records_without_times_are_a_second_apart() -> None:
    (row,) = replay(json.dumps([{"print": said} for _, said in STEPS]))
    assert (row["started_at"], row["finished_at"]) == (1, 2)


def test_a_shortened_recording_without_full_reports() -> None:
    records = [
        {"t": t, "print": {k: v for k, v in said.items() if k != "msg"}} for t, said in STEPS
    ]
    (row,) = replay(json.dumps(records))
    assert row["outcome"] == "success"


def test_requests_headings_and_torn_lines_are_skipped() -> None:
    text = json.dumps({"note": "a heading"}) + "\n" + lines(FORMS["payload"])
    request = {"t": 11, "topic": "device/X/request", "payload": {"print": {"command": "stop"}}}
    text += "\n" + json.dumps(request) + '\n{"t": 112, "payl'
    (row,) = replay(text)
    assert row["outcome"] == "success"


def test_two_printers_in_one_recording() -> None:
    records = [
        {"t": t, "topic": f"device/{serial}/report", "payload": {"print": said}}
        for t, said in STEPS
        for serial in ("ONE", "TWO")
    ]
    rows = list(replay(json.dumps(records)))
    assert [row["serial"] for row in rows] == ["ONE", "TWO"]


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"a": 1}\n{"b": 2}'])
def test_what_is_no_recording_is_said(text: str) -> None:
    with pytest.raises(Unreadable):
        list(replay(text))


def test_the_command_prints_one_line_per_run(tmp_path: Path) -> None:
    file = FIXTURES / "synthetic" / "08_reprint_same_file_ids_zero.jsonl"
    with python("-m", "bambu_bridge", "replay", str(file)) as child:
        out = child.communicate(timeout=60)[0]
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["outcome"] for row in rows] == ["success", "success"]
    wanted = {"outcome", "gcode_filename", "plate", "started_at", "finished_at"}
    assert wanted | {"skipped_object_ids", "reason"} <= set(rows[0])
    nothing = tmp_path / "nothing.jsonl"
    nothing.write_text("x")
    with python("-m", "bambu_bridge", "replay", str(nothing)) as child:
        assert "no reports" in child.communicate(timeout=60)[0]
        assert child.returncode == 2
