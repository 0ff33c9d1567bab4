"""A random walk through all the calls, beside an oracle that knows the matrix and the paper."""

from __future__ import annotations

from typing import Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.sql.printing.test_states import MATRIX
from tests.support.databases import Clone
from tests.support.printing import (
    AGENT,
    Row,
    add_printer,
    attempt,
    claim,
    evidence,
    history,
    job,
    labels_of,
    request,
    sweep,
)
from tests.support.rpc import call

PEOPLE: list[tuple[str, Row]] = [
    ("cancel_print", {}),
    ("hold_print", {}),
    ("resume_print", {}),
    ("resume_print", {}),
    ("reprint", {"p_reason": "lost"}),
    ("resolve_print", {"p_outcome": "came_out"}),
    ("resolve_print", {"p_outcome": "did_not_come_out"}),
]


class Paper:
    """What a person would find: an independent printer behind one job at a time."""

    def __init__(self) -> None:
        self.odometer = 100
        self.boot = 1
        self.out: dict[str, int] = {}

    def reading(self, **changes: Any) -> Row:
        return evidence(self.odometer, boot_id=f"boot-{self.boot}", **changes)


class PrintJobs(RuleBasedStateMachine):
    """Any call at any time. The oracle knows the matrix, the paper, and who approved what."""

    db: psycopg.Connection
    number = 0

    def __init__(self) -> None:
        super().__init__()
        self.paper = Paper()
        self.subjects: list[str] = []
        self.approved: dict[str, int] = {}
        self.jobs: dict[int, str] = {}  # id → subject
        self.claim: Row | None = None
        self.begun: set[tuple[int, int]] = set()  # claims whose bytes may go
        self.poured: set[tuple[int, int]] = set()  # claims whose bytes went

    @initialize()
    def start(self) -> None:
        PrintJobs.number += 1
        self.printer = f"walk-{PrintJobs.number}"
        add_printer(self.db, self.printer)

    def attempt(self, who: str, rpc: str, **arguments: Any) -> Row | None:
        status, answer = attempt(self.db, who, rpc, **arguments)
        assert status in (200, 403, 404, 409, 412), (status, answer)
        return dict(answer) if status == 200 else None

    def mine(self, rpc: str, taken: Row, **more: Any) -> Row | None:
        return self.attempt(AGENT, rpc, p_job_id=taken["job_id"], p_fence=taken["fence"], **more)

    @property
    def key(self) -> tuple[int, int]:
        assert self.claim
        return self.claim["job_id"], self.claim["fence"]

    # People

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        again = bool(self.subjects) and data.draw(st.booleans())
        subject = (
            data.draw(st.sampled_from(self.subjects))
            if again
            else f"{self.printer}-{len(self.subjects)}"
        )
        answer = request(self.db, subject, p_printer=self.printer)
        if subject not in self.subjects:
            self.subjects.append(subject)
            self.approved[subject] = 1
        elif answer["changed"]:
            # Only what is void is made again; a person may have said so without looking.
            self.approved[subject] += 1
        self.jobs[answer["job"]["id"]] = subject

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), rpc=st.sampled_from(PEOPLE))
    def person(self, data: st.DataObject, rpc: tuple[str, Row]) -> None:
        """Mostly about a job that is still open."""
        is_open = [n for n in sorted(self.jobs) if MATRIX[job(self.db, n)["state"]]]
        job_id = data.draw(st.sampled_from(is_open or sorted(self.jobs)))
        answer = self.attempt("supervisor", rpc[0], p_job_id=job_id, **rpc[1])
        if rpc[0] == "reprint" and answer and answer["changed"]:
            self.jobs[answer["job"]["id"]] = self.jobs[job_id]
            self.approved[self.jobs[job_id]] += 1

    # The agent: the way it goes, and every other way

    @rule()
    def work(self) -> None:
        state = job(self.db, self.key[0])["state"] if self.claim else ""
        if not state or (self.key in self.poured and state not in ("sending", "sent")):
            self.claim = claim(self.db, p_printers=[self.printer])
            return
        if state == "claimed":
            self.begin(idle=True)
        elif state == "sending" and self.key not in self.poured:
            self.pour(1)
        elif state == "sending":
            self.tell_sent()
        elif state == "sent":
            self.confirm()
        else:
            self.claim = None

    @rule()
    def work_on(self) -> None:
        for _ in range(3):
            self.work()

    @rule(labels=st.sampled_from([0, 1]))
    def work_until_the_bytes_are_gone(self, labels: int) -> None:
        for _ in range(2):
            self.work()
        if self.claim:
            self.pour(labels)

    @precondition(lambda self: self.claim)
    @rule(idle=st.booleans())
    def begin(self, idle: bool) -> None:
        assert self.claim
        if self.mine("begin_send", self.claim, p_evidence=self.paper.reading(idle=idle)):
            self.begun.add(self.key)

    def pour(self, labels: int) -> None:
        """Bytes leave at most once per claim, and only after begin_send was answered."""
        if self.key in self.begun and self.key not in self.poured:
            self.poured.add(self.key)
            self.paper.odometer += labels
            subject = self.jobs[self.key[0]]
            self.paper.out[subject] = self.paper.out.get(subject, 0) + labels

    def tell_sent(self) -> None:
        if self.claim and self.key in self.poured:
            self.mine("mark_sent", self.claim, p_bytes=len(self.claim["payload"].encode()))

    @precondition(lambda self: self.claim)
    @rule(rpc=st.sampled_from(["release_print", "print_unknown", "extend_print", "mark_sent"]))
    def say(self, rpc: str) -> None:
        assert self.claim
        if rpc == "mark_sent":
            self.tell_sent()
        else:
            self.mine(rpc, self.claim)

    @rule(steps=st.integers(0, 2), rpc=st.sampled_from(["release_print", "abort_send"]))
    def stop_early(self, steps: int, rpc: str) -> None:
        """Only with the certainty that no byte left; and no byte leaves afterwards."""
        for _ in range(steps):
            self.work()
        if self.claim and self.key not in self.poured:
            self.mine(rpc, self.claim)
            self.begun.discard(self.key)

    @precondition(lambda self: self.claim)
    @rule()
    def confirm(self) -> None:
        """The agent confirms what it has poured, or what it will not pour any more."""
        assert self.claim
        self.begun.discard(self.key)
        self.mine("confirm_print", self.claim, p_evidence=self.paper.reading())

    # The world

    @rule()
    def time_passes(self) -> None:
        """Leases run out, the counter has had its time; nobody pours for an old claim."""
        self.begun.clear()
        sweep(self.db, "10 minutes")
        self.db.execute(
            "update public.print_jobs set settle_after = now() - interval '2 minutes',"
            " run_after = now() where printer = %s",
            (self.printer,),
        )

    @rule()
    def resolver(self) -> None:
        self.begun.clear()
        for row in call(self.db, AGENT, "my_unsettled_prints"):
            if row["printer"] == self.printer:
                self.mine("confirm_print", row, p_evidence=self.paper.reading())

    @rule()
    def power_cycle(self) -> None:
        self.paper.boot += 1

    @invariant()
    def no_label_too_many(self) -> None:
        for subject, count in self.paper.out.items():
            assert count <= self.approved[subject], (subject, count, self.approved[subject])

    @invariant()
    def every_step_is_in_the_matrix_and_ends_where_the_job_is(self) -> None:
        for job_id in self.jobs:
            here: str | None = None
            for old, new in history(self.db, job_id):
                assert old == here
                assert old is None or old == new or new in MATRIX[old], (old, new)
                here = new
            assert here == job(self.db, job_id)["state"]

    @invariant()
    def the_labels_say_what_the_job_says(self) -> None:
        for job_id in self.jobs:
            state = job(self.db, job_id)["state"]
            expected = {"printed": "printed"}.get(state, "void" if not MATRIX[state] else "wanted")
            assert labels_of(self.db, job_id) == [expected], state

    def teardown(self) -> None:
        """Nothing is lost silently: what counts as printed by the counter is on paper."""
        printed: dict[str, int] = {}
        for job_id, subject in getattr(self, "jobs", {}).items():
            row = job(self.db, job_id)
            if row["state"] == "printed" and row["evidence_level"] == 2:
                printed[subject] = printed.get(subject, 0) + 1
        for subject, count in printed.items():
            assert self.paper.out.get(subject, 0) >= count, subject


def test_a_random_walk_never_leaves_the_matrix(module_clone: Clone) -> None:
    """Hypothesis against Postgres, with the oracle above."""
    with module_clone.connect() as db:
        PrintJobs.db = db
        run_state_machine_as_test(
            PrintJobs,
            settings=settings(
                max_examples=40,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,  # so that what it must have seen can be asked for below
                suppress_health_check=list(HealthCheck),
            ),
        )
        seen = db.execute(
            "select from_state::text, to_state::text from public.print_job_events"
            " where from_state <> to_state group by 1, 2"
        ).fetchall()
    walked = {
        ("queued", "claimed"), ("claimed", "sending"), ("sending", "sent"), ("sent", "printed"),
        ("sending", "unknown"), ("sent", "unknown"), ("unknown", "printed"), ("unknown", "queued"),
    }  # fmt: skip
    assert walked <= set(seen), "the walk went the ways that matter"
