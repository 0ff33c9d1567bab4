"""Millimetres to dots: what fits is calculated, what does not is refused before it is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.databases import Clone
from tests.support.labels import DPIS, attempt, code, compiled, printed_texts, refusal, text

SERIALS = st.from_regex(r"[0-9A-Za-z#][0-9A-Za-z #./+-]{2,31}", fullmatch=True)
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def db(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect() as connection:
        yield connection


def test_a_serial_that_does_not_fit_is_refused_before_printing(db: psycopg.Connection) -> None:
    # Scenario 13: 36 characters on 60 mm ran off the edge without an error.
    field = code("code128", x=0, y=0, name="serial")
    refused = refusal(db, field, data={"v": "2611-GN-00001-00002-00003-00004"}, size=(50, 25))
    assert (refused.status, refused.code) == (422, "label.does_not_fit")
    assert "does not fit at 203 dpi: it needs 99.0 mm and has 50.0 mm." in refused.message
    assert refused.detail["field"] == "serial"
    assert compiled(db, [field], {"v": "2611-GN-00001"}, size=(50, 25))


@RELAXED
@given(value=SERIALS, dpi=st.sampled_from(DPIS), width=st.integers(25, 120))
def test_a_code_128_stays_inside_its_label(
    db: psycopg.Connection, value: str, dpi: int, width: int
) -> None:
    zpl, refused = attempt(db, [code("code128", x=0)], {"v": value}, size=(width, 30), dpi=dpi)
    least = {203: 2 / 8, 300: 2 / 11.81, 600: 4 / 23.62}[dpi] * (11 * (len(value) + 2) + 33)
    if zpl is None:
        assert refused == "label.does_not_fit"
        assert least > width - 0.1
        return
    assert least < width + 0.1
    label, x, module = map(int, re.findall(r"\^(?:PW|FO|BY)(\d+)", zpl))
    modules = 11 * (len(value) + 2) + 13
    assert x >= 10 * module
    assert x + modules * module + 10 * module <= label
    assert module >= {203: 2, 300: 2, 600: 4}[dpi]


@pytest.mark.parametrize("kind", ["qr", "datamatrix"])
def test_a_square_code_that_does_not_fit_is_refused(db: psycopg.Connection, kind: str) -> None:
    field = code(kind, w=12)
    assert compiled(db, [field], {"v": "A1"})
    refused = refusal(db, field, data={"v": "x" * 150})
    assert refused.code == "label.does_not_fit"
    assert refused.detail["has_mm"] == 12.0


@pytest.mark.parametrize(("kind", "longest"), [("qr", 666), ("datamatrix", 454)])
def test_codes_have_an_end(db: psycopg.Connection, kind: str, longest: int) -> None:
    # 0.25 mm a module: 97 and 80 modules and their quiet zones fit on 60 mm.
    assert compiled(db, [code(kind, module_mm=0.25)], {"v": "x" * longest})
    refused = refusal(db, code(kind), data={"v": "x" * (longest + 1)})
    assert refused.code == "label.bad_data"


def test_modules_are_whole_dots_of_the_head(db: psycopg.Connection) -> None:
    found = {}
    for dpi in DPIS:
        zpl = compiled(db, [code("code128"), code("qr", y=20)], {"v": "ABC-1"}, dpi=dpi)
        found[dpi] = re.findall(r"\^BY(\d+)", zpl)
    assert found == {203: ["2", "4"], 300: ["3", "6"], 600: ["6", "10"]}


def test_millimetres_become_the_dots_of_each_head(db: psycopg.Connection) -> None:
    box = {"kind": "box", "x": 10, "y": 20, "w": 50, "h": 5, "line_mm": 0.5}
    found = [re.findall(r"\^(?:PW|LL|FO|GB)([\d,]+)", compiled(db, [box], {}, dpi=d)) for d in DPIS]
    assert found == [
        ["800", "480", "80,160", "400,40,4"],
        ["1181", "708", "118,236", "591,59,6"],
        ["2362", "1417", "236,472", "1181,118,12"],
    ]


@pytest.mark.parametrize("dpi", [None, 152, 0])
def test_an_unknown_resolution_is_refused_not_guessed(
    db: psycopg.Connection, dpi: int | None
) -> None:
    refused = refusal(db, text(), dpi=dpi)
    assert (refused.status, refused.code) == (422, "label.bad_dpi")


LONG = "Maximilian-Alexander von der Wiesenmühle zu Obernkirchen"


def test_a_long_text_shrinks(db: psycopg.Connection) -> None:
    zpl = compiled(db, [text(w=45)], {"v": LONG})
    size = int(re.findall(r"\^A0N,(\d+)", zpl)[0])
    assert 20 <= size < 40
    assert printed_texts(zpl)[0].startswith("Maximilian")


def test_smaller_letters_make_room_for_more_lines(db: psycopg.Connection) -> None:
    zpl = compiled(db, [text(w=90, h=10)], {"v": LONG})
    assert " ".join(printed_texts(zpl)) == LONG
    assert len(printed_texts(zpl)) == 2


def test_letters_shrink_before_a_word_is_broken(db: psycopg.Connection) -> None:
    shown = printed_texts(
        compiled(db, [text(w=70, h=8, lines=2)], {"v": "Sauerkirschenstreuselkuchen"})
    )
    assert shown == ["Sauerkirschenstreuselkuchen"]


@pytest.mark.parametrize("overflow", ["cut", "shrink"])
def test_a_text_that_is_cut_says_so(db: psycopg.Connection, overflow: str) -> None:
    shown = printed_texts(compiled(db, [text(w=20, overflow=overflow)], {"v": LONG * 10}))
    assert shown[-1].endswith("...")
    assert LONG.startswith(shown[0].removesuffix("...").strip())


def test_a_text_may_insist_on_fitting(db: psycopg.Connection) -> None:
    field = text(w=20, overflow="refuse", name="warning")
    refused = refusal(db, field, data={"v": LONG})
    assert (refused.code, refused.detail["field"]) == ("label.does_not_fit", "warning")
    assert printed_texts(compiled(db, [field], {"v": "Handle"})) == ["Handle"]


def test_a_word_longer_than_the_line_is_broken(db: psycopg.Connection) -> None:
    shown = printed_texts(compiled(db, [text(w=20, lines=6)], {"v": "W" * 50}))
    assert "".join(shown) == "W" * 50
    assert len(shown) > 2


@pytest.mark.parametrize("align", ["left", "center", "right"])
def test_texts_are_aligned_inside_their_field(db: psycopg.Connection, align: str) -> None:
    zpl = compiled(db, [text("Anna", x=10, w=50, align=align)], {})
    x = int(re.findall(r"\^FO(\d+)", zpl)[0])
    taken = 2 * 40 * 0.5 + 40 * 0.56 + 40 * 0.5  # n, n, A and a in letters of 40 dots
    expected = {"left": 80, "center": 80 + (400 - taken) / 2, "right": 480 - taken}[align]
    assert abs(x - expected) <= 6
