"""GraphQL through the gateway: the same permissions and answers as the RPCs, within limits."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from graphql import parse

from services.api.graphql.limits import TooMuch, check
from tests.services.stack import Stack
from tests.services.test_rest import client, token

Answer = dict[str, Any]


@pytest.fixture(scope="module")
def people(stack: Stack) -> Iterator[dict[str, httpx.Client]]:
    """Somebody of each role, signed in."""
    roles = ("viewer", "operator", "technician", "supervisor", "admin")
    made = {role: client(stack, token(stack, role)) for role in roles}
    yield made
    for http in made.values():
        http.close()


def ask(http: httpx.Client, query: str, **variables: Any) -> Answer:
    answer = http.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def data(http: httpx.Client, query: str, **variables: Any) -> Any:
    """The answer of the only field."""
    got = ask(http, query, **variables)
    assert "errors" not in got, got
    return next(iter(got["data"].values()))


def refusal(http: httpx.Client, query: str, **variables: Any) -> str:
    """The code of the one error."""
    [error] = ask(http, query, **variables)["errors"]
    return str(error["extensions"]["code"])


@pytest.fixture
def line(people: dict[str, httpx.Client]) -> str:
    """A line of its own with three machines `<line>-1` … `<line>-3`."""
    code = f"gq-{uuid.uuid4().hex[:6]}"
    boss = people["supervisor"]
    made = "mutation($i: NewLine!) { createLine(input: $i) { code version } }"
    assert data(boss, made, i={"code": code, "site": "main"}) == {"code": code, "version": 1}
    made = "mutation($i: NewMachine!) { createMachine(input: $i) { code } }"
    for n in (1, 2, 3):
        given = {"code": f"{code}-{n}", "site": "main", "line": code, "model": f"Mark {n}"}
        data(boss, made, i=given)
    return code


def report(people: dict[str, httpx.Client], machine: str, symptom: str = "stopped") -> Answer:
    query = "mutation($i: NewRepair!) { createRepair(input: $i) { changed repair { id status } } }"
    change = data(people["operator"], query, i={"machine": machine, "symptom": symptom})
    return dict(change["repair"])


def test_lists_with_filters_and_pages(people: dict[str, httpx.Client], line: str) -> None:
    viewer = people["viewer"]
    query = """query($f: MachineFilter, $n: Int!, $a: String) {
      machines(filter: $f, first: $n, after: $a, withTotal: true) {
        nodes { code status line } nextCursor total } }"""
    first = data(viewer, query, f={"line": line}, n=2)
    assert [m["code"] for m in first["nodes"]] == [f"{line}-1", f"{line}-2"]
    assert first["total"] == 3
    rest = data(viewer, query, f={"line": line}, n=2, a=first["nextCursor"])
    assert (len(rest["nodes"]), rest["nextCursor"]) == (1, None)
    found = data(viewer, query, f={"search": "mark 3", "line": line}, n=5)
    assert found["nodes"] == [{"code": f"{line}-3", "status": "operational", "line": line}]
    assert refusal(viewer, query, n=2, a="nonsense") == "request.bad_cursor"
    one, two = report(people, f"{line}-1"), report(people, f"{line}-2")
    query = """query($f: RepairFilter, $a: String) {
      repairs(filter: $f, first: 1, after: $a) { nodes { id machineName } nextCursor } }"""
    page = data(viewer, query, f={"line": line, "isOpen": True})
    assert page["nodes"] == [{"id": two["id"], "machineName": f"{line}-2"}]
    page = data(viewer, query, f={"line": line, "isOpen": True}, a=page["nextCursor"])
    assert page["nodes"][0]["id"] == one["id"]
    late = {"line": line, "from": "2100-01-01T00:00:00Z"}
    assert data(viewer, query, f=late)["nodes"] == []


def test_what_belongs_together_in_one_query(people: dict[str, httpx.Client], line: str) -> None:
    repair = report(people, f"{line}-1")
    query = """query($f: LineFilter) { lines(filter: $f) { nodes { code status
      machines(first: 5) { code status
        repairs(first: 2, isOpen: true) { id symptom history { status } actions } } } } }"""
    [own] = data(people["technician"], query, f={"search": line})["nodes"]
    assert own["status"] == "stopped"
    assert [m["status"] for m in own["machines"]] == ["broken", "operational", "operational"]
    [open_repair] = own["machines"][0]["repairs"]
    assert open_repair["id"] == repair["id"]
    assert open_repair["symptom"] == "Stopped by itself"
    assert open_repair["history"] == [{"status": "reported"}]
    assert "acknowledge_repair" in open_repair["actions"]


def test_a_repair_from_report_to_close(people: dict[str, httpx.Client], line: str) -> None:
    number = report(people, f"{line}-1")["id"]
    technician = people["technician"]
    steps: list[tuple[str, str, Answer, str]] = [
        ("acknowledgeRepair", "RepairStepTaken", {}, "acknowledged"),
        ("startRepair", "RepairStepTaken", {}, "in_repair"),
        ("waitRepair", "RepairWaits", {"waitsFor": "parts"}, "waiting"),
        ("startRepair", "RepairStepTaken", {}, "in_repair"),
        ("updateRepair", "RepairCorrection", {"cause": "Wear"}, "in_repair"),
        ("completeRepair", "RepairDone", {"actionsTaken": "Belt", "cost": 12.5}, "repaired"),
        ("verifyRepair", "RepairVerified", {"isOk": True}, "verified"),
        ("closeRepair", "RepairClosed", {}, "closed"),
        ("reopenRepair", "RepairReopened", {"reason": "Slips"}, "in_repair"),
        ("dismissRepair", "RepairDismissed", {"as": "cancelled", "reason": "x"}, "cancelled"),
    ]
    for field, kind, more, status in steps:
        query = f"mutation($i: {kind}!) {{ {field}(input: $i) {{ changed repair {{ status }} }} }}"
        change = data(technician, query, i={"id": number} | more)
        assert change == {"changed": True, "repair": {"status": status}}, field
    query = """query($id: Int!) { repair(id: $id) { cost cause closedAt isOpen version
      startedAt startDatetime endDatetime reported { source isDown description } } }"""
    now = data(technician, query, id=number)
    assert (now["cost"], now["cause"], now["isOpen"]) == (12.5, "Wear", False)
    assert now["startDatetime"] == now["startedAt"] is not None
    assert now["endDatetime"] is None, "it was reopened"
    assert now["reported"] == [{"source": "staff", "isDown": True, "description": None}]


def test_a_mutation_may_be_repeated(people: dict[str, httpx.Client], line: str) -> None:
    query = "mutation($i: NewRepair!) { createRepair(input: $i) { repair { id } } }"
    given = {"machine": f"{line}-1", "description": "Squeaks", "requestId": str(uuid.uuid4())}
    first = data(people["operator"], query, i=given)
    assert data(people["operator"], query, i=given) == first
    other = given | {"description": "Other"}
    assert refusal(people["operator"], query, i=other) == "request.reused"


def test_lines_and_machines_change_and_close(people: dict[str, httpx.Client], line: str) -> None:
    boss, code = people["supervisor"], f"{line}-1"
    made = "mutation($i: NewMachine!) { createMachine(input: $i) { code } }"
    assert refusal(boss, made, i={"code": code, "site": "main"}) == "machine.changed"
    query = "mutation($i: MachineChange!) { updateMachine(input: $i) { name version isActive } }"
    changed = data(boss, query, i={"code": code, "version": 1, "name": "Press"})
    assert changed == {"name": "Press", "version": 2, "isActive": True}
    assert refusal(boss, query, i={"code": code, "version": 1, "name": "P"}) == "machine.changed"
    close = "mutation($i: Closing!) { closeMachine(input: $i) { isActive } }"
    for n, version in ((1, 2), (2, 1), (3, 1)):
        gone = data(boss, close, i={"code": f"{line}-{n}", "version": version})
        assert gone == {"isActive": False}
    change = "mutation($i: LineChange!) { updateLine(input: $i) { title version } }"
    assert data(boss, change, i={"code": line, "version": 1, "title": "Old"})["version"] == 2
    close = "mutation($i: Closing!) { closeLine(input: $i) { isActive } }"
    assert data(boss, close, i={"code": line, "version": 2}) == {"isActive": False}
    listed = data(people["viewer"], "{ lines(first: 500) { nodes { code } } }")["nodes"]
    assert line not in [row["code"] for row in listed]


def test_downtimes_open_and_closed(people: dict[str, httpx.Client], line: str) -> None:
    operator = people["operator"]
    start = "mutation($i: NewDowntime!) { createDowntime(input: $i) { changed id } }"
    change = data(operator, start, i={"machine": f"{line}-1", "comment": "Jam"})
    query = """query($f: DowntimeFilter, $a: Int) {
      downtimes(filter: $f, first: 1, after: $a) {
        nodes { id machine endedAt durationS comment } nextCursor } }"""
    [lasting] = data(people["viewer"], query, f={"line": line, "isOpen": True})["nodes"]
    assert (lasting["id"], lasting["endedAt"], lasting["comment"]) == (change["id"], None, "Jam")
    end = "mutation($i: DowntimeEnd!) { closeDowntime(input: $i) { changed } }"
    assert data(operator, end, i={"stopId": change["id"]}) == {"changed": True}
    assert data(people["viewer"], query, f={"line": line, "isOpen": True})["nodes"] == []
    [ended] = data(people["viewer"], query, f={"line": line, "isOpen": False})["nodes"]
    assert ended["endedAt"] is not None


def test_people_and_roles(people: dict[str, httpx.Client]) -> None:
    admin = people["admin"]
    query = """query($f: UserFilter, $a: ID) {
      users(filter: $f, first: 1, after: $a) { nodes { userId fullName role } nextCursor } }"""
    page = data(admin, query, f={"role": "technician", "isActive": True})
    [person] = page["nodes"]
    assert person["role"] == "technician"
    found = data(admin, query, f={"search": person["fullName"][:5]})
    assert found["nodes"]
    assert data(admin, query, f={"search": 'no,body"(x)'})["nodes"] == []
    listed = data(admin, "{ roles(first: 100) { nodes { role permissions } } }")["nodes"]
    roles = {role["role"]: role["permissions"] for role in listed}
    assert "maintenance.work" in roles["technician"]
    assert "maintenance.work" not in roles["operator"]
    grant = "mutation($i: RolePermission!) { updateRole(input: $i) }"
    given = {"role": "viewer", "permission": "maintenance.report", "granted": True}
    assert refusal(people["supervisor"], grant, i=given) == "auth.forbidden"


def test_the_same_permissions_as_the_rpcs(
    stack: Stack, people: dict[str, httpx.Client], line: str
) -> None:
    made = "mutation($i: NewMachine!) { createMachine(input: $i) { code } }"
    for role in ("viewer", "operator", "technician"):
        given = {"code": "no-1", "site": "main"}
        assert refusal(people[role], made, i=given) == "auth.forbidden"
    number = report(people, f"{line}-1")["id"]
    start = "mutation($i: RepairStepTaken!) { startRepair(input: $i) { changed } }"
    assert refusal(people["operator"], start, i={"id": number}) == "auth.forbidden"
    assert refusal(people["technician"], start, i={"id": 10**9}) == "repair.unknown"
    asked = {"query": "{ lines { nodes { code } } }"}
    nobody = httpx.post(f"{stack.url}/graphql", json=asked)
    assert nobody.status_code == 401
    key = {"apikey": stack.publishable_key}
    assert httpx.post(f"{stack.url}/graphql", headers=key, json=asked).status_code == 401
    forged = key | {"authorization": "Bearer x.y.z"}
    answer = httpx.post(f"{stack.url}/graphql", headers=forged, json=asked)
    assert answer.status_code == 401 or answer.json()["errors"]


def test_a_request_that_is_none(people: dict[str, httpx.Client]) -> None:
    viewer = people["viewer"]
    for body in (b"", b"[]", b"{}", b'{"query": 7}'):
        assert viewer.post("/graphql", content=body).status_code == 400
    assert viewer.post("/graphql", content=b"x" * 70_000).status_code == 413
    assert ask(viewer, "{ nothing }")["errors"]
    kinds = ask(viewer, "{ __schema { types { fields { type { ofType { name } } } } } }")
    assert kinds["data"]["__schema"]["types"]


def test_a_query_that_asks_for_too_much(people: dict[str, httpx.Client]) -> None:
    viewer = people["viewer"]
    deep = "{ lines { nodes { machines { repairs { id } } } } }"
    assert data(viewer, deep) is not None
    wide = """query($n: Int!) { machines(first: $n) { nodes {
      repairs(first: $n) { id status machine } } } }"""
    assert refusal(viewer, wide, n=500) == "query.too_costly"
    many = "{ " + " ".join(f"a{n}: machines(first: 500) {{ nodes {{ code }} }}" for n in range(20))
    assert refusal(viewer, many + " }") == "query.too_costly"
    assert refusal(viewer, "{ machines(first: 501) { nodes { code } } }") == "request.malformed"


def _limit(query: str, depth: int = 6, cost: int = 5000, **variables: int) -> str:
    try:
        check(parse(query), variables, depth, cost)
    except TooMuch as refused:
        return str((refused.extensions or {})["code"])
    return "fits"


@pytest.mark.parametrize(
    ("query", "limits", "expected"),
    [
        ("{ a { b { c } } }", {"depth": 3}, "fits"),
        ("{ a { b { c } } }", {"depth": 2}, "query.too_deep"),
        ("{ ...F } fragment F on Query { a { b { c } } }", {"depth": 2}, "query.too_deep"),
        ("{ ... on Query { a { b { c } } } }", {"depth": 2}, "query.too_deep"),
        ("{ __schema { types { fields { name } } } }", {"depth": 1}, "fits"),
        ("{ __schema { types { name } } }", {"cost": 59}, "query.too_costly"),
        ("{ machines(first: 10) { code name } }", {"cost": 21}, "fits"),
        ("{ machines(first: 10) { code name } }", {"cost": 20}, "query.too_costly"),
        ("{ ...F } fragment F on Query { machines(first: 99) { code } }", {"cost": 50},
         "query.too_costly"),
        ("query A { a } query B { machines { code } }", {"cost": 50}, "query.too_costly"),
        ("{ machines(first: -5) { code } }", {"cost": 2}, "fits"),
    ],
)  # fmt: skip
def test_depth_and_cost_are_counted(query: str, limits: dict[str, int], expected: str) -> None:
    assert _limit(query, **limits) == expected


def test_the_cost_of_a_variable_is_its_value() -> None:
    query = "query($n: Int!) { machines(first: $n) { code } }"
    assert _limit(query, n=10, cost=11) == "fits"
    assert _limit(query, n=11, cost=11) == "query.too_costly"


def test_the_cost_of_a_variable_that_is_not_given_is_its_default() -> None:
    query = "query($n: Int = 400) { machines(first: $n) { code } }"
    assert _limit(query, cost=401) == "fits"
    assert _limit(query, cost=400) == "query.too_costly"
    assert _limit(query, n=10, cost=11) == "fits"
    both = (
        f"query A($n: Int = 2) {{ machines(first: $n) {{ code }} }} {query.replace('(', ' B(', 1)}"
    )
    assert _limit(both, cost=400) == "query.too_costly"


def test_a_number_that_is_not_known_is_the_most_there_is() -> None:
    query = "query($n: Int) { machines(first: $n) { code } }"
    assert _limit(query, cost=501) == "fits"
    assert _limit(query, cost=500) == "query.too_costly"


def events(answer: httpx.Response) -> Iterator[Answer]:
    """Data of the events `next`, as they come."""
    for text in answer.iter_lines():
        if text.startswith("data: {"):
            yield json.loads(text.removeprefix("data: "))


def test_a_subscription_tells_of_a_status_that_changes(
    people: dict[str, httpx.Client], line: str
) -> None:
    query = "subscription($l: String) { machineStatus(line: $l) { code status } }"
    body = {"query": query, "variables": {"l": line}}
    with people["viewer"].stream(
        "POST", "/graphql", json=body, headers={"accept": "text/event-stream"}, timeout=60
    ) as answer:
        told = (event["data"]["machineStatus"] for event in events(answer))
        assert [next(told)["status"] for _ in range(3)] == ["operational"] * 3
        report(people, f"{line}-2")
        assert next(told) == {"code": f"{line}-2", "status": "broken"}


def test_a_subscription_tells_of_repairs_of_a_machine(
    people: dict[str, httpx.Client], line: str
) -> None:
    query = "subscription($m: String) { repairChanges(machine: $m) { id status } }"
    body = {"query": query, "variables": {"m": f"{line}-1"}}
    with people["viewer"].stream(
        "POST", "/graphql", json=body, headers={"accept": "text/event-stream"}, timeout=60
    ) as answer:
        told = (event["data"]["repairChanges"] for event in events(answer))
        assert answer.status_code == 200
        report(people, f"{line}-2")
        assert report(people, f"{line}-1")["id"] == next(told)["id"]


def test_a_subscription_goes_on_after_a_repair_that_it_may_not_see(
    stack: Stack, people: dict[str, httpx.Client], line: str
) -> None:
    body = {"query": "subscription { repairChanges { id } }"}
    with people["admin"].stream(
        "POST", "/graphql", json=body, headers={"accept": "text/event-stream"}, timeout=60
    ) as answer:
        told = (event["data"]["repairChanges"] for event in events(answer))
        assert report(people, f"{line}-2")["id"] == next(told)["id"], "it listens"
        with stack.connect() as db:
            db.execute("select private.emit('repair', '999999999', 'repair.closed', null)")
        assert report(people, f"{line}-1")["id"] == next(told)["id"]


def test_a_subscription_is_refused_like_a_query(stack: Stack) -> None:
    query = "subscription { machineStatus { code } }"
    headers = {"accept": "text/event-stream", "apikey": stack.publishable_key}
    answer = httpx.post(f"{stack.url}/graphql", json={"query": query}, headers=headers)
    assert answer.status_code == 401
