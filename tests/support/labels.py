"""Labels made by the real compiler, as text and as pictures that a scanner reads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest
from psycopg.types.json import Jsonb

from takt.labels.decode import read_codes
from takt.labels.picture import Picturer
from takt.labels.proof import DPMM, prove
from tests.support.rpc import Refused

BUILT_IN = ("box", "item", "order_ticket", "packing_slip_code", "production_order", "unit_device")
DPIS = (203, 300, 600)

# What label data has done to other systems; each may be printed or refused, never obeyed.
INJECTIONS = (
    "ABC^XZ^XA^FO20,20^A0N,40,40^FDEVIL^FS^XZ",
    "^XZ~JR^XA",
    "~JA~JR~DGR:A.GRF",
    "^PQ9999999",
    "^CC%%XA%XZ",
    "^JUS^IDR:*.*^XGR:A.GRF",
    '! U1 setvar "device.reset" "1"',
    "A>5B>6C>8",
    "A_1B_5E_XZ~1C~d065",
    '"\r\nPRINT 1,99\r\n"',
    'x",0,0,"y\\["]\\[L]\\[R]',
    "line\nbreak",
    "\x1b!S\x1b!R",
    "Grüße, 日本語, 🎂, \u202eRTL",
    "\\&\\\\^FB100,2",
    "{{code}} {{customer}}",
    "x" * 4096,
)

Field = dict[str, Any]


def text(value: str = "{{v}}", **more: Any) -> Field:
    return {"kind": "text", "x": 2, "y": 2, "w": 90, "h": 5, "value": value, **more}


def code(kind: str, value: str = "{{v}}", **more: Any) -> Field:
    """A code in the top left corner."""
    height = {"h": 10} if kind == "code128" else {}
    return {"kind": kind, "x": 1, "y": 1, "value": value, **height, **more}


def compiled(
    db: psycopg.Connection,
    fields: Sequence[Field],
    *data: dict[str, Any],
    size: tuple[float, float] = (100, 60),
    dpi: int | None = 203,
    copies: int | None = 1,
    language: str = "zpl",
) -> str:
    """The payload for labels of these fields, one per `data`. Errors: Refused."""
    try:
        db.execute(
            "select private.check_label(%s, %s::numeric, %s::numeric)", (Jsonb(fields), *size)
        )
        row = db.execute(
            "select private.compile_fields(%s, %s::numeric, %s::numeric, %s, %s, %s, %s)",
            (Jsonb(fields), *size, [Jsonb(d) for d in data], copies, language, dpi),
        ).fetchone()
    except psycopg.Error as error:
        raise Refused(error) from error
    assert row is not None
    return str(row[0])


def attempt(
    db: psycopg.Connection, fields: Sequence[Field], data: dict[str, Any], **how: Any
) -> tuple[str | None, str | None]:
    """(payload, None), or (None, code of the refusal)."""
    try:
        return compiled(db, fields, data, **how), None
    except Refused as refused:
        return None, refused.code


def refusal(db: psycopg.Connection, *fields: Field, **how: Any) -> Refused:
    """Why these fields cannot be printed; `data`: what they show."""
    with pytest.raises(Refused) as refused:
        compiled(db, fields, how.pop("data", {}), **how)
    return refused.value


def printed_texts(zpl: str) -> list[str]:
    """What the fields of a format say, by the manual of ^FH and ^FD, not by our escaper."""
    found = []
    for raw in re.findall(r"\^FH_\^FD(.*?)\^FS", zpl, re.S):
        data = re.sub(rb"_([0-9A-F]{2})", lambda m: bytes.fromhex(m[1].decode()), raw.encode())
        found.append(data.decode())
    return found


class Pictures:
    """One warm renderer for the tests of a session, without an event loop of theirs."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._picturer = Picturer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._picturer.close())
        self._runner.close()

    def all(self, zpl: str, size: tuple[float, float] = (100, 60), dpi: int = 203) -> list[bytes]:
        """PNG of every format."""
        return self._runner.run(self._picturer.render_all(zpl, *size, DPMM[dpi]))

    def scan(
        self, zpl: str, size: tuple[float, float] = (100, 60), dpi: int = 203
    ) -> list[tuple[str, str]]:
        """(symbology, text) of every code on the only label of `zpl`, sorted."""
        (picture,) = self.all(zpl, size, dpi)
        return sorted((found.symbology, found.text) for found in read_codes(picture))

    def prove(self, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._runner.run(prove(self._picturer, cases))
