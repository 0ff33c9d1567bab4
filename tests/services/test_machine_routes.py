"""Machine time over HTTP, with people of every role: commands, figures, routes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from takt.tables import read_table
from tests.services.stack import Stack
from tests.services.test_rest import client, token
from tests.support.databases import STAFF_ROLES

# Who may: report states and stops · plan the calendar · hand a shift over; everybody reads.
_FLOOR = {"operator", "technician", "supervisor", "planner", "manager", "admin"}
_PLAN = {"supervisor", "planner", "manager", "admin"}
_READS = (
    "kpis/oee",
    "kpis/losses",
    "kpis/mttr",
    "kpis/mtbf",
    "kpis/{machine}/timeline",
    "dashboards/andon",
    "dashboards/micro-stops",
    "dashboards/quality",
)


@pytest.fixture(scope="module")
def people(stack: Stack) -> Iterator[dict[str, httpx.Client]]:
    """One signed-in person per role."""
    clients = {role: client(stack, token(stack, role)) for role in STAFF_ROLES}
    yield clients
    for http in clients.values():
        http.close()


@pytest.fixture(scope="module")
def machine(stack: Stack) -> str:
    """A machine that works around the clock since yesterday, and ran until ten minutes ago."""
    code = f"m-{uuid.uuid4().hex[:6]}"
    with stack.rpc() as rpc:
        rpc.call("save_process_step", p_code="PRESS", p_sequence=91)
        rpc.call("save_work_centre", p_code=code, p_step="PRESS", p_site="main")
        rpc.call("save_machine", p_code=code, p_site="main", p_work_centre=code)
        day = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
        # From twelve hours ago, by the clock of the plant: no shift begins while a test runs.
        noon = f"{(datetime.now(ZoneInfo('Australia/Sydney')).hour + 12) % 24:02}:00"
        shifts = [{"shift": "all", "starts": noon, "ends": noon}]
        rpc.call("save_shift_pattern", p_work_centre=code, p_valid_from=day, p_shifts=shifts)
        rpc.call("set_ideal_cycle", p_machine=code, p_ideal_s=30)
    return code


def _rpc(http: httpx.Client, name: str, **arguments: Any) -> httpx.Response:
    return http.post(f"/rest/v1/rpc/{name}", json=arguments)


def _ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_who_may_report_and_who_may_plan(
    people: dict[str, httpx.Client], machine: str, role: str
) -> None:
    asked: tuple[tuple[str, set[str], dict[str, Any]], ...] = (
        ("record_machine_state", _FLOOR, {"p_machine": machine, "p_state": "bored"}),
        ("start_stop", _FLOOR, {"p_machine": "none"}),
        ("answer_stop", _FLOOR, {"p_stop_id": 0}),
        ("set_ideal_cycle", _PLAN, {"p_machine": machine, "p_ideal_s": 30}),
        ("plan_stop", _PLAN, {"p_machine": "none", "p_from": _ago(2), "p_to": _ago(1)}),
        ("shift_handover", _FLOOR, {"p_work_centre": "none"}),
    )  # fmt: skip
    for rpc, who, arguments in asked:
        answer = _rpc(people[role], rpc, **arguments)
        assert (answer.status_code == 403) == (role not in who), (rpc, answer.text)
        if role not in who:
            assert answer.json()["hint"] == "auth.forbidden"


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_everybody_reads_every_figure(
    people: dict[str, httpx.Client], machine: str, role: str
) -> None:
    for path in _READS:
        query = {} if "{" in path else {"machine": machine}
        answer = people[role].get(f"/api/v1/{path.format(machine=machine)}", params=query)
        assert answer.status_code == 200, (path, answer.text)
        assert answer.json() is not None


def test_nobody_reads_without_a_sign_in(stack: Stack, machine: str) -> None:
    with httpx.Client(base_url=stack.url, headers={"apikey": stack.publishable_key}) as http:
        for path in _READS:
            assert http.get(f"/api/v1/{path.format(machine=machine)}").status_code == 401
        for name in ("get_oee", "get_andon", "record_counts", "answer_stop"):
            assert _rpc(http, name).status_code in (401, 403, 404)


def test_a_shift_over_http(people: dict[str, httpx.Client], machine: str) -> None:
    """States and counts come in, a stop is classified in one tap, and the figures move."""
    operator, viewer = people["operator"], people["viewer"]
    states = [
        {"machine": machine, "at": _ago(minutes), "state": state}
        for minutes, state in ((60, "running"), (30, "stopped"))
    ]
    counts = [
        {"machine": machine, "key": f"k{n}", "at": _ago(59 - n), "good": 2} for n in range(25)
    ]
    assert _rpc(operator, "record_machine_states", p_events=states).json()["accepted"] == 2
    assert _rpc(operator, "record_counts", p_counts=counts).json()["accepted"] == 25
    assert _rpc(operator, "record_counts", p_counts=counts).json()["duplicates"] == 25
    window = {"machine": machine, "from": _ago(60), "to": _ago(0)}
    (before,) = viewer.get("/api/v1/kpis/oee", params=window).json()
    assert before["inputs"]["good"] > 40
    assert before["inputs"]["unclassified_s"] > 1700
    (wall,) = viewer.get("/api/v1/dashboards/andon", params={"machine": machine}).json()
    assert (wall["state"], wall["called_role"]) == ("stopped", "manager")
    tap = _rpc(operator, "classify_stop", p_machine=machine, p_reason="meeting")
    assert tap.json()["changed"] is True
    (asked,) = viewer.get("/api/v1/kpis/oee", params=window).json()
    assert asked["ratios"]["availability"] == before["ratios"]["availability"], "it is a request"
    _rpc(people["supervisor"], "classify_stop", p_machine=machine, p_reason="meeting")
    (after,) = viewer.get("/api/v1/kpis/oee", params=window).json()
    assert after["ratios"]["availability"] > before["ratios"]["availability"]
    stale = _rpc(
        operator, "classify_stop", p_stop_id=tap.json()["stop"]["id"], p_reason="jam", p_version=0
    )
    assert (stale.status_code, stale.json()["hint"]) == (409, "stop.changed")
    losses = viewer.get("/api/v1/kpis/losses", params=window).json()
    assert any(row["reason"] == "meeting" for row in losses)
    window.pop("machine")
    pieces = viewer.get(f"/api/v1/kpis/{machine}/timeline", params=window).json()
    assert pieces[-1]["time_class"] == "meeting"


def test_a_wrong_question_is_refused_in_words(people: dict[str, httpx.Client]) -> None:
    viewer = people["viewer"]
    unknown = viewer.get("/api/v1/kpis/oee", params={"machine": "none"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "machine.unknown")
    by = viewer.get("/api/v1/kpis/oee", params={"by": "moon"})
    assert (by.status_code, by.json()["code"]) == (422, "kpi.by")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("what", ["oee", "stops", "repairs"])
def test_figures_stops_and_repairs_as_files(
    people: dict[str, httpx.Client], machine: str, what: str, form: str
) -> None:
    """What is exported is what the RPC says; what people wrote is no formula."""
    bad = "=1+1 said <she> & \x01"
    given: dict[str, Any] = {"p_machine": machine, "p_description": f"{bad} {what} {form}"}
    assert _rpc(people["operator"], "report_repair", **given).status_code == 200
    answer = people["viewer"].get(f"/api/v1/exports/{what}.{form}", params={"machine": machine})
    assert answer.status_code == 200, answer.text
    assert f'filename="{what}.{form}"' in answer.headers["content-disposition"]
    rows = read_table(f"x.{form}", answer.content).rows
    if what == "oee":
        (figures,) = people["viewer"].get(f"/api/v1/kpis/oee?machine={machine}").json()
        assert float(rows[0]["planned_s"]) == pytest.approx(figures["inputs"]["planned_s"], abs=90)
        assert set(rows[0]) >= {"availability", "oee", "good", "key"}
    elif what == "stops":
        assert {row["machine"] for row in rows} == {machine}
    else:
        told = {row["description"] for row in rows}
        assert any(text.startswith(("'=1+1", "=1+1")) and what in text for text in told)
        assert form == "xlsx" or not any(text.startswith("=") for text in told)


def test_files_that_there_are_not(people: dict[str, httpx.Client], stack: Stack) -> None:
    viewer = people["viewer"]
    assert viewer.get("/api/v1/exports/wages.csv").status_code == 404
    assert viewer.get("/api/v1/exports/oee.pdf").status_code == 404
    assert viewer.get("/api/v1/exports/oee.csv?moon=1").status_code == 400
    refused = viewer.get("/api/v1/exports/oee.csv?machine=none")
    assert (refused.status_code, refused.json()["code"]) == (404, "machine.unknown")
    with httpx.Client(base_url=stack.url) as nobody:
        assert nobody.get("/api/v1/exports/oee.csv").status_code == 401
