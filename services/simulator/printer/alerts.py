"""Alerts that a Zebra pushes by itself. They name no job, and speak the language of its display."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from services.simulator.printer.batch import Event
from services.simulator.printer.faults import Condition

_PORT = re.compile(r"[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}")
DONE = "PQ JOB COMPLETED"
_NAMES = {
    Condition.PAPER_OUT: "PAPER OUT",
    Condition.RIBBON_OUT: "RIBBON OUT",
    Condition.HEAD_OPEN: "HEAD OPEN",
    Condition.OVER_TEMP: "HEAD TOO HOT",
    Condition.PAUSED: "PRINTER PAUSED",
}
# Only what was seen on a real printer; it says the rest in English here.
_JAPANESE = {
    f"ALERT: {DONE}": "アラート: ジョブ完了",
    "ERROR CLEARED: HEAD OPEN": "エラーをクリア: ヘッド オープン",
    "ALERT CLEARED: PRINTER PAUSED": "アラート クリア: プリンタ ポーズ",
}
_SX_CONDITIONS = {
    "A": "PAPER OUT",
    "B": "RIBBON OUT",
    "C": "HEAD TOO HOT",
    "E": "HEAD OPEN",
    "J": "PRINTER PAUSED",
    "K": DONE,
    "*": "ALL MESSAGES",
}


@dataclass(frozen=True)
class Subscription:
    """Where messages about a condition go: TCP only."""

    condition: str
    when_set: bool
    when_cleared: bool
    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Subscription | None:
        """From `alerts.add`'s `CONDITION,TCP,Y,N,host,port,N`; None for another destination."""
        parts = [part.strip() for part in text.split(",")]
        if len(parts) < 6 or parts[1].upper() != "TCP" or not _PORT.fullmatch(parts[5]):
            return None
        yes = [part.upper() == "Y" for part in parts[2:4]]
        return cls(parts[0].upper(), yes[0], yes[1], parts[4], int(parts[5]))

    def __str__(self) -> str:
        letters = ",".join("Y" if yes else "N" for yes in (self.when_set, self.when_cleared))
        return f"{self.condition},TCP,{letters},{self.host},{self.port},N,"


class Alerts:
    """The printer's list of subscriptions. It survives switching off."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def add(self, text: str) -> None:
        """As `alerts.add`; both N takes the subscription away again."""
        new = Subscription.of(text)
        if new is None:
            return
        place = (new.condition, new.host, new.port)
        others = [s for s in self._subscriptions if (s.condition, s.host, s.port) != place]
        self._subscriptions = others + ([new] if new.when_set or new.when_cleared else [])

    def replace(self, text: str) -> None:
        """As `alerts.configured`: a list with `|` in between."""
        self._subscriptions = []
        for each in text.split("|"):
            self.add(each)

    def add_sx(self, params: str) -> None:
        """As `^SXcondition,D,set,cleared,host,port`; D is TCP."""
        parts = [part.strip().upper() for part in params.split(",")]
        if len(parts) >= 6 and parts[0] in _SX_CONDITIONS and parts[1] == "D":
            self.add(",".join([_SX_CONDITIONS[parts[0]], "TCP", *parts[2:6], "N", ""]))

    def configured(self) -> str:
        return "|".join(str(each) for each in self._subscriptions)

    def messages(
        self, event: Event, at: datetime, serial: str, language: str
    ) -> list[tuple[str, int, bytes]]:
        """(host, port, line) of everything that must be sent about an event."""
        name, text = _text(event)
        if language == "japanese":
            text = _JAPANESE.get(text, text)
        line = f"{text} [{at:%Y-%m-%d %H:%M:%S}] [{serial}]\r\n".encode()
        cleared = event.what == "cleared"
        return [
            (each.host, each.port, line)
            for each in self._subscriptions
            if each.condition in (name, "ALL MESSAGES")
            and (each.when_cleared if cleared else each.when_set)
        ]


def _text(event: Event) -> tuple[str, str]:
    """(name of the condition, message)."""
    if event.condition is None:
        return DONE, f"ALERT: {DONE}"
    name = _NAMES[event.condition]
    is_alert = event.condition is Condition.PAUSED
    cleared = event.what == "cleared"
    if is_alert:
        return name, f"ALERT CLEARED: {name}" if cleared else f"ALERT: {name}"
    return name, f"ERROR CLEARED: {name}" if cleared else f"ERROR CONDITION: {name}"
