"""What a Bambu printer sends, made safe: bytes → message → one picture of the printer. No I/O.

Printers send truncated JSON, bytes that are not UTF-8, numbers as strings and strings as numbers.
What cannot be read counts as not said. Replies to commands come on the same topic and carry old
states and names: they are never merged into the picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bambu_bridge.identity import Identity, plate_of

_FULL_KEYS = 40
_MOST_ID = 2**31 - 1  # an integer of the database
_TEXT = ("gcode_file", "subtask_name", "print_type", "wifi_signal", "fun")
_IDS = ("task_id", "subtask_id", "project_id", "job_id", "lan_task_id", "gcode_start_time")
_NUMBERS = (
    *("mc_percent", "layer_num", "total_layer_num", "mc_remaining_time", "plate_idx", "plate_id"),
    *("print_error", "mc_print_error_code", "fail_reason", "nozzle_temper", "bed_temper"),
)
CODES = ("print_error", "mc_print_error_code", "fail_reason")


class Garbled(ValueError):
    """Bytes that are no report."""


@dataclass(frozen=True)
class Status:
    """A report: `full` replaces the picture, otherwise it changes what it names."""

    fields: Mapping[str, Any]
    full: bool


@dataclass(frozen=True)
class Ack:
    """The reply to somebody's command. `plate` and `name` of a dispatched file, where given."""

    command: str
    ok: bool
    plate: int | None = None
    name: str = ""


@dataclass(frozen=True)
class Version:
    """Reply to get_version; "" where the printer does not say."""

    firmware: str
    model: str
    modules: tuple[str, ...]


Message = Status | Ack | Version


@dataclass(frozen=True)
class Snapshot:
    """The picture of a printer, typed. `state` is "" until it was said; None = not said."""

    state: str
    identity: Identity
    print_type: str
    percent: int | None
    layer: int | None
    total_layers: int | None
    remaining_min: int | None
    codes: Mapping[str, int]
    hms: tuple[str, ...]
    skipped: frozenset[int]
    extra: Mapping[str, Any] = field(default_factory=dict)


def parse(raw: bytes) -> Message | None:
    """None for a message that says nothing here. Errors: Garbled."""
    try:
        document = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise Garbled(str(error)) from error
    return read(document)


def read(document: Any) -> Message | None:
    """The same for decoded JSON. Errors: Garbled."""
    if not isinstance(document, dict):
        raise Garbled("not an object")
    info, said = document.get("info"), document.get("print")
    if isinstance(info, dict) and info.get("command") == "get_version":
        return _version(info)
    if not isinstance(said, dict):
        return None
    command = said.get("command")
    if "result" in said or command not in (None, "push_status"):
        return _ack(said)
    return Status(_clean(said), _is_full(said))


class Picture:
    """The last full report with all changes since."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}

    def apply(self, status: Status) -> Snapshot:
        """The picture after this report."""
        if status.full:
            self._fields = dict(status.fields)
        else:
            self._fields.update(status.fields)
        said = self._fields
        return Snapshot(
            state=said.get("gcode_state", ""),
            identity=Identity.of(said),
            print_type=said.get("print_type", ""),
            percent=said.get("mc_percent"),
            layer=said.get("layer_num"),
            total_layers=said.get("total_layer_num"),
            remaining_min=said.get("mc_remaining_time"),
            codes={name: said.get(name) or 0 for name in CODES},
            hms=said.get("hms", ()),
            skipped=said.get("s_obj", frozenset()),
            extra={n: said[n] for n in ("nozzle_temper", "bed_temper", "wifi_signal") if n in said},
        )


def _is_full(said: Mapping[str, Any]) -> bool:
    kind = _number(said.get("msg"))
    if kind is not None:
        return kind == 0
    return len(said) >= _FULL_KEYS and "gcode_state" in said


def _clean(said: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(state := said.get("gcode_state"), str):
        found["gcode_state"] = state.strip().upper()
    for name in _TEXT:
        value = said.get(name)
        # A replacement character would make another name of it: rather none.
        if isinstance(value, str) and "\ufffd" not in value:
            found[name] = value
    for name in _IDS:
        value = said.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            found[name] = str(value)
    for name in _NUMBERS:
        if name in said and (number := _number(said[name])) is not None:
            found[name] = number
    if isinstance(said.get("hms"), list):
        found["hms"] = tuple(code for entry in said["hms"] if (code := _hms(entry)))
    if isinstance(said.get("s_obj"), list):
        numbers = (_number(entry) for entry in said["s_obj"])
        found["s_obj"] = frozenset(n for n in numbers if n is not None and 0 <= n <= _MOST_ID)
    return found


def _ack(said: Mapping[str, Any]) -> Ack:
    result = str(said.get("result", "success")).lower()
    param, name = said.get("param"), said.get("subtask_name")
    return Ack(
        command=str(said.get("command") or ""),
        ok=result in ("success", "ok", "0"),
        plate=plate_of(param) if isinstance(param, str) else None,
        name=name if isinstance(name, str) else "",
    )


def _version(info: Mapping[str, Any]) -> Version:
    modules = [entry for entry in info.get("module") or () if isinstance(entry, dict)]
    named = {str(entry.get("name", "")): entry for entry in modules}
    ota = named.get("ota", {})
    model = ota.get("product_name") or next(
        (family for part, family in _FAMILIES.items() if part in named), ""
    )
    return Version(str(ota.get("sw_ver") or ""), str(model), tuple(named))


_FAMILIES = {"rv1126": "X1 series", "ap": "X1 series", "esp32": "P1/A1 series"}


def _hms(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return None
    attr, code = _number(entry.get("attr")), _number(entry.get("code"))
    if attr is None or code is None or attr < 0 or code < 0:
        return None
    digits = f"{attr:08X}{code:08X}"
    return "-".join(digits[at : at + 4] for at in range(0, 16, 4))


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value.strip().rstrip("%"))
        except ValueError:
            return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value)
