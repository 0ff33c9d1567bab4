"""The shape of every refusal: {code, message, detail, sqlstate}."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

from takt.errors import RpcError

_RETRY_SECONDS = 5
_AWAY = "The database cannot be reached. Try again in a moment."


def problem(
    status: int, code: str, message: str, detail: Any = None, retry_after: float | None = None
) -> JSONResponse:
    """A refusal by the gatekeeper. `retry_after` in seconds."""
    headers = {} if retry_after is None else {"retry-after": str(math.ceil(retry_after))}
    body = {"code": code, "message": message, "detail": detail}
    return JSONResponse(body, status, headers)


def refusal(error: RpcError, answer: Mapping[str, Any] | None = None) -> JSONResponse:
    """A refusal by the database, with its own status; no answer becomes 503.

    `answer`: what a remembered refusal (a wrong scan, a pack gate) said besides.
    """
    if error.temporary or not 400 <= error.status < 500:
        return unavailable(error.code)
    body = {
        **(answer or {}),
        "code": error.code,
        "message": error.message,
        "detail": error.detail,
        "sqlstate": error.sqlstate,
    }
    return JSONResponse(body, error.status)


def unavailable(code: str = "rpc.unreachable", text: str = _AWAY) -> JSONResponse:
    """503 with Retry-After: nothing was decided, try again."""
    return problem(503, code, text, retry_after=_RETRY_SECONDS)
