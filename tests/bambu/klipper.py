"""A Moonraker that keeps a job history and speaks JSON-RPC over a real WebSocket."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve


class Moonraker:
    """Runs in a thread. `jobs` in the order of their start; `asked` counts methods."""

    def __init__(self, api_key: str = "") -> None:
        self.jobs: list[dict[str, Any]] = []
        self.asked: dict[str, int] = {}
        self.port = 0
        self._api_key = api_key
        self._clients: set[ServerConnection] = set()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()

    def open(self) -> None:
        """Listen (again), on the same port."""
        self._call(self._open())

    def shut(self) -> None:
        """Gone; the history stays."""
        self._call(self._shut())

    def close(self) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def job(self, job_id: str, status: str, start: float, end: float | None, **more: Any) -> None:
        """A job enters the history; who listens is told when it is over."""
        entry = {
            "job_id": job_id,
            "filename": f"farm/gears_plate_{int(job_id, 16)}.gcode",
            "status": status,
            "start_time": start,
            "end_time": end,
            "total_duration": (end or start) - start,
            "print_duration": (end or start) - start,
            "filament_used": 1234.5,
            **more,
        }
        self.jobs = [known for known in self.jobs if known["job_id"] != job_id] + [entry]
        action = "added" if status == "in_progress" else "finished"
        self.notify("notify_history_changed", {"action": action, "job": entry})

    def notify(self, method: str, *params: Any) -> None:
        self._call(self._tell({"jsonrpc": "2.0", "method": method, "params": list(params)}))

    def say_raw(self, text: str) -> None:
        self._call(self._tell_raw(text))

    async def _open(self) -> None:
        self._server = await serve(self._serve, "127.0.0.1", self.port)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _tell(self, document: dict[str, Any]) -> None:
        await self._tell_raw(json.dumps(document))

    async def _tell_raw(self, text: str) -> None:
        for client in list(self._clients):
            await client.send(text)

    async def _serve(self, client: ServerConnection) -> None:
        request = client.request
        key = request.headers.get("X-Api-Key", "") if request else ""
        self._clients.add(client)
        try:
            async for raw in client:
                asked = json.loads(raw)
                self.asked[asked["method"]] = self.asked.get(asked["method"], 0) + 1
                answer = {"jsonrpc": "2.0", "id": asked["id"]}
                if key != self._api_key:
                    answer |= {"error": {"code": 401, "message": "Unauthorized"}}
                else:
                    answer |= {"result": self._result(asked["method"], asked.get("params") or {})}
                await client.send(json.dumps(answer))
        finally:
            self._clients.discard(client)

    def _result(self, method: str, params: dict[str, Any]) -> Any:
        if method == "server.info":
            return {"klippy_state": "ready", "moonraker_version": "v0.10.0"}
        if method == "printer.objects.subscribe":
            return {"status": {"print_stats": {"state": "standby", "filename": ""}}}
        if method != "server.history.list":
            return {}
        assert params["order"] == "asc"
        found = [job for job in self.jobs if job["start_time"] > params["since"]]
        page = found[params["start"] : params["start"] + params["limit"]]
        return {"count": len(page), "jobs": page}

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)
