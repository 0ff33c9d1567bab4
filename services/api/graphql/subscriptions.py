"""Subscriptions: what changed, read again as the caller whenever an event says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, cast

import strawberry
from strawberry.types import Info

from services.api.graphql.backend import Backend, Refusal
from services.api.graphql.types import Downtime, F, Machine, Repair, backend

_EVERY_S = 1.0
_STREAMS = ["machine", "line", "repair", "stop"]
_PAGE = 500


async def _events(db: Backend, streams: list[str]) -> AsyncIterator[list[dict[str, Any]]]:
    """Batches of events from now on, in commit order; an empty one first, when it listens."""
    cursor = await db.call("events_cursor")
    yield []
    while True:
        ask = {"cursor": cursor, "streams": streams, "limit": _PAGE}
        batch = list(await db.call("events_since", **ask))
        if batch:
            cursor = batch[-1]["cursor"]
            yield batch
        else:
            await asyncio.sleep(_EVERY_S)


async def _states(db: Backend, line: str | None) -> dict[str, Machine]:
    found: dict[str, Machine] = {}
    cursor = None
    while True:
        page = await db.call("get_machines", line=line, cursor=cursor, limit=_PAGE)
        found |= {row["machine"]["code"]: Machine.of(row) for row in page["machines"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _state(machine: Machine | None) -> tuple[object, ...]:
    return () if machine is None else (machine.status, machine.since, machine.open_repairs)


def _told(description: str) -> Callable[[F], F]:
    return cast(Callable[[F], F], strawberry.subscription(description=description))


@strawberry.type
class Subscription:
    @_told("Machines as they are now, then each whose state changes.")
    async def machine_status(
        self, info: Info[Any, Any], line: str | None = None
    ) -> AsyncGenerator[Machine, None]:
        db, known = backend(info), dict[str, Machine]()
        async for _ in _events(db, _STREAMS):
            now = await _states(db, line)
            for code, machine in now.items():
                if _state(machine) != _state(known.get(code)):
                    yield machine
            known = now

    @_told("Every repair that changes from now on, as it is then.")
    async def repair_changes(
        self, info: Info[Any, Any], machine: str | None = None
    ) -> AsyncGenerator[Repair, None]:
        db = backend(info)
        async for batch in _events(db, ["repair"]):
            for number in dict.fromkeys(int(event["stream_id"]) for event in batch):
                try:
                    row = await db.call("get_repair", id=number)
                except Refusal as refused:
                    # Of a site where the caller does not work, or gone since.
                    if (refused.extensions or {}).get("status") not in (403, 404):
                        raise
                    continue
                if machine in (None, row["repair"]["machine"]):
                    yield Repair.of(row)

    @_told("Every downtime that begins, ends or gets a reason from now on, as it is then.")
    async def downtime_changes(
        self, info: Info[Any, Any], machine: str | None = None
    ) -> AsyncGenerator[Downtime, None]:
        db = backend(info)
        where = {} if machine is None else {"machine": f"eq.{machine}"}
        async for batch in _events(db, ["stop"]):
            ids = ",".join(dict.fromkeys(str(event["stream_id"]) for event in batch))
            if not ids:
                continue
            query = {"id": f"in.({ids})", "order": "id", **where}
            rows, _ = await db.rows("downtimes", query)
            for row in rows:
                yield Downtime.of(row)
