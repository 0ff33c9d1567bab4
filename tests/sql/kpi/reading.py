"""What a worked example gives: names with units and synonyms, read once, by what they mean.

Nothing is assumed in silence: a name that is not understood is an error (`Unread`), and so is one
that no builder used (`Description.check_used`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Numbers = dict[str, Any]

UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("week", "weeks"), 7 * 86400.0),
    **dict.fromkeys(("y", "year", "years"), 365 * 86400.0),
    "ms": 0.001,
}
RATES = {
    **dict.fromkeys(("ppm", "upm", "cpm", "spm", "bpm"), 60.0),
    **dict.fromkeys(("pph", "uph", "cph", "bph"), 3600.0),
}
PERCENT = ("pct", "percent", "perc")
SILENT = {"unit", "product", "sku", "name", "title", "id", "note", "notes", "comment", "machine"}
SILENT |= {"item", "process", "station", "line", "columns", "currency", "shift_name", "e2", "d4"}

DOWN = {"down", "downtime", "downtimes", "stop", "stops", "stopped", "stoppage", "stoppages"}
DOWN |= {"loss", "losses", "outage", "outages"}
FAULTS = {"breakdown", "breakdowns", "failure", "failures", "fault", "faults", "faulted", "jam"}
FAULTS |= {"jams", "repair", "repairs", "unplanned", "unscheduled", "waiting", "blocked", "starved"}
PIECES = {
    "count",
    "counts",
    "units",
    "unit",
    "pieces",
    "piece",
    "parts",
    "part",
    "cycles",
    "output",
}
PIECES |= {"quantity", "qty", "items", "products"}

# The first set that a name has a word of says what a time is.
TIMES: tuple[tuple[str, set[str]], ...] = (
    ("calendar", {"calendar", "year", "alltime"}),
    ("setup", {"setup", "setups", "changeover", "changeovers", "adjustment", "adjustments"}),
    ("micro", {"micro", "microstop", "microstops", "minor", "idling"}),
    ("break", {"break", "breaks", "lunch", "rest", "rests", "pause", "pauses", "meal", "meals"}),
    ("idle", {"idle", "nodemand", "demand", "order", "unneeded"}),
    ("disconnected", {"disconnected", "offline"}),
    ("maintenance", {"maintenance", "pm"}),
    ("planned_down", {"meeting", "meetings", "training", "cleaning"}),
)
CYCLE = {"cycle", "ideal", "takt", "standard", "std", "theoretical", "pri"}
RUN = {"run", "running", "operating", "operation", "uptime", "productive", "worked", "production"}
LENGTH = {"shift", "scheduled", "total", "available", "length", "window", "time", "attendance"}
COUNTS: tuple[tuple[str, set[str]], ...] = (
    ("capacity", {"theoretical", "max", "maximum", "possible", "capacity", "ideal", "target"}),
    ("planned_pieces", {"planned", "expected"}),
    ("good", {"good", "gq", "ok", "passed", "accepted", "conforming", "right"}),
    ("rework", {"rework", "reworked", "reworks", "rq"}),
    ("scrap", {"reject", "rejects", "rejected", "defect", "defects", "defective", "defectives"}),
    ("scrap", {"scrap", "scrapped", "bad", "ng", "faulty", "waste", "sq", "failed"}),
    ("total", {"total", "produced", "made", "actual", "completed", "processed", "pq", *PIECES}),
)
RATIOS = {
    "availability": "availability", "performance": "performance", "effectiveness": "performance",
    "quality": "quality", "oee": "oee", "utilization": "utilization", "utilisation": "utilization",
    "loading": "loading",
}  # fmt: skip
CLASSES = {
    "break": "break", "breaks": "break", "lunch": "break", "meeting": "meeting",
    "planned": "meeting", "scheduled": "scheduled_down", "setup": "changeover",
    "changeover": "changeover", "maintenance": "planned_maintenance", "idle": "no_order",
    "disconnected": "no_data", "micro": "minor_stop", "minor": "minor_stop",
}  # fmt: skip


class Unread(AssertionError):
    """A case says something that nothing here understands, or that contradicts itself."""


def split(name: str) -> tuple[list[str], float | None, float | None, bool]:
    """Words of a name; seconds of its unit; seconds by its rate; is it a percentage?"""
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower().split("_")
    last = words[-1]
    if last in RATES:
        return words[:-1], None, RATES[last], False
    if len(words) > 2 and words[-2] == "per" and last in UNITS:
        return words[:-2], None, UNITS[last], False
    if len(words) > 2 and words[-2] == "per" and (last in PIECES or last == "unit"):
        words, last = words[:-2], words[-3]  # seconds_per_piece, ideal_s_per_unit
        return [*words, "cycle"], UNITS.get(last), None, False
    if len(words) > 1 and last in UNITS and not (last == "d" and words[-2] in ("c", "d")):
        return words[:-1], UNITS[last], None, False
    if last in PERCENT:
        return words[:-1], None, None, True
    return words, None, None, False


def as_list(value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    return [float(one) for one in values]


@dataclass
class Description:
    """One machine for one time, in seconds and pieces, however the source calls them."""

    values: dict[str, list[float]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def add(self, kind: str, name: str, values: list[float]) -> None:
        self.names.setdefault(kind, []).append(name)
        known = self.values.setdefault(kind, [])
        if known and kind in ("cycle", "total", "length", "planned", "run", "calendar"):
            agree(name, known[0], values[0], 0.001)
        else:
            known.extend(values)

    def has(self, *kinds: str) -> bool:
        return any(kind in self.values for kind in kinds)

    def all(self, kind: str) -> list[float]:
        self.used.add(kind)
        return self.values.get(kind, [])

    def get(self, kind: str) -> float | None:
        """The sum of what is given, None if nothing is."""
        return sum(self.all(kind)) if kind in self.values else None

    def check_used(self) -> None:
        left = [name for kind, n in self.names.items() if kind not in self.used for name in n]
        if left:
            raise Unread(f"not used: {', '.join(sorted(left))}")


def agree(name: str, one: float, other: float, within: float) -> None:
    if abs(one - other) > within * max(1.0, abs(one)):
        raise Unread(f"{name} contradicts the other inputs: {one} and {other}")


def describe(inputs: Numbers, taken: set[str] | None = None) -> Description:
    """Everything of `inputs` but what a builder has `taken`, by its meaning."""
    found = Description()
    unit = UNITS[inputs["unit"]] if "unit" in inputs else None
    for name, value in inputs.items():
        if name in SILENT or name in (taken or set()) or value is None:
            continue
        if not read_policy(found, name, value):
            read_number(found, name, value, unit)
    return found


def read_number(found: Description, name: str, value: Any, unit: float | None) -> None:
    words, seconds, rate, percent = split(name)
    try:
        values = as_list(value)
    except (TypeError, ValueError) as error:
        raise Unread(f"not understood: {name} = {value!r}") from error
    is_actual = bool(set(words) & {"actual", "measured", "real"})
    if rate is not None:
        found.add("actual_cycle" if is_actual else "cycle", name, [rate / one for one in values])
        return
    if set(words) & {"weight", "weights"} and seconds is None:
        found.add("planned", name, [60 * one for one in values])
        return
    ratio = next((RATIOS[w] for w in words if w in RATIOS), None)
    if ratio is not None and seconds is None:
        found.add(ratio, name, [one / 100 if percent else one for one in values])
        return
    kind = None if percent else count_kind(words) if seconds is None else None
    if seconds is None and kind is None:
        seconds = unit
    if seconds is not None:
        kind = time_kind(words)
        kind = "actual_cycle" if kind == "cycle" and is_actual else kind
        values = [one * seconds for one in values]
    if kind is None or percent:
        raise Unread(f"not understood: {name}")
    found.add(kind, name, values)


def time_kind(words: list[str]) -> str | None:
    have = set(words)
    if have & CYCLE and not have & (RUN - {"production"}) and not have & {"total", "loss"}:
        return "cycle"
    if have & {"planned", "scheduled"} and have & DOWN:
        return "scheduled_down" if "scheduled" in have else "planned_down"
    if have & {"unplanned", "unscheduled"} and not have & {"setup", "changeover"}:
        return "down"
    kind = next((kind for kind, words_of in TIMES if have & words_of), None)
    return kind or _plain_time(have)


def _plain_time(have: set[str]) -> str | None:
    if have & (DOWN | FAULTS):
        return "down"
    if have & {"planned", "ppt", "pbt", "loading"} or have >= {"net", "available"}:
        return "planned"
    if "scheduled" not in have and have & RUN:
        return "run"
    return "length" if have & LENGTH else None


def count_kind(words: list[str]) -> str | None:
    have = set(words)
    kind = next((kind for kind, words_of in COUNTS if have & words_of), None)
    if kind in ("capacity", "planned_pieces") and not have & (PIECES | {"capacity"}):
        return None
    # One bare word like "total" or "good" is a count; "total_time" is not.
    return None if have & {"time", "times", "rate", "ratio", "yield"} else kind


def read_policy(found: Description, name: str, value: Any) -> bool:
    """`policy: {break: …}`, `break_policy: …`, `breaks_included: true`, `policy: "breaks out"`."""
    words = name.lower().split("_")
    if "policy" in words or "policies" in words or "convention" in words:
        rules = value if isinstance(value, dict) else {name: value}
        for subject, text in rules.items():
            about = f"{subject}_{text}" if isinstance(value, dict) else f"{name}_{value}"
            found.policies[time_class(about)] = policy(str(text), True)
        return True
    says = any(w in {"included", "excluded", "include", "exclude", "denominator"} for w in words)
    if says and isinstance(value, bool):
        found.policies[time_class(name)] = policy(name, value)
        return True
    return False


def time_class(text: str) -> str:
    words = re.split(r"[^a-z]+", text.lower())
    found = next((CLASSES[word] for word in words if word in CLASSES), None)
    if found is None:
        raise Unread(f"not understood: policy {text}")
    return found


def policy(text: str, holds: bool) -> str:
    if "performance" in text:
        return "loss_performance"
    if re.search(r"exclude|remove|leave|out\b|not_a_loss", text):
        return "excluded" if holds else "loss_availability"
    if re.search(r"includ|loss|availability|denominator|stay|keep|kept|\bin\b|charge", text):
        return "loss_availability" if holds else "excluded"
    raise Unread(f"not understood: policy {text}")
