"""What a call to the database can answer when it is not the answer."""

from __future__ import annotations

import json
from typing import Any

import httpx

_TEMPORARY = ("40P01", "55P03", "57014", "57P01", "57P02", "57P03")
_TEMPORARY_CLASSES = ("08", "53")
# PostgREST's own words for "no connection to the database" and "the token has expired".
_NO_DATABASE = ("PGRST000", "PGRST001", "PGRST002", "PGRST003")
_BAD_TOKEN = ("PGRST301", "PGRST303")
UNREACHABLE = "08006"


class RpcError(Exception):
    """A refused or failed RPC.

    `status`: HTTP status, 0 when there was no answer. `sqlstate`: PTnnn for a refusal by a rule.
    `code`: stable machine code `domain.reason`. `detail`: the facts. `sent`: False when the
    request certainly never left, so that any call may be repeated.
    """

    def __init__(
        self,
        status: int,
        sqlstate: str,
        code: str,
        message: str,
        *,
        detail: Any = None,
        sent: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.sqlstate = sqlstate
        self.code = code
        self.message = message
        self.detail = detail
        self.sent = sent

    def __str__(self) -> str:
        return f"{self.message} [{self.code or self.sqlstate or self.status}]"

    @property
    def temporary(self) -> bool:
        """True when the same call may succeed later without any change."""
        return self.sqlstate in _TEMPORARY or self.sqlstate[:2] in _TEMPORARY_CLASSES

    @property
    def token_refused(self) -> bool:
        """The token was not accepted; nothing ran."""
        return self.status == 401 and self.sqlstate in _BAD_TOKEN


def unreachable(error: httpx.TransportError) -> RpcError:
    """A connection that failed, as an error of SQLSTATE class 08."""
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    text = f"No answer from the server ({type(error).__name__})."
    return RpcError(0, UNREACHABLE, "rpc.unreachable", text, sent=not never_sent)


def from_response(response: httpx.Response) -> RpcError:
    """Read PostgREST's error object; anything else with 502–504 counts as no connection."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    sqlstate = str(body.get("code") or "")
    from_gateway = response.status_code in (502, 503, 504) and _is_foreign(sqlstate)
    if sqlstate in _NO_DATABASE or from_gateway:
        text = str(body.get("message") or "The database cannot be reached.")
        return RpcError(response.status_code, UNREACHABLE, "rpc.unreachable", text)
    message = str(body.get("message") or body.get("error") or f"HTTP {response.status_code}")
    return RpcError(
        response.status_code,
        sqlstate,
        str(body.get("hint") or "") if sqlstate.startswith("PT") else sqlstate,
        message,
        detail=_parsed(body.get("details")),
    )


def _is_foreign(sqlstate: str) -> bool:
    """A gateway's own code, not a five-character SQLSTATE and not PostgREST's."""
    return len(sqlstate) != 5 and not sqlstate.startswith("PGRST")


def _parsed(detail: Any) -> Any:
    if not isinstance(detail, str):
        return detail
    try:
        return json.loads(detail)
    except ValueError:
        return detail
