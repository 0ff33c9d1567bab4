"""The work queue and the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.support.rpc import Refused, call

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def enqueue(db: psycopg.Connection, topic: str = "demo", **more: Any) -> int | None:
    """Queue a job; `more` are arguments of private.enqueue. Its id, None when it joined a twin."""
    arguments: dict[str, Any] = {"p_topic": topic, **more}
    named = ", ".join(f"{name} => %({name})s" for name in arguments)
    row = db.execute(f"select private.enqueue({named})", arguments).fetchone()
    assert row is not None
    return None if row[0] is None else int(row[0])


def claim(db: psycopg.Connection, **arguments: Any) -> list[dict[str, Any]]:
    return list(call(db, "service", "claim_work", p_worker="w1", **arguments))


def job(db: psycopg.Connection, job_id: int | None) -> dict[str, Any]:
    row = db.execute(
        "select to_jsonb(w) from public.work_queue w where w.id = %s", (job_id,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


def refused(db: psycopg.Connection, rpc: str, **arguments: Any) -> tuple[Any, Any]:
    with pytest.raises(Refused) as caught:
        call(db, "service", rpc, **arguments)
    return caught.value.status, caught.value.code


def fail(db: psycopg.Connection, claimed: dict[str, Any], **more: Any) -> dict[str, Any]:
    return dict(
        call(
            db,
            "service",
            "fail_work",
            p_id=claimed["id"],
            p_fence=claimed["fence"],
            p_error="it broke",
            **more,
        )
    )


def test_smallest_priority_first_then_oldest(db: psycopg.Connection) -> None:
    ids = [enqueue(db, p_priority=p) for p in (100, 50, 100, 50)]
    order = [claim(db)[0]["id"] for _ in ids]
    assert order == [ids[1], ids[3], ids[0], ids[2]]
    assert claim(db) == []


def test_a_claim_takes_only_what_is_due_and_asked_for(db: psycopg.Connection) -> None:
    due = enqueue(db, "mail")
    enqueue(db, "mail", p_run_at=datetime.now(UTC) + timedelta(hours=1))
    enqueue(db, "other")
    assert [j["id"] for j in claim(db, p_topics=["mail"], p_limit=10)] == [due]


def test_limits_are_clamped(db: psycopg.Connection) -> None:
    for _ in range(3):
        enqueue(db)
    assert len(claim(db, p_limit=0, p_lease_seconds=-1)) == 1
    assert len(claim(db, p_limit=100000, p_lease_seconds=100000)) == 2
    row = db.execute("select max(lease_until) - min(locked_at) from public.work_queue").fetchone()
    assert row is not None
    assert row[0] <= timedelta(hours=1, minutes=1)


def test_a_job_is_done_once_and_only_by_its_holder(db: psycopg.Connection) -> None:
    job_id = enqueue(db)
    first = claim(db)[0]
    db.execute("update public.work_queue set lease_until = now() - interval '1 second'")
    db.execute("select private.sweep_queue(now())")
    second = claim(db)[0]
    assert (second["id"], second["fence"]) == (job_id, first["fence"] + 1)
    settle: dict[str, Any] = {"p_ids": [job_id], "p_fences": [first["fence"]]}
    assert call(db, "service", "complete_work", **settle) == []
    for rpc, more in (("extend_work", {}), ("fail_work", {"p_error": "late"})):
        assert refused(db, rpc, p_id=job_id, p_fence=first["fence"], **more) == (
            409,
            "work.not_yours",
        )
    settle = {"p_ids": [job_id], "p_fences": [second["fence"]]}
    assert call(db, "service", "complete_work", **settle) == [job_id]
    assert call(db, "service", "complete_work", **settle) == []
    assert job(db, job_id)["status"] == "done"


def test_a_lease_can_be_extended(db: psycopg.Connection) -> None:
    enqueue(db)
    held = claim(db, p_lease_seconds=5)[0]
    until = call(
        db, "service", "extend_work", p_id=held["id"], p_fence=held["fence"], p_lease_seconds=600
    )
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)


def test_failures_back_off_with_jitter_and_end_among_the_dead(db: psycopg.Connection) -> None:
    job_id = enqueue(db, p_max_retries=3)
    for attempt in range(3):
        held = claim(db)[0]
        failed = fail(db, held)
        assert (failed["status"], failed["retries"]) == ("ready", attempt + 1)
        row = db.execute(
            "select next_retry_at - now() from public.work_queue where id = %s", (job_id,)
        ).fetchone()
        assert row is not None
        wait = row[0].total_seconds()
        assert 0.5 * 2**attempt - 1 < wait <= 1.5 * 2**attempt
        assert claim(db) == [], "not before its time"
        db.execute("update public.work_queue set next_retry_at = now()")
    dead = fail(db, claim(db)[0])
    assert (dead["status"], dead["last_error"]) == ("dead", "it broke")
    assert dead["finished_at"] is not None
    assert claim(db) == []


def test_the_handler_may_say_when_to_try_again(db: psycopg.Connection) -> None:
    enqueue(db)
    failed = fail(db, claim(db)[0], p_retry_seconds=900)
    left = datetime.fromisoformat(failed["next_retry_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_a_dead_job_is_queued_again_with_all_its_retries(db: psycopg.Connection) -> None:
    job_id = enqueue(db, p_max_retries=0)
    fail(db, claim(db)[0])
    assert job(db, job_id)["status"] == "dead"
    again = call(db, "service", "requeue_work", p_id=job_id)
    assert (again["status"], again["retries"]) == ("ready", 0)
    assert claim(db)[0]["id"] == job_id
    assert refused(db, "requeue_work", p_id=job_id) == (409, "work.not_dead")
    assert refused(db, "requeue_work", p_id=10**9) == (404, "work.unknown")


def test_twins_join_while_they_wait(db: psycopg.Connection) -> None:
    first = enqueue(db, p_dedupe_key="a")
    assert enqueue(db, p_dedupe_key="a") is None
    assert enqueue(db, "other", p_dedupe_key="a") is not None
    held = claim(db, p_topics=["demo"])[0]
    assert held["id"] == first
    second = enqueue(db, p_dedupe_key="a")
    assert second is not None, "the running one may have read too early: a new one waits"
    given_up = fail(db, held)
    assert (given_up["status"], given_up["last_error"]) == ("done", "superseded: it broke")
    assert job(db, second)["status"] == "ready"


def test_a_dead_job_gives_way_to_its_waiting_twin(db: psycopg.Connection) -> None:
    dead = enqueue(db, p_dedupe_key="a", p_max_retries=0)
    fail(db, claim(db)[0])
    enqueue(db, p_dedupe_key="a")
    assert refused(db, "requeue_work", p_id=dead) == (409, "work.twin_waits")


def test_the_sweep_takes_back_what_a_dead_worker_held(db: psycopg.Connection) -> None:
    plain, last_try = enqueue(db), enqueue(db, p_max_retries=0)
    twins = [enqueue(db, p_dedupe_key="a")]
    claim(db, p_limit=10)
    twins.append(enqueue(db, p_dedupe_key="a"))
    fresh = enqueue(db, "fresh")
    claim(db, p_topics=["fresh"])
    expired = [plain, last_try, twins[0]]
    db.execute(
        "update public.work_queue set lease_until = now() - interval '1 s' where id = any (%s)",
        (expired,),
    )
    db.execute("select private.sweep_queue(now())")
    states = [job(db, i)["status"] for i in (*expired, twins[1], fresh)]
    assert states == ["ready", "dead", "done", "ready", "running"]
    assert job(db, plain)["last_error"] == "The worker w1 stopped answering."
    assert job(db, plain)["retries"] == 1


def test_two_expired_twins_leave_one(db: psycopg.Connection) -> None:
    ids = []
    for _ in range(2):
        ids.append(enqueue(db, p_dedupe_key="a"))
        claim(db)
    db.execute("update public.work_queue set lease_until = now() - interval '1 s'")
    db.execute("select private.sweep_queue(now())")
    assert [job(db, i)["status"] for i in ids] == ["ready", "done"]


def test_done_and_next_in_one_call(db: psycopg.Connection) -> None:
    one, two = enqueue(db), enqueue(db)
    held = claim(db)[0]
    following = call(
        db, "service", "complete_and_claim_work", p_id=one, p_fence=held["fence"], p_worker="w1"
    )
    assert [j["id"] for j in following] == [two]
    assert job(db, one)["status"] == "done"
    after = call(
        db,
        "service",
        "complete_and_claim_work",
        p_id=two,
        p_fence=following[0]["fence"],
        p_worker="w1",
    )
    assert after == []


def tick(db: psycopg.Connection, at: datetime) -> dict[str, str]:
    row = db.execute("select private.tick(%s)", (at,)).fetchone()
    assert row is not None
    return dict(row[0])


def test_a_tick_runs_each_job_once_per_interval(db: psycopg.Connection) -> None:
    everything = tick(db, NOON)
    assert len(everything) == len(db.execute("select name from private.scheduled_jobs").fetchall())
    assert set(everything.values()) == {"ok"}
    assert tick(db, NOON) == {}
    assert tick(db, NOON + timedelta(seconds=4)) == {}
    assert tick(db, NOON + timedelta(seconds=5)) == {"settle and move print jobs": "ok"}
    assert tick(db, NOON + timedelta(seconds=9)) == {}
    both = {"sweep the work queue": "ok", "settle and move print jobs": "ok"}
    assert tick(db, NOON + timedelta(seconds=10)) == both
    assert set(tick(db, NOON + timedelta(days=2))) == set(everything)


def test_a_failing_job_does_not_stop_the_others(db: psycopg.Connection) -> None:
    db.execute(
        "create function private.a_breaks(p_now timestamptz) returns void language plpgsql"
        " set search_path = '' as $$ begin delete from private.scheduled_jobs;"
        " raise exception 'no luck'; end $$"
    )
    db.execute(
        "insert into private.scheduled_jobs values ('a breaks', 'a_breaks', '1 minute'),"
        " ('b is missing', 'b_missing', '1 minute')"
    )
    ran = tick(db, NOON)
    assert ran["a breaks"] == "no luck"
    assert "b_missing" in ran["b is missing"]
    assert {v for k, v in ran.items() if k[:2] not in ("a ", "b ")} == {"ok"}
    kept = db.execute(
        "select last_error from private.scheduled_jobs where name = 'a breaks'"
    ).fetchone()
    assert kept == ("no luck",)
    assert "a breaks" in tick(db, NOON + timedelta(minutes=1)), "tried again at the next interval"


def test_old_work_and_old_keys_go_and_young_ones_stay(db: psycopg.Connection) -> None:
    for days in (13, 15):
        db.execute(
            "insert into public.work_queue (topic, status, finished_at)"
            " values ('demo', 'done', now() - %s * interval '1 day')",
            (days,),
        )
    for days in (89, 91):
        db.execute(
            "insert into private.commands (actor_id, request_id, rpc, args, at)"
            " values (gen_random_uuid(), gen_random_uuid(), 'x', '[]',"
            " now() - %s * interval '1 day')",
            (days,),
        )
    dead = enqueue(db, p_max_retries=0)
    fail(db, claim(db)[0])
    db.execute(
        "update public.work_queue set finished_at = now() - interval '1 year' where id = %s",
        (dead,),
    )
    db.execute("select private.purge_finished(now())")
    left = db.execute("select status from public.work_queue order by id").fetchall()
    assert left == [("done",), ("dead",)], "dead letters wait for a person"
    assert db.execute("select count(*) from private.commands").fetchone() == (1,)
