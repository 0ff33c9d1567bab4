"""Queries: lists with filters and pages, single things."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

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
)

T = TypeVar("T")
_MOST = 500


@strawberry.input(description="Which lines; without a filter all in use.")
class LineFilter:
    site: str | None = None
    status: str | None = None
    search: str | None = None
    with_inactive: bool | None = None


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


@strawberry.input(description="Which roles; `audience` staff, device or service.")
class RoleFilter:
    audience: str | None = None
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


def _matching(search: str, *columns: str) -> str:
    """For PostgREST's `or`: the text stands in one of the columns."""
    pattern = _quoted(f"*{search}*")
    return f"({','.join(f'{column}.ilike.{pattern}' for column in columns)})"


@dataclasses.dataclass(frozen=True)
class _Asked:
    """A page of a table or read. `order`: what the cursor is of, `.desc`: the newest first."""

    table: str
    order: str
    first: int
    after: str | None
    with_total: bool

    async def page(
        self, info: Info[Any, Any], of: Callable[[dict[str, Any]], T], where: Mapping[str, str]
    ) -> Page[T]:
        """By PostgREST; the total is of all that the filter finds, whatever page it is."""
        column, _, way = self.order.partition(".")
        query = {**where, "order": self.order, "limit": str(_limit(self.first) + 1)}
        if self.after is not None:
            query[column] = f"{'lt' if way else 'gt'}.{self.after}"
        rows, _ = await backend(info).rows(self.table, query)
        total = None
        if self.with_total:
            _, total = await backend(info).rows(
                self.table, {**where, "limit": "0"}, with_total=True
            )
        cursor = _value(rows[self.first - 1], column) if len(rows) > self.first else None
        nodes = [of(row) for row in rows[: self.first]]
        return Page(nodes=nodes, next_cursor=cursor, total=total)


def _value(row: Mapping[str, Any], column: str) -> str:
    value: Any = row
    for name in column.split("->>"):
        value = value[name]
    return str(value)


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
    @field("Production lines, by code.")
    async def lines(
        self,
        info: Info[Any, Any],
        filter: LineFilter | None = None,
        first: int = 20,
        after: str | None = None,
        with_total: bool = False,
    ) -> Page[Line]:
        asked = given(filter)
        where = {
            f"p_{name}": str(asked[name]) for name in ("site", "with_inactive") if name in asked
        }
        if "status" in asked:
            where["status"] = f"eq.{asked['status']}"
        if "search" in asked:
            where["or"] = _matching(asked["search"], "line->>code", "line->>title")
        page = _Asked("rpc/get_lines", "line->>code", first, after, with_total)
        return await page.page(info, Line.of, where)

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
        with_total: bool = False,
    ) -> Page[Downtime]:
        cursor = None if after is None else str(after)
        page = _Asked("downtimes", "id.desc", first, cursor, with_total)
        return await page.page(info, Downtime.of, _downtime_query(given(filter)))

    @field("People, by id.")
    async def users(
        self,
        info: Info[Any, Any],
        filter: UserFilter | None = None,
        first: int = 50,
        after: strawberry.ID | None = None,
        with_total: bool = False,
    ) -> Page[User]:
        asked = given(filter)
        where = {"role": f"eq.{asked['role']}"} if "role" in asked else {}
        if "is_active" in asked:
            where["is_active"] = f"is.{str(asked['is_active']).lower()}"
        if "search" in asked:
            where["or"] = _matching(asked["search"], "full_name", "email")
        page = _Asked("staff_shared", "user_id", first, after, with_total)
        return await page.page(info, User.of, where)

    @field("Roles with their permissions, by name.")
    async def roles(
        self,
        info: Info[Any, Any],
        filter: RoleFilter | None = None,
        first: int = 50,
        after: str | None = None,
        with_total: bool = False,
    ) -> Page[Role]:
        asked = given(filter)
        where = {"select": "role,title,audience,rank,role_permissions(permission)"}
        if "audience" in asked:
            where["audience"] = f"eq.{asked['audience']}"
        if "search" in asked:
            where["or"] = _matching(asked["search"], "role", "title")
        page = _Asked("roles", "role", first, after, with_total)
        return await page.page(info, Role.of, where)
