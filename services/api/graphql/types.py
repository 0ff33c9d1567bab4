"""What the queries answer. Each type takes its fields from a row of the same names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from services.api.graphql.backend import Backend

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Row = Mapping[str, Any]


def field(description: str) -> Callable[[F], F]:
    """A resolver with a description; strawberry's own decorator is typed only without one."""
    return cast(Callable[[F], F], strawberry.field(description=description))


def backend(info: Info[Any, Any]) -> Backend:
    """The caller's database."""
    found: Backend = info.context["backend"]
    return found


def from_row(kind: type[T], *rows: Row) -> T:
    """An object with the fields of the rows; what none of them has is None."""
    values: dict[str, Any] = {}
    for column in dataclasses.fields(kind):  # type: ignore[arg-type]
        if not column.init:
            continue
        value = next((row[column.name] for row in rows if row.get(column.name) is not None), None)
        if isinstance(value, str) and (column.name.endswith("_at") or column.name == "since"):
            value = datetime.fromisoformat(value)
        values[column.name] = value
    return kind(**values)


@strawberry.type
class Page(Generic[T]):
    """A page of a list; `next_cursor` goes into `after`, null on the last page."""

    nodes: list[T]
    next_cursor: str | None
    total: int | None = None


@strawberry.type(description="What happened to a repair: the status from when, and how long.")
class RepairStep:
    at: str
    status: str
    waits_for: str | None
    by: str | None
    note: str | None
    minutes: float | None


@strawberry.type(description="What somebody said who reported it; `isDown`: it cannot run.")
class RepairReport:
    at: str
    by: str | None
    source: str
    is_down: bool
    description: str | None


@strawberry.type(description="A spare part that a repair took from stock.")
class RepairPart:
    sku: str
    title: str
    uom: str
    location: str
    quantity: float
    cost: float | None
    is_returned: bool


@strawberry.type(description="A line of the checklist of a work order.")
class RepairCheck:
    position: int
    title: str
    unit: str | None
    lower: float | None
    upper: float | None
    result: str | None
    value: float | None
    note: str | None
    failed_repair_id: int | None


@strawberry.type(description="A file of a repair: read it at its path of the bucket in storage.")
class RepairAttachment:
    id: strawberry.ID
    bucket: str
    path: str
    name: str | None
    mime_type: str
    is_there: bool


@strawberry.type(description="What was wrong with a machine, or due, and what was done.")
class Repair:
    id: int
    machine: str
    machine_name: str | None
    line: str | None
    asset_number: str | None
    type: str
    source: str
    status: str
    waits_for: str | None
    priority: str
    symptom: str | None
    description: str | None
    is_down: bool
    is_open: bool
    is_failure: bool
    assignee: str | None
    occurred_at: datetime
    reported_at: datetime
    acknowledged_at: datetime | None
    started_at: datetime | None
    repaired_at: datetime | None
    verified_at: datetime | None
    closed_at: datetime | None
    cause: str | None
    actions_taken: str | None
    performed_by: str | None
    cost: float
    reopened: int
    reaction_min: float | None
    downtime_h: float | None
    version: int

    @field("When work on it began.")
    def start_datetime(self) -> datetime | None:
        return self.started_at

    @field("When work on it ended, for the last time.")
    def end_datetime(self) -> datetime | None:
        return self.repaired_at

    @classmethod
    def of(cls, row: Row) -> Repair:
        """From a repair_row (with names), or from the bare row of a command's answer."""
        return from_row(cls, {k: v for k, v in row.items() if k != "repair"}, row["repair"])

    @field("Every status it took.")
    async def history(self, info: Info[Any, Any]) -> list[RepairStep]:
        return [from_row(RepairStep, row) for row in await self._part(info, "history")]

    @field("Every report of it, in its own words.")
    async def reported(self, info: Info[Any, Any]) -> list[RepairReport]:
        return [from_row(RepairReport, row) for row in await self._part(info, "reported")]

    @field("Parts it took from stock.")
    async def parts(self, info: Info[Any, Any]) -> list[RepairPart]:
        return [from_row(RepairPart, row) for row in await self._part(info, "parts")]

    @field("The checklist of a work order.")
    async def checks(self, info: Info[Any, Any]) -> list[RepairCheck]:
        return [from_row(RepairCheck, row) for row in await self._part(info, "checks")]

    @field("Its photos and papers.")
    async def attachments(self, info: Info[Any, Any]) -> list[RepairAttachment]:
        return [from_row(RepairAttachment, row) for row in await self._part(info, "attachments")]

    @field("Commands that the caller may give now.")
    async def actions(self, info: Info[Any, Any]) -> list[str]:
        return list(await self._part(info, "actions"))

    async def _part(self, info: Info[Any, Any], name: str) -> list[Any]:
        return list((await backend(info).once("get_repair", id=self.id))[name])


