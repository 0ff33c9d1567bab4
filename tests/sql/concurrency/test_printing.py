"""Agents, people and the clock that meet at the same printers."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.sql.concurrency.together import together
from tests.support.databases import Clone
from tests.support.printing import (
    AGENT,
    Row,
    act,
    add_printer,
    attempt,
    begin,
    bring,
    claim,
    confirm,
    evidence,
    history,
    mark_sent,
    new_job,
    rest,
    route,
    state_of,
    steps,
    sweep,
    taken_job,
)
from tests.support.rpc import call

JOBS = 500


def ask_for(db: psycopg.Connection, count: int, printers: int = 1) -> None:
    """`count` waiting jobs of one label, spread over the printers prn-0, prn-1 …"""
    for n in range(printers):
        add_printer(db, f"prn-{n}")
    for n in range(printers):
        wish: Row = {
            "p_label_type": "item",
            "p_subject": f"seed-{n}",
            "p_data": {"name": "Jar", "sku": "1"},
        }
        call(db, "operator", "request_print", p_printer=f"prn-{n}", **wish)
    db.execute(  # copies of the first ones: what is tested here is not the asking
        "insert into public.print_jobs (site, printer, label_type, version_id, subject, language,"
        " dpi, payload, payload_sha256, expires_at) select j.site, j.printer, j.label_type,"
        " j.version_id, 'S-' || n, j.language, j.dpi, j.payload, j.payload_sha256, j.expires_at"
        " from generate_series(1, %s) n join public.print_jobs j on j.printer = 'prn-' || n %% %s"
        " and j.subject like 'seed-%%'",
        (count - printers, printers),
    )


def print_all(connection: psycopg.Connection, printers: list[str] | None = None) -> list[int]:
    """Take and print until nothing is left; the jobs done."""
    done: list[int] = []
    while left(connection):
        taken = claim(connection, p_printers=printers)
        if taken is None:
            continue
        begin(connection, taken, 100)
        mark_sent(connection, taken)
        assert confirm(connection, taken, 101)["state"] == "printed"
        done.append(taken["job_id"])
    return done


def left(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "select exists (select from public.print_jobs where state not in ('printed'))"
    ).fetchone()
    return row == (True,)


def test_two_programs_at_one_printer_print_500_jobs_once_each(
    clone: Clone, db: psycopg.Connection
) -> None:
    """Scenario 1: never two jobs in flight on the printer."""
    ask_for(db, JOBS)
    done = Counter(n for part in together(clone, 2, lambda c, _: print_all(c)) for n in part)
    assert len(done) == JOBS
    assert set(done.values()) == {1}
    overlaps = db.execute(
        "select count(*) from public.print_jobs a join public.print_jobs b on a.printer = b.printer"
        " and a.id <> b.id and a.sending_at < b.finished_at and b.sending_at < a.finished_at"
        " and a.sending_at < b.sending_at"
    ).fetchone()
    assert overlaps == (0,)
    assert db.execute("select max(fence), max(attempts) from public.print_jobs").fetchone() == (
        1,
        1,
    )


def test_8_programs_at_8_printers_print_500_jobs_once_each(
    clone: Clone, db: psycopg.Connection
) -> None:
    ask_for(db, JOBS, 8)
    parts = together(clone, 8, lambda c, n: print_all(c, [f"prn-{n}"]))
    done = Counter(n for part in parts for n in part)
    assert len(done) == JOBS
    assert set(done.values()) == {1}
    assert all(parts), "each had its share"


def test_200_identical_requests_are_one_label(clone: Clone, db: psycopg.Connection) -> None:
    add_printer(db)
    wish: Row = {
        "p_label_type": "item", "p_subject": "SKU-1", "p_printer": "prn-1",
        "p_data": {"name": "Flour", "sku": "1"},
    }  # fmt: skip
    answers = together(clone, 200, lambda c, _: call(c, "operator", "request_print", **wish))
    assert Counter(a["changed"] for a in answers) == {True: 1, False: 199}
    assert len({a["job"]["id"] for a in answers}) == 1
    keyed = {**wish, "p_subject": "SKU-2", "p_request_id": uuid4()}
    answers = together(clone, 50, lambda c, _: call(c, "operator", "request_print", **keyed))
    assert all(a == answers[0] for a in answers)


def test_lists_in_opposite_order_do_not_deadlock(clone: Clone, db: psycopg.Connection) -> None:
    add_printer(db)
    labels = [{"subject": f"S-{n}", "data": {"name": "Jar", "sku": "1"}} for n in range(60)]

    def ask(connection: psycopg.Connection, number: int) -> list[int]:
        order = Jsonb(labels if number % 2 else labels[::-1])
        jobs = call(
            connection, "operator", "request_prints",
            p_label_type="item", p_labels=order, p_printer="prn-1",
        )  # fmt: skip
        return [job["id"] for job in jobs]

    answers = together(clone, 6, ask)
    assert all(sorted(a) == sorted(answers[0]) for a in answers)
    rows = db.execute(
        "select count(*), count(distinct subject) from public.print_job_labels"
    ).fetchone()
    assert rows == (60, 60)


def test_20_reprints_at_once_are_one(clone: Clone, db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")
    taken = bring(db, "printed")
    again: Row = {"p_job_id": taken["job_id"], "p_reason": "lost"}
    answers = together(clone, 20, lambda c, _: call(c, "operator", "reprint", **again))
    assert Counter(a["changed"] for a in answers) == {True: 1, False: 19}


def test_a_cancel_and_a_begin_at_once_never_lose_a_result(
    clone: Clone, db: psycopg.Connection
) -> None:
    """Scenario 17, InvenTree#12873: whoever is first, the paper and the state agree."""
    add_printer(db)
    route(db, "prn-1")
    for n in range(25):
        taken = taken_job(db, f"SKU-{n}")

        calls: list[tuple[str, str, Row]] = [
            (AGENT, "begin_send", {"p_fence": 1, "p_evidence": evidence(100 + n)}),
            ("operator", "cancel_print", {}),
        ]

        def one(
            connection: psycopg.Connection, number: int, calls: Any = calls, taken: Row = taken
        ) -> tuple[int, Any]:
            who, rpc, more = calls[number]
            return attempt(connection, who, rpc, p_job_id=taken["job_id"], **more)

        begun, _ = together(clone, 2, one)
        if begun[0] == 200:
            mark_sent(db, taken)
            assert confirm(db, taken, 101 + n)["state"] == "printed"
        else:
            assert begun == (409, "print.cancelled")
            assert act(db, "release_print", taken)["state"] == "cancelled"
            db.execute("update public.printers set odometer = %s", (101 + n,))


