"""The built-in templates: their stored proofs are true, at every resolution, with nasty data."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.labels import BUILT_IN, DPIS, INJECTIONS, Pictures, attempt, compiled
from tests.support.rpc import Refused, call


def version(db: psycopg.Connection, name: str) -> dict[str, Any]:
    """The active version."""
    row = db.execute(
        "select to_jsonb(v) from public.label_template_versions v"
        " where v.template = %s and v.status = 'active'",
        (name,),
    ).fetchone()
    assert row is not None
    return dict(row[0])


def test_these_are_the_built_in_templates(db: psycopg.Connection) -> None:
    rows = call(db, "viewer", "list_label_templates")
    assert tuple(sorted(row["code"] for row in rows)) == BUILT_IN
    for row in rows:
        assert row["code"] == row["label_type"]
        assert row["is_default"]
        assert row["newest_is_proved"]
        assert row["active_version"] == row["newest_version"] == 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_stored_proof_is_true(db: psycopg.Connection, pictures: Pictures, name: str) -> None:
    chosen = version(db, name)
    cases = call(db, "planner", "label_proof_cases", p_version_id=chosen["id"])
    kept = call(
        db,
        "planner",
        "record_label_proof",
        p_version_id=chosen["id"],
        p_results=Jsonb(pictures.prove(cases)),
    )
    assert [(row["dpi"], row["results"]["wrong"]) for row in kept] == [(d, []) for d in DPIS]
    stored = db.execute(
        "select dpi, content_hash, passed, results ->> 'cases' from public.label_proofs"
        " where version_id = %s order by id limit 3",
        (chosen["id"],),
    ).fetchall()
    assert stored == [(dpi, chosen["content_hash"], True, "6") for dpi in DPIS]
    row = db.execute(
        "select private.label_hash(fields, width_mm, height_mm), results ->> 'cases'"
        " from public.label_template_versions v join public.label_proofs p on p.version_id = v.id"
        " where v.id = %s order by p.id desc limit 1",
        (chosen["id"],),
    ).fetchone()
    assert row == (chosen["content_hash"], "6")


@pytest.mark.parametrize("dpi", DPIS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_its_codes_scan_whatever_else_it_says(
    db: psycopg.Connection, pictures: Pictures, name: str, dpi: int
) -> None:
    chosen = version(db, name)
    size = chosen["width_mm"], chosen["height_mm"]
    kinds = sorted({f["kind"] for f in chosen["fields"]} & {"code128", "qr", "datamatrix"})
    assert len(kinds) == 2, "a two-dimensional code beside a Code 128"
    names = call(db, "viewer", "get_label_template", p_code=name)["versions"][0]["variables"]
    others = [other for other in names if other != "code"]
    for start in range(0, len(INJECTIONS), len(others)):
        nasty = dict(zip(others, INJECTIONS[start:] + INJECTIONS, strict=False))
        data = {"code": "2611-GN-00001", **printable(db, chosen["fields"], nasty)}
        zpl = compiled(db, chosen["fields"], data, size=size, dpi=dpi)
        assert pictures.scan(zpl, size, dpi) == [(kind, "2611-GN-00001") for kind in kinds]


def printable(
    db: psycopg.Connection, fields: list[dict[str, Any]], data: dict[str, str]
) -> dict[str, str]:
    """What of the data a label may show; the rest must be refused with a reason."""
    shown = {}
    for name, value in data.items():
        mine = [f for f in fields if f.get("value") == f"{{{{{name}}}}}"]
        zpl, refused = attempt(db, mine, {name: value})
        assert refused in (None, "label.bad_data")
        if zpl is not None:
            shown[name] = value
    return shown


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_code_that_is_too_long_is_refused_with_a_sentence(
    db: psycopg.Connection, name: str
) -> None:
    chosen = version(db, name)
    size = chosen["width_mm"], chosen["height_mm"]
    with pytest.raises(Refused) as refused:
        compiled(db, chosen["fields"], {"code": "A" * 32}, size=size)
    assert (refused.value.status, refused.value.code) == (422, "label.does_not_fit")
    assert "does not fit at 203 dpi" in refused.value.message
    assert refused.value.detail["field"] == "scan_bars"
