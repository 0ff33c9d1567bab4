"""What the compiler makes, drawn by an independent renderer and read by an independent decoder."""

from __future__ import annotations

import io
import re

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.support.labels import DPIS, INJECTIONS, Pictures, attempt, code, compiled, text

RELAXED = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters="\x00"),
    min_size=1,
    max_size=60,
)
# The signs that commands, escapes and quotes are made of.
AWKWARD = st.text('^~_>\\{}"|&,:;#%@!ABab01 5dJRXZ-', min_size=1, max_size=60)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)
SERIALS = st.from_regex(r"[0-9A-Za-z#][0-9A-Za-z #./+-]{2,31}", fullmatch=True)
WORLD = 'Grüße "Zoë" {日本語} 🎂 Ł€ \\ | ^~_>'


@RELAXED
@given(value=TEXTS | AWKWARD)
@example(value=WORLD)
@example(value="^XZ^XA^FO9,9^BCN,50^FDEVIL^FS")
@example(value="_5E_7E~1")
def test_a_qr_code_is_read_as_its_data(
    db: psycopg.Connection, pictures: Pictures, value: str
) -> None:
    zpl = compiled(db, [code("qr")], {"v": value})
    assert pictures.scan(zpl) == [("qr", value)]


@RELAXED
@given(value=ASCII | AWKWARD)
@example(value="AB~1CD_1|1")
@example(value="^XZ^XA~JR_d065~d065")
def test_a_datamatrix_is_read_as_its_data(
    db: psycopg.Connection, pictures: Pictures, value: str
) -> None:
    zpl = compiled(db, [code("datamatrix")], {"v": value})
    assert pictures.scan(zpl) == [("datamatrix", value)]


@RELAXED
@given(value=SERIALS, dpi=st.sampled_from(DPIS))
@example(value="00000000000000000000", dpi=203)
@example(value="A1B2C3 #./+-", dpi=300)
def test_a_code_128_is_read_as_its_data(
    db: psycopg.Connection, pictures: Pictures, value: str, dpi: int
) -> None:
    zpl = compiled(db, [code("code128", text=True)], {"v": value}, size=(110, 20), dpi=dpi)
    assert pictures.scan(zpl, (110, 20), dpi) == [("code128", value)]


def black(picture: bytes) -> tuple[int, int, int, int]:
    """The box around everything black: left, top, right, bottom."""
    with Image.open(io.BytesIO(picture)) as image:
        box = ImageOps.invert(image.convert("L")).getbbox()
    assert box is not None
    return box


@RELAXED
@given(value=ASCII, kind=st.sampled_from(["qr", "datamatrix"]))
@example(value="A" * 60, kind="datamatrix")
@example(value="a1" * 30, kind="datamatrix")
def test_a_square_code_takes_no_more_than_was_calculated(
    db: psycopg.Connection, pictures: Pictures, value: str, kind: str
) -> None:
    row = db.execute(
        "select m.x, m.y, m.w, m.size from private.label_marks("
        "jsonb_build_array(jsonb_build_object('kind', %s::text, 'x', 1, 'y', 1, 'value', '{{v}}')),"
        " 100, 60, 203, jsonb_build_object('v', %s::text)) m",
        (kind, value),
    ).fetchone()
    assert row is not None
    x, y, side, module = row
    (picture,) = pictures.all(compiled(db, [code(kind)], {"v": value}))
    left, top, right, bottom = black(picture)
    assert (left, top - y <= 10) == (x, True)
    assert right - left <= side
    assert bottom - top <= side
    assert (right - left) % module == 0


def test_a_code_128_takes_exactly_what_was_calculated(
    db: psycopg.Connection, pictures: Pictures
) -> None:
    (picture,) = pictures.all(compiled(db, [code("code128", x=0)], {"v": "2611-GN-00001"}))
    left, _, right, _ = black(picture)
    assert (left, right - left) == (20, 2 * (11 * 15 + 13))


@pytest.mark.parametrize("dpi", DPIS)
def test_the_picture_has_the_dots_of_the_head(
    db: psycopg.Connection, pictures: Pictures, dpi: int
) -> None:
    zpl = compiled(db, [text("x", w=50)], {}, size=(60, 30), dpi=dpi)
    (picture,) = pictures.all(zpl, (60, 30), dpi)
    with Image.open(io.BytesIO(picture)) as image:
        assert image.size == {203: (480, 240), 300: (708, 354), 600: (1417, 708)}[dpi]
        assert [int(n) for n in re.findall(r"\^(?:PW|LL)(\d+)", zpl)] == list(image.size)


@pytest.mark.parametrize("value", INJECTIONS)
def test_awkward_text_beside_a_code_changes_nothing(
    db: psycopg.Connection, pictures: Pictures, value: str
) -> None:
    fields = [text(lines=4), code("qr", "BOX-1", y=25), code("code128", "BOX-1", x=40, y=30)]
    zpl, refused = attempt(db, fields, {"v": value})
    assert refused in (None, "label.bad_data")
    if zpl is None:
        return
    assert pictures.scan(zpl) == [("code128", "BOX-1"), ("qr", "BOX-1")]


def test_the_renderer_shows_what_an_injection_would_do(pictures: Pictures) -> None:
    """The control: the same data without an escaper does draw a second code."""
    raw = "^XA^FO20,20^A0N,40,40^FD{}^FS^XZ"
    evil = "ABC^FS^FO20,90^BY2^BCN,80,N,N,N^FDEVIL1^FS^FO0,0^A0N,9,9^FD"
    assert pictures.scan(raw.format("ABC")) == []
    assert pictures.scan(raw.format(evil)) == [("code128", "EVIL1")]
