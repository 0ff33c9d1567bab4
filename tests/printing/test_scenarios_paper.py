"""Rolls, lids, switches, heads: what happens at the printer while labels are wanted."""

from __future__ import annotations

import socketserver
import threading
from types import SimpleNamespace
from typing import Any, cast

from services.simulator.printer.thread import RunningPrinter
from tests.printing.floor import PATIENCE, STRAIGHT, Floor, distinct
from tests.takt.processes import wait_for


def hear(floor: Floor, rounds: int = 3) -> None:
    """The agent has said something about its printers again, some times."""
    seen = floor.gate.count("agent_heartbeat")
    wait_for(lambda: floor.gate.count("agent_heartbeat") >= seen + rounds, "it was heard", PATIENCE)


def test_s08_out_of_labels_in_a_batch(floor: Floor) -> None:
    with floor.zebra() as zebra:
        zebra.real.strike("paper_out", after_labels=3)
        (job,) = floor.batch(zebra.code, 10)
        floor.wait_status(zebra, "stopped", "media-empty")
        assert floor.alarms("printer.fault", printer=zebra.code) == []
        query = "update public.printers set status_since = now() - interval '61 s' where code = %s"
        floor.sql(query, zebra.code)
        (alarm,) = floor.alarms("printer.fault", printer=zebra.code)
        assert "load a roll" in alarm["message"]
        assert len(zebra.serials) == 3
        zebra.clear()
        floor.until(job, "printed")
        hear(floor)
        assert floor.alarms("printer.fault", printer=zebra.code) == []
        assert floor.steps(job) == STRAIGHT
        assert distinct(zebra.serials)
        assert (len(zebra.serials), floor.labels(job)) == (10, ["printed"] * 10)


def test_s09_out_of_labels_and_switched_off(floor: Floor) -> None:
    with floor.zebra() as zebra:
        wait_for(lambda: zebra.uptime_s >= 5, "it is on for a while")
        zebra.real.strike("paper_out", after_labels=3)
        (job,) = floor.batch(zebra.code, 10)
        floor.wait_status(zebra, "stopped", "media-empty")
        zebra.power_cycle()
        zebra.clear()
        lost = floor.until(job, "unknown")
        assert lost["why"].startswith("The counter moved by 3, expected were 10")
        assert len(floor.alarms("print.unknown", job=job)) == 1
        with floor.person() as rpc:
            rpc.call("resolve_print", p_job_id=job, p_outcome="partly", p_labels_out=3)
            assert floor.labels(job) == ["printed"] * 3 + ["void"] * 7
            again = rpc.call("reprint", p_job_id=job, p_reason="unknown_resolution")["job"]
        assert (again["labels"], again["reprint_of"]) == (7, job)
        floor.until(again["id"], "printed")
        assert distinct(zebra.serials)
        assert len(zebra.serials) == 10


def test_a_lid_opened_in_a_label_that_nobody_saw(floor: Floor) -> None:
    """The second of three serials is cut in half, and the counter counts it; the lid's own counter
    knows why."""
    with floor.zebra() as zebra:
        zebra.real.strike("head_open", after_labels=1, mid_label=True, lasts_s=0.01)
        (job,) = floor.batch(zebra.code, 3)
        lost = floor.until(job, "unknown", "printed")
        assert (lost["state"], floor.job(job)["evidence_level"]) == ("unknown", None)
        assert "half a label" in lost["why"]
        (alarm,) = floor.alarms("print.unknown", job=job)
        assert alarm["next_action"] == "resolve_print"
        one, two, three = zebra.serials
        assert two.startswith("½")
        spoilt = two.removeprefix("½")
        with floor.person() as rpc:
            rpc.call("resolve_print", p_job_id=job, p_outcome="came_out")
            wish = {"p_reason": "jam", "p_subjects": [spoilt], "p_copies": 1}
            again = rpc.call("reprint", p_job_id=job, **wish)["job"]
        floor.until(again["id"], "printed")
        assert zebra.serials == [one, two, three, spoilt]


def test_s10_the_lid_is_open_before_the_job(floor: Floor) -> None:
    with floor.zebra() as zebra:
        zebra.real.strike("head_open")
        floor.wait_status(zebra, "stopped", "cover-open")
        job, one = floor.label(zebra)
        hear(floor)
        assert (floor.steps(job), floor.job(job)["attempts"]) == (["queued"], 0)
        with floor.person() as rpc:
            cards = rpc.call("get_printers_board")
        (card,) = [c for c in cards if c["printer"]["code"] == zebra.code]
        assert (card["state"], card["waiting"]) == ("trouble", 1)
        assert "close it" in card["message"]
        zebra.clear()
        done = floor.until(job, "printed")
        assert (floor.steps(job), done["attempts"], zebra.serials) == (STRAIGHT, 1, [one])


