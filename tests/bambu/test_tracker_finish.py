"""What counts as a finished print: the scenarios 1 to 12 and 18 to 21, by their numbers."""

from __future__ import annotations

import itertools

from tests.bambu.story import (
    DAY,
    EPOCH,
    KIOSK,
    Story,
    cloud,
    idle_at,
    printing_cloud,
)


def test_01_a_p1_print_told_in_deltas_is_one_success() -> None:
    story = idle_at()
    story.delta(10, gcode_state="PREPARE", **KIOSK)
    story.delta(60, gcode_state="RUNNING", print_type="local")
    story.delta(200, mc_percent=100, layer_num=100)
    assert story.decided == []
    story.delta(260, gcode_state="FINISH", print_type="idle", gcode_file="")
    story.delta(261, wifi_signal="-50dBm")
    done = story.only
    assert (done.outcome, done.evidence) == ("success", "observed")
    assert (done.identity.filename, done.identity.plate) == ("kiosk_plates_plate_7.3mf", 7)
    assert (done.started_at, done.finished_at) == (EPOCH + 10, EPOCH + 260)


def test_02_finish_repeated_a_hundred_times_counts_once() -> None:
    story = printing_cloud()
    for second in range(100):
        story.full(300 + second, "FINISH", mc_percent=100, **cloud())
    assert story.outcomes == ["success"]


def test_03_restarts_while_finish_is_shown_count_nothing() -> None:
    story = printing_cloud()
    story.full(300, "FINISH", mc_percent=100, **cloud())
    for at in (400, 4_000, 40_000):
        story.restart(at)
        story.connect(at + 1)
        story.full(at + 2, "FINISH", mc_percent=100, **cloud())
        story.wait(at + 700)
    assert story.outcomes == ["success"]


def test_04_a_restart_in_the_middle_keeps_the_run() -> None:
    story = printing_cloud()
    uid = story.tracker.memory.run.uid if story.tracker.memory.run else None
    story.restart(150)
    story.connect(160)
    story.full(161, "RUNNING", mc_percent=70, **cloud())
    story.full(300, "FINISH", mc_percent=100, **cloud())
    assert story.only.uid == uid
    assert (story.only.evidence, story.only.started_at) == ("observed", EPOCH + 5)


def test_05_a_finish_missed_while_down_is_recovered() -> None:
    story = printing_cloud()
    story.restart(5_000)
    story.connect(5_000)
    story.full(5_001, "FINISH", mc_percent=100, **cloud())
    assert (story.only.outcome, story.only.evidence) == ("success", "recovered")
    assert (story.only.finished_not_before, story.only.finished_at) == (EPOCH + 100, EPOCH + 5_001)


def test_06_another_job_runs_after_the_gap() -> None:
    story = printing_cloud(job=1)
    story.connect(9_000)
    story.full(9_001, "RUNNING", mc_percent=5, **cloud(job=2))
    story.full(9_900, "FINISH", mc_percent=100, **cloud(job=2))
    lost, done = story.decided
    assert (lost.outcome, lost.evidence) == ("unknown", "superseded")
    assert lost.progress["suggestion"] == "probably_finished"
    assert (done.outcome, done.evidence, done.started_at) == ("success", "observed", None)
    assert lost.uid != done.uid


def test_07_a_cloud_job_of_the_weekend_is_recovered_by_its_id() -> None:
    story = printing_cloud(job=1)
    story.full(300, "FINISH", mc_percent=100, **cloud(job=1))
    story.restart(2 * DAY)
    story.connect(2 * DAY)
    story.full(2 * DAY + 1, "FINISH", mc_percent=100, **cloud("Gears", 2, job=77))
    assert story.outcomes == ["success"]
    story.wait(2 * DAY + 400)
    unseen = story.decided[1]
    assert (unseen.outcome, unseen.evidence) == ("success", "recovered_unseen")
    assert unseen.key("SERIAL") == "bambu:SERIAL:native:job_id:77"
    assert (unseen.started_at, unseen.finished_not_before) == (None, EPOCH + 300)
    assert [gap.end - gap.start for gap in story.tracker.gaps] == [2 * DAY + 1 - 300]
    story.full(2 * DAY + 500, "FINISH", mc_percent=100, **cloud("Gears", 2, job=77))
    story.restart(2 * DAY + 900)
    story.full(2 * DAY + 1000, "FINISH", mc_percent=100, **cloud("Gears", 2, job=77))
    story.wait(2 * DAY + 2000)
    assert len(story.decided) == 2


def test_08_unseen_without_an_id_is_for_a_person() -> None:
    story = idle_at()
    story.restart(DAY)
    story.connect(DAY)
    story.full(DAY + 1, "FINISH", mc_percent=100, **KIOSK)
    story.wait(DAY + 400)
    assert (story.only.outcome, story.only.evidence) == ("unknown", "recovered_unseen")
    assert story.only.progress["suggestion"] == "probably_finished"


