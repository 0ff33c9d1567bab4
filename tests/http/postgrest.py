"""A PostgREST as the stack runs it, beside one database of a test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt

from services.local import children
from services.local.database import Database
from services.local.paths import Paths, project_root
from services.local.postgres import SUPERUSER
from services.local.processes import wait_until
from services.local.settings import Ports, Secrets, Settings
from takt.ports import HOST, free_port
from tests.support.databases import Clone
from tests.support.rpc import claims_of

_SECRET = "only-for-a-database-that-is-gone-after-the-test"
_HOUR = 3600


class Rest:
    """Calls as somebody: a signed token each, one connection kept alive."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._headers: dict[str, dict[str, str]] = {}

    def rpc(self, who: str, name: str, **arguments: Any) -> httpx.Response:
        return self._client.post(f"/rpc/{name}", json=arguments, headers=self._as(who))

    def rows(self, who: str, table: str, **filters: str) -> list[dict[str, Any]]:
        """What somebody may see of a table; `filters` as PostgREST spells them."""
        answer = self._client.get(f"/{table}", params=filters, headers=self._as(who))
        return list(answer.raise_for_status().json())

    def _as(self, who: str) -> dict[str, str]:
        if who not in self._headers:
            claims = {**claims_of(who)[1], "exp": int(time.time()) + _HOUR}
            token = jwt.encode(claims, _SECRET, algorithm="HS256")
            self._headers[who] = {"authorization": f"Bearer {token}"}
        return self._headers[who]


@contextmanager
def rest_of(clone: Clone, home: Path) -> Iterator[Rest]:
    """PostgREST for one database; it ends with the block."""
    paths = Paths(root=project_root(), home=home)
    paths.create()
    ports = Ports.starting_at(free_port(block=10))
    secrets = Secrets(_SECRET, "", "", "", clone.server.passwords)
    database = Database(clone.url(SUPERUSER), clone.server.passwords)
    child = children.postgrest(Settings(paths, ports, secrets, external=database))
    child.start()
    try:
        assert wait_until(child.ready, 30), child.log_tail()
        with httpx.Client(base_url=f"http://{HOST}:{ports.postgrest}", timeout=30) as client:
            yield Rest(client)
    finally:
        child.stop(10)
