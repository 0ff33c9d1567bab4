"""Power cuts, clocks, blind windows: the scenarios 49 to 54, by their numbers."""

from __future__ import annotations

import itertools

from tests.bambu.story import (
    DAY,
    EPOCH,
    KIOSK,
    cloud,
    idle_at,
    printing_cloud,
)


def test_49_power_cut_and_resume_is_one_print() -> None:
    story = printing_cloud()
    story.connect(800)
    story.full(801, "PAUSE", mc_percent=60, **cloud())
    story.full(900, "RUNNING", mc_percent=60, **cloud())
    story.full(1_500, "FINISH", mc_percent=100, **cloud())
    assert story.outcomes == ["success"]


def test_49_power_cut_and_an_empty_printer_is_unknown() -> None:
    story = printing_cloud()
    story.connect(800)
    story.full(801, "IDLE")
    story.wait(830)
    assert (story.only.outcome, story.only.evidence) == ("unknown", "lost")
    assert story.only.finished_not_before == EPOCH + 100


def test_50_a_ghost_print_is_its_own_run_and_not_dispatched() -> None:
    story = printing_cloud(job=1)
    story.full(300, "FINISH", mc_percent=100, **cloud(job=1))
    story.connect(500)
    story.full(501, "RUNNING", subtask_name="left_on_the_card", gcode_file="left_on_the_card.3mf")
    story.full(900, "FINISH", mc_percent=100, subtask_name="left_on_the_card")
    ghost = story.decided[1]
    assert (ghost.outcome, ghost.started_at) == ("success", None)
    assert ghost.progress["dispatch_seen"] is False


def test_52_a_clock_that_jumps_back_bends_no_interval() -> None:
    story = idle_at()
    story.delta(10, gcode_state="RUNNING", **KIOSK)
    story.delta(1_000, gcode_state="FINISH", mc_percent=100)
    story.delta(2_000, gcode_state="RUNNING", mc_percent=0)
    story.wall_offset = -3_600.0
    story.delta(3_000, gcode_state="FINISH", mc_percent=100)
    story.delta(4_000, gcode_state="RUNNING", mc_percent=0)
    story.delta(4_500, gcode_state="FINISH", mc_percent=100)
    spans = [(d.started_at or 0, d.finished_at) for d in story.decided]
    assert [end - start for start, end in spans] == [990, 1_000, 500]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_52_a_clock_that_is_set_forward_makes_no_long_print() -> None:
    story = idle_at()
    story.delta(10, gcode_state="RUNNING", **KIOSK)
    story.wall_offset = 20 * 365 * DAY
    story.delta(1_000, gcode_state="FINISH", mc_percent=100)
    assert story.only.finished_at - (story.only.started_at or 0) == 990


def test_53_a_finish_at_85_percent_counts_and_is_marked() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(500, mc_percent=85)
    story.delta(600, gcode_state="FINISH")
    assert story.only.outcome == "success"
    assert story.only.progress["anomalies"] == ["finish_below_100"]


def test_54_a_print_of_seconds_is_marked() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(35, gcode_state="FINISH", mc_percent=100)
    assert story.only.progress["anomalies"] == ["short_run"]


def test_never_running_then_finish_for_long_is_unknown() -> None:
    story = printing_cloud(job=1)
    story.full(300, "FINISH", mc_percent=100, **cloud(job=1))
    story.full(400, "PREPARE", **cloud(job=2))
    story.connect(5_000)
    story.full(5_001, "FINISH", mc_percent=100, **cloud(job=2))
    assert story.outcomes == ["success", "unknown"]
    story.connect(9_000)
    story.full(9_001, "FINISH", mc_percent=100, **cloud(job=2))
    story.wait(10_000)
    assert len(story.decided) == 2


def test_a_try_again_of_a_failed_cloud_job_that_nobody_saw() -> None:
    story = printing_cloud(job=1)
    story.full(200, "FAILED", **cloud(job=1))
    story.wait(220)
    story.connect(DAY)
    story.full(DAY + 1, "FINISH", mc_percent=100, **cloud(job=1))
    story.wait(DAY + 400)
    assert story.outcomes == ["failed", "success"]
    assert story.decided[1].evidence == "recovered_unseen"


def test_a_lost_finish_and_another_finish_while_away() -> None:
    story = printing_cloud(job=1)
    story.connect(DAY)
    story.full(DAY + 1, "FINISH", mc_percent=100, **cloud("Gears", 1, job=2))
    story.wait(DAY + 400)
    assert [(d.outcome, d.evidence) for d in story.decided] == [
        ("unknown", "superseded"),
        ("success", "recovered_unseen"),
    ]


def test_a_short_break_invents_nothing() -> None:
    story = printing_cloud(job=1)
    story.full(300, "FINISH", mc_percent=100, **cloud(job=1))
    story.connect(310)
    story.full(330, "FINISH", mc_percent=100, **cloud("New", 1, job=2))
    story.wait(1_000)
    assert story.outcomes == ["success"]


def test_blind_windows_are_kept() -> None:
    story = idle_at()
    story.connect(60)
    story.full(100, "IDLE")
    story.connect(4_000)
    story.full(4_001, "IDLE")
    assert [(gap.start, gap.end) for gap in story.tracker.gaps] == [(EPOCH + 100, EPOCH + 4_001)]


def test_less_progress_after_a_break_is_another_print_of_the_same_file() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(500, mc_percent=60)
    story.connect(9_000)
    story.full(9_001, "RUNNING", mc_percent=5, **KIOSK)
    story.delta(12_000, gcode_state="FINISH", mc_percent=100)
    assert [(d.outcome, d.evidence) for d in story.decided] == [
        ("unknown", "superseded"),
        ("success", "observed"),
    ]


def test_a_little_less_progress_is_the_same_print() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(500, mc_percent=60)
    story.connect(600)
    story.full(601, "RUNNING", mc_percent=56, **KIOSK)
    story.delta(1_200, gcode_state="FINISH", mc_percent=100)
    assert story.outcomes == ["success"]


def test_less_progress_after_silence_is_another_print() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(500, mc_percent=60)
    story.delta(900, mc_percent=3)
    story.delta(2_000, gcode_state="FINISH", mc_percent=100)
    assert story.outcomes == ["unknown", "success"]


def test_a_number_that_flickers_is_no_other_print() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(500, mc_percent=60)
    story.delta(502, mc_percent=0)
    story.delta(504, mc_percent=61)
    story.delta(900, gcode_state="FINISH", mc_percent=100)
    assert story.outcomes == ["success"]


def test_preparing_again_from_zero_is_another_print() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(500, mc_percent=60)
    story.delta(550, gcode_state="PREPARE", mc_percent=0)
    story.delta(600, gcode_state="RUNNING")
    story.delta(900, gcode_state="FINISH", mc_percent=100)
    assert story.outcomes == ["unknown", "success"]


def test_52_a_clock_that_was_days_ahead_is_not_followed() -> None:
    story = idle_at()
    story.wall_offset = 10 * DAY
    story.delta(10, gcode_state="RUNNING", **KIOSK)
    story.delta(1_000, gcode_state="FINISH", mc_percent=100)
    story.wall_offset = 0.0
    story.delta(2_000, gcode_state="RUNNING", mc_percent=0)
    story.delta(3_000, gcode_state="FINISH", mc_percent=100)
    assert story.decided[1].finished_at == EPOCH + 3_000
