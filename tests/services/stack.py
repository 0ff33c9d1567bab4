"""The whole embedded stack in a folder of its own, for tests over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import psycopg

from services.local.settings import Ports
from services.simulator.shop import ShopifyShop
from takt.ports import free_port
from takt.rpc_sync import SyncRpcClient
from tests.takt.processes import ROOT, wait_for

STORE, SECRET = "bannos", "test-secret-not-a-real-one"


@dataclass
class Stack:
    """A running stack; `home` holds its `.takt/`."""

    home: Path
    process: subprocess.Popen[bytes]
    shop_port: int  # where its worker looks for the shops' Admin API, on this computer

    @classmethod
    def start(cls, home: Path) -> Stack:
        """Start it and wait until every service runs and its gatekeeper reaches the database."""
        home.chmod(0o755)
        log = (home / "supervisor.log").open("wb")
        shop_port = free_port()
        shops = f"http://127.0.0.1:{shop_port}/{{domain}}"
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.local"],
                cwd=ROOT,
                # All tests come from one address; the rate limits have tests of their own.
                env={
                    **os.environ,
                    "TAKT_HOME": str(home),
                    "TAKT_PORT": str(free_port(block=len(fields(Ports)))),
                    "TAKT_ENROLL_BURST": "1000",
                    "TAKT_RATE_PER_MINUTE": "100000",
                    "TAKT_WORKER_SHOP_URL": shops,
                },
                stdout=log,
                stderr=log,
            )
        stack = cls(home, process, shop_port)
        try:
            wait_for(stack._is_running, "the stack runs", 120)
        except AssertionError:
            process.kill()
            raise AssertionError((home / "supervisor.log").read_text()) from None
        return stack

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def _read(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.home / ".takt" / name).read_text()))

    def _is_running(self) -> bool:
        assert self.process.poll() is None, "the supervisor ended"
        try:
            if self._read("state.json")["state"] != "running":
                return False
        except (OSError, ValueError):
            return False
        return self.api_answers()

    def api_answers(self) -> bool:
        """The gatekeeper's readiness, asked past the gateway."""
        import httpx

        try:
            return httpx.get(f"{self.api}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._read('ports.json')['gateway']}"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._read('ports.json')['api']}"

    @property
    def publishable_key(self) -> str:
        return str(self._read("secrets.json")["publishable_key"])

    @property
    def secret_key(self) -> str:
        return str(self._read("secrets.json")["secret_key"])

    def service(self, name: str) -> dict[str, Any]:
        """What the supervisor says about a service: state, pid, port."""
        return next(dict(s) for s in self._read("state.json")["services"] if s["name"] == name)

    def restart_database(self) -> None:
        """As its operator would: every transaction ends where it stands."""
        pid = int(self.service("postgres")["pid"])
        os.kill(pid, signal.SIGINT)
        wait_for(lambda: self._postgres() not in (0, pid), "another Postgres runs", 90)

    def _postgres(self) -> int:
        service = self.service("postgres")
        return int(service["pid"] or 0) if service["state"] == "running" else 0

    def environment(self) -> dict[str, str]:
        """What a daemon or a command needs to find this stack."""
        own = {
            "TAKT_HOME": str(self.home),
            "SUPABASE_URL": self.url,
            "SUPABASE_PUBLISHABLE_KEY": self.publishable_key,
            "SUPABASE_SECRET_KEY": self.secret_key,
            "TAKT_SECRETS_KEY": str(self._read("secrets.json")["secrets_key"]),
        }
        return {**os.environ, **own}

    def connect(self) -> psycopg.Connection:
        """As the owner of the schema, autocommit on: to arrange and to look."""
        password = self._read("secrets.json")["db_passwords"]["postgres"]
        port = self._read("ports.json")["postgres"]
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user="postgres",
            dbname="postgres",
            password=password,
            autocommit=True,
        )

    def rpc(self, **options: Any) -> SyncRpcClient:
        """As the server."""
        headers = {"x-takt-secrets-key": str(self._read("secrets.json")["secrets_key"])}
        return SyncRpcClient(self.url, self.secret_key, headers=headers, **options)

    def shop(self, secret: str = SECRET, shop: str = STORE) -> ShopifyShop:
        """The demo shop, posting to the receiver through the gateway."""
        return ShopifyShop(f"{self.url}/webhooks/shopify/{shop}", secret)
