"""Versions: proved by what was read, activated, retired."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.printing.templates import (
    Row,
    activate,
    cases_of,
    chosen,
    events,
    perfect,
    prove,
    record,
    save,
)
from tests.support.labels import DPIS, code
from tests.support.rpc import Refused, call


def test_the_cases_of_a_proof(db: psycopg.Connection) -> None:
    cases = cases_of(db, save(db))
    assert [case["case_no"] for case in cases] == list(range(1, 19))
    assert [case["dpi"] for case in cases] == [dpi for dpi in DPIS for _ in range(6)]
    assert all(case["payload"].startswith("^XA^CI28") for case in cases)
    said = {case["expected"][0]["text"] for case in cases}
    assert "Grüße 🎂 日本語 {€}" in said
    assert "^XZ^XA^FO9,9^FDEVIL^FS~JR" in said


def test_codes_are_shortened_until_they_fit(db: psycopg.Connection) -> None:
    version = save(db, p_width_mm=30, p_fields=Jsonb([code("code128", "{{code}}", x=0)]))
    lengths = {len(case["expected"][0]["text"]) for case in cases_of(db, version)}
    assert min(lengths) == 3
    assert max(lengths) < 16


def test_a_template_that_holds_no_code_at_all_cannot_be_proved(db: psycopg.Connection) -> None:
    version = save(db, p_width_mm=16, p_fields=Jsonb([code("code128", "A-{{code}}", x=1)]))
    with pytest.raises(Refused) as refused:
        cases_of(db, version)
    assert refused.value.code == "label.does_not_fit"


def test_a_version_is_activated_only_with_its_proof(db: psycopg.Connection) -> None:
    version = save(db)
    with pytest.raises(Refused) as refused:
        activate(db, version)
    assert (refused.value.status, refused.value.code) == (412, "label.not_proved")
    prove(db, version)
    assert activate(db, version)["status"] == "active"
    assert chosen(db, "jar") == "jar"
    assert events(db) == ["label.saved", "label.proved", "label.activated"]


def misread(results: list[Row]) -> None:
    results[-1]["read"][0]["text"] += "x"


def code_too_many(results: list[Row]) -> None:
    results[-1]["read"].append({"symbology": "code128", "text": "EVIL"})


def code_twice(results: list[Row]) -> None:
    results[-1]["read"] *= 2


def other_symbology(results: list[Row]) -> None:
    results[-1]["read"][0]["symbology"] = "datamatrix"


def unread(results: list[Row]) -> None:
    results[-1]["read"] = []


def missing(results: list[Row]) -> None:
    results.pop()


@pytest.mark.parametrize(
    "spoil", [misread, code_too_many, code_twice, other_symbology, unread, missing]
)
def test_one_wrong_reading_fails_its_resolution(db: psycopg.Connection, spoil: Any) -> None:
    version = save(db)
    results = perfect(cases_of(db, version))
    spoil(results)
    kept = record(db, version, results)
    assert [(row["dpi"], row["passed"]) for row in kept] == [(203, True), (300, True), (600, False)]
    assert [wrong["case_no"] for wrong in kept[-1]["results"]["wrong"]] == [18]
    with pytest.raises(Refused) as refused:
        activate(db, version)
    assert refused.value.code == "label.not_proved"


def test_the_newest_proof_counts(db: psycopg.Connection) -> None:
    version = save(db)
    prove(db, version)
    record(db, version, [])
    with pytest.raises(Refused) as refused:
        activate(db, version)
    assert refused.value.code == "label.not_proved"


def test_a_proof_speaks_for_its_own_content_only(db: psycopg.Connection) -> None:
    version = save(db)
    prove(db, version)
    db.execute(
        "update public.label_proofs set content_hash = 'other' where version_id = %s",
        (version["id"],),
    )
    with pytest.raises(Refused) as refused:
        activate(db, version)
    assert refused.value.code == "label.not_proved"


def test_a_repeat_of_a_proof_is_one_proof(db: psycopg.Connection) -> None:
    version = save(db)
    results, request = perfect(cases_of(db, version)), uuid4()
    first = record(db, version, results, p_request_id=request)
    assert record(db, version, results, p_request_id=request) == first
    count = db.execute(
        "select count(*) from public.label_proofs where version_id = %s", (version["id"],)
    ).fetchone()
    assert count == (3,)


@pytest.mark.parametrize("results", [{}, "x", [1], [{"case_no": 1}], [{"read": ["x"]}], None])
def test_results_have_a_shape(db: psycopg.Connection, results: Any) -> None:
    version = save(db)
    with pytest.raises(Refused) as refused:
        call(
            db,
            "planner",
            "record_label_proof",
            p_version_id=version["id"],
            p_results=Jsonb(results),
        )
    assert (refused.value.status, refused.value.code) == (400, "label.bad_results")


# Versions -------------------------------------------------------------------------------------


def test_a_new_active_version_retires_the_one_before(db: psycopg.Connection) -> None:
    first = save(db)
    prove(db, first)
    activate(db, first)
    second = save(db, p_height_mm=61)
    prove(db, second)
    activate(db, second)
    versions = call(db, "viewer", "get_label_template", p_code="jar")["versions"]
    assert [(v["version"], v["status"]) for v in versions] == [(2, "active"), (1, "retired")]
    assert activate(db, first)["status"] == "active"  # and back


def test_activating_twice_changes_nothing(db: psycopg.Connection) -> None:
    version = save(db)
    prove(db, version)
    first = activate(db, version, p_request_id=(request := uuid4()))
    assert activate(db, version, p_request_id=request) == first
    assert activate(db, version) == first
    assert events(db).count("label.activated") == 1


def test_a_retired_version_prints_no_more(db: psycopg.Connection) -> None:
    version = save(db)
    prove(db, version)
    activate(db, version)
    for _ in range(2):
        row = call(db, "planner", "retire_label_version", p_version_id=version["id"])
        assert row["status"] == "retired"
    assert events(db).count("label.retired") == 1
    with pytest.raises(Refused) as refused:
        chosen(db, "jar")
    assert refused.value.code == "label.no_template"
    assert save(db)["version"] == 2, "saving what was retired makes a new draft"


@pytest.mark.parametrize(
    ("rpc", "arguments"),
    [
        ("label_proof_cases", {}),
        ("record_label_proof", {"p_results": Jsonb([])}),
        ("activate_label_version", {}),
        ("retire_label_version", {}),
    ],
)
def test_unknown_versions(db: psycopg.Connection, rpc: str, arguments: Row) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "planner", rpc, p_version_id=999_999, **arguments)
    assert (refused.value.status, refused.value.code) == (404, "label.unknown_version")


@pytest.mark.parametrize("rpc", ["get_label_template", "set_default_label_template"])
def test_unknown_templates(db: psycopg.Connection, rpc: str) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "planner", rpc, p_code="nope")
    assert (refused.value.status, refused.value.code) == (404, "label.unknown_template")
