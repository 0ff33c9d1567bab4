"""lite writes `2026-11-21 05:34:12.713+00`; the official clients want RFC 3339."""

from __future__ import annotations

import re
from typing import Any

_LITE = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d)(?::?(\d\d))?")
# What people stored themselves is never touched.
_FREE_FORM = frozenset({"user_metadata", "app_metadata", "identity_data", "metadata"})


def rfc3339(text: str) -> str:
    """The same moment as `2026-11-21T05:34:12.713Z`; any other text unchanged."""
    match = _LITE.fullmatch(text)
    if match is None:
        return text
    day, clock, hours, minutes = match.groups()
    zone = f"{hours}:{minutes or '00'}"
    return f"{day}T{clock}{'Z' if zone in ('+00:00', '-00:00') else zone}"


def repair(value: Any) -> Any:
    """A copy of decoded JSON with every `…_at` and `…_until` text in RFC 3339."""
    if isinstance(value, list):
        return [repair(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _repair_member(key, item) for key, item in value.items()}


def _repair_member(key: str, value: Any) -> Any:
    if key in _FREE_FORM:
        return value
    if isinstance(value, str):
        return rfc3339(value) if key.endswith(("_at", "_until")) else value
    return repair(value)
