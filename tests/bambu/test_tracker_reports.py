"""Whatever reports look like: the scenarios 22 to 32, by their numbers."""

from __future__ import annotations

from tests.bambu.story import (
    KIOSK,
    cloud,
    idle_at,
    printing_cloud,
)


def test_22_a_partial_frame_before_the_full_report_decides_nothing() -> None:
    story = printing_cloud()
    story.connect(120)
    story.delta(121, nozzle_temper=220)
    story.delta(122, gcode_state="FINISH")
    story.full(123, "RUNNING", mc_percent=61, **cloud())
    story.wait(200)
    assert story.decided == []
    story.full(400, "FINISH", mc_percent=100, **cloud())
    assert (story.only.outcome, story.only.evidence) == ("success", "observed")


def test_23_replies_to_commands_are_no_state() -> None:
    story = idle_at()
    story.ack(2, "project_file", subtask_name="X", gcode_state="FINISH", param="plate_2.gcode")
    story.say(3, {"command": "gcode_line", "result": "success", "gcode_state": "RUNNING"})
    story.delta(4, wifi_signal="-40dBm")
    story.wait(700)
    assert story.decided == []
    assert story.tracker.memory.run is None


def test_24_the_name_may_come_after_the_state() -> None:
    story = idle_at()
    story.delta(2, gcode_state="RUNNING", **KIOSK)
    story.delta(600, gcode_state="FINISH")
    story.delta(700, gcode_state="PREPARE")
    story.delta(702, subtask_name="gears_plate_2", gcode_file="gears_plate_2.3mf")
    story.delta(760, gcode_state="RUNNING")
    story.delta(1_200, gcode_state="FINISH")
    assert [d.identity.stem for d in story.decided] == ["kiosk_plates_plate_7", "gears_plate_2"]
    assert story.outcomes == ["success", "success"]


def test_24_the_name_may_come_while_it_runs() -> None:
    story = idle_at()
    story.delta(2, gcode_state="RUNNING", **KIOSK)
    story.delta(600, gcode_state="FINISH")
    story.delta(700, gcode_state="RUNNING", mc_percent=0)
    story.delta(702, subtask_name="gears_plate_2", gcode_file="gears_plate_2.3mf")
    story.delta(1_200, gcode_state="FINISH", mc_percent=100)
    assert [d.identity.stem for d in story.decided] == ["kiosk_plates_plate_7", "gears_plate_2"]


def test_24_the_name_may_come_in_the_first_report_after_a_break() -> None:
    story = idle_at()
    story.delta(2, gcode_state="RUNNING", subtask_name="old", gcode_file="old.3mf")
    story.connect(10)
    story.full(12, "RUNNING", **KIOSK)
    story.delta(500, gcode_state="FINISH")
    assert story.only.identity.stem == "kiosk_plates_plate_7"


def test_25_a_print_without_a_name_is_kept_and_marked() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING")
    story.delta(500, gcode_state="FINISH", mc_percent=100)
    assert (story.only.outcome, story.only.identity.filename) == ("success", None)
    assert "unnamed" in story.only.progress["anomalies"]


def test_26_calibrations_are_not_production() -> None:
    story = idle_at()
    path = "/usr/etc/print/auto_cali_for_user.gcode"
    story.delta(5, gcode_state="RUNNING", gcode_file=path, print_type="system")
    story.delta(300, gcode_state="FINISH")
    assert (story.only.outcome, story.only.identity.stem) == ("ignored", "auto_cali_for_user")


def test_26_a_print_right_after_a_calibration_is_production() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", print_type="system", **KIOSK)
    story.delta(7, print_type="local")
    story.delta(500, gcode_state="FINISH", print_type="idle", mc_percent=100)
    assert story.outcomes == ["success"]


