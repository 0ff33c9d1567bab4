"""One claimed job, from the look at the printer to the answer of the database.

Nothing leaves before `begin_send` was acknowledged; if that answer is lost, the state is asked for,
never assumed. From the first byte on every failure is told as it is, and the journal knows first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from print_agent.clock import Deadline, now
from print_agent.desk import refused
from print_agent.domain import (
    IN_DOUBT,
    LEASE_SECONDS,
    Claim,
    Go,
    Health,
    Next,
    Reading,
    Step,
    Watch,
    before_send,
)
from print_agent.drivers.base import Order, SendError
from print_agent.measures import observe
from print_agent.post import Post
from takt.errors import RpcError

log = logging.getLogger(__name__)

_READY_SECONDS = 15.0  # of a claim's lease, for a printer that is about to be idle
_EXTEND_EVERY = 10.0
_STOP_PATIENCE = 10.0
_DOUBT_SECONDS = 60.0
_RETRY_SECONDS = 1


class Permit:
    """The right to send, on a clock that counts suspend."""

    def __init__(self, asked_at: float, seconds: float, lease: float) -> None:
        self._window = Deadline(asked_at + seconds)
        self._lease = Deadline(asked_at + lease)
        self._begun = False
        self._seconds = lease
        self.lost = False

    def extend(self, asked_at: float) -> None:
        """The database has renewed the lease that was asked for at `asked_at`."""
        if not self._lease.passed:
            self._lease = Deadline(asked_at + self._seconds)

    def may_go(self) -> bool:
        """May another byte leave? The first one only within the window."""
        if self.lost or self._lease.passed or (not self._begun and self._window.passed):
            return False
        self._begun = True
        return True


class Delivery:
    """Everything that belongs to one try of one job."""

    def __init__(self, claim: Claim, post: Post, stopping: Callable[[], bool]) -> None:
        self._claim = claim
        self._desk = post.desk
        self._driver = post.driver
        self._sight = post.sight
        self._journal = post.journal
        self._stopping = stopping
        self._fields = {"job": claim.job_id, "fence": claim.fence, "printer": claim.printer}

    async def run(self) -> str:
        """Do it; answers what became of it, "" when the database has not said. Errors: RpcError
        before the first byte only."""
        if not self._claim.is_intact:
            return await self._desk.fail(
                self._claim, "The stored label is damaged: its checksum differs."
            )
        claimed_at = now()
        ready = await self._ready()
        if isinstance(ready, str):
            return ready
        permit = await self._begin(ready)
        if permit is None:
            return "refused"
        observe("begin", now() - claimed_at)
        async with self._kept(permit):
            sent_at = now()
            ended = await self._hand_over(permit)
            observe("send", now() - sent_at)
            return ended if ended is not None else await self._confirm(ready.odometer)

    # Before the first byte ---------------------------------------------------------------------

    async def _ready(self) -> Reading | str:
        """A reading that allows to send, or what became of the job instead."""
        patience = Deadline(now() + _READY_SECONDS)
        cleared = False
        while True:
            reading = await self._sight.look()
            go, reason = before_send(self._claim, reading)
            if go is Go.SEND:
                return reading
            if go is Go.CLEAR and not cleared:
                cleared = True
                await self._clear()
            elif go is Go.RELEASE or patience.passed or self._stopping():
                log.info(reason, extra={"action": "print.released", **self._fields})
                why = f"The printer was not ready: {reason}."
                return await self._desk.release(self._claim, why, _RETRY_SECONDS)
            await asyncio.sleep(0.2)

    async def _begin(self, ready: Reading) -> Permit | None:
        """Write ahead, here and in the database. None: no byte may leave."""
        claim, evidence = self._claim, self._sight.evidence(ready)
        await asyncio.to_thread(self._note_begin, evidence)
        asked_at = now()
        window = Deadline(asked_at + claim.send_window_s)
        while not window.passed:
            try:
                seconds, lease = await self._desk.begin(claim, evidence)
                return Permit(asked_at, min(seconds, claim.send_window_s), lease)
            except RpcError as error:
                if refused(error):
                    await self._refused(error)
                    return None
                log.warning(str(error), extra={"action": "print.begin_lost", **self._fields})
            state = await self._ask_state(window)
            if state == "sending":
                return Permit(asked_at, claim.send_window_s, LEASE_SECONDS)
            if state not in ("claimed", ""):
                break
        # It stays in the journal as begun: the resolver tells that no byte has left.
        log.warning("not begun", extra={"action": "print.not_begun", **self._fields})
        return None

    def _note_begin(self, evidence: dict[str, object]) -> None:
        claim = self._claim
        self._sight.keep()
        self._journal.begin(claim.job_id, claim.fence, claim.printer, len(claim.payload), evidence)

    async def _refused(self, error: RpcError) -> None:
        self._note(Step.SETTLED, note=error.code)
        log.warning(str(error), extra={"action": "print.refused", **self._fields})
        with contextlib.suppress(RpcError):
            await self._desk.release(self._claim, error.message, _RETRY_SECONDS)

    async def _ask_state(self, window: Deadline) -> str:
        """The job's state, "" when it cannot be had in time or the fence is stale."""
        while not window.passed:
            try:
                return await self._desk.state(self._claim)
            except RpcError as error:
                if refused(error):
                    return "gone"
            await asyncio.sleep(0.5)
        return ""

    # Bytes -------------------------------------------------------------------------------------

    async def _hand_over(self, permit: Permit) -> str | None:
        """None when all bytes have left, otherwise what became of the job."""
        order = Order(self._claim.payload, self._first, permit.may_go)
        try:
            handed = await self._driver.send(order)
        except SendError as error:
            return await self._broken(error)
        self._note(Step.SENT, handed)
        log.info("sent", extra={"action": "print.sent", "bytes": handed, **self._fields})
        try:
            await self._desk.mark_sent(self._claim, handed)
        except RpcError as error:
            log.warning(str(error), extra={"action": "print.sent_untold", **self._fields})
        return None

    async def _first(self) -> None:
        await asyncio.to_thread(self._note, Step.HANDING)

    async def _broken(self, error: SendError) -> str:
        fields = {"bytes": error.handed, **self._fields}
        log.warning(error.reason, extra={"action": "print.send_failed", **fields})
        self._note(Step.HANDED if error.handed else Step.NOTHING, error.handed, error.reason)
        why = f"Sending failed: {error.reason}."
        try:
            if error.handed == 0:
                state = await self._desk.abort(self._claim, why)
                self._note(Step.SETTLED)
                return state
            return await self._desk.unknown(self._claim, why, None)
        except RpcError as failure:
            log.warning(str(failure), extra={"action": "print.untold", **self._fields})
            return ""

    # After the last byte -----------------------------------------------------------------------

    async def _confirm(self, before: int | None) -> str:
        """Look until there is something to tell; the database decides what it means."""
        watch = Watch(self._claim.labels, before, now())
        doubt: Deadline | None = None  # the printer is idle, and yet proves nothing
        stop: Deadline | None = None
        pause = 0.1
        while True:
            reading = await self._sight.look()
            step, reason = watch.next(reading)
            if step is Next.CLEAR:
                await self._clear()
            elif step is Next.UNKNOWN or (doubt is not None and doubt.passed):
                return await self._give_up(reason, self._seen(reading, watch))
            elif step is Next.CONFIRM:
                state = await self._tell(self._seen(reading, watch))
                if state != "sent":
                    return state
                doubt = doubt or Deadline(now() + _DOUBT_SECONDS)
            if self._stopping():
                stop = stop or Deadline(now() + _STOP_PATIENCE)
                if stop.passed:
                    return ""  # the journal knows it; the resolver goes on at the next start
            await asyncio.sleep(pause)
            quick = reading.health in (Health.IDLE, Health.BUSY) and doubt is None
            pause = min(pause * 1.3, 0.5 if quick else 2.0)

    def _seen(self, reading: Reading, watch: Watch) -> dict[str, Any]:
        """What the printer shows now, and what struck it since the last byte."""
        return {**self._sight.evidence(reading), "struck": watch.struck}

    async def _clear(self) -> None:
        log.warning("half a label", extra={"action": "print.cleared", **self._fields})
        with contextlib.suppress(OSError):
            await self._driver.abort()

    async def _tell(self, evidence: dict[str, Any]) -> str:
        """Show the evidence; answers the state, "" when nobody can be told now."""
        claim = self._claim
        await asyncio.to_thread(self._journal.show, claim.job_id, claim.fence, evidence)
        try:
            state = await self._desk.confirm(claim, evidence)
        except RpcError as error:
            log.warning(str(error), extra={"action": "print.untold", **self._fields})
            return ""
        if state not in IN_DOUBT:
            self._note(Step.SETTLED, note=state)
        return state

    async def _give_up(self, reason: str, evidence: dict[str, Any]) -> str:
        why = "The printer is idle, and yet nothing proves that the labels came out."
        if reason:
            why = f"After the last byte nothing more was heard from the printer: {reason}."
        try:
            return await self._desk.unknown(self._claim, why, evidence)
        except RpcError as error:
            log.warning(str(error), extra={"action": "print.untold", **self._fields})
            return ""

    # Meanwhile ---------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _kept(self, permit: Permit) -> AsyncIterator[None]:
        """The lease is renewed as long as this agent is at work on the job."""
        keeper = asyncio.create_task(self._keep(permit))
        try:
            yield
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    async def _keep(self, permit: Permit) -> None:
        while True:
            await asyncio.sleep(_EXTEND_EVERY)
            asked_at = now()
            try:
                await self._desk.extend(self._claim)
                permit.extend(asked_at)
            except RpcError as error:
                if refused(error):
                    permit.lost = True
                    log.warning(str(error), extra={"action": "print.lost", **self._fields})
                    return

    def _note(self, step: Step, handed: int = 0, note: str | None = None) -> None:
        self._journal.advance(self._claim.job_id, self._claim.fence, step, handed, note)
