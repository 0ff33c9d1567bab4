"""The judge of the fault run must see what it is there for."""

from __future__ import annotations

import pytest

from bench.faults.truth import Claimed, Sheet, judge

_KINDS = ("silent duplicate", "silent loss", "silent half", "unrecorded")


def found(sheet: Sheet, claim: Claimed) -> list[str]:
    """The kinds of violations of one serial."""
    violations = judge({"SN1": sheet}, {"SN1": claim}).violations
    return sorted({kind for kind in _KINDS for violation in violations if kind in violation})


@pytest.mark.parametrize(
    ("sheet", "claim"),
    [
        (Sheet(whole=1), Claimed(wanted=1, recorded=1)),
        (Sheet(whole=3), Claimed(wanted=3, recorded=3)),
        (Sheet(), Claimed(wanted=1, is_void=True)),
        (Sheet(), Claimed(wanted=1, is_over=False)),
        (Sheet(whole=1, half=1), Claimed(wanted=1, approved=1, recorded=2)),
        (Sheet(whole=2), Claimed(wanted=1, recorded=1, extra=1)),
        (Sheet(whole=1, half=1), Claimed(wanted=1, recorded=1, was_doubted=True)),
        (Sheet(whole=2, half=1), Claimed(wanted=2, recorded=2, extra=1)),
        (Sheet(half=1), Claimed(wanted=1, is_over=False)),
    ],
)
def test_a_true_record_is_not_accused(sheet: Sheet, claim: Claimed) -> None:
    assert found(sheet, claim) == []


@pytest.mark.parametrize(
    ("sheet", "claim", "kind"),
    [
        (Sheet(whole=2), Claimed(wanted=1, recorded=2), "silent duplicate"),
        (Sheet(whole=2), Claimed(wanted=1, approved=1, recorded=1), "unrecorded"),
        (Sheet(), Claimed(wanted=1, recorded=1), "silent loss"),
        (Sheet(), Claimed(wanted=1), "silent loss"),
        (Sheet(half=1), Claimed(wanted=1, recorded=1), "silent loss"),
        (Sheet(whole=1), Claimed(wanted=1, is_void=True), "unrecorded"),
        (Sheet(whole=1, half=1), Claimed(wanted=1, recorded=1), "silent half"),
    ],
)
def test_a_wrong_record_is_found(sheet: Sheet, claim: Claimed, kind: str) -> None:
    assert kind in found(sheet, claim)


def test_paper_that_nobody_asked_for_is_found() -> None:
    assert "from nowhere" in judge({"SN9": Sheet(whole=1)}, {}).violations[0]
