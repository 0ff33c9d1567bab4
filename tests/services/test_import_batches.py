"""How `takt order import` cuts a file into calls."""

from __future__ import annotations

from cli.order import batches


def test_the_lines_of_one_order_come_in_one_call() -> None:
    rows = [(n, {"order_number": f"#{n}"}) for n in range(1, 11)]
    rows += [(11, {"order_number": "3"}), (12, {"order_number": "#10", "channel": "b"})]
    calls = list(batches(rows, 4))
    assert sorted(number for call in calls for number, _ in call) == list(range(1, 13))
    assert [sorted(number for number, _ in call) for call in calls] == [
        [1, 2, 3, 11],
        [4, 5, 6, 7],
        [8, 9, 10, 12],
    ]


def test_an_order_longer_than_a_call_is_not_cut() -> None:
    rows = [(n, {"external_order_id": "77"}) for n in range(1, 8)]
    assert [len(call) for call in batches(rows, 3)] == [7]


def test_rows_without_a_number_stand_alone() -> None:
    rows = [(n, {"product_title": "Cake"}) for n in range(1, 6)]
    assert [len(call) for call in batches(rows, 2)] == [2, 2, 1]