def test_the_clock_and_a_confirmation_at_once_agree(clone: Clone, db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")
    for n in range(25):
        taken = bring(db, "sent", f"SKU-{n}")

        def one(connection: psycopg.Connection, number: int, taken: Row = taken) -> None:
            if number:
                sweep(connection, "1 hour")
            else:
                confirm(connection, taken, 101)

        together(clone, 2, one)
        assert state_of(db, taken["job_id"]) == "printed"
        assert steps(db, taken["job_id"])[-1] == "printed"


def test_everybody_at_one_printer_does_not_deadlock(clone: Clone, db: psycopg.Connection) -> None:
    """Claims, heartbeats with new resolutions, people and the clock, all at once."""
    add_printer(db)
    route(db, "prn-1")
    for n in range(60):
        new_job(db, f"SKU-{n}")

    def reports(n: int) -> Row:
        return {
            "p_printers": Jsonb([{"code": "prn-1", "status": "idle", "dpi": (203, 300)[n % 2]}])
        }

    def one(connection: psycopg.Connection, number: int) -> set[int]:
        statuses = set()
        for n in range(20):
            if number < 2:
                taken = claim(connection)
                if taken:
                    act(connection, "release_print", taken, p_retry_s=0)
            elif number == 5:
                sweep(connection, "0")
            else:
                who, rpc, more = [
                    (AGENT, "agent_heartbeat", reports(n)),
                    (
                        "operator",
                        "set_loaded_media",
                        {"p_printer": "prn-1", "p_media": "xyz"[n % 3]},
                    ),
                    ("supervisor", "cancel_print", {"p_job_id": n + 1}),
                ][number - 2]
                statuses.add(attempt(connection, who, rpc, **more)[0])
        return statuses

    assert set().union(*together(clone, 6, one)) <= {200, 409}


def test_of_two_claims_with_one_nonce_both_get_the_same_job(
    clone: Clone, db: psycopg.Connection
) -> None:
    add_printer(db)
    route(db, "prn-1")
    for n in range(20):
        new_job(db, f"SKU-{n}")
        nonce = uuid4()

        def one(connection: psycopg.Connection, _: int, nonce: Any = nonce) -> Row | None:
            return claim(connection, nonce=nonce)

        taken = [t for t in together(clone, 4, one) if t]
        assert len({(t["job_id"], t["fence"]) for t in taken}) == 1
        again = claim(db, nonce=nonce)
        assert again is not None
        assert history(db, again["job_id"]).count(("queued", "claimed")) == 1
        call(
            db, AGENT, "fail_print", p_job_id=again["job_id"], p_fence=again["fence"], p_reason="x"
        )


def test_two_settlers_of_one_unknown_job_agree(clone: Clone, db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")
    for n in range(20):
        taken = bring(db, "unknown", f"SKU-{n}")
        rest(db, ago="2 minutes")

        calls: list[tuple[str, str, Row]] = [
            (AGENT, "confirm_print", {"p_fence": taken["fence"], "p_evidence": evidence(100)}),
            ("operator", "resolve_print", {"p_outcome": "came_out"}),
        ]

        def one(
            connection: psycopg.Connection, number: int, calls: Any = calls, taken: Row = taken
        ) -> tuple[int, Any]:
            who, rpc, more = calls[number]
            return attempt(connection, who, rpc, p_job_id=taken["job_id"], **more)

        assert {status for status, _ in together(clone, 2, one)} <= {200, 409}
        assert state_of(db, taken["job_id"]) in ("printed", "queued")
        assert len([s for s in steps(db, taken["job_id"]) if s in ("printed", "queued")]) == 2
        if state_of(db, taken["job_id"]) == "queued":
            call(db, "supervisor", "cancel_print", p_job_id=taken["job_id"])
