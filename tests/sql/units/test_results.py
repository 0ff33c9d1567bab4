"""Test results: limits, what counts as passed, history and first-pass yield."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.printing import attempt
from tests.support.rpc import call
from tests.support.units import (
    flash,
    make_units,
    measure,
    new_unit,
    put_rules,
    status_of,
    unit_row,
    variant,
)

LIMITS = {"vbat": {"min": 3.0, "max": 4.2, "unit": "V"}, "noise": {"max": 10}}
RULES = {"required_tests": [{"test": "final", "limits": LIMITS}]}


def ready(db: psycopg.Connection, rules: dict[str, Any] | None = None) -> str:
    variant(db, rules=RULES if rules is None else rules)
    sn = new_unit(db)
    flash(db, sn)
    return sn


METRICS: list[tuple[Any, list[str]]] = [
    ({"vbat": 3.7, "noise": 1}, []),
    ({"vbat": 3.0, "noise": 10}, []),
    ({"vbat": 2.999, "noise": 1}, ["vbat"]),
    ({"vbat": 3.7, "noise": 10.5}, ["noise"]),
    ({"vbat": 3.7}, ["noise"]),
    ({}, ["noise", "vbat"]),
    ({"vbat": {"value": 3.7, "unit": "V"}, "noise": -5}, []),
    ({"vbat": {"value": 3.7, "unit": "mV"}, "noise": 1}, ["vbat"]),
    ([{"metric": "vbat", "value": 3.7, "unit": "V"}, {"metric": "noise", "value": 1}], []),
    ({"vbat": 3.7, "noise": 1, "other": 99}, []),
]


def test_a_claimed_pass_that_breaks_a_limit_is_a_fail(db: psycopg.Connection) -> None:
    sn = ready(db)
    for metrics, broken in METRICS:
        answer = measure(db, sn, metrics=Jsonb(metrics))
        assert [w["metric"] for w in answer["why"]] == broken
        assert (answer["claimed"], answer["result"]) == ("PASS", "FAIL" if broken else "PASS")
        assert status_of(db, sn) == ("FLASHED" if broken else "TEST_PASS")
        failed = db.execute(
            "select metric from public.test_measurements where run_id = %s and not is_pass"
            " order by 1",
            (answer["run_id"],),
        ).fetchall()
        assert [f[0] for f in failed] == broken


def test_a_fail_stays_a_fail(db: psycopg.Connection) -> None:
    sn = ready(db)
    answer = measure(db, sn, "FAIL", metrics={"vbat": 3.7, "noise": 1})
    assert (answer["claimed"], answer["result"], answer["why"]) == ("FAIL", "FAIL", [])


def test_every_required_test_must_pass(db: psycopg.Connection) -> None:
    sn = ready(db, {"required_tests": [{"test": "ict"}, {"test": "final"}]})
    measure(db, sn, test="ict")
    assert status_of(db, sn) == "FLASHED", "one of two"
    measure(db, sn)
    assert status_of(db, sn) == "TEST_PASS"
    measure(db, sn, "FAIL", test="burn-in")
    assert status_of(db, sn) == "TEST_PASS", "nobody asks for that one"
    measure(db, sn, "FAIL", test="ict")
    assert status_of(db, sn) == "FLASHED"


def test_without_required_tests_the_latest_counts(db: psycopg.Connection) -> None:
    sn = ready(db, {})
    measure(db, sn, test="ict")
    measure(db, sn, "FAIL", test="final")
    assert status_of(db, sn) == "FLASHED"


def test_what_was_read_refreshes_what_is_known_and_nothing_else(db: psycopg.Connection) -> None:
    sn = ready(db, {})
    measure(db, sn, fw_readback=Jsonb({"hw_rev": "C", "serial": 7}))
    measure(db, sn, fw_version="1.5.0", hw_rev="")
    row = unit_row(db, sn)
    assert (row["hw_rev"], row["fw_version"], row["fw_build_hash"]) == ("C", "1.5.0", "abc123")


UNREADABLE: list[tuple[dict[str, Any], str]] = [
    ({"p_result": "MAYBE"}, "test.result"),
    ({"p_result": None}, "test.result"),
    ({"p_result": "PASS", "p_test": "Final Test"}, "test.name"),
    ({"p_result": "PASS", "p_fw_readback": Jsonb([1])}, "test.readback"),
    ({"p_result": "PASS", "p_fw_readback": {"x": "y" * 4000}}, "test.readback"),
    ({"p_result": "PASS", "p_metrics": {"v": "3.7"}}, "test.metrics"),
    ({"p_result": "PASS", "p_metrics": {"1v": 3.7}}, "test.metrics"),
    ({"p_result": "PASS", "p_metrics": {"v": {"unit": "V"}}}, "test.metrics"),
    ({"p_result": "PASS", "p_metrics": {"v": {"value": 1, "unit": 2}}}, "test.metrics"),
    ({"p_result": "PASS", "p_metrics": Jsonb([3.7])}, "test.metrics"),
    ({"p_result": "PASS", "p_metrics": Jsonb("x")}, "test.metrics"),
]


def test_a_result_that_cannot_be_read_is_refused(db: psycopg.Connection) -> None:
    sn = ready(db, {})
    for arguments, code in UNREADABLE:
        refused = attempt(db, "fixture", "record_test_result", p_sn=sn, **arguments)
        assert refused == (422, code), arguments
    assert db.execute("select count(*) from public.test_runs").fetchone() == (0,)


def test_tests_are_never_changed(db: psycopg.Connection) -> None:
    measure(db, ready(db, {}), metrics={"v": 1})
    for statement in (
        "update public.test_runs set result = 'FAIL'",
        "delete from public.test_measurements",
        "truncate public.test_runs cascade",
    ):
        with pytest.raises(psycopg.Error) as error:
            db.execute(statement.encode())
        assert error.value.diag.message_hint == "unit.append_only"


def test_the_fixture_is_remembered(db: psycopg.Connection) -> None:
    sn = ready(db, {})
    measure(db, sn)
    call(db, "operator", "record_test_result", p_sn=sn, p_result="PASS")
    found = db.execute(
        "select d.code, r.station from public.test_runs r"
        " left join public.devices d on d.id = r.fixture_id order by r.id"
    ).fetchall()
    assert found == [("fixture", "fixture"), (None, None)]


def test_history_for_a_plot(db: psycopg.Connection) -> None:
    sn = ready(db)
    for value in (3.1, 3.2, 5):
        measure(db, sn, metrics={"vbat": value, "noise": 1})
    points = call(db, "viewer", "get_test_history", p_metric="vbat", p_limit=2)
    assert [(p["value"], p["low"], p["high"], p["is_pass"]) for p in points] == [
        (5, 3.0, 4.2, False),
        (3.2, 3.0, 4.2, True),
    ]
    assert len(call(db, "viewer", "get_test_history")) == 6, "all metrics of three runs"
    assert call(db, "viewer", "get_test_history", p_variant="FX-US") == []


def test_first_pass_yield(db: psycopg.Connection) -> None:
    variant(db)
    good, bad, retried = make_units(db, 3)
    for sn in (good, bad, retried):
        flash(db, sn)
    measure(db, good)
    measure(db, bad, "FAIL")
    measure(db, retried, "FAIL")
    measure(db, retried)
    measure(db, good, test="ict")
    rows = {r["test"]: r for r in call(db, "viewer", "get_yield", p_site="main")}
    final = rows["final"]
    assert (final["units"], final["passed"], final["runs"], final["runs_passed"]) == (3, 1, 4, 2)
    assert Decimal(str(final["first_pass_yield"])) == Decimal("0.3333")
    assert rows["ict"]["first_pass_yield"] == 1
    assert call(db, "viewer", "get_yield", p_to="2020-01-01") == []


def test_limits_are_kept_as_they_were(db: psycopg.Connection) -> None:
    sn = ready(db)
    measure(db, sn, metrics={"vbat": 3.7, "noise": 1})
    put_rules(db, "FX-EU", {})
    kept = db.execute("select low, high from public.test_measurements where metric = 'vbat'")
    assert kept.fetchone() == (Decimal("3.0"), Decimal("4.2"))
