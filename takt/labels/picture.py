"""ZPL as pictures, drawn on this computer by zpl-renderer-js in one warm Node process."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from takt.settings import ConfigError

SCRIPT = Path(__file__).with_name("picture.mjs")
# Dots per mm as printers name their heads → as they are built.
_DOTS_PER_MM = {8: 8.0, 12: 300 / 25.4, 24: 600 / 25.4}
_LARGEST_ANSWER = 64 * 1024 * 1024


class PictureError(RuntimeError):
    """This ZPL cannot be drawn; the message is the renderer's."""


class Picturer:
    """Draws labels. One at a time; a process that died or hung is replaced at the next picture.

    `timeout`: seconds for one picture, and for the start. Use it as an async context.
    """

    def __init__(self, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def render(
        self, zpl: str, width_mm: float, height_mm: float, dpmm: int, *, n: int = 0
    ) -> bytes:
        """PNG of the n-th format. Errors: PictureError, ConfigError (no Node, no renderer)."""
        pictures = await self.render_all(zpl, width_mm, height_mm, dpmm)
        if n >= len(pictures):
            raise PictureError(f"There are {len(pictures)} labels in this ZPL.")
        return pictures[n]

    async def render_all(
        self, zpl: str, width_mm: float, height_mm: float, dpmm: int
    ) -> list[bytes]:
        """PNGs of all formats. `dpmm`: 8, 12 or 24, as heads of 203, 300 and 600 dpi are called.

        The pictures have exactly the dots of the head. ^PQ does not repeat a picture.
        Errors: PictureError, ConfigError.
        """
        exact = _DOTS_PER_MM.get(dpmm)
        if exact is None:
            raise PictureError(f"A head has 8, 12 or 24 dots per mm, not {dpmm}.")
        request = {
            "zpl": zpl,
            # The renderer counts in nominal dots: 12 per mm, where a 300 dpi head has 11.8.
            "width_mm": _nominal(width_mm * exact, dpmm),
            "height_mm": _nominal(height_mm * exact, dpmm),
            "dpmm": dpmm,
        }
        line = json.dumps(request).encode() + b"\n"
        async with self._turn:
            answer = await self._ask(line) or await self._ask(line)  # a new process, once
        if answer is None:
            raise PictureError("The renderer broke down over this label.")
        if "pictures" not in answer:
            raise PictureError(str(answer.get("error") or "The renderer gave no picture."))
        return [base64.b64decode(picture) for picture in answer["pictures"]]

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _ask(self, line: bytes) -> dict[str, Any] | None:
        """The answer, or None when the process ended without one."""
        process = await self._running()
        stdin = cast(asyncio.StreamWriter, process.stdin)
        try:
            stdin.write(line)
            async with asyncio.timeout(self._timeout):
                await stdin.drain()
                answer = await _answer(process)
        except TimeoutError as error:
            await self.close()
            raise PictureError(f"No picture within {self._timeout:g} seconds.") from error
        except (ConnectionError, ValueError):
            answer = None
        except BaseException:  # cancelled half-way: its answer must not be taken for the next
            await self.close()
            raise
        if answer is None:
            await self.close()
        return answer

    async def _running(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = process = await asyncio.create_subprocess_exec(
            _node(), SCRIPT, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_LARGEST_ANSWER
        )
        try:
            async with asyncio.timeout(self._timeout):
                first = await _answer(process)
        except TimeoutError:
            first = None
        except BaseException:
            await self.close()
            raise
        if first is None or "ready" not in first:
            await self.close()
            why = str((first or {}).get("missing") or "it does not start")
            raise ConfigError(
                f"Labels cannot be drawn: zpl-renderer-js ({why.splitlines()[0]})."
                " Run `npm ci` in the checkout (or `make setup`)."
            )
        return process


def _nominal(dots: float, dpmm: int) -> float:
    """A length that the renderer, which rounds up, draws as the whole dots in `dots`."""
    return (math.floor(round(dots, 6)) - 0.01) / dpmm


async def _answer(process: Process) -> dict[str, Any] | None:
    """One line from the process as an object; None at its end."""
    line = await cast(asyncio.StreamReader, process.stdout).readline()
    return dict(json.loads(line)) if line.endswith(b"\n") else None


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        raise ConfigError(
            "Labels are drawn by Node.js, which is not installed."
            " Install Node 20 or newer and put it on PATH."
        )
    return found
