"""A line of the table of routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Route:
    """`query` (of a GET) and `body` (a JSON object): accepted names; "!" marks a required one.

    A name of `query` that ends with "*" is a list: given more than once, or with commas.
    `bearer_header`: a header that carries the caller's access token, instead of Authorization.
    `instead`: the line for a body that has its first name, on the same path.
    `gs1`: a name of `body` whose text is a scanned GS1 code; the RPC gets what it says.
    """

    method: str
    path: str
    rpc: str
    summary: str
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    bearer_header: str = ""
    gs1: str = ""
    instead: Route | None = None

    def argument(self, name: str) -> str:
        """The RPC's argument for a name of the route."""
        return self.rename.get(name, f"p_{name}")

    @property
    def written(self) -> str:
        """The path as OpenAPI and people write it: `{name}` for every part."""
        return self.path.replace(":path}", "}")
