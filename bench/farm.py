"""From FINISH on the printer to an order that has its parts: the whole way, one print at a time."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Ratio
from services.local.postgres import PostgresServer
from services.simulator.bambu.certs import Authority
from tests.farm_e2e.plant import PER_PRINT, Plant
from tests.farm_e2e.rig import Rig
from tests.services.stack import Stack

PRINTS = 40
WAITING = 100  # more orders for the same part than will be printed
BUDGET_MS = 2000.0
_PATIENCE = 30.0
_FULFILLED = (
    "select count(*) from public.order_fulfilments f join public.production_orders o"
    " on o.id = f.production_order_id where o.product_sku = %s and f.fulfilled_at is not null"
)


def run(_: PostgresServer) -> list[Ratio]:
    """Printer, broker with TLS, bridge, PostgREST, stock, allocation, fulfilment."""
    with _rig() as rig:
        times = sorted(_finishes(rig))
    p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    return [
        Ratio(
            f"print completion → order fulfilled, {share} {value:.0f} ms",
            f"budget of {BUDGET_MS:.0f} ms",
            *(BUDGET_MS / value, 1000 / value, 1000 / BUDGET_MS, budget),
        )
        for share, value, budget in (("p50", p50, ""), ("p95", p95, "≥ 1"))
    ]


@contextmanager
def _rig() -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="takt-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "stack").mkdir()
        stack = Stack.start(folder / "stack")
        try:
            with stack.rpc() as rpc:
                rpc.call("register_site", p_code="main", p_name="Main", p_time_zone="UTC")
            plant = Plant(stack, folder)
            rig = Rig.make(plant, plant.enroll(), Authority(folder / "ca"), folder)
            rig.start()
            try:
                yield rig
            finally:
                rig.end()
                for gate in plant.gates:
                    gate.close()
        finally:
            stack.stop()


def _finishes(rig: Rig) -> Iterator[float]:
    """Milliseconds from FINISH until the transaction that fulfilled an order is visible."""
    part = rig.part()
    with rig.plant.stack.rpc() as rpc:
        for _ in range(PRINTS + WAITING):
            rpc.call(
                "create_production_order",
                p_product_sku=part.sku,
                p_quantity=PER_PRINT,
                p_site="main",
            )
    with contextlib.closing(rig.plant.stack.connect()) as db:
        for count in range(1, PRINTS + 1):
            rig.begin()
            rig.move(900)
            finished = time.monotonic()
            rig.set(gcode_state="FINISH", mc_percent=100)
            deadline = finished + _PATIENCE
            while db.execute(_FULFILLED, (part.sku,)).fetchone() != (count,):
                if time.monotonic() > deadline:
                    raise SystemExit("A print fulfilled no order.")
            yield (time.monotonic() - finished) * 1000
