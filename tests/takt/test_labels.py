"""Pictures of labels: a real Node process, the real renderer, the real decoder."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from takt.labels import picture
from takt.labels.decode import Code, read_codes
from takt.labels.picture import PictureError, Picturer
from takt.labels.proof import prove
from takt.settings import ConfigError

SIZE = (50.0, 25.0, 8)


def label(text: str) -> str:
    return f"^XA^CI28^PW400^LL200^FO20,20^BY2,2,1^BQN,2,4^FH_^FDMA,{text}^FS^PQ1^XZ"


def run(work: Callable[[Picturer], Awaitable[None]], timeout: float = 30) -> None:
    """Work with a picturer that is closed afterwards."""

    async def go() -> None:
        async with Picturer(timeout) as picturer:
            await work(picturer)

    asyncio.run(go())


async def read(picturer: Picturer, text: str) -> list[Code]:
    return read_codes(await picturer.render(label(text), *SIZE))


def pid(picturer: Picturer) -> int:
    process = picturer._process
    assert process is not None
    return process.pid


def test_a_label_is_drawn_and_read() -> None:
    async def work(picturer: Picturer) -> None:
        assert await read(picturer, "BOX-1") == [Code("qr", "BOX-1")]

    run(work)


def test_one_process_draws_them_all() -> None:
    async def work(picturer: Picturer) -> None:
        await read(picturer, "A")
        first = pid(picturer)
        await read(picturer, "B")
        assert pid(picturer) == first

    run(work)


def test_several_labels_are_several_pictures() -> None:
    async def work(picturer: Picturer) -> None:
        zpl = label("A") + label("B")
        pictures = await picturer.render_all(zpl, *SIZE)
        assert [read_codes(png) for png in pictures] == [[Code("qr", "A")], [Code("qr", "B")]]
        assert await picturer.render(zpl, *SIZE, n=1) == pictures[1]
        with pytest.raises(PictureError, match="2 labels"):
            await picturer.render(zpl, *SIZE, n=2)

    run(work)


def test_everybody_gets_their_own_picture() -> None:
    async def work(picturer: Picturer) -> None:
        texts = [f"T{n}" for n in range(12)]
        found = await asyncio.gather(*(read(picturer, text) for text in texts))
        assert found == [[Code("qr", text)] for text in texts]

    run(work)


@pytest.mark.parametrize("zpl", ["", "hello", "^XA^XZ", "^XA^BXN,4,200^FD日本^FS^XZ"])
def test_what_cannot_be_drawn_is_an_error_and_no_end(zpl: str) -> None:
    async def work(picturer: Picturer) -> None:
        with pytest.raises(PictureError):
            await picturer.render(zpl, *SIZE)
        assert await read(picturer, "NEXT") == [Code("qr", "NEXT")]

    run(work)


def test_heads_have_known_resolutions() -> None:
    async def work(picturer: Picturer) -> None:
        with pytest.raises(PictureError, match="8, 12 or 24"):
            await picturer.render(label("A"), 50, 25, 11)

    run(work)


def test_a_process_that_died_is_replaced() -> None:
    async def work(picturer: Picturer) -> None:
        await read(picturer, "A")
        first = pid(picturer)
        os.kill(first, signal.SIGKILL)
        assert await read(picturer, "B") == [Code("qr", "B")]
        assert pid(picturer) != first

    run(work)


def test_a_process_that_hangs_is_replaced() -> None:
    async def work(picturer: Picturer) -> None:
        await read(picturer, "A")
        os.kill(pid(picturer), signal.SIGSTOP)
        picturer._timeout = 0.2
        with pytest.raises(PictureError, match="No picture within"):
            await read(picturer, "B")
        picturer._timeout = 30
        assert await read(picturer, "C") == [Code("qr", "C")]

    run(work)


def test_a_picture_that_nobody_waits_for_is_not_taken_for_the_next() -> None:
    async def work(picturer: Picturer) -> None:
        await read(picturer, "A")
        os.kill(pid(picturer), signal.SIGSTOP)  # so that it is certainly still busy
        forgotten = asyncio.create_task(read(picturer, "FORGOTTEN"))
        await asyncio.sleep(0)
        forgotten.cancel()
        with pytest.raises(asyncio.CancelledError):
            await forgotten
        assert await read(picturer, "B") == [Code("qr", "B")]

    run(work)


def test_closing_ends_the_process() -> None:
    async def work() -> int:
        async with Picturer() as picturer:
            await read(picturer, "A")
            return pid(picturer)

    with pytest.raises(ProcessLookupError):
        os.kill(asyncio.run(work()), 0)


def test_without_node_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    async def work(picturer: Picturer) -> None:
        with pytest.raises(ConfigError, match="Install Node 20"):
            await picturer.render(label("A"), *SIZE)

    run(work)


def test_without_the_renderer_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(picture, "SCRIPT", shutil.copy(picture.SCRIPT, tmp_path))

    async def work(picturer: Picturer) -> None:
        with pytest.raises(ConfigError, match=r"zpl-renderer-js.*npm ci"):
            await picturer.render(label("A"), *SIZE)

    run(work)


def test_nothing_is_read_where_nothing_is() -> None:
    async def work(picturer: Picturer) -> None:
        blank = "^XA^PW400^LL200^FO20,20^A0N,40,40^FDTakt^FS^XZ"
        assert read_codes(await picturer.render(blank, *SIZE)) == []

    run(work)


def test_a_proof_reads_every_case_and_tells_how_far_it_is() -> None:
    heard: list[int] = []

    def case(n: int, payload: str) -> dict[str, object]:
        size = {"width_mm": 50, "height_mm": 25, "dpi": 203}
        return {"case_no": n, "payload": payload, **size}

    async def work(picturer: Picturer) -> None:
        cases = [case(1, label("A")), case(2, label("B") + label("C"))]
        assert await prove(picturer, cases, heard.append) == [
            {"case_no": 1, "read": [{"symbology": "qr", "text": "A"}]},
            {"case_no": 2, "read": []},  # two labels instead of one
        ]

    run(work)
    assert heard == [1, 2]
