"""A print farm on a real stack: parts with orders that wait for them, and what became of both."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from takt import device
from takt.device import Credentials
from tests.printing.gate import Gate
from tests.services.stack import Stack
from tests.takt.processes import wait_for

PER_PRINT = 12


@dataclass(frozen=True)
class SignIn:
    """A bridge's sign-in at `file`, which reaches Takt only through `gate`."""

    file: Path
    gate: Gate
    code: str


@dataclass(frozen=True)
class Part:
    """A part of which one print gives twelve, and the production order that waits for it."""

    plant: Plant
    sku: str
    order: str

    @property
    def stock(self) -> int:
        return int(
            self.plant.value("select on_hand from public.inventory_stock where sku = %s", self.sku)
        )

    @property
    def fulfilment(self) -> str:
        query = "select fulfillment_status from public.order_fulfilments where code = %s"
        return str(self.plant.value(query, self.order))

    @property
    def produced(self) -> list[int]:
        """What each physical print brought in, in the order of the ledger."""
        query = (
            "select quantity from public.inventory_txn where sku = %s and kind = 'produce'"
            " order by id"
        )
        return [int(row[0]) for row in self.plant.sql(query, self.sku)]

    def wait_fulfilled(self) -> None:
        """Until the order has all its parts, without a hand."""
        wait_for(lambda: self.fulfilment == "fulfilled" or None, f"{self.order} is fulfilled", 60)


@dataclass
class Plant:
    """`stack` has the site `main`; parts, orders and sign-ins of bridges are made here."""

    stack: Stack
    folder: Path
    gates: list[Gate] = field(default_factory=list)

    def enroll(self) -> SignIn:
        """A bridge of its own, behind a gate of its own."""
        code = f"bridge-{uuid.uuid4().hex[:8]}"
        with self.stack.rpc() as rpc:
            names = {"p_code": code, "p_name": code, "p_site": "main"}
            made = rpc.call("create_device", p_kind="bambu_bridge", **names)
        known = asyncio.run(device.enroll(self.stack.url, made["enrolment_code"]))
        gate = Gate(self.stack.url)
        self.gates.append(gate)
        file = self.folder / f"{code}.json"
        through = (known.publishable_key, known.email, known.password, known.device)
        Credentials(gate.url, *through).write(file)
        return SignIn(file, gate, code)

    def part(self, name: str, plate: int | None, *, needed: int = PER_PRINT) -> Part:
        """The file gives this part from now on, and an order needs so many of it."""
        sku = f"PART-{uuid.uuid4().hex[:8].upper()}"
        lines = [{"sku": sku, "quantity": PER_PRINT}]
        with self.stack.rpc() as rpc:
            rpc.call("upsert_part", p_sku=sku, p_parts_per_print=PER_PRINT)
            rpc.call("map_gcode", p_gcode_filename=name, p_parts=lines, p_plate=plate)
            made = rpc.call(
                "create_production_order", p_product_sku=sku, p_quantity=needed, p_site="main"
            )
        return Part(self, sku, str(made["order_row"]["code"]))

    def runs(self, serial: str) -> list[dict[str, Any]]:
        """What is known of a printer's runs, in the order they were told."""
        query = (
            "select to_jsonb(r) from public.print_runs r join public.print_machines m"
            " on m.id = r.machine_id where m.serial = %s order by r.id"
        )
        return [dict(row[0]) for row in self.sql(query, serial)]

    def wait_runs(self, serial: str, count: int) -> list[dict[str, Any]]:
        """Until so many runs are known."""
        wait_for(lambda: len(self.runs(serial)) >= count, f"{count} runs are told", 60)
        return self.runs(serial)

    def books_agree(self) -> None:
        """Errors: AssertionError when stock is not the sum of what happened."""
        with self.stack.rpc() as rpc:
            assert rpc.call("inventory_selfcheck") == []
        uneven = (
            "select g.run_id, g.sku from public.inventory_print_log g left join lateral ("
            "  select coalesce(sum(t.quantity), 0) as total from public.inventory_txn t"
            "  where t.ref_stream = 'print_run' and t.ref_id = g.run_id::text and t.sku = g.sku"
            ") t on true where t.total <> g.quantity"
        )
        assert self.sql(uneven) == []

    def sql(self, query: str, *values: Any) -> list[Any]:
        """As the owner of the schema: to arrange and to look."""
        with self.stack.connect() as db:
            cursor = db.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def value(self, query: str, *values: Any) -> Any:
        """The one figure that is asked for."""
        ((found,),) = self.sql(query, *values)
        return found


def told(run: dict[str, Any]) -> tuple[str, str, str | None]:
    """(outcome, evidence, name) of a run as the database has it."""
    return run["outcome"], run["evidence"], run["native"].get("name")
