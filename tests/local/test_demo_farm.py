"""The demo's print farm: a print finishes and, without a hand, an order has its parts."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from takt.processes import command_of
from takt.rpc_sync import SyncRpcClient
from tests.local.support import Stack
from tests.takt.processes import wait_for

SERIALS = ["SIMA1M000000001", "SIMP1S000000002", "SIMX1C000000003"]
BRIDGE = "bambu_bridge"
_SECONDS = 60


@dataclass
class Farm:
    """The demo's farm; its bridge has a clock that a test sets."""

    stack: Stack
    facts: dict[str, Any]
    shift: Path

    def pid(self, name: str) -> int | None:
        """Of a service that runs."""
        services = json.loads(self.stack.state_text())["services"]
        running = {s["name"]: s["pid"] for s in services if s["state"] == "running"}
        return running.get(name)

    def sql(self, query: str) -> list[Any]:
        with psycopg.connect(self.facts["db_url"], autocommit=True) as db:
            return db.execute(query.encode()).fetchall()

    def rpc(self) -> SyncRpcClient:
        """As the server."""
        return SyncRpcClient(self.facts["api_url"], self.facts["secret_key"])

    def machines(self, column: str) -> list[Any]:
        query = (
            f"select s.{column} from public.print_machines m"
            " join public.print_machine_states s on s.machine_id = m.id order by m.serial"
        )
        return [row[0] for row in self.sql(query)]

    def wait_online(self) -> None:
        wait_for(lambda: self.machines("link") == ["online"] * 3, "all are online", _SECONDS)

    def brokers(self) -> dict[Path, int]:
        """Their folders and processes; none where there is no mosquitto."""
        folder = self.stack.home / ".takt" / "bambu" / "brokers"
        return {file.parent: int(file.read_text()) for file in folder.glob("*/mosquitto.pid")}

    def serving(self) -> list[Path]:
        return [folder for folder, pid in self.brokers().items() if str(folder) in command_of(pid)]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    home = tmp_path_factory.mktemp("farm")
    shift = home / "shift"
    shift.write_text("-7200")
    env = {
        "TAKT_SIM_SECONDS": "3600",
        "TAKT_SIM_PRINTERS": "0",
        "TAKT_SIM_BAMBU": "3",
        "TAKT_SIM_BAMBU_SECONDS": "8",
        "TAKT_SIM_PRODUCTION_SECONDS": "0.5",
        "TAKT_BAMBU_CLOCK_SHIFT": str(shift),
    }
    stack = Stack(home, env=env)
    try:
        yield Farm(stack, stack.up("--demo"), shift)
    finally:
        assert stack.takt("down").returncode == 0


def test_the_bridge_has_a_sign_in_of_its_own(farm: Farm) -> None:
    assert {"simulator", BRIDGE} <= {service["name"] for service in farm.facts["services"]}
    pid = farm.pid(BRIDGE)
    if Path("/proc/self/environ").exists():
        given = Path(f"/proc/{pid}/environ").read_bytes()
        assert farm.facts["secret_key"].encode() not in given
    serials = farm.sql("select serial from public.print_machines order by serial")
    assert [serial for (serial,) in serials] == SERIALS


def test_a_print_finishes_and_an_order_is_fulfilled_and_shipped(farm: Farm) -> None:
    wait_for(lambda: "printing" in farm.machines("state"), "one prints", _SECONDS)
    farm.shift.write_text("0")  # so it has been printing for two hours
    runs = "select 1 from public.print_runs where outcome = 'success' and is_counted"
    wait_for(lambda: farm.sql(runs), "it is booked", _SECONDS)
    fulfilled = (
        "select code from public.order_fulfilments"
        " where fulfilled_at is not null and code like 'DEMO-%'"
    )
    wait_for(lambda: farm.sql(fulfilled), "an order has its parts", _SECONDS)
    ordered = "select 1 from public.production_orders where source = 'erp'"
    wait_for(lambda: farm.sql(ordered), "another order came in", _SECONDS)
    ((code,), *_) = farm.sql(fulfilled)
    farm.sql(
        "update public.order_fulfilments set fulfilled_at = now() - interval '10 minutes'"
        f" where code = '{code}' returning id"
    )
    shipped = f"select 1 from public.production_orders where code = '{code}' and status = 'CLOSED'"
    wait_for(lambda: farm.sql(shipped), "it was shipped", _SECONDS)
    with farm.rpc() as rpc:
        assert rpc.call("inventory_selfcheck") == []


def test_the_shops_are_told_what_ran_out(farm: Farm) -> None:
    with farm.rpc() as rpc:
        rpc.call("upsert_item", p_sku="LAST-ONE", p_title="The last one")
        rpc.call("receive_stock", p_sku="LAST-ONE", p_quantity=1)
        rpc.call("issue_stock", p_sku="LAST-ONE", p_quantity=1)
    pushes = (
        "select store, state, locations from public.stock_pushes where sku = 'LAST-ONE' order by 1"
    )
    expected = [("bannos", "pushed", 2), ("flourlane", "pushed", 2)]
    wait_for(lambda: farm.sql(pushes) == expected, "both shops know", _SECONDS)


@pytest.mark.parametrize("name", [BRIDGE, "simulator"])
def test_what_is_killed_comes_back_and_the_printers_with_it(farm: Farm, name: str) -> None:
    farm.wait_online()
    before = max(farm.machines("last_report_at"))
    killed = farm.pid(name)
    assert killed
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: farm.pid(name) not in (None, killed), f"{name} is back", _SECONDS)

    def reports() -> bool:
        found = farm.machines("last_report_at")
        return all(at is not None and at > before for at in found)

    wait_for(reports, "reports come in", _SECONDS)
    farm.wait_online()


def test_nothing_is_left_of_a_farm_whose_plug_was_pulled(farm: Farm) -> None:
    served = farm.brokers()
    assert sorted(farm.serving()) == sorted(served)
    farm.stack.kill_all()
    farm.stack.takt("down")
    assert farm.serving() == []
