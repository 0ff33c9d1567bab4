"""Limits on what a stranger may send: bytes per body."""

from __future__ import annotations

from starlette.requests import Request


class TooLarge(Exception):
    """The body is longer than the limit. `endless`: its length was not announced."""

    def __init__(self, endless: bool) -> None:
        super().__init__("the body is too large")
        self.endless = endless

    @property
    def headers(self) -> dict[str, str]:
        """Hang up on a sender who may never stop; others may hear the answer to the end."""
        return {"connection": "close"} if self.endless else {}


async def read_limited(request: Request, limit: int) -> bytes:
    """The raw body, at most `limit` bytes. Errors: TooLarge, before more than that is kept."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(endless=False)
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(endless=not announced)
        parts.append(chunk)
    return b"".join(parts)
