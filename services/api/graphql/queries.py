"""Queries: lists with filters and pages, single things."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types import Info

from services.api.graphql.types import (
    Downtime,
    Line,
    Machine,
    Page,
    Repair,
    Role,
    User,
    backend,
    field,
    from_row,
)

_MOST = 500


@strawberry.input(description="Which machines; without a filter all in use.")
class MachineFilter:
    site: str | None = None
    line: str | None = None
    work_centre: str | None = None
    status: str | None = None
    search: str | None = None
    with_inactive: bool | None = None


@strawberry.input(description="Which repairs; `from` to `to` (not included) by when reported.")
class RepairFilter:
    site: str | None = None
    machine: str | None = None
    line: str | None = None
    statuses: list[str] | None = None
    type: str | None = None
    is_open: bool | None = None
    assignee_id: strawberry.ID | None = None
    search: str | None = None
    from_: datetime | None = strawberry.field(default=None, name="from")
    to: datetime | None = None


@strawberry.input(description="Which downtimes; `from` to `to` (not included) by their start.")
class DowntimeFilter:
    site: str | None = None
    machine: str | None = None
    line: str | None = None
    reason: str | None = None
    is_open: bool | None = None
    from_: datetime | None = strawberry.field(default=None, name="from")
    to: datetime | None = None


@strawberry.input(description="Which people.")
class UserFilter:
    role: str | None = None
    is_active: bool | None = None
    search: str | None = None


def given(filters: object | None) -> dict[str, Any]:
    """The fields of a filter or input by the names of an RPC's arguments; instants as text."""
    if filters is None:
        return {}
    values = {
        column.name.rstrip("_"): getattr(filters, column.name)
        for column in dataclasses.fields(filters)  # type: ignore[arg-type]
    }
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }


def _quoted(value: str) -> str:
    """A value inside a PostgREST list or pattern."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _page_of(
    rows: list[dict[str, Any]], kind: type[Any], first: int, key: str
) -> tuple[list[Any], str | None]:
    """The first rows as objects, and the cursor when there was one more."""
    nodes = [from_row(kind, row) for row in rows[:first]]
    return nodes, str(rows[first - 1][key]) if len(rows) > first else None


def _limit(first: int) -> int:
    if not 1 <= first <= _MOST:
        raise GraphQLError(f"first is 1 to {_MOST}.", extensions={"code": "request.malformed"})
    return first


def _downtime_query(filters: Mapping[str, Any]) -> dict[str, str]:
    """PostgREST's filters on the view downtimes."""
    query = {
        name: f"eq.{filters[name]}"
        for name in ("site", "machine", "line", "reason")
        if name in filters
    }
    if "is_open" in filters:
        query["ended_at"] = "is.null" if filters["is_open"] else "not.is.null"
    times = [f"started_at.gte.{filters['from']}"] if "from" in filters else []
    times += [f"started_at.lt.{filters['to']}"] if "to" in filters else []
    if times:
        query["and"] = f"({','.join(times)})"
    return query


@strawberry.type
class Query:
    @field("Production lines.")
    async def lines(
        self, info: Info[Any, Any], site: str | None = None, with_inactive: bool | None = None
    ) -> list[Line]:
        rows = await backend(info).once("get_lines", site=site, with_inactive=with_inactive)
        return [Line.of(row) for row in rows]

    @field("Machines, by code.")
    async def machines(
        self,
        info: Info[Any, Any],
        filter: MachineFilter | None = None,
        first: int = 50,
        after: str | None = None,
        with_total: bool = False,
    ) -> Page[Machine]:
        page = await backend(info).once(
            "get_machines",
            **given(filter),
            cursor=after,
            limit=_limit(first),
            with_total=with_total,
        )
        nodes = [Machine.of(row) for row in page["machines"]]
        return Page(nodes=nodes, next_cursor=page["next_cursor"], total=page["total"])

    @field("One machine.")
    async def machine(self, info: Info[Any, Any], code: str) -> Machine:
        return Machine.of(await backend(info).once("get_machine", code=code))

    @field("Repairs and work orders, the newest first.")
    async def repairs(
        self,
        info: Info[Any, Any],
        filter: RepairFilter | None = None,
        first: int = 50,
        after: str | None = None,
        with_total: bool = False,
    ) -> Page[Repair]:
        page = await backend(info).once(
            "get_repairs",
            **given(filter),
            cursor=after,
            limit=_limit(first),
            with_total=with_total,
        )
        nodes = [Repair.of(row) for row in page["repairs"]]
        return Page(nodes=nodes, next_cursor=page["next_cursor"], total=page["total"])

    @field("One repair.")
    async def repair(self, info: Info[Any, Any], id: int) -> Repair:
        return Repair.of(await backend(info).once("get_repair", id=id))

    @field("Downtimes, the newest first.")
    async def downtimes(
        self,
        info: Info[Any, Any],
        filter: DowntimeFilter | None = None,
        first: int = 50,
        after: int | None = None,
    ) -> Page[Downtime]:
        query = _downtime_query(given(filter))
        if after is not None:
            query["id"] = f"lt.{after}"
        query |= {"order": "id.desc", "limit": str(_limit(first) + 1)}
        nodes, cursor = _page_of(
            await backend(info).rows("downtimes", **query), Downtime, first, "id"
        )
        return Page(nodes=nodes, next_cursor=cursor)

    @field("People, by id.")
    async def users(
        self,
        info: Info[Any, Any],
        filter: UserFilter | None = None,
        first: int = 50,
        after: strawberry.ID | None = None,
    ) -> Page[User]:
        asked = given(filter)
        query = {"order": "user_id", "limit": str(_limit(first) + 1)}
        if "role" in asked:
            query["role"] = f"eq.{asked['role']}"
        if "is_active" in asked:
            query["is_active"] = f"is.{str(asked['is_active']).lower()}"
        if "search" in asked:
            pattern = _quoted(f"*{asked['search']}*")
            query["or"] = f"(full_name.ilike.{pattern},email.ilike.{pattern})"
        if after is not None:
            query["user_id"] = f"gt.{after}"
        rows = await backend(info).rows("staff_shared", **query)
        nodes, cursor = _page_of(rows, User, first, "user_id")
        return Page(nodes=nodes, next_cursor=cursor)

    @field("Roles with their permissions.")
    async def roles(self, info: Info[Any, Any]) -> list[Role]:
        columns = "role,title,audience,rank,role_permissions(permission)"
        rows = await backend(info).rows("roles", select=columns, order="rank,role")
        return [
            from_row(
                Role,
                row | {"permissions": sorted(p["permission"] for p in row["role_permissions"])},
            )
            for row in rows
        ]
