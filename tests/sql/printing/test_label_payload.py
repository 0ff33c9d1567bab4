"""What leaves for the printer: TSPL, pictures, and the last look at every payload."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.databases import Clone
from tests.support.labels import code, compiled, refusal, text

# Whatever a database text can hold and a label may show.
PRINTABLE = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x00"), max_size=60
)
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def db(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect() as connection:
        yield connection


# TSPL -----------------------------------------------------------------------------------------


def quoted(line: str) -> list[str]:
    r"""Texts of a TSPL line by the manual: between quotes, \["] stands for a quote."""
    return [t.replace('\\["]', '"') for t in re.findall(r'"((?:\\\["\]|[^"])*)"', line)]


@RELAXED
@given(value=PRINTABLE.filter(lambda v: "\\[" not in v and "~!" not in v))
def test_tspl_texts_say_exactly_the_data(db: psycopg.Connection, value: str) -> None:
    tspl = compiled(db, [text(w=98, h=2, lines=20)], {"v": value}, language="tspl")
    shown = [quoted(line)[1] for line in tspl.split("\r\n") if line.startswith("TEXT")]
    assert "".join(shown).replace(" ", "") == value.replace(" ", "")


@pytest.mark.parametrize("value", ["a\\[L]b", "~!@"])
def test_tspl_refuses_its_own_escapes(db: psycopg.Connection, value: str) -> None:
    refused = refusal(db, text(), data={"v": value}, language="tspl")
    assert refused.code == "label.bad_data"
    assert "reads as a command" in refused.message


def test_a_tspl_label(db: psycopg.Connection) -> None:
    fields = [
        text('5" cake'),
        code("code128", y=10),
        code("qr", y=25),
        code("datamatrix", x=40, y=25),
        {"kind": "box", "x": 1, "y": 1, "w": 90, "h": 55, "line_mm": 0.5},
        {"kind": "box", "x": 1, "y": 9, "w": 90, "h": 0.5},
    ]
    assert compiled(db, fields, {"v": "A-123"}, language="tspl").split("\r\n") == [
        "SIZE 100 mm,60 mm",
        "CODEPAGE UTF-8",
        "REFERENCE 0,0",
        "SET REPRINT OFF",
        "CLS",
        'TEXT 16,16,"0",0,14,14,"5\\["] cake"',
        'BARCODE 28,80,"128",80,0,0,2,2,"A-123"',
        'QRCODE 24,216,M,4,A,0,"A-123"',
        'DMATRIX 328,208,56,56,c124,x4,"A-123"',
        "BOX 8,8,727,447,4",
        "BAR 8,72,720,4",
        "PRINT 1,1",
        "",
    ]


# Pictures -------------------------------------------------------------------------------------

ARROW = ["11100000001", "01000000011", "00000000111"]  # 11 dots: a row is two bytes
ENLARGED = [re.sub("(.)", r"\1\1", row) for row in ARROW for _ in range(4)]
PBM = b"P4\n# a comment\n11 3\n" + b"".join(
    int(row.ljust(16, "0"), 2).to_bytes(2, "big") for row in ARROW
)


def image(w: float, h: float, file: bytes = PBM) -> dict[str, Any]:
    picture = base64.b64encode(file).decode()
    return {"kind": "image", "x": 1, "y": 1, "w": w, "h": h, "pbm_base64": picture}


def test_a_picture_is_scaled_to_its_millimetres(db: psycopg.Connection) -> None:
    zpl = compiled(db, [image(2.75, 1.5)], {})  # 22 × 12 dots
    found = re.search(r"\^GFA,36,36,3,([0-9A-F]+)\^FS", zpl)
    assert found
    rows = [bin(int(row, 16))[2:].zfill(24)[:22] for row in re.findall(r".{6}", found[1])]
    assert rows == ENLARGED


def test_tspl_draws_the_same_picture_with_bars(db: psycopg.Connection) -> None:
    tspl = compiled(db, [image(2.75, 1.5)], {}, language="tspl")
    dots = [["0"] * 22 for _ in range(12)]
    for x, y, w, h in re.findall(r"BAR (\d+),(\d+),(\d+),(\d+)", tspl):
        for row in dots[int(y) - 8 : int(y) - 8 + int(h)]:
            row[int(x) - 8 : int(x) - 8 + int(w)] = "1" * int(w)
    assert ["".join(row) for row in dots] == ENLARGED


@pytest.mark.parametrize(
    "file", [b"P4\n11 3\n" + b"\0" * 5, b"P1\n1 1\n1xxxxx", b"\x89PNG\r\n\x1a\n", b"P4 601 1 "]
)
def test_other_files_are_no_pictures(db: psycopg.Connection, file: bytes) -> None:
    assert refusal(db, image(5, 5, file)).code == "label.bad_template"


# The last look --------------------------------------------------------------------------------

GOOD = "^XA^CI28^PW800^LL480^LH0,0^JZN^FO1,1^A0N,40,40^FH_^FDx^FS^PQ1,0,0,N^XZ\n"


@pytest.mark.parametrize(
    "payload",
    [
        GOOD * 2,
        GOOD.replace("^XZ", ""),
        GOOD.replace("PQ1", "PQ9"),
        GOOD.replace("^PQ", "^PQ1,0,0,N^PQ"),
        GOOD.replace("^FDx", "^FDx~JR"),
        GOOD.replace("^FDx", "^FDx^JUS"),
        GOOD.replace("^FDx", "^FDx^CC%"),
        GOOD.replace("^FDx", "^DFR:A.ZPL^FDx"),
        GOOD.replace("^FDx", "^FDä"),
        GOOD.replace("^FDx", "^FDx\x1b"),
        GOOD + '! U1 setvar "x" "y"^',
    ],
)
def test_nothing_leaves_with_a_command_that_no_label_may_send(
    db: psycopg.Connection, payload: str
) -> None:
    db.execute("select private.check_zpl(%s, 1, 1)", (GOOD,))
    with pytest.raises(psycopg.Error) as refused:
        db.execute("select private.check_zpl(%s, 1, 1)", (payload,))
    assert refused.value.diag.message_hint == "label.unsafe"


@pytest.mark.parametrize(
    "line", ["SELFTEST", 'TEXT 1,1,"0",0,9,9,"x', "PRINT 1,1", "~!T", "\x1b!R"]
)
def test_the_same_for_tspl(db: psycopg.Connection, line: str) -> None:
    good = "SIZE 50 mm,25 mm\r\nCLS\r\n{}PRINT 1,1\r\n"
    db.execute("select private.check_tspl(%s, 1, 1)", (good.format(""),))
    with pytest.raises(psycopg.Error) as refused:
        db.execute("select private.check_tspl(%s, 1, 1)", (good.format(line + "\r\n"),))
    assert refused.value.diag.message_hint == "label.unsafe"


def test_no_way_around_the_rule_for_code_128(db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error) as refused:
        db.execute("select private.zpl_code128('A>5B')")
    assert refused.value.diag.message_hint == "label.unsafe"
