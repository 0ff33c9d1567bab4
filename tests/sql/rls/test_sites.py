"""Who works at two of three sites sees and changes nothing of the machines of the third."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.sql.rls.matrix import GRANTS, rpcs
from tests.sql.rls.rpc_grid import BY_NAME, BY_TYPE, PERMISSIONS
from tests.support.databases import USER_IDS
from tests.support.rpc import Refused, acting_as, call

WHO = "flourlane_operator"  # here a manager, at two sites out of three

# What belongs to a machine, a line or a work centre: rows of `main` alone.
RELATIONS = (
    "lines", "machines", "machine_versions", "machine_counters", "maintenance_plans",
    "maintenance_plan_items", "repairs", "repair_statuses", "repair_reports", "repair_checks",
    "repair_attachments", "machine_status", "line_status", "shift_patterns", "calendar_exceptions",
    "shift_instances", "time_class_policies", "planned_stops", "overtime_windows",
    "machine_state_events", "ideal_cycles", "count_events", "count_minute", "stops",
    "stop_repairs", "oee_shifts", "shift_handovers", "downtimes",
)  # fmt: skip
WHOLE_PLANT = ("machine_symptoms", "time_classes", "stop_reasons")


@pytest.fixture
def elsewhere(plant: psycopg.Connection) -> Iterator[psycopg.Connection]:
    with plant.transaction(force_rollback=True):
        for site in ("far", "third"):
            plant.execute("insert into public.sites (code, name) values (%s, %s)", (site, site))
            plant.execute(
                "insert into public.stores (code, site, name, scan_prefix, currency)"
                " values (%s, %s, %s, %s, 'EUR')",
                (f"shop_{site}", site, site, {"far": "X", "third": "Y"}[site]),
            )
        plant.execute(
            "update public.staff_shared set role = 'manager', stores = '{shop_far,shop_third}'"
            " where user_id = %s",
            (USER_IDS[WHO],),
        )
        for site in ("far", "third"):
            call(plant, "planner", "save_machine", p_code=f"m-{site}", p_site=site)
        plant.execute("reset role")
        yield plant


def seen(db: psycopg.Connection, who: str, relation: str) -> int:
    query = sql.SQL("select count(*) from public.{}").format(sql.Identifier(relation))
    with acting_as(db, who):
        row = db.execute(query).fetchone()
    db.execute("reset role")
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("relation", RELATIONS)
def test_rows_of_another_site_are_not_there(elsewhere: psycopg.Connection, relation: str) -> None:
    own = ("machines", "machine_status", "machine_versions", "machine_counters")
    assert seen(elsewhere, WHO, relation) == (2 if relation in own else 0)
    assert seen(elsewhere, "admin", relation) > (2 if relation in own else 0), "a control"


@pytest.mark.parametrize("relation", WHOLE_PLANT)
def test_what_holds_in_the_whole_plant_is_seen_by_all(
    elsewhere: psycopg.Connection, relation: str
) -> None:
    assert seen(elsewhere, WHO, relation) == seen(elsewhere, "admin", relation) > 0


def test_files_of_another_site_are_not_there(elsewhere: psycopg.Connection) -> None:
    for site in ("main", "far"):
        elsewhere.execute(
            "insert into storage.objects (bucket_id, name) values ('maintenance', %s)",
            (f"{site}/7/00000000-0000-0000-0000-000000000001.jpg",),
        )
    query = "select split_part(name, '/', 1) from storage.objects where bucket_id = 'maintenance'"
    for who, expected in ((WHO, ["far"]), ("admin", ["far", "main"])):
        with acting_as(elsewhere, who):
            assert sorted(row[0] for row in elsewhere.execute(query)) == expected


READS: dict[str, dict[str, Any]] = {
    "get_lines": {},
    "get_machines": {"p_with_inactive": True},
    "get_repairs": {},
    "get_maintenance_plans": {"p_with_inactive": True},
    "get_andon": {},
    "get_oee": {"p_by": "machine"},
    "get_losses": {},
    "get_stops": {},
    "get_mttr": {"p_by": "machine"},
    "get_mtbf": {"p_by": "machine"},
    "get_microstops": {},
    "get_table_utilization": {},
    "get_quality_breakdown": {},
}
OTHERS = ("kpi-1", "press-1", "line-1", "KPI-1", "main")
ONLY_FIGURES = ("get_losses", "get_stops", "get_microstops", "get_quality_breakdown")


@pytest.mark.parametrize("rpc", READS)
def test_a_question_without_a_site_is_about_the_own_ones(
    elsewhere: psycopg.Connection, rpc: str
) -> None:
    days: dict[str, Any] = {}
    if "p_from" in next(r.arguments for r in rpcs(elsewhere) if r.name == rpc):
        now = datetime.now(UTC)
        days = {"p_from": now - timedelta(days=9), "p_to": now}
    mine = json.dumps(call(elsewhere, WHO, rpc, **READS[rpc], **days))
    elsewhere.execute("reset role")
    everything = json.dumps(call(elsewhere, "admin", rpc, **READS[rpc], **days))
    elsewhere.execute("reset role")
    assert [other for other in OTHERS if f'"{other}"' in mine] == []
    if rpc in ONLY_FIGURES:
        nothing = json.dumps(call(elsewhere, WHO, rpc, **READS[rpc], **days, p_site="third"))
        assert mine == nothing
        assert everything != nothing or rpc == "get_microstops", "a control"
    else:
        assert any(f'"{other}"' in everything for other in OTHERS), "a control"


NAMES = (
    ("p_machine", "kpi-1"), ("p_work_centre", "KPI-1"), ("p_line", "line-1"), ("p_site", "main"),
)  # fmt: skip
# Lists of the own sites: what is named elsewhere is not among them.
LISTS = {"get_machines", "get_repairs", "get_maintenance_plans"}
AREAS = ("maintenance.", "kpi.", "stops.", "shifts.", "machines.")


def test_naming_what_is_at_the_other_site_is_refused(elsewhere: psycopg.Connection) -> None:
    outcome = {}
    for rpc in rpcs(elsewhere):
        asked = next(iter(PERMISSIONS[rpc.name]), "")
        if "authenticated" not in GRANTS[rpc.name] or not asked.startswith(AREAS):
            continue
        given = {n: BY_NAME.get(n, BY_TYPE.get(t)) for n, t in rpc.required.items()}
        for name, value in NAMES:
            if name in rpc.arguments:
                outcome[rpc.name, name] = _outcome(elsewhere, rpc.name, given | {name: value})
    assert len(outcome) > 40
    wrong = {cell: said for cell, said in outcome.items() if said != "auth.other_site"}
    # Who adds a machine says at which site; the work centre of another one is not looked at.
    assert wrong.pop(("save_machine", "p_work_centre")) == "site.unknown"
    assert wrong.pop(("save_machine", "p_line")) == "site.unknown"
    assert {cell for cell, said in wrong.items() if said != "nothing"} == set()
    assert {rpc for rpc, _ in wrong} <= LISTS


def _outcome(db: psycopg.Connection, rpc: str, given: dict[str, Any]) -> str:
    """`nothing`: allowed, and the answer tells nothing of the other site; else what it told."""
    try:
        with db.transaction(force_rollback=True):
            said = json.dumps(call(db, WHO, rpc, **given))
    except Refused as refused:
        return refused.code or refused.sqlstate
    return said if any(f'"{other}"' in said for other in OTHERS) else "nothing"


def test_reasons_of_the_whole_plant_are_changed_by_who_works_in_all_of_it(
    elsewhere: psycopg.Connection,
) -> None:
    change = {"p_code": "jam", "p_title": "Stuck"}
    with pytest.raises(Refused) as refused:
        call(elsewhere, WHO, "save_stop_reason", **change)
    assert (refused.value.status, refused.value.code) == (403, "auth.other_site")
    elsewhere.execute("reset role")
    assert call(elsewhere, "planner", "save_stop_reason", **change)["title"] == "Stuck"
