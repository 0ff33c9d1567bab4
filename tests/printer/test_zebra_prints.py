"""What comes out of a Zebra, when, how often, and what its counter says about it."""

from __future__ import annotations

import pytest

from tests.printer.bench import Bench, label

TEN = b"".join(label(f"S{n}") for n in range(1, 11))
NO_REPRINT = b"^XA^JZN^XZ"


def test_labels_come_out_one_after_the_other_and_are_counted() -> None:
    bench = Bench.make()
    bench.send(label("A", "^PQ2") + label("B"))
    seen = []
    for _ in range(4):
        seen.append((bench.serials, bench.odometer))
        bench.wait(1)
    assert seen == [
        ([], 1000),
        (["A"], 1001),
        (["A", "A"], 1002),
        (["A", "A", "B"], 1003),
    ]
    assert [paper.copy for paper in bench.zebra.paper.labels] == [1, 2, 1]
    assert [paper.n for paper in bench.zebra.paper.labels] == [1, 2, 3]


@pytest.mark.parametrize("more", ["^PQ0", "^PQ", "^PQx", ""])
def test_a_senseless_quantity_is_one(more: str) -> None:
    bench = Bench.make()
    bench.send(label("A", more))
    bench.wait(5)
    assert bench.serials == ["A"]


def test_the_last_quantity_counts_and_groups_pause() -> None:
    bench = Bench.make()
    bench.send(label("A", "^PQ9^PQ4,2,0,N"))
    bench.wait(9)
    assert bench.serials == ["A", "A"]
    bench.send(b"~PS")
    bench.wait(9)
    assert bench.serials == ["A"] * 4
    bench.send(label("B", "^PQ4,2,0,Y"))
    bench.wait(9)
    assert bench.serials[4:] == ["B"] * 4


def test_formats_that_draw_nothing_use_no_paper() -> None:
    bench = Bench.make()
    bench.send(b"^XA^XZ" + NO_REPRINT + b"^XA^PW800^LL400^XZ" + b"^XA^DFR:X.ZPL^FDstored^FS^XZ")
    bench.wait(5)
    assert (bench.serials, bench.odometer) == ([], 1000)


def test_the_paper_knows_its_size_and_the_plain_data() -> None:
    bench = Bench.make(width_mm=100.0, height_mm=60.0)
    bench.send(b"^XA^PW400^LL240^FO1,1^A0N,30^FH_^FDZo_C3_AB _5E_7E^FS^BQN,2,4^FDMA,Q,1^FS^XZ")
    bench.wait(1)
    (paper,) = bench.zebra.paper.labels
    assert (paper.width_mm, paper.height_mm, paper.dots_per_mm) == (50.0, 30.0, 8)
    assert paper.texts == ["Zoë ^~", "Q,1"]


# -- faults of the mechanics ----------------------------------------------------------------------


def test_the_roll_ends_between_two_labels() -> None:
    # Scenario 8: paper out at label 4 of 10, changed with power on: exactly ten, none twice.
    bench = Bench.make()
    bench.strike("paper_out", after_labels=3)
    bench.send(NO_REPRINT + TEN)
    bench.wait(20)
    assert (bench.serials, bench.odometer) == (["S1", "S2", "S3"], 1003)
    bench.zebra.load()
    bench.wait(20)
    assert bench.serials == [f"S{n}" for n in range(1, 11)]
    assert bench.odometer == 1010


@pytest.mark.parametrize("fault", ["paper_out", "ribbon_out", "head_open"])
def test_reprint_after_error_makes_a_real_second_label(fault: str) -> None:
    bench = Bench.make()  # ^JZY at every power-up
    bench.strike(fault, after_labels=1, mid_label=True)
    bench.send(label("A") + label("B") + label("C"))
    bench.wait(9)
    assert bench.serials == ["A", "½B"]
    bench.zebra.clear()
    bench.wait(9)
    assert (bench.serials, bench.odometer) == (["A", "½B", "B", "C"], 1004)


@pytest.mark.parametrize("fault", ["paper_out", "ribbon_out", "head_open"])
def test_without_reprint_after_error_there_is_only_the_spoiled_one(fault: str) -> None:
    bench = Bench.make()
    bench.strike(fault, after_labels=1, mid_label=True)
    bench.send(NO_REPRINT + label("A") + label("B") + label("C"))
    bench.wait(9)
    bench.zebra.clear()
    bench.wait(9)
    assert (bench.serials, bench.odometer) == (["A", "½B", "C"], 1003)


def test_reprint_is_decided_by_what_held_when_the_format_came() -> None:
    bench = Bench.make()
    bench.strike("head_open", after_labels=1)
    bench.send(NO_REPRINT + label("A") + label("B") + b"^XA^JZY^XZ")
    bench.wait(9)
    bench.zebra.clear()
    bench.wait(9)
    assert bench.serials == ["A", "½B"]


def test_power_up_switches_reprint_on_again() -> None:
    bench = Bench.make()
    bench.send(NO_REPRINT)
    bench.zebra.power_cycle()
    bench.strike("head_open", after_labels=1)
    bench.send(label("A") + label("B"))
    bench.wait(9)
    bench.zebra.clear()
    bench.wait(9)
    assert bench.serials == ["A", "½B", "B"]


def test_a_lid_that_is_opened_now_spoils_the_label_in_motion() -> None:
    bench = Bench.make()
    bench.send(label("A", "^PQ2"))
    bench.wait(1.5)
    bench.strike("head_open")
    assert bench.serials == ["A", "½A"]
    bench.wait(60)
    bench.zebra.clear()
    bench.wait(5)
    assert bench.serials == ["A", "½A", "A"]


def test_a_fault_that_must_spoil_a_label_waits_for_the_next_one() -> None:
    bench = Bench.make()
    bench.strike("paper_out", mid_label=True)
    assert bench.send(b"~HS") != b""
    bench.send(label("A") + label("B"))
    bench.wait(9)
    assert bench.serials == ["½A"]
    bench.zebra.load()
    bench.wait(9)
    assert bench.serials == ["½A", "A", "B"]


@pytest.mark.parametrize("fault", ["paused", "over_temp", "paper_out"])
def test_other_faults_wait_for_the_end_of_the_label(fault: str) -> None:
    bench = Bench.make()
    bench.send(label("A") + label("B"))
    bench.wait(0.5)
    bench.strike(fault)
    bench.wait(9)
    assert bench.serials == ["A"]
    bench.zebra.clear()
    bench.wait(9)
    assert bench.serials == ["A", "B"]


def test_faults_by_time_and_for_a_time() -> None:
    bench = Bench.make()
    bench.strike("paused", after_s=2.5, lasts_s=10)
    bench.send(TEN)
    bench.wait(9)
    assert len(bench.serials) == 3
    bench.wait(9)
    assert len(bench.serials) == 8
    assert b"1 00000000 00010000" not in bench.send(b"~HQES")


def test_a_planned_fault_can_be_called_off() -> None:
    bench = Bench.make()
    bench.strike("paper_out", after_labels=2)
    bench.zebra.clear()
    bench.send(TEN)
    bench.wait(20)
    assert len(bench.serials) == 10


def test_a_roll_has_an_end() -> None:
    bench = Bench.make()
    bench.zebra.load(4)
    bench.send(TEN)
    bench.wait(20)
    assert len(bench.serials) == 4
    assert b"00000001" in bench.send(b"~HQES")
    bench.zebra.load(100)
    bench.wait(20)
    assert len(bench.serials) == 10
