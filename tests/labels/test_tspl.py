"""The same labels in TSPL, drawn by the simulator's reading of the TSPL manual."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.simulator.printer.tspl_picture import to_zpl
from tests.support.labels import BUILT_IN, DPIS, Pictures, code, compiled

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)


def scanned(
    db: psycopg.Connection,
    pictures: Pictures,
    fields: list[dict[str, Any]],
    data: dict[str, str],
    *,
    size: tuple[float, float] = (100, 60),
    dpi: int = 203,
) -> list[tuple[str, str]]:
    tspl = compiled(db, fields, data, size=size, dpi=dpi, language="tspl")
    lines = [line.encode() for line in tspl.split("\r\n") if line]
    return pictures.scan(to_zpl(lines, dpi), size, dpi)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=ASCII.filter(lambda v: "\\[" not in v and "~!" not in v))
@example(value='say "cheese", twice: ""')
@example(value="a~1b_1|")
def test_square_codes_are_read_as_their_data(
    db: psycopg.Connection, pictures: Pictures, value: str
) -> None:
    fields = [code("qr"), code("datamatrix", x=50)]
    assert scanned(db, pictures, fields, {"v": value}) == [("datamatrix", value), ("qr", value)]


@pytest.mark.parametrize("dpi", DPIS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_templates_scan(
    db: psycopg.Connection, pictures: Pictures, name: str, dpi: int
) -> None:
    row = db.execute(
        "select fields, width_mm::float, height_mm::float from public.label_template_versions"
        " where template = %s and status = 'active'",
        (name,),
    ).fetchone()
    assert row is not None
    fields, width, height = row
    kinds = sorted({f["kind"] for f in fields} & {"code128", "qr", "datamatrix"})
    data = {"code": "2611-GN-00001", "customer": 'Zoë "Zo" Müller', "name": 'Nuts 1/4"'}
    found = scanned(db, pictures, fields, data, size=(width, height), dpi=dpi)
    assert found == [(kind, "2611-GN-00001") for kind in kinds]
