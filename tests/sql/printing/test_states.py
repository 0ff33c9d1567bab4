"""The matrix of the states: every pair by plain SQL, and a random walk through all the calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.local.postgres import SUPERUSER
from tests.support.databases import Clone
from tests.support.printing import (
    STATES,
    Row,
    add_printer,
    bring,
    route,
)

# Written from the brief, not read from the database.
MATRIX = {
    "queued": {"claimed", "held", "cancelled", "expired"},
    "held": {"queued", "cancelled"},
    "claimed": {"queued", "sending", "failed"},
    "sending": {"queued", "sent", "unknown"},
    "sent": {"printed", "unknown"},
    "unknown": {"printed", "queued", "failed"},
    "printed": set(),
    "failed": set(),
    "cancelled": set(),
    "expired": set(),
}
PAIRS = [(old, new) for old in STATES for new in STATES if old != new]


@pytest.fixture(scope="module")
def plant(module_clone: Clone) -> Iterator[tuple[psycopg.Connection, dict[str, int]]]:
    """One job in each state, each on a printer of its own."""
    with module_clone.connect() as db:
        jobs = {}
        for state in reversed(STATES):  # expired first: it takes a strike of the clock
            add_printer(db, f"prn-{state}")
            route(db, f"prn-{state}")
            jobs[state] = bring(db, state, f"SKU-{state}")["job_id"]
        yield db, jobs


# What else a row in that state must have, so that nothing but the matrix can refuse it.
_FITTING = (
    "update public.print_jobs set state = %(new)s::public.print_job_state, lease_until = case when"
    " %(new)s::text in"
    " ('claimed', 'sending', 'sent') then now() end, sending_at = now(), evidence_before = '{}'"
    " where id = %(id)s"
)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_matrix_holds_for_plain_sql(
    module_clone: Clone,
    plant: tuple[psycopg.Connection, dict[str, int]],
    old: str,
    new: str,
) -> None:
    _, jobs = plant
    with module_clone.connect(SUPERUSER) as db:
        said = refused(db, _FITTING, {"new": new, "id": jobs[old]})
    assert said == (None if new in MATRIX[old] else "print.illegal_move")


def refused(db: psycopg.Connection, statement: str, values: Row) -> str | None:
    """The code of the refusal; None when it was let through (and rolled back)."""
    try:
        with db.transaction(force_rollback=True):
            db.execute(statement.encode(), values)
    except psycopg.Error as error:
        return error.diag.message_hint or str(error)
    return None


def test_a_job_is_born_waiting(plant: tuple[psycopg.Connection, dict[str, int]]) -> None:
    db, jobs = plant
    columns = (
        "site, printer, label_type, version_id, subject, language, dpi, payload_sha256, expires_at"
    )
    statement = (
        f"insert into public.print_jobs ({columns}, state, lease_until, sending_at,"
        f" evidence_before) select {columns}, %(state)s::public.print_job_state, case when"
        " %(state)s::text in ('claimed', 'sending', 'sent') then now() end, now(), '{}'"
        " from public.print_jobs where id = %(id)s"
    )
    for state in STATES:
        said = refused(db, statement, {"state": state, "id": jobs["queued"]})
        assert said == (None if state == "queued" else "print.illegal_move")


@pytest.mark.parametrize(
    "statement",
    ["update {} set reason = 'x'", "delete from {}", "truncate {}"],
)
@pytest.mark.parametrize("login", ["postgres", SUPERUSER])
def test_nobody_rewrites_the_history(
    module_clone: Clone, plant: Any, login: str, statement: str
) -> None:
    with module_clone.connect(login) as db:
        said = refused(db, statement.format("public.print_job_events"), {})
    assert said == "events.append_only"


def test_two_jobs_are_never_in_flight_on_one_printer(
    plant: tuple[psycopg.Connection, dict[str, int]],
) -> None:
    db, jobs = plant
    with pytest.raises(psycopg.errors.UniqueViolation) as violated, db.transaction():
        db.execute(
            "update public.print_jobs set printer = 'prn-sent' where id = %s", (jobs["sending"],)
        )
    assert violated.value.diag.constraint_name == "print_jobs_in_flight_key"
