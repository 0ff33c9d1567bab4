"""Names, plates and ids: which job is it, and by which names may a mapping know it?"""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from bambu_bridge.identity import Identity, Match, stem_of
from tests.bambu.story import cloud


def of(name: str = "", file: str = "", **more: Any) -> Identity:
    return Identity.of({"subtask_name": name, "gcode_file": file, **more})


@pytest.mark.parametrize(
    ("raw", "stem"),
    [
        ("kiosk_plates_plate_7.3mf", "kiosk_plates_plate_7"),
        ("Kiosk.gcode.3mf", "Kiosk"),
        ("Kiosk.GCODE.3MF", "Kiosk"),
        ("Kiosk.3mf.gcode.3mf", "Kiosk"),
        ("/sdcard/cache/Kiosk.gcode.3mf", "Kiosk"),
        ("/data/Metadata/plate_3.gcode", "plate_3"),
        ("Lid 1/2", "Lid 1/2"),
        ("  Kiosk ", "Kiosk"),
        ("Kiosk .3mf", "Kiosk"),
        ("v1.5 bracket", "v1.5 bracket"),
        ("", None),
        (".3mf", None),
    ],
)
def test_30_stems(raw: str, stem: str | None) -> None:
    assert stem_of(raw) == stem


def test_30_composed_and_decomposed_names_are_one() -> None:
    composed = "Tårta ► 名"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert stem_of(decomposed) == composed
    assert of(decomposed).compare(of(composed.upper())) is Match.SAME


def test_plates_come_from_the_best_source() -> None:
    assert of("Kiosk", "/data/Metadata/plate_7.gcode").plate == 7
    assert of("Kiosk", "/data/Metadata/plate_7.gcode", plate_idx=2).plate == 2
    assert of("Kiosk", "/data/Metadata/plate_7.gcode", plate_idx=0).plate == 7
    assert of("House_plate_1", "House_plate_1.3mf").plate == 1
    assert of("Kiosk", "Kiosk.3mf").plate is None


def test_32_candidates_in_their_order() -> None:
    job = of("kiosk_plates_plate_7", "kiosk_plates_plate_7.3mf")
    assert job.candidates() == [
        "kiosk_plates_plate_7.3mf",
        "kiosk_plates_plate_7",
        "kiosk_plates_plate_7.gcode.3mf",
        "kiosk_plates_plate_7.gcode",
    ]
    assert of("Kiosk", "/data/Metadata/plate_7.gcode").candidates() == [
        "Kiosk",
        "Kiosk.3mf",
        "Kiosk.gcode.3mf",
        "Kiosk.gcode",
        "Kiosk_plate_7.3mf",
        "Kiosk_plate_7",
    ]


def test_31_a_generic_file_is_never_a_candidate() -> None:
    assert of("", "/data/Metadata/plate_1.gcode").candidates() == []
    assert of("", "/data/Metadata/plate_1.gcode").filename is None


@pytest.mark.parametrize("nothing", ["0", "", 0, "2147483647", "-1", None])
def test_ids_that_say_nothing(nothing: object) -> None:
    assert of("Kiosk", job_id=nothing, task_id=nothing, subtask_id=nothing).ids == {}


def test_ids_decide_before_names() -> None:
    assert of("A", task_id="5").compare(of("B", task_id="5")) is Match.SAME
    assert of("A", task_id="5").compare(of("A", task_id="6")) is Match.DIFFERENT
    mixed = of("A", task_id="5", job_id="1").compare(of("A", task_id="5", job_id="2"))
    assert mixed is Match.DIFFERENT
    assert of("A", task_id="5").compare(of("a", job_id="9")) is Match.SAME
    assert of("Clip").compare(of("Cable Clip")) is Match.DIFFERENT
    assert of("A").compare(of()) is Match.UNKNOWN


def test_plates_decide_after_names() -> None:
    seven, six = of("K", "/x/plate_7.gcode"), of("K", "/x/plate_6.gcode")
    assert seven.compare(six) is Match.DIFFERENT
    assert seven.compare(of("K")) is Match.SAME


def test_it_survives_storing() -> None:
    job = Identity.of(cloud())
    assert Identity.restored(job.stored()) == job
    assert "lan_task_id" not in job.stored()
