"""What a `doctor` command finds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

Result = Literal["ok", "warn", "fail"]
_MOST_SKEW = 60.0


@dataclass(frozen=True)
class Check:
    """One finding; `fix` says what to do, and is empty when there is nothing to do."""

    name: str
    result: Result
    reason: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)


async def clock_check(url: str) -> Check:
    """Does this computer's clock agree with the server's, to a minute?"""
    try:
        async with httpx.AsyncClient(timeout=5) as http:
            answer = await http.get(url)
        skew = abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time())
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return Check("clock", "warn", f"cannot be compared ({type(error).__name__})")
    if skew > _MOST_SKEW:
        return Check("clock", "warn", f"{skew:.0f} s off", "Let the computer set its clock (NTP).")
    return Check("clock", "ok", "agrees with the server's")
