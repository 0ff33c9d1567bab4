"""Many jobs, and two agents that want them."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from print_agent.domain import Claim
from tests.printing.floor import PATIENCE, STRAIGHT, Floor, distinct
from tests.takt.processes import wait_for

_JOBS = 500
# Copies of one job with a label of its own each, as if they had been asked for one by one.
_MANY = """
with copies as (
  select j.*, j.subject || '-' || n as name from public.print_jobs j
   cross join generate_series(1, %s) n where j.id = %s
), made as (
  insert into public.print_jobs (site, printer, printer_fixed, label_type, version_id, media,
    subject, print_no, labels, copies, language, dpi, payload, payload_sha256, priority, expires_at)
  select site, printer, true, label_type, version_id, media, name, 1, 1, 1, language, dpi,
    replace(payload, subject, name),
    encode(sha256(convert_to(replace(payload, subject, name), 'UTF8')), 'hex'), %s, expires_at
    from copies
  returning id, subject
)
insert into public.print_job_labels (job_id, seq, purpose, subject, template, print_no, data)
select id, 1, 'item', subject, 'item', 1, '{}' from made
"""
_OVERLAPS = """
with moves as (
  select e.*, to_state in ('sending', 'sent') as is_on, from_state in ('sending', 'sent') as was_on
    from public.print_job_events e join public.print_jobs j on j.id = e.job_id
   where j.printer = %s
), spans as (
  select job_id, fence, min(at) filter (where is_on) as began,
    min(at) filter (where was_on and not is_on) as ended
    from moves group by job_id, fence
)
select a.job_id, b.job_id from spans a join spans b
  on a.job_id < b.job_id and a.began < b.ended and b.began < a.ended
"""


def crowd(floor: Floor, job: int, count: int, priority: int) -> None:
    """So many copies of a job. Nobody is told: their events would take longer than the test."""
    with floor.stack.connect() as db, db.transaction():
        db.execute("alter table public.print_jobs disable trigger user")
        db.execute(_MANY, (count, job, priority))
        db.execute("alter table public.print_jobs enable trigger user")


def halted(floor: Floor, code: str, reason: str | None) -> None:
    floor.sql("update public.printers set halted_reason = %s where code = %s", reason, code)


@pytest.mark.timeout(400)  # a busy machine is no failure
def test_s01_two_agents_claim_five_hundred_jobs(mortal: Floor) -> None:
    """Two programs with one sign-in at one printer, call by call; the paper is counted."""
    code = mortal.printer(p_dpi=203)
    halted(mortal, code, "not yet")
    pattern = mortal.request(code)
    crowd(mortal, pattern, _JOBS - 1, 50)
    paper: list[int] = []
    freed = threading.Event()
    quiet = {"boot_id": "b", "formats": 0, "remaining": 0, "faults": [], "idle": True, "dpi": 203}

    # PostgREST itself: three calls a job are many, and the gateway adds nothing to who gets what.
    address = f"http://127.0.0.1:{mortal.stack.service('postgrest')['port']}/rpc/"
    headers = {"authorization": f"Bearer {mortal.device_token()}"}

    def work() -> None:
        with httpx.Client(base_url=address, headers=headers, timeout=30) as http:

            def call(name: str, **arguments: Any) -> dict[str, Any]:
                return dict(http.post(name, json=arguments).raise_for_status().json())

            end = time.monotonic() + 2 * PATIENCE
            while len(paper) < _JOBS and time.monotonic() < end:
                row = call("claim_print_job", p_nonce=str(uuid.uuid4()), p_printers=[code])
                if row["job_id"] is None:
                    freed.wait(1)  # the other one is printing
                    freed.clear()
                    continue
                claim = Claim.of(row)
                who: dict[str, Any] = {"p_job_id": claim.job_id, "p_fence": claim.fence}
                before = {**quiet, "odometer": len(paper)}
                call("begin_send", **who, p_evidence=before)
                paper.append(claim.job_id)  # the label counter of this printer
                after = {**quiet, "odometer": len(paper)}
                call("confirm_print", **who, p_evidence=after)
                freed.set()

    halted(mortal, code, None)
    with ThreadPoolExecutor(2) as agents:
        for done in [agents.submit(work) for _ in range(2)]:
            done.result()
    assert Counter(Counter(paper).values()) == {1: _JOBS}
    query = (
        "select state::text, fence, attempts, count(*) from public.print_jobs where printer = %s"
    )
    assert mortal.sql(query + " group by 1, 2, 3", code) == [("printed", 1, 1, _JOBS)]
    assert mortal.sql(_OVERLAPS, code) == []


def test_s01_two_agents_at_one_printer(mortal: Floor) -> None:
    """Two real agents with one sign-in: one label each, and people are told."""
    with mortal.zebra() as zebra:
        agents = [mortal.start(), mortal.start("twin")]
        jobs = [mortal.label(zebra)[0] for _ in range(12)]
        try:
            for job in jobs:
                mortal.until(job, "printed")
            assert [mortal.steps(job)[-4:] for job in jobs] == [STRAIGHT[1:]] * len(jobs)
            assert distinct(zebra.serials)
            assert len(zebra.serials) == len(jobs)
            assert mortal.sql(_OVERLAPS, zebra.code) == []
            wait_for(
                lambda: mortal.alarms("agent.twice"),
                "somebody is told that there are two",
                PATIENCE,
            )
        finally:
            agents[1].kill()
            agents[1].wait(30)


def test_s23_an_urgent_label_overtakes_ten_thousand(floor: Floor) -> None:
    with floor.zebra(label_s=0.05) as zebra:
        halted(floor, zebra.code, "not yet")
        pattern, _ = floor.label(zebra, p_priority=90)
        crowd(floor, pattern, 10_000, 90)
        halted(floor, zebra.code, None)
        try:
            floor.until(pattern, "sending", "sent", "printed")
            urgent, name = floor.label(zebra, p_priority=10)
            asked = "select queued_at, sending_at from public.print_jobs where id = %s"
            floor.until(urgent, "printed")
            queued_at, sending_at = floor.sql(asked, urgent)[0]
            between = "select count(*) from public.print_jobs where printer = %s and id <> %s"
            between += " and sending_at > %s and sending_at < %s"
            assert floor.sql(between, zebra.code, urgent, queued_at, sending_at)[0][0] <= 1
            assert name in zebra.serials
        finally:
            halted(floor, zebra.code, "the test is over")
