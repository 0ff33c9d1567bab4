"""Bytes from printers: what is read, and what counts as not said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bambu_bridge.merge import Ack, Garbled, Picture, Status, Version, parse, read
from tests.bambu.conftest import FIXTURES


def status(**said: Any) -> Status:
    found = read({"print": {"command": "push_status", **said}})
    assert isinstance(found, Status)
    return found


def fixture(path: str) -> Any:
    return json.loads((FIXTURES / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"print": {"gcode_state": "FIN', b"[1,2]", b'"x"', b"\x00\xff\xfe", b"null"],
)
def test_47_garbage_is_garbled(raw: bytes) -> None:
    with pytest.raises(Garbled):
        parse(raw)


def test_47_deep_nesting_is_garbled() -> None:
    with pytest.raises(Garbled):
        parse(b"[" * 200_000)


@given(st.binary(max_size=200))
def test_47_no_bytes_can_break_it(raw: bytes) -> None:
    try:
        parse(raw)
    except Garbled:
        return


_VALUES: list[Any] = [
    *(None, True, 0, -1, 10**30, 1.5, float("nan"), float("inf"), "", "x", "7", "0x10", "1e400"),
    *([], {}, [1, "2", None, [3]], [{"attr": 1}], [{"attr": "9", "code": -1}], {"a": []}),
]
_FIELDS = st.sampled_from(
    ["gcode_state", "hms", "s_obj", "layer_num", "print_error", "msg", "subtask_name", "task_id"]
)


@given(st.dictionaries(_FIELDS, st.sampled_from(_VALUES)))
def test_47_no_value_can_break_it(said: dict[str, Any]) -> None:
    message = read({"print": said})
    if isinstance(message, Status):
        Picture().apply(message)


def test_47_one_bad_field_spoils_no_other() -> None:
    found = status(msg=1, layer_num="x", hms=None, mc_percent="55", s_obj="no", print_error=[1])
    assert dict(found.fields) == {"mc_percent": 55}


def test_a_name_with_broken_bytes_is_no_name() -> None:
    message = parse(b'{"print": {"msg": 1, "gcode_state": "RUNNING", "subtask_name": "T\xe5rta"}}')
    assert isinstance(message, Status)
    assert dict(message.fields) == {"gcode_state": "RUNNING"}


def test_numbers_in_every_dress() -> None:
    found = status(mc_percent="99", layer_num=3.0, total_layer_num=" 7 ", print_error=True).fields
    assert dict(found) == {"mc_percent": 99, "layer_num": 3, "total_layer_num": 7}


def test_replies_are_told_apart_from_reports() -> None:
    assert read({"print": {"command": "stop", "result": "success"}}) == Ack("stop", ok=True)
    assert read({"print": {"param": "G28", "result": "SUCCESS"}}) == Ack("", ok=True)
    assert read({"print": {"command": "project_file", "param": "Metadata/plate_2.gcode"}}) == Ack(
        "project_file", ok=True, plate=2
    )
    assert isinstance(read({"print": {"wifi_signal": "-40dBm"}}), Status)
    assert read({"system": {"command": "ledctrl"}}) is None


def test_what_is_full() -> None:
    assert status(msg=0).full
    assert not status(msg=1, gcode_state="IDLE").full
    assert not status(gcode_state="IDLE").full
    assert status(gcode_state="IDLE", **{f"f{n}": n for n in range(40)}).full
    assert not status(msg="1", gcode_state="IDLE", **{f"f{n}": n for n in range(60)}).full


def test_real_reports() -> None:
    idle = read(fixture("bambu-rs_MIT/pushall-n1-idle.json")["message"])
    assert isinstance(idle, Status)
    assert idle.full
    assert Picture().apply(idle).state == "IDLE"
    version = read(fixture("bambu-rs_MIT/get_version-a1mini.json")["message"])
    assert version == Version(
        "01.07.02.00", "Bambu Lab A1 mini", ("ota", "esp32", "mc", "th", "ams_f1/0")
    )
    running = read(fixture("bambu-farm_Apache-2.0/fullstatus.json"))
    delta = read(fixture("bambu-farm_Apache-2.0/status_delta.json"))
    assert isinstance(running, Status)
    assert isinstance(delta, Status)
    assert (running.full, delta.full) == (True, False)
    picture = Picture()
    picture.apply(running)
    seen = picture.apply(delta)
    assert (seen.state, seen.identity.stem, seen.remaining_min) == ("RUNNING", "glowie", 100)
    assert seen.identity.ids == {}


def test_a_full_report_forgets_what_it_does_not_name() -> None:
    picture = Picture()
    picture.apply(status(msg=0, gcode_state="RUNNING", subtask_name="A"))
    assert picture.apply(status(msg=1, mc_percent=5)).identity.stem == "A"
    assert picture.apply(status(msg=0, gcode_state="IDLE")).identity.stem is None


def test_health_messages() -> None:
    seen = Picture().apply(status(msg=0, hms=[{"attr": 0x07002000, "code": 0x00020001}, {}, 3]))
    assert seen.hms == ("0700-2000-0002-0001",)


def test_the_fixtures_carry_their_licences() -> None:
    kept = {path.relative_to(FIXTURES).as_posix() for path in Path(FIXTURES).rglob("LICEN*")}
    assert kept == {"bambu-rs_MIT/LICENSE", "bambu-farm_Apache-2.0/LICENSE.txt"}