def test_27_skipped_objects_survive_a_restart_and_a_printer_that_forgets() -> None:
    story = printing_cloud()
    story.full(110, "RUNNING", mc_percent=61, s_obj=[12, "15"], **cloud())
    story.restart(120)
    story.full(121, "RUNNING", mc_percent=62, s_obj=[12, 15], **cloud())
    story.full(130, "RUNNING", mc_percent=63, s_obj=[12, 15, 99], **cloud())
    story.full(300, "FINISH", mc_percent=100, s_obj=[], **cloud())
    assert story.only.skipped == (12, 15, 99)


def test_27_skipped_objects_of_the_last_print_are_not_skipped_in_this_one() -> None:
    story = printing_cloud()
    story.full(110, "RUNNING", mc_percent=61, s_obj=[12], **cloud())
    story.full(300, "FINISH", mc_percent=100, s_obj=[12], **cloud())
    story.full(400, "PREPARE", s_obj=[12], **cloud(job=2))
    story.full(460, "RUNNING", s_obj=[12], **cloud(job=2))
    story.full(470, "RUNNING", s_obj=[], **cloud(job=2))
    story.full(480, "RUNNING", s_obj=[7], **cloud(job=2))
    story.full(900, "FINISH", mc_percent=100, s_obj=[7], **cloud(job=2))
    assert [d.skipped for d in story.decided] == [(12,), (7,)]


def test_27_objects_skipped_while_the_bridge_was_down() -> None:
    story = printing_cloud()
    story.restart(200)
    story.full(900, "FINISH", mc_percent=100, s_obj=[3], **cloud())
    assert story.only.skipped == (3,)


def test_31_two_projects_with_the_same_plate_file_are_two_jobs() -> None:
    story = idle_at()
    for number, name in enumerate(("Kiosk", "Planter")):
        at = 10 + number * 1_000
        story.full(at, "RUNNING", **cloud(name, 1, job=0))
        story.full(at + 900, "FINISH", mc_percent=100, **cloud(name, 1, job=0))
    assert [d.identity.filename for d in story.decided] == ["Kiosk", "Planter"]
    assert {d.identity.plate for d in story.decided} == {1}


def test_32_plates_of_one_project_differ_also_without_ids() -> None:
    story = idle_at()
    story.full(10, "RUNNING", mc_percent=1, **cloud("Kiosk", 6, job=0))
    story.full(100, "RUNNING", mc_percent=50, **cloud("Kiosk", 6, job=0))
    story.connect(2_000)
    story.full(2_001, "RUNNING", mc_percent=60, **cloud("Kiosk", 7, job=0))
    story.full(3_000, "FINISH", mc_percent=100, **cloud("Kiosk", 7, job=0))
    assert [(d.outcome, d.identity.plate) for d in story.decided] == [
        ("unknown", 6),
        ("success", 7),
    ]


def test_the_plate_of_an_overheard_order() -> None:
    story = idle_at()
    story.ack(2, "project_file", param="Metadata/plate_3.gcode", subtask_name="Gears")
    story.delta(5, gcode_state="PREPARE", subtask_name="Gears", gcode_file="Gears.3mf")
    story.delta(60, gcode_state="RUNNING")
    story.delta(900, gcode_state="FINISH", mc_percent=100, gcode_file="")
    assert story.only.identity.plate == 3
    assert story.only.progress["dispatch_seen"] is True


def test_the_order_of_another_job_gives_no_plate() -> None:
    story = idle_at()
    story.ack(2, "project_file", param="Metadata/plate_3.gcode", subtask_name="Other")
    story.delta(5, gcode_state="RUNNING", subtask_name="Gears", gcode_file="Gears.3mf")
    story.delta(900, gcode_state="FINISH", mc_percent=100)
    assert story.only.identity.plate is None
    assert story.only.progress["dispatch_seen"] is False


def test_states_nobody_knows_change_nothing() -> None:
    story = printing_cloud()
    story.full(120, "INIT", **cloud())
    story.full(130, "OFFLINE", **cloud())
    story.full(140, "RUNNING", mc_percent=61, **cloud())
    story.full(300, "FINISH", mc_percent=100, **cloud())
    assert story.outcomes == ["success"]
