"""A server that speaks what the bridge needs of Supabase: sign-in and two RPCs, over HTTP.

It keeps runs by their key as the database does. `plan` holds what the next calls of
record_print_completion meet instead: an error, or a connection that breaks before or after.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from takt.device import Credentials


@dataclass(frozen=True)
class Trouble:
    """One call goes wrong: an HTTP answer, or silence (`lost`: after the effect, or before)."""

    status: int = 0
    code: str = ""
    message: str = "trouble"
    lost: str = ""
    hint: str | None = None


@dataclass
class Takt:
    """`calls` in their order as (name, arguments); `runs` by key; `owned` answers the leases."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    plan: deque[Trouble] = field(default_factory=deque)
    owned: dict[str, bool] = field(default_factory=dict)
    answer: dict[str, Any] | None = None
    down: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        takt = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._say(200, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if takt.down:
                    self.close_connection = True
                    return
                name = self.path.partition("?")[0].rpartition("/")[2]
                arguments = json.loads(body or b"{}")
                said = _session() if name == "token" else takt.handle(name, arguments)
                if said is None:
                    self.close_connection = True
                else:
                    self._say(*said)

            def _say(self, status: int, document: Any) -> None:
                payload = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: Any) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def credentials(self, folder: Path) -> Path:
        """The sign-in file of a bridge that is enrolled here."""
        file = folder / "device.json"
        Credentials(self.url, "sb_publishable_x", "b@devices.invalid", "secret-word", "b").write(
            file
        )
        return file

    def handle(self, name: str, arguments: dict[str, Any]) -> tuple[int, Any] | None:
        with self.lock:
            self.calls.append((name, arguments))
            if name == "bridge_heartbeat":
                return 200, {"printers": [self._lease(p) for p in arguments["p_printers"]]}
            if name != "record_print_completion":
                return 200, {}
            trouble = self.plan.popleft() if self.plan else Trouble()
            if trouble.status:
                error = {"code": trouble.code, "message": trouble.message, "details": None}
                error["hint"] = trouble.hint
                return trouble.status, error
            if trouble.lost == "before":
                return None
            status = self._record(arguments)
            if trouble.lost == "after":
                return None
            return 200, self.answer or {"status": status, "print_run_id": len(self.runs)}

    def _lease(self, printer: dict[str, Any]) -> dict[str, Any]:
        serial = printer["serial"]
        owned = self.owned.get(serial, True)
        knows = printer.get("told") is None or printer["told"] in self.runs
        owner = None if owned else "other"
        return {"serial": serial, "owned": owned, "owner": owner, "knows": knows}

    def _record(self, arguments: dict[str, Any]) -> str:
        key = arguments["p_idempotency_key"]
        known = self.runs.setdefault(key, arguments)
        if known is arguments:
            return "recorded"
        same = known["p_payload_hash"] == arguments["p_payload_hash"]
        return "duplicate" if same else "conflict"

    # What tests ask

    def heartbeats(self) -> list[dict[str, Any]]:
        with self.lock:
            return [arguments for name, arguments in self.calls if name == "bridge_heartbeat"]

    def card(self, serial: str) -> dict[str, Any]:
        """The last card of a printer; {} before the first."""
        for beat in reversed(self.heartbeats()):
            for card in beat["p_printers"]:
                if card["serial"] == serial:
                    return dict(card)
        return {}

    def outcomes(self, serial: str) -> list[str]:
        with self.lock:
            runs = [run for run in self.runs.values() if run["p_printer_serial"] == serial]
        return [run["p_outcome"] for run in runs]


def _session() -> tuple[int, dict[str, Any]]:
    user = {
        "id": "00000000-0000-4000-8000-000000000001",
        "aud": "authenticated",
        "role": "authenticated",
        "email": "b@devices.invalid",
        "app_metadata": {},
        "user_metadata": {},
        "created_at": "2026-01-01T00:00:00Z",
    }
    return 200, {
        "access_token": "token",
        "refresh_token": "refresh",
        "token_type": "bearer",
        "expires_in": 3600,
        "expires_at": int(time.time()) + 3600,
        "user": user,
    }
