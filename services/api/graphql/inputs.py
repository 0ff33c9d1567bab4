"""Inputs of the mutations: their fields are the arguments of an RPC, without p_."""

from __future__ import annotations

from datetime import datetime

import strawberry

RequestId = strawberry.ID


@strawberry.input
class NewLine:
    code: str
    title: str | None = None
    description: str | None = None
    site: str | None = None
    request_id: RequestId | None = None


@strawberry.input(description="`version`: the one that was looked at.")
class LineChange:
    code: str
    version: int
    title: str | None = None
    description: str | None = None
    is_active: bool | None = None
    request_id: RequestId | None = None


@strawberry.input(description="`version`: the one that was looked at.")
class Closing:
    code: str
    version: int
    request_id: RequestId | None = None


@strawberry.input
class NewMachine:
    code: str
    name: str | None = None
    site: str | None = None
    line: str | None = None
    work_centre: str | None = None
    asset_number: str | None = None
    serial_number: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    type: str | None = None
    micro_stop_s: int | None = None
    silence_s: int | None = None
    call_supervisor_min: int | None = None
    call_manager_min: int | None = None
    notes: str | None = None
    request_id: RequestId | None = None


@strawberry.input(description="An empty text clears a field, null leaves it as it is.")
class MachineChange:
    code: str
    version: int
    name: str | None = None
    line: str | None = None
    work_centre: str | None = None
    asset_number: str | None = None
    serial_number: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    type: str | None = None
    micro_stop_s: int | None = None
    silence_s: int | None = None
    call_supervisor_min: int | None = None
    call_manager_min: int | None = None
    notes: str | None = None
    is_active: bool | None = None
    request_id: RequestId | None = None


@strawberry.input
class NewRepair:
    machine: str
    symptom: str | None = None
    description: str | None = None
    is_down: bool | None = None
    priority: str | None = None
    occurred_at: datetime | None = None
    type: str | None = None
    assignee_id: strawberry.ID | None = None
    request_id: RequestId | None = None


@strawberry.input
class RepairCorrection:
    id: int
    version: int | None = None
    description: str | None = None
    priority: str | None = None
    is_down: bool | None = None
    assignee_id: strawberry.ID | None = None
    cause: str | None = None
    actions_taken: str | None = None
    performed_by: str | None = None
    cost: float | None = None
    request_id: RequestId | None = None


@strawberry.input(description="`at`: when it happened; default now.")
class RepairStepTaken:
    id: int
    at: datetime | None = None
    request_id: RequestId | None = None


@strawberry.input(description="`waitsFor` parts, people or vendor.")
class RepairWaits:
    id: int
    waits_for: str
    note: str | None = None
    at: datetime | None = None
    request_id: RequestId | None = None


@strawberry.input
class RepairDone:
    id: int
    actions_taken: str
    cause: str | None = None
    performed_by: str | None = None
    cost: float | None = None
    at: datetime | None = None
    request_id: RequestId | None = None


@strawberry.input(description="Not ok: `note` says what is still wrong.")
class RepairVerified:
    id: int
    is_ok: bool
    note: str | None = None
    at: datetime | None = None
    request_id: RequestId | None = None


@strawberry.input(description="`runsAgain` false: the machine still stands for another reason.")
class RepairClosed:
    id: int
    runs_again: bool | None = None
    at: datetime | None = None
    request_id: RequestId | None = None


@strawberry.input
class RepairReopened:
    id: int
    reason: str
    request_id: RequestId | None = None


@strawberry.input(description="`as` rejected, duplicate (of `duplicateOf`) or cancelled.")
class RepairDismissed:
    id: int
    as_: str = strawberry.field(name="as")
    reason: str
    duplicate_of: int | None = None
    request_id: RequestId | None = None


@strawberry.input(description="`endedAt` null: it lasts.")
class NewDowntime:
    machine: str
    reason: str | None = None
    at: datetime | None = None
    ended_at: datetime | None = None
    comment: str | None = None
    request_id: RequestId | None = None


@strawberry.input
class DowntimeReason:
    stop_id: int
    reason: str
    comment: str | None = None
    version: int | None = None
    request_id: RequestId | None = None


@strawberry.input
class DowntimeEnd:
    stop_id: int
    at: datetime | None = None
    request_id: RequestId | None = None


@strawberry.input(description="`userId` of somebody who can sign in.")
class Person:
    user_id: strawberry.ID
    full_name: str
    email: str
    role: str
    stores: list[str] | None = None
    request_id: RequestId | None = None


@strawberry.input
class PersonLeaves:
    user_id: strawberry.ID
    request_id: RequestId | None = None


@strawberry.input
class RolePermission:
    role: str
    permission: str
    granted: bool
    request_id: RequestId | None = None
