"""TCP ports of this machine: which are free, which answer."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
# Below what Linux, macOS and Windows hand out to outgoing connections: a port from up there
# can be taken by anybody's connection at any moment, and stays taken a minute after it ended.
_RANGE = range(20_000, 32_000)


def port_is_free(port: int, host: str = HOST) -> bool:
    """Can this process listen on the port?"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str = HOST, *, block: int = 1) -> int:
    """A port that nobody has now and no outgoing connection will be given; the first of `block`.

    Errors: RuntimeError when all are taken.
    """
    for port in random.SystemRandom().sample(_RANGE, len(_RANGE)):
        if all(port_is_free(port + n, host) for n in range(block)):
            return port
    raise RuntimeError(f"No port from {_RANGE.start} to {_RANGE.stop - 1} is free.")


def port_is_open(port: int, host: str = HOST) -> bool:
    """Does anybody listen on the port?"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0
