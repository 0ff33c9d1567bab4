"""The routes of machine time: figures and boards, all of them reads."""

from __future__ import annotations

from services.api.route import Route

_TIME = ("machine", "from", "to", "line", "work_centre", "site")


def _read(path: str, rpc: str, summary: str, *query: str) -> Route:
    return Route("GET", f"/api/v1/{path}", rpc, summary, query=query)


MACHINE_TIME: tuple[Route, ...] = (
    _read("kpis/oee", "get_oee", "OEE with all it is made of", *_TIME, "by", "as_of"),
    _read(
        "kpis/{machine}/facts",
        "get_oee_facts",
        "The stops, counts and states behind a figure",
        *("from", "to", "kind", "sku", "cursor", "limit"),
    ),
    _read("kpis/losses", "get_losses", "What time was lost to", *_TIME, "as_of"),
    _read("kpis/mttr", "get_mttr", "Mean time to repair", *_TIME, "by", "as_of"),
    _read("kpis/mtbf", "get_mtbf", "Mean time between failures", *_TIME, "by", "as_of"),
    _read(
        "kpis/reliability",
        "get_reliability_weeks",
        "MTTR and MTBF of the last weeks",
        *("weeks", "machine", "line", "work_centre", "site"),
    ),
    _read(
        "kpis/{machine}/timeline",
        "get_machine_timeline",
        "The pieces of time",
        "from",
        "to",
        "as_of",
    ),
    _read("dashboards/andon", "get_andon", "Every machine now", "site", "line", "machine"),
    _read(
        "dashboards/shift/{machine}", "get_shift_board", "Plan and actual", "shift_date", "shift"
    ),
    _read(
        "dashboards/micro-stops",
        "get_microstops",
        "Micro-stops",
        "machine",
        "from",
        "to",
        "line",
        "site",
    ),
    _read("dashboards/quality", "get_quality_breakdown", "Good, scrap and rework", *_TIME),
    _read(
        "dashboards/utilization",
        "get_table_utilization",
        "How full the tables were",
        *("work_centre", "from", "to", "site"),
    ),
    _read("dashboards/start-of-shift/{work_centre}", "start_of_shift", "What can run, who is here"),
)
