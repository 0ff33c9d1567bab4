"""Templates: saved as drafts, chosen for labels, looked at before they are saved."""

from __future__ import annotations

from copy import deepcopy
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.printing.templates import (
    FIELDS,
    Row,
    activate,
    chosen,
    events,
    prove,
    save,
)
from tests.support.labels import BUILT_IN, code, text
from tests.support.rpc import Refused, call


def test_a_new_template_is_a_draft_that_prints_nothing(db: psycopg.Connection) -> None:
    version = save(db)
    assert (version["version"], version["status"], version["activated_at"]) == (1, "draft", None)
    with pytest.raises(Refused) as refused:
        chosen(db, "jar")
    assert (refused.value.status, refused.value.code) == (412, "label.no_template")
    assert events(db) == ["label.saved"]


def test_the_same_content_is_the_same_version_other_content_the_next(
    db: psycopg.Connection,
) -> None:
    first = save(db)
    assert save(db)["id"] == first["id"]
    assert save(db, p_name="Jam jar", p_width_mm=99)["version"] == 2
    assert call(db, "viewer", "get_label_template", p_code="jar")["name"] == "Jam jar"


def test_a_repeat_of_a_save_is_one_save(db: psycopg.Connection) -> None:
    request = uuid4()
    first = save(db, p_request_id=request)
    assert save(db, p_request_id=request) == first
    with pytest.raises(Refused) as refused:
        save(db, p_name="Other", p_request_id=request)
    assert refused.value.code == "request.reused"
    assert events(db) == ["label.saved"]


def test_a_code_belongs_to_one_label_type_and_site(db: psycopg.Connection) -> None:
    save(db)
    for changes in ({"p_label_type": "lid"}, {"p_site": "main"}):
        with pytest.raises(Refused) as refused:
            save(db, **changes)
        assert (refused.value.status, refused.value.code) == (409, "label.other_template")


def changed(n: int, **changes: Any) -> list[Row]:
    fields = deepcopy(FIELDS)
    fields[n] |= changes
    return fields


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([], "1 to 60 fields"),
        ([text()] * 61, "1 to 60 fields"),
        (["x"], "no known kind"),
        (changed(0, kind="zpl"), "no known kind"),
        (changed(0, rotation=90), "has a key rotation"),
        (changed(0, w="90"), "w must be a number from 2 to 400"),
        (changed(0, h=0.2), "h must be a number"),
        (changed(0, lines=1.5), "lines must be a whole number"),
        (changed(0, bold="yes"), "bold must be true or false"),
        (changed(0, align="middle"), "align must be left, center or right"),
        (changed(0, overflow="wrap"), "overflow must be shrink, cut or refuse"),
        (changed(0, name="Title 1"), "name must be a short name"),
        (changed(0, value=""), "value must be a text"),
        (changed(0, value="x" * 201), "value must be a text"),
        (changed(0, value="{{Name}}"), "variables look like {{order_number}}"),
        (changed(0, value="{{name"), "variables look like"),
        (changed(0, value="a\x1bb"), "value must be a text"),
        (changed(0, x=20), "does not fit on a label of 100 × 60 mm"),
        (changed(0, lines=12), "does not fit on a label"),
        (changed(1, x=95), "does not fit on a label"),
        (changed(1, name="title"), "Two fields are called title"),
        ([code("code128", "{{code}}_")], "letters, digits and # . / + - only"),
        ([code("code128", x=90)], "does not fit on a label"),
        ([code("datamatrix", y=58)], "does not fit on a label"),
        ([{k: v for k, v in text().items() if k != "value"}], "value must be a text"),
        ([{"kind": "image", "x": 1, "y": 1, "w": 5, "h": 5, "pbm_base64": "AAAAAAAA"}], "picture"),
        (
            [{"kind": "image", "x": 1, "y": 1, "w": 5, "h": 5, "pbm_base64": "not base64!"}],
            "picture",
        ),
    ],
)
def test_a_bad_field_is_refused_by_name(
    db: psycopg.Connection, fields: list[Any], said: str
) -> None:
    with pytest.raises(Refused) as refused:
        save(db, p_fields=Jsonb(fields))
    assert (refused.value.status, refused.value.code) == (422, "label.bad_template")
    assert said in refused.value.message


@pytest.mark.parametrize("fields", [None, {}, "x"])
def test_fields_are_a_list(db: psycopg.Connection, fields: Any) -> None:
    with pytest.raises(Refused) as refused:
        save(db, p_fields=Jsonb(fields))
    assert refused.value.code == "label.bad_template"


@pytest.mark.parametrize("size", [(9, 60), (221, 60), (100, 7), (100, 401)])
def test_labels_have_sizes_that_printers_have(
    db: psycopg.Connection, size: tuple[float, float]
) -> None:
    with pytest.raises(Refused) as refused:
        save(db, p_width_mm=size[0], p_height_mm=size[1])
    assert refused.value.code == "label.bad_template"


