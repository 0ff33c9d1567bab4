"""A port that is shut and opened again belongs to its printer all the time."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from services.simulator.printer.port import Port


def test_nobody_can_take_the_number_while_it_is_shut_and_opened() -> None:
    port, taken, over = Port("127.0.0.1"), threading.Event(), threading.Event()

    def thief() -> None:
        while not over.is_set() and not taken.is_set():
            with socket.socket() as other:
                try:
                    other.bind(("127.0.0.1", port.number))
                except OSError:
                    continue
                taken.set()

    thread = threading.Thread(target=thief)
    thread.start()
    try:
        for _ in range(3000):
            port.open()
            port.shut()
    finally:
        over.set()
        thread.join()
        port.close()
    assert not taken.is_set()


def test_a_shut_port_refuses_and_an_opened_one_answers_again() -> None:
    async def connect(port: Port) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port.number)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    port = Port("127.0.0.1")
    seen = []
    for step in (port.open, port.shut, port.open, port.shut, port.open):
        step()
        seen.append(asyncio.run(connect(port)))
    port.close()
    assert seen == [True, False, True, False, True]


def test_two_printers_never_listen_on_one_number() -> None:
    one = Port("127.0.0.1")
    for step in (one.open, one.shut, one.open):
        step()
    try:
        with pytest.raises(OSError, match="in use"):
            Port("127.0.0.1", one.number)
    finally:
        one.close()
