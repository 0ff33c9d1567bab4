"""JSON log lines on stderr: ts, level, logger, action, message, ids. Secrets never."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

HIDDEN = "[redacted]"
_OURS_OR_NOISE = ("message", "asctime", "taskName", "color_message")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))).union(_OURS_OR_NOISE)
_SECRET_NAME = re.compile(
    r"(?i)password|passwd|secret|token|api_?key|authorization|hmac|signature|enrolment_code"
)
_SECRET_TEXT = re.compile(
    r"sb_secret_[\w-]+|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_known: set[str] = set()


def hide(*secrets: str) -> None:
    """From now on these values never appear in a log line."""
    _known.update(s for s in secrets if len(s) >= 6)


def redact(value: Any, name: str = "") -> Any:
    """The value with secrets replaced, by the field's name, known values and known patterns."""
    if name and _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return {key: redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    if isinstance(value, str):
        for secret in _known:
            value = value.replace(secret, HIDDEN)
        return _SECRET_TEXT.sub(HIDDEN, value)
    return value


class JsonFormatter(logging.Formatter):
    """One record, one line; `extra` fields become keys, `action` names what was done."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "action": getattr(record, "action", record.name),
            "message": redact(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name != "action":
                line[name] = redact(value, name)
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every logger to one JSON handler."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "hpack"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
