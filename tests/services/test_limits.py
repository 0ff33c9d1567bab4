"""Limits of the gatekeeper over real sockets: what a sender may make it do, and when."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import httpx
import jwt
import pytest
import uvicorn
from starlette.requests import Request

from services.api import files
from services.api.app import create_app
from services.api.limits import CallerLimit
from services.api.settings import ApiSettings
from takt.ports import free_port
from tests.services.stack import Stack
from tests.services.test_rest import token
from tests.takt.processes import wait_for

TOO_LONG = 2 * 1024 * 1024 + 1


@contextlib.contextmanager
def gatekeeper(stack: Stack, per_minute: int) -> Iterator[int]:
    """A gatekeeper of its own before the same database; its port."""
    settings = ApiSettings(
        supabase_url=stack.url,
        supabase_publishable_key=stack.publishable_key,
        supabase_secret_key=stack.secret_key,
        rate_per_minute=per_minute,
    )
    port = free_port()
    config = uvicorn.Config(create_app(settings), "127.0.0.1", port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "the gatekeeper listens")
        yield port
    finally:
        server.should_exit = True
        thread.join()


class Sender:
    """Announces a body of `length` and sends it only when told. `told()`: a status line."""

    def __init__(self, port: int, path: str, length: int, bearer: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        lines = [
            f"POST {path} HTTP/1.1",
            "host: takt.test",
            f"content-length: {length}",
            f"authorization: Bearer {bearer}",
            "expect: 100-continue",
        ]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._answer = self._socket.makefile("rb")

    def told(self) -> int:
        """The status of the next answer; 100 when the body is asked for."""
        status = int(self._answer.readline().split()[1])
        while self._answer.readline().strip():
            pass
        return status

    def is_asked(self) -> bool:
        """Whether anything has been answered so far."""
        self._socket.setblocking(False)
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self._socket.settimeout(30)

    def send(self, body: bytes) -> None:
        self._socket.sendall(body)

    def close(self) -> None:
        self._answer.close()
        self._socket.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/ops"),
        ("POST", "/api/v1/tables"),
        ("POST", "/api/v1/stock/import"),
        ("GET", "/api/v1/exports/stops.csv"),
        ("GET", "/api/v1/traceability/export.csv"),
        ("GET", "/api/v1/no-such-thing"),
        ("POST", "/graphql"),
    ],
)
def test_every_path_counts_for_the_same_limit(stack: Stack, method: str, path: str) -> None:
    with (
        gatekeeper(stack, per_minute=3) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        assert http.post("/api/v1/tables", content=b"a\n").status_code == 401
        assert http.get("/api/v1/exports/oee.csv").status_code == 401
        assert http.request(method, path).status_code in (401, 404)
        refused = http.request(method, path)
        assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert http.get("/auth/me").status_code == 401, "machines poll the old routes"


@pytest.mark.parametrize("path", ["/api/v1/tables", "/api/v1/stock/import"])
def test_no_byte_of_a_file_is_read_before_its_sender_may_send_it(stack: Stack, path: str) -> None:
    planner = token(stack, "planner")
    with gatekeeper(stack, per_minute=2) as port:
        answers = []
        for bearer, length in (("x.y.z", 10), (planner, TOO_LONG), (planner, 10)):
            sender = Sender(port, path, length, bearer)
            answers.append(sender.told())
            sender.close()
    assert answers == [401, 413, 429]


def test_a_file_is_asked_for_when_there_is_a_place(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PLACES", 2)
    planners, file = [token(stack, "planner") for _ in range(3)], b"a,b\n1,2\n"
    with gatekeeper(stack, per_minute=100) as port:
        first, second = (Sender(port, "/api/v1/tables", len(file), who) for who in planners[:2])
        assert [first.told(), second.told()] == [100, 100]
        third = Sender(port, "/api/v1/tables", len(file), planners[2])
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            bearer = {"authorization": f"Bearer {planners[2]}"}
            assert http.get("/api/v1/me", headers=bearer).status_code == 200
        assert not third.is_asked(), "two are read at once"
        first.send(file)
        assert first.told() == 200
        assert third.told() == 100
        for sender in (second, third):
            sender.send(file)
            assert sender.told() == 200
        for sender in (first, second, third):
            sender.close()


def test_slow_senders_do_not_stop_the_imports_of_others(stack: Stack) -> None:
    slow, file = [token(stack, "planner") for _ in range(2)], b"a,b\n1,2\n"
    bearer = {"authorization": f"Bearer {token(stack, 'planner')}"}
    with gatekeeper(stack, per_minute=100) as port:
        idle = [Sender(port, "/api/v1/tables", len(file), who) for who in slow]
        assert [sender.told() for sender in idle] == [100, 100]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            sent = http.post("/api/v1/tables", content=file, headers=bearer)
        assert sent.status_code == 200
        for sender in idle:
            sender.close()


def test_one_person_sends_one_file_at_a_time(stack: Stack) -> None:
    planner, file = token(stack, "planner"), b"a,b\n1,2\n"
    bearer = {"authorization": f"Bearer {planner}"}
    with (
        gatekeeper(stack, per_minute=100) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        first = Sender(port, "/api/v1/tables", len(file), planner)
        assert first.told() == 100
        refused = http.post("/api/v1/stock/import", content=file, headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many")
        assert int(refused.headers["retry-after"]) >= 1
        first.send(file)
        assert first.told() == 200
        again = http.post("/api/v1/tables", content=file, headers=bearer)
        assert again.status_code == 200
        first.close()


def test_who_sends_a_file_too_slowly_loses_the_place(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_READ_SECONDS", 0.2)
    planner, file = token(stack, "planner"), b"a,b\n1,2\n"
    with gatekeeper(stack, per_minute=100) as port:
        idle = Sender(port, "/api/v1/tables", len(file), planner)
        assert [idle.told(), idle.told()] == [100, 408]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            bearer = {"authorization": f"Bearer {planner}"}
            sent = http.post("/api/v1/tables", content=file, headers=bearer)
        assert sent.status_code == 200
        idle.close()


def test_graphql_runs_for_nobody_whom_the_database_does_not_know(stack: Stack) -> None:
    planner = token(stack, "planner")
    claims = jwt.decode(planner, options={"verify_signature": False})
    invented = [jwt.encode({**claims, "sub": f"{n}"}, "x" * 32) for n in range(2)]
    with (
        gatekeeper(stack, per_minute=4) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):

        def ask(authorization: str) -> int:
            asked = {"query": "{ __schema { types { name } } }"}
            headers = {"authorization": authorization}
            return http.post("/graphql", json=asked, headers=headers).status_code

        assert ask("x") == 401
        assert [ask(f"Bearer {each}") for each in invented * 2] == [401, 401, 401, 429], "one limit"
        own = f"Bearer {planner}"
        assert ask(own) == 429, "not known yet, and strangers took what the address has"
    with (
        gatekeeper(stack, per_minute=4) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        assert [ask(own) for _ in range(5)] == [200] * 4 + [429], "counted for the person"
        assert ask("x") == 401, "and the address pays nothing"


def test_a_name_that_no_token_proves_has_no_limit_of_its_own() -> None:
    def request(name: str) -> Request:
        forged = f"Other! {jwt.encode({'sub': name}, 'x' * 32)}".encode()
        headers = [(b"authorization", forged)]
        return Request({"type": "http", "client": ("127.0.0.4", 1), "headers": headers})

    limit = CallerLimit(1)
    assert limit.take(request("one")) == 0
    limit.learn(request("one"), 200)
    assert limit.take(request("two")) > 0, "the database reads Bearer only: it answered a stranger"
