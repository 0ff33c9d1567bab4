"""`takt up --demo` prints: from an operator's request to a label that is scanned off the paper."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from takt.labels.decode import read_codes
from takt.ports import free_port
from tests.local.support import Stack
from tests.takt.processes import wait_for

_SECONDS = 90  # of waiting, where a lease may have to run out first
Row = dict[str, Any]


@dataclass
class Demo:
    """A demo plant, with an operator and a planner."""

    stack: Stack
    http: httpx.Client
    planner: httpx.Client
    paper: httpx.Client

    def rpc(self, name: str, **arguments: Any) -> Any:
        return self.rpc_as(self.http, name, **arguments)

    def rpc_as(self, who: httpx.Client, name: str, **arguments: Any) -> Any:
        answer = who.post(f"/rest/v1/rpc/{name}", json=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tickets(self, count: int) -> list[str]:
        """Tickets that wait for Filling and have no label yet."""
        queue = self.rpc("get_queue", p_stage="Filling", p_limit=100)
        fresh = [order["id"] for order in queue["orders"] if not self.jobs(order["id"])]
        assert len(fresh) >= count, queue
        return fresh[:count]

    def new_tickets(self, count: int) -> list[str]:
        made = [
            self.rpc_as(
                self.planner, "create_manual_order", p_store="bannos", p_product_title=f"Cake {n}"
            )
            for n in range(count)
        ]
        return [str(order["id"]) for (order,) in made]

    def jobs(self, subject: str) -> list[Row]:
        return list(self.rpc("get_print_jobs", p_subject=subject)["jobs"])

    def request(self, subject: str) -> int:
        body = {"label_type": "order_ticket", "subject": subject, "station": "pack-1"}
        answer = self.http.post("/print-jobs", json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["job"]["id"])

    def state(self, job_id: int) -> str:
        return str(self.rpc("get_print_job", p_job_id=job_id)["job"]["state"])

    def wait(self, job_id: int, *states: str) -> None:
        wait_for(lambda: self.state(job_id) in states, f"{job_id} is {states}", _SECONDS)

    def labels(self, printer: str = "prn-1") -> list[Row]:
        """What came out, newest first."""
        return list(self.paper.get(f"printers/{printer}/paper", params={"limit": 500}).json())

    def settings(self, printer: str, **facts: Any) -> None:
        assert self.paper.post(f"printers/{printer}/settings", json=facts).status_code == 200

    def printers(self) -> dict[str, Row]:
        cards = self.rpc("get_printers_board", p_site="main")
        return {card["printer"]["code"]: card for card in cards}

    def wait_for_agent(self) -> None:
        def all_ready() -> bool:
            cards = self.printers().values()
            return len(cards) == 3 and all(c["state"] == "ready" for c in cards)

        wait_for(all_ready, "the printers are ready", _SECONDS)


def sign_in(facts: Row, role: str) -> httpx.Client:
    who = next(s for s in facts["demo_sign_ins"] if s["role"] == role)
    headers = {"apikey": facts["publishable_key"]}
    answer = httpx.post(
        f"{facts['api_url']}/auth/v1/token?grant_type=password",
        headers=headers,
        json={name: who[name] for name in ("email", "password")},
        timeout=30,
    )
    headers["authorization"] = f"Bearer {answer.json()['access_token']}"
    return httpx.Client(base_url=facts["api_url"], headers=headers, timeout=30)


@contextmanager
def plant(stack: Stack) -> Iterator[Demo]:
    """The demo, once its printers are ready."""
    facts = stack.up("--demo")
    with (
        sign_in(facts, "operator") as operator,
        sign_in(facts, "planner") as planner,
        httpx.Client(base_url=facts["paper_url"], timeout=60) as paper,
    ):
        found = Demo(stack, operator, planner, paper)
        found.wait_for_agent()
        yield found


@pytest.fixture(scope="module")
def demo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack without its demo first: there is no paper then."""
    env = {
        "TAKT_SIM_SECONDS": "3600",
        "TAKT_SIM_PRINTER_SECONDS": "0.05",
        "TAKT_SIM_PRINTER_PORT": str(free_port()),
    }
    stack = Stack(tmp_path_factory.mktemp("demo"), env=env)
    yield stack
    assert stack.takt("down").returncode == 0


@pytest.fixture(scope="module")
def demo(demo_stack: Stack) -> Iterator[Demo]:
    with plant(demo_stack) as running:
        yield running


