"""The raw reports around each change, kept as files that `replay` reads.

Two minutes before and after a decision or a change of state; what tells about the network is
left out, and access codes are in no report.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bambu_bridge.run import Instant

log = logging.getLogger(__name__)

_AROUND = 120.0
_MOST = 400
_HIDDEN = ("net", "wifi_signal", "ipcam", "ip", "ssid", "mac")


class Trace:
    """The last reports of one printer, in little memory. `keep` files at most; 0 = none."""

    def __init__(self, folder: Path, serial: str, keep: int) -> None:
        self._folder = folder
        self._serial = serial
        self._keep = keep
        self._ring: deque[tuple[Instant, bytes]] = deque(maxlen=_MOST)
        self._file: Path | None = None
        self._until = 0.0

    def add(self, at: Instant, raw: bytes | None) -> None:
        """A report, or (None) a new or lost connection."""
        if not self._keep:
            return
        self._ring.append((at, zlib.compress(raw or b"", 1)))
        while self._ring and at.steady - self._ring[0][0].steady > _AROUND:
            self._ring.popleft()
        if self._file is not None:
            if at.steady <= self._until:
                self._write(self._file, [(at, raw or b"")])
            else:
                self._file = None

    def mark(self, at: Instant) -> None:
        """Something changed now: write what came before, and what comes for two minutes."""
        if not self._keep:
            return
        self._until = at.steady + _AROUND
        if self._file is None:
            moment = datetime.fromtimestamp(at.wall, UTC).strftime("%Y%m%dT%H%M%S%f")
            safe = "".join(c if c.isalnum() else "_" for c in self._serial)
            self._file = self._folder / f"{moment}-{safe}.jsonl"
            self._write(self._file, [(when, zlib.decompress(raw)) for when, raw in self._ring])
            self._tidy()

    def _write(self, file: Path, entries: list[tuple[Instant, bytes]]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with file.open("a", encoding="utf-8") as handle:
                handle.writelines(_line(at, raw) for at, raw in entries)
        except OSError as error:  # a full disk must not stop the counting
            log.warning("trace not written", extra={"action": "trace.failed", "why": str(error)})
            self._file = None

    def _tidy(self) -> None:
        files = sorted(self._folder.glob("*.jsonl"))
        for old in files[: -self._keep]:
            old.unlink(missing_ok=True)


def _line(at: Instant, raw: bytes) -> str:
    entry: dict[str, Any] = {"t": round(at.wall, 3)}
    if not raw:
        entry["event"] = "connect"
    else:
        text = raw.decode("utf-8", "replace")
        try:
            entry["payload"] = _redacted(json.loads(text))
        except (ValueError, RecursionError):
            entry["payload"] = text[:2000]
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _redacted(item) for name, item in value.items() if name not in _HIDDEN}
    return [_redacted(item) for item in value] if isinstance(value, list) else value