@strawberry.type(description="A machine, and what state it is in.")
class Machine:
    code: str
    name: str
    site: str
    line: str | None
    work_centre: str | None
    asset_number: str | None
    serial_number: str | None
    manufacturer: str | None
    model: str | None
    type: str | None
    micro_stop_s: int
    silence_s: int
    call_supervisor_min: int
    call_manager_min: int
    notes: str | None
    is_active: bool
    version: int
    status: str | None
    since: datetime | None
    open_repairs: int | None
    last_repaired_at: datetime | None
    hours_since_repair: float | None
    run_hours: float | None
    cycles: float | None
    next_due_at: datetime | None
    plans_due: int | None

    @classmethod
    def of(cls, row: Row) -> Machine:
        """From a machine_row (with its state), or from the bare row of a command's answer."""
        return from_row(cls, row["machine"], row) if "machine" in row else from_row(cls, row)

    @field("Its repairs, the newest first.")
    async def repairs(
        self, info: Info[Any, Any], first: int = 10, is_open: bool | None = None
    ) -> list[Repair]:
        ask = {"machine": self.code, "limit": first, "is_open": is_open}
        page = await backend(info).once("get_repairs", **ask)
        return [Repair.of(row) for row in page["repairs"]]


@strawberry.type(description="A production line, and what state it is in.")
class Line:
    code: str
    title: str
    description: str | None
    site: str
    is_active: bool
    version: int
    status: str | None
    since: datetime | None

    @classmethod
    def of(cls, row: Row) -> Line:
        """From a line_row (with its state), or from the bare row of a command's answer."""
        return from_row(cls, row["line"], row) if "line" in row else from_row(cls, row)

    @field("Machines that stand in it.")
    async def machines(self, info: Info[Any, Any], first: int = 20) -> list[Machine]:
        page = await backend(info).once("get_machines", line=self.code, limit=first)
        return [Machine.of(row) for row in page["machines"]]


@strawberry.type(description="A stop of a machine; it lasts while `endedAt` is null.")
class Downtime:
    id: int
    machine: str
    line: str | None
    site: str
    reason: str | None
    reason_title: str | None
    started_at: datetime
    ended_at: datetime | None
    duration_s: float | None
    comment: str | None
    repair_ids: list[int] | None
    version: int

    @classmethod
    def of(cls, row: Row) -> Downtime:
        return from_row(cls, row)

    @field("When it began to stand.")
    def start_datetime(self) -> datetime:
        return self.started_at

    @field("When it ran again; null while it stands.")
    def end_datetime(self) -> datetime | None:
        return self.ended_at


@strawberry.type(description="Somebody on the staff.")
class User:
    user_id: strawberry.ID
    full_name: str
    email: str | None
    role: str
    stores: list[str]
    is_active: bool
    version: int

    @classmethod
    def of(cls, row: Row) -> User:
        return from_row(cls, row)


@strawberry.type(description="A role and what it may do.")
class Role:
    role: str
    title: str
    audience: str
    rank: int
    permissions: list[str]

    @classmethod
    def of(cls, row: Row) -> Role:
        return from_row(
            cls,
            {**row, "permissions": sorted(one["permission"] for one in row["role_permissions"])},
        )


@strawberry.type(description="Answer of a command on a repair.")
class RepairChange:
    changed: bool
    repair: Repair


@strawberry.type(description="Answer of a command on a downtime.")
class DowntimeChange:
    changed: bool
    id: int
    stop: JSON
