"""Virtual printers in a thread of their own: for tests and benchmarks that are not async."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from services.simulator.printer.control_server import ControlServer
from services.simulator.printer.device import Device
from services.simulator.printer.faults import Fault
from services.simulator.printer.fleet import Fleet
from services.simulator.printer.paper import Label
from services.simulator.printer.server import HOST
from services.simulator.printer.spec import Spec
from takt.labels.picture import Picturer

T = TypeVar("T")
_ANSWER_SECONDS = 60.0


class RunningPrinter:
    """One printer, to be used from another thread: every call runs in the printer's loop."""

    def __init__(
        self, fleet: Fleet, code: str, loop: asyncio.AbstractEventLoop, control_url: str = ""
    ) -> None:
        self._device, self._server, self._loop = fleet.devices[code], fleet.servers[code], loop
        self.control_url = control_url
        self.host, self.port, self.json_port = HOST, self._server.port, self._server.json_port

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def do(self, action: Callable[[Device], T]) -> T:
        """Run `action` with the printer and answer its result. Errors: TimeoutError when the
        printers have ended."""

        async def inside() -> T:
            return action(self._device)

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(_ANSWER_SECONDS)

    def strike(self, fault: str, **options: object) -> None:
        """As POST /printers/{code}/faults. Errors: ValueError."""
        wanted = Fault.of({"fault": fault, **options})
        self.do(lambda device: device.strike(wanted))

    @property
    def paper(self) -> list[Label]:
        """Everything that came out, oldest first."""
        return self.do(_paper)

    @property
    def state(self) -> dict[str, object]:
        return self.do(lambda device: device.state())


def _paper(device: Device) -> list[Label]:
    device.mechanism.advance()
    return device.paper.labels


@contextlib.contextmanager
def running_printers(
    specs: Iterable[Spec], *, pictures: bool = False
) -> Iterator[dict[str, RunningPrinter]]:
    """Printers by code; they stop when the block ends. `pictures`: with the control page."""
    loop = asyncio.new_event_loop()
    fleet, picturer = Fleet(specs), Picturer()
    control = ControlServer(fleet, picturer) if pictures else None
    serving = threading.Thread(target=_serve, args=(loop, fleet, control, picturer), daemon=True)
    serving.start()
    url = control.url if control else ""
    try:
        yield {code: RunningPrinter(fleet, code, loop, url) for code in fleet.devices}
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        serving.join()
        loop.close()


def _serve(
    loop: asyncio.AbstractEventLoop,
    fleet: Fleet,
    control: ControlServer | None,
    picturer: Picturer,
) -> None:
    async def serve() -> None:
        async with picturer, asyncio.TaskGroup() as group:
            group.create_task(fleet.run())
            if control is not None:
                group.create_task(control.run())

    asyncio.set_event_loop(loop)
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(serve())