def test_s10_the_lid_is_opened_before_the_first_byte(floor: Floor) -> None:
    with floor.zebra() as zebra:
        job, name = floor.label(zebra)
        held = floor.gate.hold_answer("claim_print_job", job)
        held.wait()
        zebra.real.strike("head_open")
        held.release()
        waiting = floor.until(job, "queued")
        assert (waiting["why"], waiting["attempts"]) == (
            "The printer was not ready: cover-open.",
            0,
        )
        zebra.clear()
        done = floor.until(job, "printed")
        assert floor.steps(job) == ["queued", "claimed", *STRAIGHT]
        assert (done["attempts"], zebra.serials) == (1, [name])


def test_s11_paused_by_its_button(floor: Floor) -> None:
    with floor.zebra() as zebra:
        zebra.real.strike("paused", after_labels=2)
        (job,) = floor.batch(zebra.code, 5)
        floor.wait_status(zebra, "stopped", "paused")
        # Nearly a quarter of an hour later; the lease ends within a minute unless it is renewed.
        shift = "update public.print_jobs set sending_at = sending_at - interval '14 minutes',"
        shift += " sent_at = sent_at - interval '14 minutes' where id = %s"
        floor.sql(shift, job)
        lease = floor.job(job)["lease_until"]
        wait_for(lambda: floor.job(job)["lease_until"] > lease, "the lease is renewed", PATIENCE)
        floor.sql("select private.sweep_prints(%s)", lease)
        assert floor.job(job)["state"] == "sent"
        zebra.clear()
        floor.until(job, "printed")
        assert (floor.steps(job), len(zebra.serials)) == (STRAIGHT, 5)


def test_s14_another_resolution(floor: Floor) -> None:
    with floor.zebra() as zebra:
        floor.sql("update public.printers set halted_reason = 'swap' where code = %s", zebra.code)
        job, name = floor.label(zebra)
        assert floor.job(job)["dpi"] == 203
        zebra.change(dpi=300, model="ZTC ZD421-300dpi ZPL")
        floor.sql("update public.printers set halted_reason = null where code = %s", zebra.code)
        done = floor.until(job, "printed")
        assert (done["dpi"], zebra.serials) == (300, [name])
        assert [label.dots_per_mm for label in zebra.real.paper] == [12]
        assert zebra.codes() == [{("code128", name), ("qr", name)}]
        zebra.change(dpi_unreadable=True)
        waiting, other = floor.label(zebra)
        floor.wait_status(zebra, "stopped", "resolution-unknown")
        hear(floor)
        assert (floor.job(waiting)["state"], floor.job(waiting)["attempts"]) == ("queued", 0)
        assert zebra.serials == [name]
        zebra.change(dpi_unreadable=False)
        floor.until(waiting, "printed")
        assert zebra.serials == [name, other]


def test_s15_the_wrong_roll(floor: Floor) -> None:
    with floor.zebra() as zebra, floor.person() as rpc:
        rpc.call("set_loaded_media", p_printer=zebra.code, p_media="50x25")
        job, name = floor.label(zebra)
        held = floor.until(job, "held", "printed")
        assert held["why"] == "Wrong media: it needs 60x30, 50x25 is loaded."
        (alarm,) = floor.alarms("print.held", job=job)
        assert alarm["next_action"] == "set_loaded_media"
        assert (zebra.real.paper, held["attempts"]) == ([], 0)
        rpc.call("set_loaded_media", p_printer=zebra.code, p_media="60x30")
        floor.until(job, "printed")
        assert zebra.serials == [name]


class _SshServer(socketserver.ThreadingTCPServer):
    """Says who it is, like every SSH server, and keeps what it is sent."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.heard: list[bytes] = []


class _Ssh(socketserver.BaseRequestHandler):
    server: _SshServer

    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
        while data := self.request.recv(4096):
            self.server.heard.append(data)


def test_s21_an_ssh_server_has_the_address_now(floor: Floor) -> None:
    with _SshServer(("127.0.0.1", 0), _Ssh) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        code = floor.printer(cast(RunningPrinter, SimpleNamespace(address=address)), p_dpi=203)
        wait_for(
            lambda: floor.status(code) == ("stopped", ["not-a-printer"]), "it says so", PATIENCE
        )
        job = floor.request(code)
        hear(floor)
        floor.sql("update public.printers set is_enabled = false where code = %s", code)
        assert floor.steps(job) == ["queued"]
        server.shutdown()
        assert server.heard
        assert b"^" not in b"".join(server.heard)
