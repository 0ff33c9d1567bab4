"""Phoenix channel frames as both official Supabase clients write and read them. No I/O.

Version 1.0.0 (Python) sends JSON objects; 2.0.0 (JavaScript) sends JSON arrays
`[join_ref, ref, topic, event, payload]` and its broadcasts as binary frames of kind 3.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Version = Literal["1.0.0", "2.0.0"]

TOPIC_PREFIX = "realtime:"
_USER_BROADCAST_PUSH = 3
_USER_BROADCAST = 4
_RAW, _JSON = 0, 1
_LONGEST_NAME = 200


class ProtocolError(ValueError):
    """A frame or version that no official client sends; the message says what is wrong."""


@dataclass(frozen=True)
class Frame:
    """One message of a channel; `topic` carries the prefix `realtime:` (heartbeats: phoenix)."""

    topic: str
    event: str
    payload: dict[str, Any] = field(default_factory=dict)
    ref: str | None = None
    join_ref: str | None = None


@dataclass(frozen=True)
class Broadcast:
    """One broadcast; `topic` without prefix, `payload` JSON or raw bytes, `id` of its row."""

    topic: str
    event: str
    payload: Any
    id: str | None = None


def parse_version(text: str | None) -> Version:
    """The protocol version asked for; the Python client names none and means 1.0.0."""
    if text in (None, "", "1.0.0"):
        return "1.0.0"
    if text == "2.0.0":
        return "2.0.0"
    raise ProtocolError(f"Unsupported protocol version {text!r}: use 1.0.0 or 2.0.0.")


def decode(data: str | bytes, version: Version) -> Frame:
    """Read a client's frame; ProtocolError when it is malformed."""
    if isinstance(data, bytes):
        return _decode_push(data)
    try:
        parsed = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("The frame is not JSON.") from error
    if version == "2.0.0":
        if not isinstance(parsed, list) or len(parsed) != 5:
            raise ProtocolError("Expected [join_ref, ref, topic, event, payload].")
        join_ref, ref, topic, event, payload = parsed
    else:
        if not isinstance(parsed, dict):
            raise ProtocolError("Expected an object with topic, event, payload and ref.")
        join_ref, ref = parsed.get("join_ref"), parsed.get("ref")
        topic, event, payload = (parsed.get(key) for key in ("topic", "event", "payload"))
    if not (isinstance(topic, str) and isinstance(event, str) and isinstance(payload, dict)):
        raise ProtocolError("topic and event must be text, payload an object.")
    return Frame(topic, event, payload, _ref(ref), _ref(join_ref))


def parse_json(data: str | bytes) -> Any:
    """Strict JSON (no NaN, which other clients could not read); ValueError, RecursionError."""
    return json.loads(data, parse_constant=_refuse_constant)


def parse_name(name: object) -> str:
    """A topic or event name, checked; ProtocolError when nobody could use it."""
    if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable():
        return name
    raise ProtocolError(f"Names are 1 to {_LONGEST_NAME} printable characters.")


def encode(frame: Frame, version: Version) -> str:
    """Write a server frame. Version 1 always has a `ref`: the Python client requires it."""
    if version == "2.0.0":
        return _dump([frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload])
    return _dump(
        {"topic": frame.topic, "event": frame.event, "payload": frame.payload, "ref": frame.ref}
    )


def encode_broadcast(message: Broadcast, version: Version) -> str | bytes | None:
    """Write a broadcast for clients; None when the version cannot carry it (raw bytes in 1.0.0)."""
    if isinstance(message.payload, bytes):
        return _encode_raw(message) if version == "2.0.0" else None
    payload = {"type": "broadcast", "event": message.event, "payload": message.payload}
    if message.id is not None:
        payload["meta"] = {"id": message.id}
    return encode(Frame(TOPIC_PREFIX + message.topic, "broadcast", payload), version)


def _decode_push(data: bytes) -> Frame:
    """kind 3, the lengths of join_ref, ref, topic, event and metadata, encoding; then those."""
    if len(data) < 7 or data[0] != _USER_BROADCAST_PUSH:
        raise ProtocolError("Unknown binary frame.")
    *lengths, encoding = data[1:7]
    offset = 7
    parts: list[str] = []
    try:
        for length in lengths:
            parts.append(data[offset : offset + length].decode())
            offset += length
        body = data[offset:]
        content: Any = parse_json(body) if encoding == _JSON else body
    except (ValueError, RecursionError) as error:
        raise ProtocolError("The binary frame is damaged.") from error
    join_ref, ref, topic, event, _metadata = parts
    payload = {"type": "broadcast", "event": event, "payload": content}
    return Frame(topic, "broadcast", payload, ref or None, join_ref or None)


def _encode_raw(message: Broadcast) -> bytes | None:
    topic = (TOPIC_PREFIX + message.topic).encode()
    event = message.event.encode()
    if len(topic) > 255 or len(event) > 255:  # lengths are single bytes
        return None
    header = bytes((_USER_BROADCAST, len(topic), len(event), 0, _RAW))
    return header + topic + event + bytes(message.payload)


def _ref(value: object) -> str | None:
    return None if value is None else str(value)


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _refuse_constant(name: str) -> None:
    raise ProtocolError(f"{name} is not JSON.")
