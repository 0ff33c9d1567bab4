"""Lines and machines: adding, changing, taking out of use, finding; what their history keeps."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.maintenance import bring, events, line, machine, report
from tests.support.printing import attempt
from tests.support.rpc import Refused, call


def found(db: psycopg.Connection, **filters: Any) -> list[str]:
    """Codes of the machines on the page."""
    page = call(db, "viewer", "get_machines", **filters)
    return [row["machine"]["code"] for row in page["machines"]]


def test_a_machine_is_added_and_changed(db: psycopg.Connection) -> None:
    line(db)
    key = uuid4()
    new: dict[str, Any] = {"p_code": "cnc-1", "p_site": "main", "p_name": "CNC", "p_line": "line-1",
           "p_asset_number": "A-1", "p_request_id": key}  # fmt: skip
    first = call(db, "supervisor", "save_machine", **new)
    assert call(db, "supervisor", "save_machine", **new) == first
    again = call(db, "supervisor", "save_machine", p_code="cnc-1", p_name="CNC")
    assert again["version"] == first["version"], "the same again changes nothing"
    cleared = call(db, "supervisor", "save_machine", p_code="cnc-1", p_line="", p_version=1)
    assert (cleared["line"], cleared["asset_number"]) == (None, "A-1")
    assert attempt(db, "supervisor", "save_machine", p_code="cnc-1", p_name="X", p_version=1) == (
        *(409, "machine.changed"),
    )
    assert events(db, "machine", "cnc-1") == ["machine.saved", "machine.saved"]


@pytest.mark.parametrize(
    ("rpc", "change", "refusal"),
    [
        ("save_machine", {"p_line": "none"}, (404, "line.unknown")),
        ("save_machine", {"p_work_centre": "none"}, (404, "work_centre.unknown")),
        ("save_machine", {"p_site": "none"}, (404, "site.unknown")),
        ("save_line", {"p_site": "none"}, (404, "site.unknown")),
    ],
)
def test_a_place_that_is_not_there(
    db: psycopg.Connection, rpc: str, change: dict[str, Any], refusal: tuple[int, str]
) -> None:
    given = {"p_code": "cnc-1", "p_site": "main"} | change
    assert attempt(db, "admin", rpc, **given) == refusal


def test_who_changes_machines(db: psycopg.Connection) -> None:
    machine(db)
    db.execute("insert into public.sites (code, name) values ('far', 'Far away')")
    for rpc in ("save_machine", "save_line"):
        for who in ("viewer", "operator", "technician"):
            assert attempt(db, who, rpc, p_code="x-1", p_site="main") == (403, "auth.forbidden")
    assert attempt(db, "admin", "save_machine", p_code="press-1", p_site="far") == (
        *(409, "machine.other_site"),
    )
    for rpc in ("get_machine_qr", "renew_machine_qr"):
        assert attempt(db, "technician", rpc, p_machine="press-1") == (403, "auth.forbidden")
        assert attempt(db, "admin", rpc, p_machine="none") == (404, "machine.unknown")
    key = uuid4()
    renew: dict[str, Any] = {"p_machine": "press-1", "p_request_id": key}
    first = call(db, "admin", "renew_machine_qr", **renew)
    assert call(db, "admin", "renew_machine_qr", **renew) == first
    kept = db.execute("select answer::text from private.commands where request_id = %s", (key,))
    assert first["token"] not in str(kept.fetchone()), "no code is kept with a request"


def test_an_asset_number_names_one_machine(db: psycopg.Connection) -> None:
    machine(db, "press-1", p_asset_number="A-1", p_manufacturer="Acme", p_serial_number="7")
    with pytest.raises(Refused) as refused:
        machine(db, "press-2", p_asset_number="a-1")
    assert refused.value.constraint == "machines_asset_number_key"
    with pytest.raises(Refused) as refused:
        machine(db, "press-2", p_manufacturer="ACME", p_serial_number="7")
    assert refused.value.constraint == "machines_serial_number_key"


def test_history_keeps_where_it_stood_and_its_thresholds(db: psycopg.Connection) -> None:
    line(db, "line-1")
    line(db, "line-2")
    machine(db, p_line="line-1", p_micro_stop_s=120)
    call(db, "supervisor", "save_machine", p_code="press-1", p_line="line-2")
    call(db, "supervisor", "save_machine", p_code="press-1", p_micro_stop_s=300)
    call(db, "supervisor", "save_machine", p_code="press-1", p_notes="Loud")
    rows = call(db, "viewer", "get_machine", p_code="press-1")["versions"]
    assert [(v["line"], v["micro_stop_s"]) for v in rows] == [
        *(("line-2", 300), ("line-2", 120), ("line-1", 120)),
    ]
    assert rows[-1]["valid_from"] == "-infinity"


def test_soft_delete_lists_hide_and_history_stays(db: psycopg.Connection) -> None:
    line(db)
    machine(db, p_line="line-1")
    repair = report(db, "press-1")
    off: dict[str, Any] = {"p_code": "press-1", "p_is_active": False}
    assert attempt(db, "supervisor", "save_machine", **off) == (409, "machine.has_repairs")
    bring(db, repair)
    assert attempt(db, "supervisor", "save_line", p_code="line-1", p_is_active=False) == (
        *(409, "line.has_machines"),
    )
    call(db, "supervisor", "save_machine", **off)
    call(db, "supervisor", "save_line", p_code="line-1", p_is_active=False)
    assert found(db) == []
    assert found(db, p_with_inactive=True) == ["press-1"]
    assert call(db, "viewer", "get_lines") == []
    assert len(call(db, "viewer", "get_lines", p_with_inactive=True)) == 1
    assert len(call(db, "viewer", "get_machine", p_code="press-1")["repairs"]) == 1
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.execute("delete from public.machines")


def test_machines_are_found_and_paged(db: psycopg.Connection) -> None:
    line(db)
    for n in range(1, 6):
        machine(db, f"press-{n}", p_line="line-1" if n < 3 else None, p_model=f"M{n}")
    report(db, "press-4", p_is_down=True)
    assert found(db, p_line="line-1") == ["press-1", "press-2"]
    assert found(db, p_search="m3") == ["press-3"]
    assert found(db, p_status="broken") == ["press-4"]
    first = call(db, "viewer", "get_machines", p_limit=2, p_with_total=True)
    assert (first["total"], len(first["machines"])) == (5, 2)
    codes, cursor = [], None
    while True:
        page = call(db, "viewer", "get_machines", p_limit=2, p_cursor=cursor)
        codes += [row["machine"]["code"] for row in page["machines"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert codes == [f"press-{n}" for n in range(1, 6)]
    assert attempt(db, "viewer", "get_machines", p_cursor="x") == (400, "request.bad_cursor")
    assert attempt(db, "viewer", "get_machine", p_code="none") == (404, "machine.unknown")
    assert attempt(db, "kiosk", "get_machines") == (403, "auth.forbidden")


def test_repairs_are_found_and_paged(db: psycopg.Connection) -> None:
    line(db)
    machine(db, "press-1", p_line="line-1")
    machine(db, "press-2")
    one, two = report(db, "press-1"), report(db, "press-2", None, p_description="Blue smoke")
    bring(db, one)

    def ids(**filters: Any) -> list[int]:
        page = call(db, "viewer", "get_repairs", **filters)
        return [row["repair"]["id"] for row in page["repairs"]]

    assert ids() == [two, one]
    assert ids(p_is_open=True) == [two]
    assert ids(p_statuses=["closed"]) == [one]
    assert ids(p_line="line-1") == ids(p_machine="press-1") == [one]
    assert ids(p_search="SMOKE") == [two]
    assert ids(p_type="scheduled") == []
    assert ids(p_to="2020-01-01T00:00:00Z") == []
    assert ids(p_from="2020-01-01T00:00:00Z")
    page = call(db, "viewer", "get_repairs", p_limit=1, p_with_total=True)
    assert page["total"] == 2
    rest = call(db, "viewer", "get_repairs", p_limit=1, p_cursor=page["next_cursor"])
    assert [r["repair"]["id"] for r in rest["repairs"]] == [one]
    assert rest["next_cursor"] is None
    assert attempt(db, "viewer", "get_repair", p_id=10**9) == (404, "repair.unknown")
