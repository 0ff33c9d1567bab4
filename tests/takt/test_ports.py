"""Ports of this machine."""

from __future__ import annotations

import socket

from takt.ports import HOST, free_port, port_is_free, port_is_open


def test_a_free_port_is_none_that_an_outgoing_connection_is_given() -> None:
    """A printer's port came from up there: after a restart a stranger's connection had it."""
    with socket.create_server((HOST, 0)) as server:
        given = []
        for _ in range(20):
            with socket.create_connection(server.getsockname()) as outgoing:
                given.append(outgoing.getsockname()[1])
    assert {free_port() for _ in range(20)}.isdisjoint(range(min(given), 65_536))


def test_free_and_open_are_what_they_say() -> None:
    port = free_port()
    assert port_is_free(port)
    assert not port_is_open(port)
    with socket.create_server((HOST, port)):
        assert not port_is_free(port)
        assert port_is_open(port)
    assert port_is_free(port)
