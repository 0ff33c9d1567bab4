"""Jobs that are neither printed nor waiting: after a crash, a cut line, a lost answer.

Runs before the first claim and every ten seconds. What the journal knows for certain is told
first; then, once the printer is idle and its counter stands still, the evidence is shown to the
database, which decides. What evidence cannot decide is left to a person.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, replace
from typing import Any

from print_agent.clock import Deadline, now
from print_agent.desk import Unsettled, refused
from print_agent.domain import (
    IN_DOUBT,
    SETTLE_SECONDS,
    Next,
    Reading,
    Settle,
    Step,
    Watch,
    settle,
)
from print_agent.journal import Send
from print_agent.post import Post
from takt.errors import RpcError

log = logging.getLogger(__name__)

_ROUND_SECONDS = SETTLE_SECONDS + 3
_LATE_COMMIT_SECONDS = 60.0
# So long the database may answer "not yet"; after that the same evidence is not shown again.
_DOUBT_SECONDS = 60.0

_Seen = tuple[int | None, str | None]


@dataclass
class _Case:
    """What this process knows about one open job."""

    watch: Watch
    since: float
    told: _Seen | None = None


class Resolver:
    """Of one printer; never runs while a job of the same printer is being delivered."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._cases: dict[tuple[int, int], _Case] = {}

    async def run(self) -> int:
        """One round; answers how many jobs are open. Errors: RpcError."""
        post = self._post
        jobs = await post.desk.unsettled(post.config.code)
        self._tidy({job.key for job in jobs})
        sends = {job.key: post.journal.find(*job.key) for job in jobs}
        if any(sends[job.key] is None and job.state != "unknown" for job in jobs):
            # Somebody else is sending to this printer, or died doing it: its lease decides.
            return len(jobs)
        for job in jobs:
            try:
                await self._settle(job, sends[job.key])
            except RpcError as error:
                if not refused(error):
                    raise
                fields = {"action": "resolve.refused", "job": job.job_id, "fence": job.fence}
                log.info(str(error), extra=fields)
        return len(jobs)

    def _tidy(self, known: set[tuple[int, int]]) -> None:
        """What the database no longer asks about is settled here too."""
        for send in self._post.journal.open(self._post.config.code):
            # A `begin_send` whose answer was lost may still commit a moment later.
            young = send.step is Step.BEGUN and time.time() - send.begun_at < _LATE_COMMIT_SECONDS
            if (send.job_id, send.fence) not in known and not young:
                self._post.journal.advance(send.job_id, send.fence, Step.SETTLED)
        self._cases = {key: case for key, case in self._cases.items() if key in known}

    async def _settle(self, job: Unsettled, send: Send | None) -> None:
        post = self._post
        if send is None:
            post.journal.adopt(*job.key, post.config.code)
        step = send.step if send else Step.HANDING
        followed = post.journal.followed(job.job_id, post.config.code)
        deaf = followed or not job.wants_evidence
        fresh = _Case(Watch(job.labels, job.odometer, now()), now())
        case = self._cases.setdefault(job.key, fresh)
        counted = job.odometer is not None
        end = Deadline(now() + _ROUND_SECONDS)
        while not end.passed:
            blind = step in (Step.BEGUN, Step.NOTHING, Step.SHOWN)
            reading = post.sight.last if blind else await post.sight.look()
            action = settle(job.state, step, deaf, counted, reading)
            if action is Settle.LEAVE:
                return
            if action is Settle.ABORT:
                if await self._abort(job):
                    return
                step = Step.HANDING  # the database wants to see more than our word
            elif action is Settle.SHOW:
                state = await self._tell(case, job, (send.shown if send else None) or {})
                if state not in IN_DOUBT:
                    return
                job, step = replace(job, state=state), Step.SENT
            elif action is Settle.TELL_UNKNOWN:
                state = await post.desk.unknown(
                    job, "The agent was cut off while it printed.", None
                )
                if state != "unknown":
                    return
                job = replace(job, state=state)
            elif await self._watch(case, job, reading):
                return

    async def _tell(self, case: _Case, job: Unsettled, evidence: dict[str, Any]) -> str:
        """Let the database decide by what the printer shows, or showed; answers the state."""
        seen = (evidence.get("odometer"), evidence.get("boot_id"))
        if case.told == seen:
            return job.state
        if job.state == "sending":
            send = self._post.journal.find(*job.key)
            await self._post.desk.mark_sent(job, send.bytes if send else 0)
        state = await self._post.desk.confirm(job, evidence)
        if state not in IN_DOUBT:
            self._settled(job, state)
        elif now() - case.since > _DOUBT_SECONDS:
            case.told = seen
        return state

    async def _watch(self, case: _Case, job: Unsettled, reading: Reading) -> bool:
        """Another look at an idle printer. True when this round is over."""
        ahead = case.watch.next(reading)[0]
        if ahead is Next.CONFIRM:
            await self._tell(case, job, self._post.sight.evidence(reading))
            return True
        if ahead is Next.CLEAR:
            with contextlib.suppress(OSError):
                await self._post.driver.abort()
        await asyncio.sleep(0.5)
        return False

    async def _abort(self, job: Unsettled) -> bool:
        try:
            state = await self._post.desk.abort(job, "Not one byte has left.")
        except RpcError as error:
            if not refused(error):
                raise
            return False
        self._settled(job, state)
        return True

    def _settled(self, job: Unsettled, state: str) -> None:
        fields = {"action": "resolve.settled", "job": job.job_id, "state": state}
        log.info("settled", extra={**fields, "printer": job.printer})
        self._post.journal.advance(job.job_id, job.fence, Step.SETTLED, note=state)
