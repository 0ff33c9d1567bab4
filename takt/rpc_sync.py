"""The RPC client for code without an event loop: the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from takt.rpc import RpcClient

T = TypeVar("T")


class SyncRpcClient:
    """`RpcClient` on a private event loop; same arguments, same errors."""

    def __init__(self, url: str, key: str, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = RpcClient(url, key, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def call(self, name: str, /, **options: Any) -> Any:
        """See `RpcClient.call`."""
        return self.run(self._client.call(name, **options))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run any other coroutine on the same loop."""
        return self._runner.run(work)
