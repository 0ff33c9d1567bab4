"""Recorded captures in the many forms people keep them: JSON lines, a JSON list, a JSON object.

A record has a time (`t`, `ts`, `time`, …: seconds, milliseconds or ISO 8601), and a report, or an
event (`connect`, `disconnect`, `bridge_restart`). Everything else, such as a heading, is skipped.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

_TIMES = (
    *("t", "ts", "time", "timestamp", "at", "received_at", "captured_at", "recorded_at"),
    *("elapsed", "offset", "seconds", "when", "t_ms", "ts_ms", "ms"),
)
_PAYLOADS = ("payload", "message", "report", "data", "body", "raw", "json", "value")
_LISTS = ("messages", "records", "frames", "reports", "events", "capture", "items", "log")
_LINK_WORDS = ("disconnect", "offline", "reboot", "lost", "power", "drop")
_NOT_A_FIELD = frozenset({*_TIMES, "event", "type", "kind", "topic", "serial"})


class Unreadable(ValueError):
    """The file is no recording; the message is for people."""


class Kind(Enum):
    """What a record tells."""

    REPORT = "report"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    RESTART = "restart"


@dataclass(frozen=True)
class Record:
    """One line: `at` in seconds, or None when it names no time; `document` decoded JSON."""

    kind: Kind
    at: float | None
    serial: str
    document: Any = None


@dataclass(frozen=True)
class TimeStyle:
    """How a recording writes times, so that answers are written the same way."""

    iso: bool = False
    per_second: int = 1

    def show(self, at: float | None) -> Any:
        if at is None:
            return None
        if self.iso:
            return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
        number = round(at * self.per_second, 6)
        return int(number) if number == int(number) else number


def read(text: str) -> tuple[list[Record], TimeStyle]:
    """All records in their order. Errors: Unreadable."""
    found: list[Record] = []
    style: TimeStyle | None = None
    for entry in _entries(text):
        at, its_style = _time(entry)
        style = style or its_style
        if record := _record(entry, at):
            found.append(record)
    if not found:
        raise Unreadable("The file holds no reports: JSON lines or a JSON list are expected.")
    return found, style or TimeStyle()


def _entries(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        document = json.loads(text)
    except ValueError:
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a torn last line must not spoil a recording
            if isinstance(entry, dict):
                yield entry
        return
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        named = [document[name] for name in _LISTS if isinstance(document.get(name), list)]
        bare = "print" in document or "message" in document or "gcode_state" in document
        document = [document] if bare or not lists else (named or sorted(lists, key=len)[-1:])[0]
    for entry in document if isinstance(document, list) else []:
        if isinstance(entry, dict):
            yield entry
        elif isinstance(entry, list) and len(entry) == 2:  # [time, report]
            yield {"t": entry[0], "payload": entry[1]}


def _record(entry: Mapping[str, Any], at: float | None) -> Record | None:
    topic = str(entry.get("topic") or "")
    if topic.endswith("/request") or str(entry.get("direction", "")) in ("out", "tx", "sent"):
        return None
    serial = str(entry.get("serial") or topic.removeprefix("device/").partition("/")[0])
    document = _document(entry)
    if document is not None:
        return Record(Kind.REPORT, at, serial, document)
    for name in ("event", "type", "kind"):
        if kind := _event(str(entry.get(name) or "").lower()):
            return Record(kind, at, serial)
    return None


def _document(entry: Mapping[str, Any]) -> Any:
    """The report of a record, whatever it is wrapped in; None when there is none."""
    if isinstance(entry.get("print"), dict) or isinstance(entry.get("info"), dict):
        return {name: entry[name] for name in ("print", "info") if name in entry}
    for name in _PAYLOADS:
        if name in entry:
            return _unwrapped(entry[name])
        if f"{name}_b64" in entry:
            return _unwrapped(_decoded(entry[f"{name}_b64"]))
    if "gcode_state" in entry:
        return {"print": {n: v for n, v in entry.items() if n not in _NOT_A_FIELD}}
    return None


def _unwrapped(payload: Any) -> Any:
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            return payload
    if not isinstance(payload, dict):
        return payload
    if isinstance(inner := payload.get("message"), dict) and "print" not in payload:
        return inner
    bare = "print" not in payload and "info" not in payload and "gcode_state" in payload
    return {"print": payload} if bare else payload


def _decoded(text: Any) -> str:
    try:
        return base64.b64decode(str(text)).decode("utf-8", "replace")
    except binascii.Error:
        return ""


def _event(name: str) -> Kind | None:
    if "bridge" in name or any(word in name for word in ("restart", "kill", "crash")):
        return Kind.RESTART
    if any(word in name for word in _LINK_WORDS):
        return Kind.DISCONNECT
    return Kind.CONNECT if "connect" in name or name == "online" else None


def _time(entry: Mapping[str, Any]) -> tuple[float | None, TimeStyle | None]:
    for name in _TIMES:
        value = entry.get(name)
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, str):
            found = _time_of_text(value)
            if found is None:
                continue
            if isinstance(found, datetime):
                return found.timestamp(), TimeStyle(iso=True)
            value = found
        if isinstance(value, int | float):
            per_second = 1000 if name.endswith("ms") or value > 1e11 else 1
            return value / per_second, TimeStyle(per_second=per_second)
    return None, None


def _time_of_text(text: str) -> datetime | float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
