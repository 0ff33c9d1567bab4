"""Mutations: one line each, an RPC with the fields of an input as its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.types import Info

from services.api.graphql import inputs
from services.api.graphql.queries import given
from services.api.graphql.types import (
    DowntimeChange,
    Line,
    Machine,
    Repair,
    RepairChange,
    User,
    backend,
)

Row = dict[str, Any]


def _repair(answer: Row) -> RepairChange:
    return RepairChange(changed=answer["changed"], repair=Repair.of({"repair": answer["repair"]}))


def _downtime(answer: Row) -> DowntimeChange:
    stop = answer["stop"]
    return DowntimeChange(changed=answer["changed"], id=stop["id"], stop=stop)


def _yes(answer: object) -> bool:
    return answer is not False


def _command(
    rpc: str, takes: type, gives: type, answer: Callable[[Any], Any], summary: str, **fixed: Any
) -> Any:
    """A field that calls the RPC with the input's fields and what is fixed."""

    async def resolver(info: Info[Any, Any], input: Any) -> Any:
        return answer(await backend(info).call(rpc, **given(input), **fixed))

    resolver.__annotations__ = {"info": Info, "input": takes, "return": gives}
    return strawberry.mutation(resolver=resolver, description=summary)


def _on_repair(rpc: str, takes: type, summary: str) -> Any:
    return _command(rpc, takes, RepairChange, _repair, summary)


@strawberry.type
class Mutation:
    create_line = _command("save_line", inputs.NewLine, Line, Line.of, "Add a line.", version=0)
    update_line = _command("save_line", inputs.LineChange, Line, Line.of, "Change a line.")
    close_line = _command(
        "save_line", inputs.Closing, Line, Line.of, "Take a line out of use.", is_active=False
    )
    create_machine = _command(
        "save_machine", inputs.NewMachine, Machine, Machine.of, "Add a machine.", version=0
    )
    update_machine = _command(
        "save_machine", inputs.MachineChange, Machine, Machine.of, "Change a machine."
    )
    close_machine = _command(
        "save_machine", inputs.Closing, Machine, Machine.of, "Take it out of use.", is_active=False
    )
    create_repair = _on_repair("report_repair", inputs.NewRepair, "Report a problem.")
    update_repair = _on_repair("update_repair", inputs.RepairCorrection, "Correct a repair.")
    acknowledge_repair = _on_repair("acknowledge_repair", inputs.RepairStepTaken, "I know of it.")
    start_repair = _on_repair("start_repair", inputs.RepairStepTaken, "Work begins, or goes on.")
    wait_repair = _on_repair("wait_repair", inputs.RepairWaits, "Work stands still.")
    complete_repair = _on_repair("complete_repair", inputs.RepairDone, "The work is done.")
    verify_repair = _on_repair("verify_repair", inputs.RepairVerified, "Somebody tried it.")
    close_repair = _on_repair("close_repair", inputs.RepairClosed, "The end of it.")
    reopen_repair = _on_repair("reopen_repair", inputs.RepairReopened, "It came back.")
    dismiss_repair = _on_repair("dismiss_repair", inputs.RepairDismissed, "It was none.")
    create_downtime = _command(
        "start_stop", inputs.NewDowntime, DowntimeChange, _downtime, "A machine stands, or stood."
    )
    update_downtime = _command(
        "classify_stop", inputs.DowntimeReason, DowntimeChange, _downtime, "Say why it stands."
    )
    close_downtime = _command(
        "end_stop", inputs.DowntimeEnd, DowntimeChange, _downtime, "It runs again."
    )
    create_user = _command("upsert_staff", inputs.Person, User, User.of, "Add somebody.")
    update_user = _command("upsert_staff", inputs.Person, User, User.of, "Change somebody.")
    close_user = _command(
        "set_staff_active", inputs.PersonLeaves, User, User.of, "Disable them.", is_active=False
    )
    update_role = _command(
        "set_role_permission", inputs.RolePermission, bool, _yes, "What a role may do."
    )
