"""How printers, slicers and people spell one file, and which names say nothing."""

from __future__ import annotations

import unicodedata
from typing import Any

import psycopg
import pytest

from tests.sql.farm.farm import mapping, part
from tests.sql.inventory.stock import refused
from tests.support.databases import Clone
from tests.support.rpc import call


@pytest.fixture(scope="module")
def db(module_clone: Clone) -> Any:
    with module_clone.connect() as connection:
        yield connection


def key(db: psycopg.Connection, name: str | None) -> tuple[str, int | None]:
    row = db.execute(
        "select private.gcode_stem(%s), private.gcode_plate(%s)", (name, name)
    ).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("name", "stem", "plate"),
    [
        ("kiosk_plates_plate_7.3mf", "kiosk_plates", 7),
        ("Kiosk_Plates_Plate_7.GCODE.3MF", "kiosk_plates", 7),
        ("kiosk_plates.gcode.3mf", "kiosk_plates", None),
        ("/cache/kiosk_plates.gcode", "kiosk_plates", None),
        ("C:\\jobs\\Kiosk_Plates.3mf ", "kiosk_plates", None),
        ("Number 10 House Numbers_plate_1", "number 10 house numbers", 1),
        ("/data/Metadata/plate_7.gcode", "", 7),
        ("bracket v1.2.3mf", "bracket v1.2", None),
        ("Gehäuse GRÖSSE.3mf", "gehäuse grösse", None),
        ("Gehäuse GRÖẞE.3mf", "gehäuse grösse", None),
        ("template_plate_holder.3mf", "template_plate_holder", None),
        ("nameplate_3.3mf", "nameplate_3", None),
        ("glowie.gcode", "glowie", None),
        (None, "", None),
    ],
)
def test_a_file_has_one_key(
    db: psycopg.Connection, name: str | None, stem: str, plate: int | None
) -> None:
    assert key(db, name) == (unicodedata.normalize("NFC", stem), plate)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("spelling", ["Ångström ► 4.3mf", "ÅNGSTRÖM ► 4.gcode.3mf  "])
def test_composed_and_decomposed_names_are_one(
    db: psycopg.Connection, form: Any, spelling: str
) -> None:
    assert key(db, unicodedata.normalize(form, spelling)) == ("ångström ► 4", None)


@pytest.mark.parametrize(
    "name",
    [
        "plate_1.gcode", "Plate_12.gcode.3mf", "/data/Metadata/plate_3.gcode", "Untitled.3mf",
        "untitled (2).3mf", "UNTITLED_3", "名称未設定.3mf", "未命名.3mf", "Ohne Titel.3mf", "",
        " .3mf",
    ],
)  # fmt: skip
def test_generic_names_are_refused(db: psycopg.Connection, name: str) -> None:
    part(db)
    assert refused(
        db, "planner", "map_gcode", p_gcode_filename=name, p_parts=_lines()
    ).code == "gcode.generic"  # fmt: skip


def _lines() -> Any:
    from psycopg.types.json import Jsonb

    return Jsonb([{"sku": "BRACKET", "quantity": 1}])


@pytest.mark.parametrize("name", ["untitled lamp.3mf", "plate_holder.3mf", "plates.3mf"])
def test_names_that_only_begin_like_it_are_fine(db: psycopg.Connection, name: str) -> None:
    part(db)
    assert mapping(db, name)["parts"][0]["sku"] == "BRACKET"


def test_no_name_can_break_the_key(db: psycopg.Connection) -> None:
    for name in ("a" * 300, "._-", "plate_99999999999.gcode", "%s'\"\\", "\u202eabc.3mf"):
        key(db, name)


def test_formset_6_case_does_not_make_a_second_mapping(db: psycopg.Connection) -> None:
    part(db)
    first = mapping(db, "Kiosk_A.3mf", {"BRACKET": 2})
    second = mapping(db, "KIOSK_a.gcode.3mf", {"BRACKET": 3})
    assert second["stem"] == first["stem"]
    rows = db.execute(
        "select quantity from public.gcode_part_mappings where stem = 'kiosk_a'"
    ).fetchall()
    assert rows == [(3,)]
    assert call(db, "viewer", "get_part_demand", p_sku="bracket")[0]["files"] != []
