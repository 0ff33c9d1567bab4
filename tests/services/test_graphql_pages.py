"""GraphQL: lists in pages, changes as they happen, and limits however a query is written."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from graphql import get_introspection_query

from tests.services.test_graphql import ask, data, events, line, people, report

__all__ = ["line", "people"]


def test_lines_and_roles_have_filters_and_pages_like_the_others(
    people: dict[str, httpx.Client], line: str
) -> None:
    boss, viewer = people["supervisor"], people["viewer"]
    made = "mutation($i: NewLine!) { createLine(input: $i) { code version } }"
    data(boss, made, i={"code": f"{line}-b", "title": "Wax, (hot)", "site": "main"})
    query = """query($f: LineFilter, $n: Int!, $a: String) {
      lines(filter: $f, first: $n, after: $a, withTotal: true) {
        nodes { code } nextCursor total } }"""
    first = data(viewer, query, f={"site": "main", "search": line}, n=1)
    assert (first["nodes"], first["total"]) == ([{"code": line}], 2)
    rest = data(viewer, query, f={"site": "main", "search": line}, n=1, a=first["nextCursor"])
    assert (rest["nodes"], rest["nextCursor"]) == ([{"code": f"{line}-b"}], None)
    found = data(viewer, query, f={"search": "wax, (HOT)"}, n=5)["nodes"]
    assert {"code": f"{line}-b"} in found
    assert data(viewer, query, f={"search": line, "status": "stopped"}, n=5)["nodes"] == []
    close = "mutation($i: Closing!) { closeLine(input: $i) { isActive } }"
    assert data(boss, close, i={"code": f"{line}-b", "version": 1}) == {"isActive": False}
    assert data(viewer, query, f={"search": line}, n=5)["total"] == 1
    assert data(viewer, query, f={"search": line, "withInactive": True}, n=5)["total"] == 2

    query = """query($f: RoleFilter, $n: Int!, $a: String) {
      roles(filter: $f, first: $n, after: $a, withTotal: true) {
        nodes { role audience } nextCursor total } }"""
    seen: list[str] = []
    after = None
    while True:
        page = data(people["admin"], query, f={"audience": "staff"}, n=3, a=after)
        seen += [role["role"] for role in page["nodes"]]
        after = page["nextCursor"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == page["total"]
    assert {"viewer", "admin"} <= set(seen)
    assert "device.kiosk" not in seen
    [one] = data(people["admin"], query, f={"search": "technic"}, n=9)["nodes"]
    assert one["role"] == "technician"


@pytest.mark.parametrize("what", ["users", "downtimes"])
def test_a_total_is_told_when_it_is_asked_for(people: dict[str, httpx.Client], what: str) -> None:
    asked = f"{{ {what}(first: 1, withTotal: true) {{ nodes {{ version }} total }} }}"
    page = data(people["admin"], asked)
    assert page["total"] >= len(page["nodes"])
    unasked = data(people["admin"], f"{{ {what}(first: 1) {{ total }} }}")
    assert unasked == {"total": None}


def test_repairs_and_downtimes_say_from_when_to_when(
    people: dict[str, httpx.Client], line: str
) -> None:
    number = report(people, f"{line}-1")["id"]
    technician = people["technician"]
    start = "mutation($i: RepairStepTaken!) { startRepair(input: $i) { changed } }"
    data(technician, start, i={"id": number})
    query = """query($m: String!) {
      repairs(filter: {machine: $m}) { nodes { startDatetime startedAt endDatetime repairedAt } }
      downtimes(filter: {machine: $m}) { nodes { startDatetime startedAt endDatetime } } }"""
    both = ask(people["viewer"], query, m=f"{line}-1")["data"]
    [repair], [downtime] = both["repairs"]["nodes"], both["downtimes"]["nodes"]
    assert repair["startDatetime"] == repair["startedAt"] is not None
    assert (repair["endDatetime"], downtime["endDatetime"]) == (None, None)
    assert downtime["startDatetime"] == downtime["startedAt"] is not None
    done = "mutation($i: RepairDone!) { completeRepair(input: $i) { changed } }"
    data(technician, done, i={"id": number, "actionsTaken": "A new fuse"})
    [repair] = ask(people["viewer"], query, m=f"{line}-1")["data"]["repairs"]["nodes"]
    assert repair["endDatetime"] == repair["repairedAt"] is not None


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{ ...F } fragment F on Query { %s }", {}, "query.too_costly"),
        ("query($n: Int! = 500) { machines(first: $n) { nodes { repairs(first: $n) { id } } } }",
         {}, "query.too_costly"),
        ("{ roles(first: 500) { nodes { permissions role title audience rank } } %s }", {},
         "query.too_costly"),
        ("subscription($n: Int!) { machineStatus { repairs(first: $n) { id status } } }",
         {"n": 100_000}, "query.too_costly"),
        ("subscription { machineStatus { repairs { history { at } parts { sku } } } }", {}, None),
        ("{ a: __schema { types { ...D } } } fragment D on __Type { ofType { ofType { fields { "
         "type { fields { type { fields { type { fields { name } } } } } } } } } }", {}, "deep"),
        ("{ %t }", {}, "query.too_costly"),
    ],
)  # fmt: skip
def test_the_limits_hold_however_it_is_written(
    people: dict[str, httpx.Client], query: str, variables: dict[str, Any], code: str | None
) -> None:
    lists = " ".join(f"a{n}: repairs(first: 500) {{ nodes {{ id }} }}" for n in range(9))
    types = " ".join(f"s{n}: __schema {{ types {{ name }} }}" for n in range(300))
    written = query.replace("%s", lists).replace("%t", types)
    body = {"query": written, "variables": variables}
    is_told = query.startswith("subscription")
    headers = {"accept": "text/event-stream"} if is_told else {}
    with people["viewer"].stream("POST", "/graphql", json=body, headers=headers) as answer:
        if is_told:
            got = next(events(answer))
        else:
            answer.read()
            got = answer.json()
    if code is None:
        assert "errors" not in got
    elif code == "deep":
        assert "introspection depth" in got["errors"][0]["message"]
    else:
        assert got["errors"][0]["extensions"]["code"] == code


def test_a_subscription_tells_of_downtimes_of_a_machine(
    people: dict[str, httpx.Client], line: str
) -> None:
    query = "subscription($m: String) { downtimeChanges(machine: $m) { machine endDatetime } }"
    body = {"query": query, "variables": {"m": f"{line}-1"}}
    start = "mutation($i: NewDowntime!) { createDowntime(input: $i) { id } }"
    end = "mutation($i: DowntimeEnd!) { closeDowntime(input: $i) { changed } }"
    with people["viewer"].stream(
        "POST", "/graphql", json=body, headers={"accept": "text/event-stream"}, timeout=60
    ) as answer:
        told = (event["data"]["downtimeChanges"] for event in events(answer))
        assert answer.status_code == 200
        data(people["operator"], start, i={"machine": f"{line}-2"})
        change = data(people["operator"], start, i={"machine": f"{line}-1"})
        assert next(told) == {"machine": f"{line}-1", "endDatetime": None}
        data(people["operator"], end, i={"stopId": change["id"]})
        ended = next(told)
        assert ended["machine"] == f"{line}-1"
        assert ended["endDatetime"] is not None


def test_a_tool_may_still_ask_what_there_is(people: dict[str, httpx.Client]) -> None:
    whole = ask(people["viewer"], get_introspection_query())
    assert "errors" not in whole
    assert whole["data"]["__schema"]["queryType"]["name"] == "Query"
