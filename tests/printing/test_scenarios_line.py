"""Answers that get lost, an outage, a restart of the database: everything exactly once."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from services.simulator.printer.device import Device
from tests.printing.floor import PATIENCE, STRAIGHT, Floor, came_out, distinct
from tests.takt.processes import wait_for


def test_s05_the_answer_to_begin_is_lost(floor: Floor) -> None:
    with floor.zebra() as zebra:
        job, name = floor.label(zebra)
        lost = floor.gate.lose_answer("begin_send", job)
        done = floor.until(job, "printed")
        lost.wait()
        assert floor.gate.count("print_job_state", job) >= 1  # asked, not assumed
        assert floor.steps(job) == STRAIGHT
        assert (done["attempts"], zebra.serials) == (1, [name])


def test_s06_the_answer_to_the_claim_is_lost(floor: Floor) -> None:
    with floor.zebra() as zebra:
        job, name = floor.label(zebra)
        lost = floor.gate.lose_answer("claim_print_job", job)
        done = floor.until(job, "printed")
        lost.wait()
        assert floor.steps(job) == STRAIGHT  # claimed once: the second call got the same claim
        assert (done["fence"], done["attempts"], zebra.serials) == (1, 1, [name])


def test_s17_cancelled_while_it_is_sent(floor: Floor) -> None:
    with floor.zebra() as zebra:
        job, name = floor.label(zebra)
        held = floor.gate.hold("mark_sent", job)
        held.wait()
        with floor.person() as rpc:
            answer = rpc.call("cancel_print", p_job_id=job)
        assert (answer["changed"], answer["job"]["state"]) == (True, "sending")
        assert "may have it already" in answer["message"]
        held.release()
        done = floor.until(job, "printed", "cancelled")
        assert (done["state"], done["cancel_requested"]) == ("printed", True)
        assert (floor.steps(job), zebra.serials) == (STRAIGHT, [name])
        with floor.person() as rpc:
            told = rpc.call("get_print_job", p_job_id=job)["events"]
        reasons = [event["reason"] for event in told if event["from_state"] == event["to_state"]]
        assert reasons == ["Cancel was asked for."]


def test_s18_an_hour_without_the_cloud(floor: Floor) -> None:
    with floor.zebra(label_s=0.15) as zebra:
        first, second = floor.batch(zebra.code, 12)
        came_out(zebra, 2)
        floor.gate.shut()
        wait_for(lambda: floor.journal(first) == "shown", "it is in the journal", PATIENCE)
        # An hour later the lease is long over, and nobody waits for the rest any more.
        floor.age(first)
        assert floor.job(first)["state"] == "unknown"
        query = (
            "update public.print_jobs set expires_at = now() - interval '1 minute' where id = %s"
        )
        floor.sql(query, second)
        assert len(zebra.serials) == 10
        floor.gate.open()
        done = floor.until(first, "printed")
        floor.until(second, "expired")
        assert (done["evidence_level"], done["fence"]) == (2, 1)
        assert floor.steps(second) == ["queued", "expired"]
        assert distinct(zebra.serials)
        assert len(zebra.serials) == 10


def test_s18_the_clock_of_the_agent_does_not_matter(floor: Floor) -> None:
    with floor.zebra() as zebra, floor.device() as device:
        wrong = (datetime.now(UTC) - timedelta(hours=9)).isoformat()
        answer = device.call("agent_heartbeat", p_version="1", p_clock=wrong)
        assert answer["clock_skew_ms"] < -32_000_000
        floor.sql("update public.printers set halted_reason = 'test' where code = %s", zebra.code)
        old, _ = floor.label(zebra)
        query = (
            "update public.print_jobs set expires_at = now() - interval '1 minute' where id = %s"
        )
        floor.sql(query, old)
        floor.sql("update public.printers set halted_reason = null where code = %s", zebra.code)
        job, name = floor.label(zebra)
        floor.until(job, "printed")
        floor.until(old, "expired")
        assert zebra.serials == [name]


def test_s22_a_late_answer_is_not_taken_for_the_next_job(floor: Floor) -> None:
    with floor.zebra() as zebra:
        first, one = floor.label(zebra)
        held = floor.gate.hold("mark_sent", first)
        held.wait()
        came_out(zebra, 1)
        zebra.real.strike("late", command="~HS", delay_s=2.5, times=1)
        second, two = floor.label(zebra)
        held.release()
        a, b = floor.until(first, "printed"), floor.until(second, "printed")
        assert (floor.steps(first), floor.steps(second)) == (STRAIGHT, STRAIGHT)
        assert zebra.serials == [one, two]
        counters = [
            *(a["evidence_before"]["odometer"], a["evidence_after"]["odometer"]),
            *(b["evidence_before"]["odometer"], b["evidence_after"]["odometer"]),
        ]
        assert counters == [1000, 1001, 1001, 1002]


def test_s25_the_database_restarts_in_the_middle_of_confirm(floor: Floor) -> None:
    with floor.zebra() as zebra:
        job, name = floor.label(zebra)
        held = floor.gate.hold("confirm_print", job)
        held.wait()
        with contextlib.closing(floor.stack.connect()) as db:
            db.execute("begin")
            db.execute("select 1 from public.print_jobs where id = %s for update", (job,))
            held.release()
            waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ~ %s"
            wait_for(lambda: floor.sql(waits, "confirm_print"), "confirm is under way", PATIENCE)
            floor.stack.restart_database()
        floor.until(job, "printed")
        assert (floor.steps(job), zebra.serials) == (STRAIGHT, [name])
        # Committed, and the answer lost: the repeat changes nothing.
        again, other = floor.label(zebra)
        lost = floor.gate.lose_answer("confirm_print", again)
        floor.until(again, "printed")
        lost.wait()
        wait_for(lambda: floor.journal(again) == "settled", "the agent knows", PATIENCE)
        assert (floor.steps(again), zebra.serials) == (STRAIGHT, [name, other])


def test_s19_the_feed_button_during_confirm(floor: Floor) -> None:
    with floor.zebra() as zebra:
        job, name = floor.label(zebra, p_copies=2)
        held = floor.gate.hold("mark_sent", job)
        held.wait()
        came_out(zebra, 2)
        zebra.feed(3)
        wait_for(lambda: not zebra.real.do(_moves), "three blank labels", PATIENCE)
        held.release()
        done = floor.until(job, "printed", "unknown")
        assert (done["state"], done["extra_labels"]) == ("printed", 3)
        (alarm,) = floor.alarms("print.extra", job=job)
        assert "3 labels too many" in alarm["message"]
        assert (floor.steps(job), zebra.serials) == (STRAIGHT, [name, name])


def _moves(device: Device) -> bool:
    return bool(device.state()["is_moving"])
