"""A template of jars, taken through its life by the real commands."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.labels import code, text
from tests.support.rpc import Refused, call

FIELDS = [text("{{name}}", name="title"), code("qr", "{{code}}", y=20), text("Takt", y=50)]
Row = dict[str, Any]


def save(db: psycopg.Connection, template: str = "jar", **changes: Any) -> Row:
    arguments = {
        "p_code": template,
        "p_label_type": "jar",
        "p_name": "Jar",
        "p_media": "100x60",
        "p_width_mm": 100,
        "p_height_mm": 60,
        "p_fields": Jsonb(FIELDS),
        **changes,
    }
    who = arguments.pop("who", "planner")
    return dict(call(db, who, "save_label_template", **arguments))


def perfect(cases: list[Row]) -> list[Row]:
    """What a scanner that reads everything would answer."""
    return [
        {
            "case_no": case["case_no"],
            "read": [{k: c[k] for k in ("symbology", "text")} for c in case["expected"]],
        }
        for case in cases
    ]


def cases_of(db: psycopg.Connection, version: Row) -> list[Row]:
    return list(call(db, "planner", "label_proof_cases", p_version_id=version["id"]))


def record(db: psycopg.Connection, version: Row, results: list[Row], **more: Any) -> list[Row]:
    return list(
        call(
            db,
            "planner",
            "record_label_proof",
            p_version_id=version["id"],
            p_results=Jsonb(results),
            **more,
        )
    )


def prove(db: psycopg.Connection, version: Row) -> None:
    assert all(row["passed"] for row in record(db, version, perfect(cases_of(db, version))))


def activate(db: psycopg.Connection, version: Row, who: str = "planner", **more: Any) -> Row:
    return dict(call(db, who, "activate_label_version", p_version_id=version["id"], **more))


def chosen(
    db: psycopg.Connection, label_type: str, site: str = "main", name: str | None = None
) -> str:
    try:
        row = db.execute(
            "select v.template from private.active_label_version(%s, %s, %s) v",
            (label_type, site, name),
        ).fetchone()
    except psycopg.Error as error:
        raise Refused(error) from error
    assert row is not None
    return str(row[0])


def events(db: psycopg.Connection, template: str = "jar") -> list[str]:
    rows = db.execute(
        "select event from public.events where stream = 'label' and stream_id = %s order by id",
        (template,),
    ).fetchall()
    return [row[0] for row in rows]
