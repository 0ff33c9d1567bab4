"""What went into what: any graph, against plain Python."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from tests.support.databases import Clone
from tests.support.rpc import Refused
from tests.support.trace import link

NODES = 9
# (parent, child) with parent < child cannot close a circle; some go in, some come out again.
edges = st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)).filter(
    lambda e: e[0] < e[1]
)
steps = st.lists(st.tuples(st.sampled_from(("in", "in", "in", "out")), edges), max_size=30)


@pytest.fixture(scope="module")
def graph(module_clone: Clone) -> Iterator[psycopg.Connection]:
    with module_clone.connect() as connection:
        yield connection


def traced(db: psycopg.Connection, start: int, *, forward: bool, removed: bool) -> set[int]:
    rows = db.execute(
        "select n.key::integer from public.trace_nodes s,"
        " private.trace(array[s.id], %s, %s) t (node), public.trace_nodes n"
        " where s.key = %s and n.id = t.node",
        (forward, removed, str(start)),
    ).fetchall()
    assert len(rows) == len(set(rows)), "each once, however many ways lead to it"
    return {row[0] for row in rows}


def walk(start: int, ways: set[tuple[int, int]]) -> set[int]:
    found, last = {start}, {start}
    while last:
        last = {child for parent, child in ways if parent in last} - found
        found |= last
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps, data=st.data())
def test_a_trace_finds_what_python_finds(
    graph: psycopg.Connection, steps: list[tuple[str, tuple[int, int]]], data: DataObject
) -> None:
    with graph.transaction(force_rollback=True):
        for number in range(NODES):
            graph.execute("select private.trace_node('box', %s, null)", (str(number),))
        now: set[tuple[int, int]] = set()
        ever: set[tuple[int, int]] = set()
        for what, (parent, child) in steps:
            if what == "in":
                link(graph, "box", str(parent), "box", str(child))
                now.add((parent, child))
                ever.add((parent, child))
            else:
                graph.execute(
                    "select private.unlink('box', %s, 'box', %s)", (str(parent), str(child))
                )
                now.discard((parent, child))
        for removed, ways in ((False, now), (True, ever)):
            start = data.draw(st.integers(0, NODES - 1))
            back = {(child, parent) for parent, child in ways}
            assert traced(graph, start, forward=True, removed=removed) == walk(start, ways)
            assert traced(graph, start, forward=False, removed=removed) == walk(start, back)


def test_quantities_add_up_and_come_out_in_parts(db: psycopg.Connection) -> None:
    edge = ("lot", "L-1", "unit", "2611-GN-00001")

    def state() -> tuple[int, bool]:
        row = db.execute("select quantity::integer, removed_at is not null from public.trace_edges")
        ((quantity, is_out),) = row.fetchall()
        return quantity, is_out

    link(db, *edge, "CELL", quantity=3)
    link(db, *edge, "CELL", quantity=2)
    assert state() == (5, False)
    out = "select private.unlink('lot', 'L-1', 'unit', '2611-GN-00001', %s, 'CELL')"
    db.execute(out, (4,))
    assert state() == (1, False)
    db.execute(out, (None,))
    assert state() == (0, True)
    link(db, *edge, "CELL", quantity=1)
    assert state() == (1, False)


def test_nothing_is_a_part_of_itself(db: psycopg.Connection) -> None:
    link(db, "unit", "A", "unit", "B")
    link(db, "unit", "B", "unit", "C")
    with pytest.raises(Refused) as caught:
        _refusing(db, "unit", "C", "unit", "A")
    assert (caught.value.status, caught.value.code) == (409, "trace.circle")
    with pytest.raises(Refused):
        _refusing(db, "unit", "A", "unit", "A")


def _refusing(db: psycopg.Connection, *edge: str) -> None:
    try:
        link(db, *edge)
    except psycopg.Error as error:
        raise Refused(error) from error