def test_09_the_first_contact_with_a_finished_printer_counts_nothing() -> None:
    story = Story()
    story.connect(0)
    story.full(1, "FINISH", mc_percent=100, **cloud())
    story.wait(1_000)
    story.restart(2_000)
    story.full(2_001, "FINISH", mc_percent=100, **cloud())
    story.wait(4_000)
    assert story.decided == []


def test_10_finish_with_the_next_name_is_not_its_finish() -> None:
    story = idle_at()
    story.full(2, "FINISH", mc_percent=100, layer_num=750, **cloud("Old", 1, 1))
    story.full(5, "FINISH", mc_percent=100, layer_num=750, **cloud("New", 1, 2))
    story.full(8, "RUNNING", layer_num=750, total_layer_num=94, **cloud("New", 1, 2))
    assert story.decided == []
    story.full(900, "FINISH", mc_percent=100, total_layer_num=94, **cloud("New", 1, 2))
    assert (story.only.outcome, story.only.identity.stem) == ("success", "New")


def test_11_finish_that_stays_after_the_dispatch() -> None:
    story = idle_at()
    story.full(2, "FINISH", mc_percent=100, **cloud("Old", 1, 1))
    story.full(5, "PREPARE", **cloud("New", 1, 2))
    for at in range(6, 216, 10):
        story.full(at, "FINISH", mc_percent=100, **cloud("New", 1, 2))
    assert story.decided == []
    story.full(217, "RUNNING", **cloud("New", 1, 2))
    story.full(900, "FINISH", mc_percent=100, **cloud("New", 1, 2))
    assert story.outcomes == ["success"]


def test_11_the_same_right_after_a_blind_window() -> None:
    story = printing_cloud(job=1)
    story.full(300, "FINISH", mc_percent=100, **cloud(job=1))
    story.connect(5_000)
    story.full(5_001, "FINISH", mc_percent=100, **cloud("New", 1, 2))
    story.full(5_200, "RUNNING", **cloud("New", 1, 2))
    story.full(9_000, "FINISH", mc_percent=100, **cloud("New", 1, 2))
    assert [d.identity.stem for d in story.decided] == ["Kiosk", "New"]
    assert story.outcomes == ["success", "success"]


def test_12_the_old_percentage_is_not_the_new_one() -> None:
    story = idle_at()
    story.full(
        2, "FINISH", mc_percent=100, layer_num=750, total_layer_num=750, **cloud("Old", 1, 1)
    )
    story.full(
        *(8, "RUNNING"), mc_percent=100, layer_num=750, total_layer_num=94, **cloud("New", 1, 2)
    )
    story.full(60, "RUNNING", mc_percent=3, layer_num=2, total_layer_num=94, **cloud("New", 1, 2))
    story.full(70, "FAILED", mc_percent=3, **cloud("New", 1, 2))
    story.wait(100)
    assert (story.only.progress["percent"], story.only.progress["layer"]) == (3, 2)


def test_18_pause_and_resume_do_not_split_a_print() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(50, gcode_state="PAUSE", print_error=0x07008011)
    story.delta(90, gcode_state="RUNNING", print_error=0)
    story.delta(200, gcode_state="FINISH")
    assert (story.only.outcome, story.only.progress["paused_s"]) == ("success", 40)


def test_19_a_pause_across_a_restart() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(50, gcode_state="PAUSE")
    story.restart(1_000)
    story.full(1_001, "PAUSE", **KIOSK)
    story.delta(1_050, gcode_state="RUNNING")
    story.delta(1_200, gcode_state="FINISH")
    assert (story.only.outcome, story.only.progress["paused_s"]) == ("success", 1_000)


def test_20_a_reprint_with_the_same_name_and_ids_counts_again() -> None:
    story = printing_cloud()
    story.full(300, "FINISH", mc_percent=100, **cloud())
    story.full(400, "RUNNING", **cloud())
    story.full(900, "FINISH", mc_percent=100, **cloud())
    assert story.outcomes == ["success", "success"]
    assert len({decision.key("S") for decision in story.decided}) == 2


def test_21_a_hundred_repeats_of_one_plate_are_a_hundred() -> None:
    story = idle_at()
    for number in range(100):
        at = 10 + number * 1_000
        story.delta(at, gcode_state="PREPARE", mc_percent=0, **KIOSK)
        story.delta(at + 60, gcode_state="RUNNING")
        story.delta(at + 900, gcode_state="FINISH", mc_percent=100)
    assert story.outcomes == ["success"] * 100
    ends = [(d.started_at or 0, d.finished_at) for d in story.decided]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(ends))
