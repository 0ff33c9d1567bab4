"""What data may do: it is printed or refused, never obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.support.databases import Clone
from tests.support.labels import (
    INJECTIONS,
    attempt,
    code,
    compiled,
    printed_texts,
    refusal,
    text,
)
from tests.support.rpc import Refused

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


def commands(zpl: str) -> list[str]:
    return re.findall(r"[\^~](..)", zpl)


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("kind", ["text", "qr", "datamatrix", "code128"])
@pytest.mark.parametrize("language", ["zpl", "tspl"])
def test_data_is_printed_or_refused_never_obeyed(
    db: psycopg.Connection, kind: str, value: str, language: str
) -> None:
    field = text(lines=8) if kind == "text" else code(kind)
    payload, refused = attempt(db, [field], {"v": value}, language=language)
    assert refused in (None, "label.bad_data", "label.does_not_fit")
    if payload is None:
        return
    plain = compiled(db, [field], {"v": "ABC"}, language=language)
    if language == "zpl":
        more = len(printed_texts(payload)) - 1  # a text may take more lines
        field_commands = commands(plain)[6:-2]
        assert commands(payload) == commands(plain)[:-2] + more * field_commands + ["PQ", "XZ"]
        return
    words = [line.split(" ")[0] for line in payload.split("\r\n")]
    assert words.count("PRINT") == words.count("CLS") == 1
    assert set(words) == {line.split(" ")[0] for line in plain.split("\r\n")}


@RELAXED
@given(value=PRINTABLE)
def test_texts_say_exactly_the_data(db: psycopg.Connection, value: str) -> None:
    zpl = compiled(db, [text(w=98, h=2, lines=20)], {"v": value})
    assert "".join(printed_texts(zpl)).replace(" ", "") == value.replace(" ", "")
    assert zpl.isascii()
    assert zpl.count("~") == 0


@RELAXED
@given(value=PRINTABLE.filter(bool))
def test_a_qr_code_carries_its_mode_and_exactly_the_data(
    db: psycopg.Connection, value: str
) -> None:
    # ZPLUtility#12: without the mode the first characters are eaten.
    zpl = compiled(db, [code("qr", module_mm=0.3)], {"v": value}, size=(100, 100))
    assert printed_texts(zpl) == [f"MA,{value}"]


def test_variables_are_filled_in_once(db: psycopg.Connection) -> None:
    data = {"v": "{{w}} {{v}}", "w": "secret"}
    assert printed_texts(compiled(db, [text("a {{v}} b")], data)) == ["a {{w}} {{v}} b"]


def test_numbers_and_booleans_are_texts_and_null_is_nothing(db: psycopg.Connection) -> None:
    data = {"v": 12.50, "b": True, "n": None}
    assert printed_texts(compiled(db, [text("{{v}} {{b}}{{n}}")], data)) == ["12.5 true"]


def test_a_text_without_any_of_its_variables_is_left_out(db: psycopg.Connection) -> None:
    fields = [text("Due {{due}}"), text("Sold", y=9)]
    assert printed_texts(compiled(db, fields, {"due": None})) == ["Sold"]


@pytest.mark.parametrize("kind", ["code128", "qr", "datamatrix"])
def test_a_code_without_its_variable_is_refused(db: psycopg.Connection, kind: str) -> None:
    refused = refusal(db, code(kind, "A{{serial}}"), data={"serial": None})
    assert (refused.status, refused.code) == (422, "label.bad_data")
    assert refused.message == "The label needs serial for its code."


@pytest.mark.parametrize("value", ["a\tb", "a\x1bb", "a\x7fb", "a\x9bb", "a\nb", "a\rb"])
def test_control_characters_are_refused_not_deleted(db: psycopg.Connection, value: str) -> None:
    refused = refusal(db, text(), data={"v": value})
    assert refused.code == "label.bad_data"
    assert f"U+{ord(value[1]):04X}" in refused.message


def test_a_line_feed_breaks_the_line_where_there_are_several(db: psycopg.Connection) -> None:
    zpl = compiled(db, [text(lines=3)], {"v": "Happy\r\nbirthday\n\nAnna"})
    assert printed_texts(zpl)[:2] == ["Happy", "birthday"]


@pytest.mark.parametrize("value", [["x"], {"x": 1}])
def test_lists_and_objects_are_refused(db: psycopg.Connection, value: Any) -> None:
    assert refusal(db, text(), data={"v": value}).code == "label.bad_data"


def test_endless_text_is_refused(db: psycopg.Connection) -> None:
    refused = refusal(db, text(), data={"v": "x" * 2001})
    assert refused.detail == {"variable": "v", "max": 2000, "actual": 2001}


@pytest.mark.parametrize("value", ["A>5B", "AB", "Æ12", "a_b", "^XZ", " 123", "1" * 33, "a*b"])
def test_code_128_refuses_what_it_cannot_hold(db: psycopg.Connection, value: str) -> None:
    refused = refusal(db, code("code128"), data={"v": value}, size=(200, 60))
    assert (refused.status, refused.code) == (422, "label.bad_data")
    assert "3 to 32 letters, digits" in refused.message


@pytest.mark.parametrize("value", ["Grüße", "🎂", "日本"])
def test_a_datamatrix_refuses_what_printers_disagree_about(
    db: psycopg.Connection, value: str
) -> None:
    refused = refusal(db, code("datamatrix"), data={"v": value})
    assert refused.code == "label.bad_data"
    assert "Use a QR code" in refused.message


def test_a_datamatrix_names_an_escape_that_its_data_does_not_have(db: psycopg.Connection) -> None:
    # labelize#55: printers differ in the escape that they assume.
    for value in ("A_1~1", "a|b", "|!$%=;?@"):
        zpl = compiled(db, [code("datamatrix")], {"v": value})
        found = re.search(r"\^BXN,\d+,200,,,,(.)\^FH_", zpl)
        assert found
        assert found[1] not in value + "^~,_"


def test_a_datamatrix_of_every_sign_has_none_left_to_escape_with(db: psycopg.Connection) -> None:
    every = "".join(map(chr, range(33, 127)))
    assert refusal(db, code("datamatrix"), data={"v": every}).code == "label.bad_data"


def test_each_label_is_a_format_of_its_own(db: psycopg.Connection) -> None:
    zpl = compiled(db, [text()], {"v": "one"}, {"v": "two"}, {"v": "three"})
    assert printed_texts(zpl) == ["one", "two", "three"]
    assert commands(zpl).count("XA") == commands(zpl).count("XZ") == 3
    for found in re.findall(r"\^XA.*?\^XZ", zpl):
        assert found.startswith("^XA^CI28^PW800^LL480^LH0,0^JZN")
        assert found.endswith("^PQ1,0,0,N^XZ")


@pytest.mark.parametrize(
    ("labels", "copies", "repeats"), [(1, 1, "N"), (1, 3, "Y"), (2, 1, "N"), (2, 3, "N")]
)
def test_only_identical_copies_may_be_repeated_by_the_printer(
    db: psycopg.Connection, labels: int, copies: int, repeats: str
) -> None:
    # After a fault a printer repeats the spoilt label: of a serial that would be a second one.
    zpl = compiled(db, [text()], *[{"v": str(n)} for n in range(labels)], copies=copies)
    assert zpl.count(f"^JZ{repeats}") == zpl.count(f"^PQ{copies},0,0,N") == labels
    tspl = compiled(
        db, [text()], *[{"v": str(n)} for n in range(labels)], copies=copies, language="tspl"
    )
    assert tspl.count("SET REPRINT " + {"N": "OFF", "Y": "ON"}[repeats]) == labels
    assert tspl.count(f"PRINT 1,{copies}\r\n") == labels


@pytest.mark.parametrize("copies", [None, 0, -1, 501, 9_999_999])
def test_copies_are_bounded(db: psycopg.Connection, copies: int | None) -> None:
    refused = refusal(db, text(), copies=copies)
    assert (refused.code, refused.detail) == ("label.bad_data", {"copies": copies})


def test_a_job_has_at_most_ten_labels(db: psycopg.Connection) -> None:
    for n in (0, 11):
        with pytest.raises(Refused) as refused:
            compiled(db, [text()], *[{}] * n)
        assert refused.value.code == "label.bad_data"


def test_data_must_be_an_object(db: psycopg.Connection) -> None:
    assert refusal(db, text(), data=["x"]).code == "label.bad_data"


def test_queues_and_files_are_given_zpl(db: psycopg.Connection) -> None:
    zpl = compiled(db, [text("x")], {})
    assert compiled(db, [text("x")], {}, language="spooler") == zpl
    assert compiled(db, [text("x")], {}, language="file") == zpl
    assert refusal(db, text("x"), language="epl").code == "label.bad_data"


def test_the_subject_is_a_variable(db: psycopg.Connection) -> None:
    row = db.execute(
        "select private.compile_label(v, %s, 1, 'zpl', 203) from public.label_template_versions v"
        " where v.template = 'item'",
        (Jsonb([{"subject": "bin-1", "data": {"code": "BIN-1", "name": "Nuts"}}]),),
    ).fetchone()
    assert row is not None
    assert "MA,BIN-1" in printed_texts(row[0])
