"""The moving parts of the demo: the simulator, and what stands beside its virtual printers.

What somebody changed in the demo stays: a printer is set up once; later only its address follows.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from services.local import demo_device, demo_farm
from services.local.children import ProcessChild, environment, log_file
from services.local.demo_device import SITE, DemoDevice
from services.local.guards import end_brokers
from services.local.paths import Paths
from services.local.seed import SeedError
from services.local.settings import Settings
from services.local.simulated import SIMULATOR, Simulated, read_simulated
from takt.errors import RpcError
from takt.rpc_sync import SyncRpcClient

log = logging.getLogger("takt.supervisor")

AGENT = "print_agent"
_ROUTES = {
    "order_ticket": ("prn-1", "prn-3"),
    "box": ("prn-3", "prn-1"),
    "production_order": ("prn-3", "prn-1"),
    "unit_device": ("prn-2",),
    "item": ("prn-2",),
    "packing_slip_code": ("prn-2",),
}


class _Simulator(ProcessChild):
    """Its printers are processes of their own, and end with it."""

    def __init__(self, paths: Paths, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._paths = paths

    def stop(self, seconds: float) -> None:
        super().stop(seconds)
        end_brokers(self._paths)


def simulator(settings: Settings) -> ProcessChild:
    """The shops and printers that are not there. Ready once it is known where its printers are."""
    child: ProcessChild

    def answers() -> bool:
        labels = not _has_printers() or read_simulated(settings.paths, child.pid) is not None
        return labels and demo_farm.is_known(settings.paths, child.pid)

    child = _Simulator(
        settings.paths,
        SIMULATOR,
        [sys.executable, "-m", "services.simulator"],
        {
            **environment(settings),
            **demo_farm.environment(),
            "TAKT_SIM_SHOP_PORT": str(settings.ports.shop),
        },
        settings.paths.root,
        log_file(settings.paths, SIMULATOR),
        ready=answers,
        after_start=lambda: _connect(settings, child.pid),
    )
    return child


def print_agent(settings: Settings) -> ProcessChild | None:
    """The agent of the virtual printers, with the sign-in of a device and nothing else; None
    where there are no printers.
    """
    if not _has_printers():
        return None
    env = {
        **_agent(settings).environment(settings),
        "TAKT_PRINT_HOME": str(settings.paths.agent),
        "TAKT_PRINT_DRAIN": "6",  # less than the supervisor waits
    }
    command = [sys.executable, "-m", "print_agent", "run"]
    paths = settings.paths
    return ProcessChild(AGENT, command, env, paths.root, log_file(paths, AGENT))


def enroll(settings: Settings) -> None:
    """Give agent and bridge their sign-ins. Errors: SeedError."""
    agents = [_agent(settings)] if _has_printers() else []
    demo_device.enroll(settings, [*agents, *demo_farm.devices(settings)])


def _agent(settings: Settings) -> DemoDevice:
    file = settings.paths.device_file
    return DemoDevice("print_agent", "demo-printers", "Demo print agent", file)


def _connect(settings: Settings, pid: int | None) -> None:
    """Tell Takt where the printers are. Errors: SeedError."""
    found = read_simulated(settings.paths, pid)
    agent = _agent(settings).kept_sign_in(settings)
    if found is None or agent is None:
        return
    try:
        with demo_device.server(settings) as rpc:
            _register(rpc, found, agent.device)
    except RpcError as error:
        raise SeedError(f"The demo's printers could not be registered: {error}") from error


def _register(rpc: SyncRpcClient, found: Simulated, agent: str) -> None:
    cards = rpc.call("get_printers_board", safe=True, p_site=SITE)
    known = {card["printer"]["code"]: card for card in cards}
    for printer in found.printers:
        code = printer["code"]
        if code in known:
            _follow(rpc, known[code], printer["address"], agent)
        else:
            _set_up(rpc, printer, agent)
    if not known:
        for label_type, printers in _ROUTES.items():
            route = {"p_label_type": label_type, "p_printers": list(printers)}
            rpc.call("set_print_routes", safe=True, p_site=SITE, **route)


def _set_up(rpc: SyncRpcClient, printer: dict[str, Any], agent: str) -> None:
    width, height = printer["width_mm"], printer["height_mm"]
    rpc.call(
        "upsert_printer",
        safe=True,
        p_code=printer["code"],
        p_name=printer["name"],
        p_site=SITE,
        p_language=printer["language"],
        p_address=printer["address"],
        p_device=agent,
        p_dpi=printer["dpi"],
        p_media_width_mm=width,
        p_media_height_mm=height,
    )
    roll = f"{width:g}x{height:g}"
    rpc.call("set_loaded_media", safe=True, p_printer=printer["code"], p_media=roll)


def _follow(rpc: SyncRpcClient, card: dict[str, Any], address: str, agent: str) -> None:
    """The same printer at another address, or with another agent; the rest stays as it is."""
    now = card["printer"]
    if (now["address"], card["agent"]) == (address, agent):
        return
    kept = ("code", "name", "site", "language", "dpi", "media_width_mm", "media_height_mm")
    same = {f"p_{name}": now[name] for name in (*kept, "evidence_level", "is_enabled")}
    rpc.call("upsert_printer", safe=True, **same, p_address=address, p_device=agent)
    log.info("%s is at %s", now["code"], address)


def _has_printers() -> bool:
    """The simulator's own setting switches its printers off."""
    return os.environ.get("TAKT_SIM_PRINTERS", "1").lower() not in ("0", "false", "no", "off")
