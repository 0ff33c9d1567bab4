"""Prometheus metrics of the bridge."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

REPORTS = Counter("takt_bambu_reports", "Reports received", ["printer"])
GARBLED = Counter("takt_bambu_garbled", "Reports that could not be read", ["printer"])
RUNS = Counter("takt_bambu_runs", "Prints decided", ["outcome", "evidence"])
TOLD = Counter("takt_bambu_told", "Prints told to the server, by its answer", ["answer"])
READY = Gauge("takt_bambu_spool_ready", "Prints waiting to be told")
PARKED = Gauge("takt_bambu_spool_parked", "Prints that a person must look at")
OLDEST = Gauge("takt_bambu_spool_oldest_seconds", "Age of the oldest print waiting")
ONLINE = Gauge("takt_bambu_printers_online", "Printers whose reports arrive")
RESTARTS = Counter("takt_bambu_watcher_restarts", "Watchers that had to start anew", ["printer"])
