"""Cancelled, failed, gone: the scenarios 13 to 17, by their numbers."""

from __future__ import annotations

from tests.bambu.story import (
    CANCEL,
    EPOCH,
    KIOSK,
    NOZZLE,
    cloud,
    idle_at,
    printing_cloud,
)


def test_13_p1_cancel_tells_the_code_before_the_state() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(60, print_error=CANCEL)
    story.delta(62, print_error=0)
    story.delta(63, gcode_state="FAILED")
    assert (story.only.outcome, story.only.reason) == ("cancelled", "cancelled by code 0300-400C")


def test_14_p2s_cancel_tells_the_code_after_the_state() -> None:
    story = printing_cloud()
    story.full(200, "FAILED", **cloud())
    assert story.decided == []
    story.full(204.6, "FAILED", print_error=CANCEL, **cloud())
    assert (story.only.outcome, story.only.finished_at) == ("cancelled", EPOCH + 200)


def test_14_h2c_keeps_the_code_in_fail_reason() -> None:
    story = printing_cloud()
    story.full(200, "FAILED", fail_reason=str(CANCEL), mc_print_error_code="16396", **cloud())
    assert story.outcomes == ["cancelled"]


def test_14_the_code_of_the_cancelled_job_does_not_stick_to_the_next() -> None:
    story = printing_cloud(job=1)
    story.full(200, "FAILED", fail_reason=str(CANCEL), **cloud(job=1))
    story.full(300, "RUNNING", fail_reason=str(CANCEL), **cloud(job=2))
    story.full(400, "FAILED", fail_reason=str(CANCEL), **cloud(job=2))
    story.wait(420)
    assert story.outcomes == ["cancelled", "failed"]


def test_15_p1p_cancel_goes_straight_to_idle() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.delta(60, print_error=CANCEL)
    story.delta(61, print_error=0, gcode_state="IDLE", gcode_file="", subtask_name="")
    assert story.outcomes == ["cancelled"]


def test_15_a_stop_command_that_was_overheard() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.ack(60, "stop")
    story.delta(75, gcode_state="FAILED")
    assert (story.only.outcome, story.only.reason) == ("cancelled", "stopped by a command")


def test_15_a_refused_stop_command_is_none() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", **KIOSK)
    story.ack(60, "stop", "fail")
    story.delta(75, gcode_state="FAILED")
    story.wait(100)
    assert story.outcomes == ["failed"]


def test_16_idle_without_a_word_is_unknown() -> None:
    story = idle_at()
    story.delta(5, gcode_state="RUNNING", mc_percent=40, **KIOSK)
    story.delta(60, gcode_state="IDLE", gcode_file="", subtask_name="")
    assert story.decided == []
    story.wait(90)
    assert (story.only.outcome, story.only.identity.stem) == ("unknown", "kiosk_plates_plate_7")
    assert story.only.progress["suggestion"] is None


def test_17_prepare_that_fails_says_why() -> None:
    story = idle_at()
    story.delta(5, gcode_state="PREPARE", **KIOSK)
    story.delta(20, gcode_state="FAILED", print_error=NOZZLE)
    story.wait(40)
    assert story.only.outcome == "failed"
    assert story.only.reason == "failed: 0500-803C The nozzle does not fit the file."
    assert story.only.error["code"] == "0500-803C"


def test_a_new_print_during_the_grace_ends_the_old_one_first() -> None:
    story = printing_cloud(job=1)
    story.full(200, "FAILED", **cloud(job=1))
    story.full(205, "PREPARE", **cloud(job=2))
    assert story.outcomes == ["failed"]
    story.full(260, "RUNNING", **cloud(job=2))
    story.full(900, "FINISH", mc_percent=100, **cloud(job=2))
    assert story.outcomes == ["failed", "success"]


def test_a_restart_in_the_grace_still_decides() -> None:
    story = printing_cloud()
    story.full(200, "FAILED", **cloud())
    story.restart(203)
    story.wait(230)
    assert story.outcomes == ["failed"]
    story.connect(240)
    story.full(241, "FAILED", **cloud())
    story.wait(300)
    assert story.outcomes == ["failed"]


def test_messages_of_noise_are_no_reason() -> None:
    story = printing_cloud()
    story.full(150, "RUNNING", mc_percent=61, print_error=0x05008030, **cloud())
    story.full(200, "FAILED", **cloud())
    story.wait(220)
    assert story.only.reason == "failed without a code"