def test_there_is_no_paper_without_the_demo(demo_stack: Stack) -> None:
    facts = demo_stack.up()
    assert "paper_url" not in facts
    assert {"simulator", "print_agent"}.isdisjoint(s["name"] for s in facts["services"])
    answer = httpx.get(f"{facts['api_url']}/simulator/")
    assert (answer.status_code, "--demo" in answer.json()["message"]) == (404, True)


def test_the_agent_has_a_sign_in_of_its_own(demo: Demo) -> None:
    facts = demo.stack.status()
    names = {s["name"] for s in facts["services"]}
    assert {"simulator", "print_agent"} <= names
    assert "bambu_bridge" not in names, "there are no 3D printers here"
    assert facts["paper_url"] in demo.stack.takt("status").stdout
    file = demo.stack.home / ".takt" / "print-agent" / "device.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    pid = demo.stack.service("print_agent")["pid"]
    if Path("/proc/self/environ").exists():
        given = Path(f"/proc/{pid}/environ").read_bytes()
        assert facts["secret_key"].encode() not in given


def test_a_ticket_comes_out_and_its_code_starts_the_work(demo: Demo) -> None:
    (ticket,) = demo.tickets(1)
    job_id = demo.request(ticket)
    assert demo.request(ticket) == job_id
    demo.wait(job_id, "printed")
    label = next(label for label in demo.labels() if ticket in label["texts"])
    png = demo.paper.get(f"printers/prn-1/paper/{label['n']}.png")
    assert png.headers["content-type"] == "image/png"
    codes = read_codes(png.content)
    assert {(c.symbology, c.text) for c in codes} == {("code128", ticket), ("qr", ticket)}
    scanned = demo.http.post("/api/v1/scans", json={"code": codes[0].text, "station": "fill-1"})
    assert (scanned.status_code, scanned.json()["action"]) == (200, "started")
    assert scanned.json()["order_row"]["stage"] == "Filling"


def test_the_page_with_the_paper_is_of_this_origin(demo: Demo) -> None:
    page = demo.paper.get("")
    assert "Virtual label printers" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    short = demo.http.get("/simulator", follow_redirects=True)
    assert short.url == demo.paper.base_url
    assert demo.paper.get("printers/none/paper").status_code == 404
    assert demo.http.get("/simulator/..%2frest/v1/").status_code == 400


def test_an_agent_that_dies_while_printing_prints_nothing_twice(demo: Demo) -> None:
    tickets = demo.new_tickets(3)
    demo.settings("prn-1", label_s=3.0)
    jobs = [demo.request(ticket) for ticket in tickets]
    demo.wait(jobs[0], "sending", "sent")
    killed = demo.stack.service("print_agent")["pid"]
    os.kill(killed, signal.SIGKILL)
    demo.settings("prn-1", label_s=0.05)
    for job_id in jobs:
        demo.wait(job_id, "printed")
    assert demo.stack.service("print_agent")["pid"] not in (None, killed)
    texts = [text for label in demo.labels() for text in set(label["texts"])]
    assert [texts.count(ticket) for ticket in tickets] == [1, 1, 1]


def test_printers_of_a_killed_simulator_are_there_again(demo: Demo) -> None:
    os.kill(demo.stack.service("simulator")["pid"], signal.SIGKILL)

    def back() -> bool:
        return demo.paper.get("printers").status_code == 200

    wait_for(lambda: not back() or None, "it is gone", _SECONDS)
    wait_for(back, "it is back", _SECONDS)
    demo.wait_for_agent()
    (ticket,) = demo.new_tickets(1)
    demo.wait(demo.request(ticket), "printed")


def test_a_later_start_follows_the_address_and_keeps_what_was_changed(demo: Demo) -> None:
    now = demo.printers()["prn-3"]["printer"]
    names = ("code", "site", "language", "address", "dpi", "media_width_mm", "media_height_mm")
    changed = {f"p_{name}": now[name] for name in names}
    changed |= {"p_name": "Back door", "p_device": "demo-printers"}
    demo.rpc_as(demo.planner, "upsert_printer", **changed)
    before = demo.printers()
    assert demo.stack.takt("down").returncode == 0
    taken = int(now["address"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", taken)), plant(demo.stack) as again:
        after = again.printers()
    assert after["prn-3"]["printer"]["name"] == "Back door"
    assert after["prn-3"]["printer"]["address"] != now["address"]
    for code in ("prn-1", "prn-2"):
        assert after[code]["printer"]["address"] == before[code]["printer"]["address"]
    assert {card["agent"] for card in after.values()} == {"demo-printers"}
