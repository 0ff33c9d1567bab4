"""What the agent counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 300)

JOBS = Counter("takt_print_jobs", "Jobs by printer and what became of them", ["printer", "result"])
SECONDS = Histogram(
    "takt_print_seconds",
    "begin: claim to permission; send: handing over; job: claim to answer",
    ["step"],
    buckets=_BUCKETS,
)
UP = Gauge("takt_print_printer_ready", "1 when the printer could take a job", ["printer"])
OPEN = Gauge("takt_print_open_sends", "Sends in the journal that are not settled")


def observe(step: str, seconds: float) -> None:
    SECONDS.labels(step).observe(seconds)