# Which one prints -----------------------------------------------------------------------------


def test_the_first_template_of_a_type_becomes_its_default(db: psycopg.Connection) -> None:
    for name in ("jar", "jar_small"):
        version = save(db, name)
        prove(db, version)
        activate(db, version)
    rows = call(db, "viewer", "list_label_templates", p_label_type="jar")
    assert [(row["code"], row["is_default"]) for row in rows] == [
        ("jar", True),
        ("jar_small", False),
    ]
    assert chosen(db, "jar") == "jar"
    assert chosen(db, "jar", name="jar_small") == "jar_small"


def test_another_template_may_be_the_default(db: psycopg.Connection) -> None:
    for name in ("jar", "jar_small"):
        version = save(db, name)
        prove(db, version)
        activate(db, version)
    for _ in range(2):
        row = call(db, "planner", "set_default_label_template", p_code="jar_small")
        assert row["is_default"]
    assert events(db, "jar_small").count("label.made_default") == 1
    assert chosen(db, "jar") == "jar_small"


def test_the_template_of_a_site_comes_before_the_general_one(db: psycopg.Connection) -> None:
    db.execute("insert into public.sites (code, name) values ('north', 'North')")
    for name, site in (("jar", None), ("jar_main", "main")):
        version = save(db, name, p_site=site)
        prove(db, version)
        activate(db, version)
    assert chosen(db, "jar", "main") == "jar_main"
    assert chosen(db, "jar", "north") == "jar"
    with pytest.raises(Refused) as refused:
        chosen(db, "jar", "north", "jar_main")
    assert refused.value.code == "label.no_template"


def test_a_template_of_another_type_is_unknown_here(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        chosen(db, "order_ticket", name="item")
    assert (refused.value.status, refused.value.code) == (404, "label.unknown_template")


def test_templates_of_a_site_belong_to_who_works_there(db: psycopg.Connection) -> None:
    db.execute("insert into public.sites (code, name) values ('north', 'North')")
    version = save(db, p_site="north")
    prove(db, version)
    db.execute("update public.staff_shared set stores = '{bannos}' where role = 'planner'")
    for rpc, arguments in (
        ("activate_label_version", {"p_version_id": version["id"]}),
        ("retire_label_version", {"p_version_id": version["id"]}),
        ("record_label_proof", {"p_version_id": version["id"], "p_results": Jsonb([])}),
        ("set_default_label_template", {"p_code": "jar"}),
    ):
        with pytest.raises(Refused) as refused:
            call(db, "planner", rpc, **arguments)
        assert refused.value.code == "auth.other_site", rpc


def test_lists(db: psycopg.Connection) -> None:
    rows = call(db, "viewer", "list_label_templates")
    assert sorted(row["code"] for row in rows) == list(BUILT_IN)
    shown = call(db, "viewer", "get_label_template", p_code="unit_device")
    (version,) = shown["versions"]
    assert version["is_proved"]
    assert version["variables"] == ["code", "made", "product", "variant"]
    assert [proof["dpi"] for proof in version["proofs"]] == [600, 300, 203]


# Preview --------------------------------------------------------------------------------------


def test_a_preview_needs_nothing_saved(db: psycopg.Connection) -> None:
    arguments = {"p_fields": Jsonb(FIELDS), "p_width_mm": 100, "p_height_mm": 60, "p_dpi": 300}
    data = {"name": "Plum jam", "code": "JAR-1"}
    zpl = call(db, "planner", "preview_label", **arguments, p_data=data)
    assert zpl.startswith("^XA^CI28^PW1181^LL708")
    tspl = call(db, "planner", "preview_label", **arguments, p_data=data, p_language="tspl")
    assert "QRCODE" in tspl
    for changes, code_of_error in (
        ({"p_fields": Jsonb([])}, "label.bad_template"),
        ({"p_dpi": 100}, "label.bad_dpi"),
        ({"p_data": {}}, "label.bad_data"),
        ({"p_fields": Jsonb([code("qr", "x" * 99, w=8)])}, "label.does_not_fit"),
    ):
        with pytest.raises(Refused) as refused:
            call(db, "planner", "preview_label", **{**arguments, "p_data": data, **changes})
        assert refused.value.code == code_of_error


@pytest.mark.parametrize("who", ["viewer", "operator", "supervisor", "kiosk", "print_agent"])
def test_only_managers_of_labels_change_them(db: psycopg.Connection, who: str) -> None:
    with pytest.raises(Refused) as refused:
        save(db, who=who)
    assert (refused.value.status, refused.value.code) == (403, "auth.forbidden")
