"""One printer's loop: settle what is open, look, claim, deliver. No printer waits for another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable

from print_agent.clock import Deadline, now
from print_agent.delivery import Delivery
from print_agent.desk import refused
from print_agent.domain import LIVELY_SECONDS, Claim, Pace, poll_wait, probe_wait
from print_agent.measures import JOBS, UP, observe
from print_agent.post import Post
from print_agent.resolver import Resolver
from takt.backoff import full_jitter
from takt.errors import RpcError

log = logging.getLogger(__name__)

_OUTAGE_CAP, _REFUSED_SECONDS = 15.0, 30.0


class Worker:
    """`stopping` of the daemon, or `retire`, ends it after the job in hand."""

    def __init__(self, post: Post, stopping: Callable[[], bool], pace: Pace) -> None:
        self.post = post
        self._pace = pace
        self._daemon_stops = stopping
        self._retired = False
        self._resolver = Resolver(post)
        self._wake = asyncio.Event()
        self._nonce = uuid.uuid4()
        self._resolve_at = self._look_at = self._claim_at = Deadline(0)
        self._resolved = False
        self._job_at = now() - LIVELY_SECONDS
        self._quiet = self._outages = self._silent = 0

    def wake(self) -> None:
        """There may be a job: ask now."""
        self._claim_at = Deadline(0)
        self._wake.set()

    def retire(self) -> None:
        """This printer is no longer ours, or is another one now."""
        self._retired = True
        self._wake.set()

    @property
    def stopping(self) -> bool:
        return self._retired or self._daemon_stops()

    async def run(self) -> None:
        """Until the stop. Errors of the network and of printers do not end it."""
        while not self.stopping:
            self._wake.clear()
            try:
                await self._turn()
                self._outages = 0
            except RpcError as error:
                fields = {"action": "print.call_failed", "code": error.code}
                level = logging.DEBUG if self._outages else logging.WARNING  # once per outage
                log.log(level, str(error), extra={**fields, "printer": self.post.config.code})
                wait = full_jitter(self._outages, 1, _OUTAGE_CAP)
                later = Deadline(now() + (_REFUSED_SECONDS if refused(error) else wait))
                self._claim_at = later
                if not self._resolved:
                    self._resolve_at = later
                self._outages += 1
            await self._rest()

    async def _turn(self) -> None:
        if self._resolve_at.passed:
            self._resolved = False
            await self._resolver.run()
            self._resolved = True
            self._resolve_at = Deadline(now() + self._pace.resolve)
        if self._look_at.passed:
            reading = await self.post.sight.look()
            UP.labels(self.post.config.code).set(reading.may_claim)
            self._silent = self._silent + 1 if reading.silent else 0
            self._look_at = Deadline(now() + probe_wait(reading, self._silent, self._pace))
        while self._resolved and self._may_claim() and (claim := await self._claim()):
            await self._deliver(claim)

    def _may_claim(self) -> bool:
        return not self.stopping and self._claim_at.passed and self.post.sight.last.may_claim

    async def _claim(self) -> Claim | None:
        """One poll. The nonce stays until it is answered: a lost answer is the same job again."""
        claim = await self.post.desk.claim(self._nonce, self.post.config.code)
        self._nonce = uuid.uuid4()
        self._quiet = 0 if claim else self._quiet + 1
        if claim is None:
            self._claim_at = Deadline(now() + poll_wait(now() - self._job_at, self._quiet))
        return claim

    async def _deliver(self, claim: Claim) -> None:
        started = now()
        code = self.post.config.code
        result = await Delivery(claim, self.post, lambda: self.stopping).run()
        self._job_at = now()
        self._look_at = Deadline(now() + probe_wait(self.post.sight.last, 0, self._pace))
        observe("job", now() - started)
        JOBS.labels(code, result or "untold").inc()
        fields = {"job": claim.job_id, "printer": code, "result": result or "untold"}
        seconds = round(now() - started, 3)
        log.info("job over", extra={"action": "print.over", "seconds": seconds, **fields})
        if result != "printed":
            self._resolve_at = Deadline(0)
            self._resolved = False  # nothing else goes to this printer before that is looked at

    async def _rest(self) -> None:
        """Until the next poll, look or round, a wake or the stop."""
        due = [self._resolve_at.left, self._look_at.left]
        if self.post.sight.last.may_claim:
            due.append(self._claim_at.left)
        wait = max(0.05, min(due))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), wait)
