"""The agent dies, sleeps or is thrown out in the middle of a job."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from takt.errors import RpcError
from tests.printing.floor import PATIENCE, STRAIGHT, Floor, Zebra, came_out
from tests.services.stack import Stack
from tests.takt.processes import wait_for

AGAIN = ["queued", "claimed", "sending", "unknown", "queued", *STRAIGHT[1:]]


@dataclass
class Victim:
    """A job that the agent had in hand when it was killed. `call`: where it stood."""

    zebra: Zebra
    call: str
    job: int
    serial: str
    memory: list[str] = field(default_factory=list)


Killed = tuple[Floor, dict[str, Victim]]


@pytest.fixture(scope="module")
def killed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """Three jobs on three printers, one SIGKILL, and an agent that starts again without memory."""
    floor = Floor.make(stack, tmp_path_factory.mktemp("killed"))
    with ExitStack() as printers:
        kinds: dict[str, tuple[str, dict[str, object]]] = {
            "begun": ("begin_send", {}),
            "sent": ("mark_sent", {}),
            "blind": ("mark_sent", {"answers_sgd": False, "evidence_level": 1}),
        }
        victims = {}
        for name, (call, spec) in kinds.items():
            zebra = printers.enter_context(floor.zebra(**spec))  # type: ignore[arg-type]
            victims[name] = Victim(zebra, call, *floor.label(zebra, p_copies=2))
        # `begin_send` is committed, its answer is not there yet; `mark_sent` has not arrived.
        held = [
            (floor.gate.hold_answer if v.call == "begin_send" else floor.gate.hold)(v.call, v.job)
            for v in victims.values()
        ]
        floor.start()
        for at_gate in held:
            at_gate.wait()
        for name in ("sent", "blind"):
            came_out(victims[name].zebra, 2)
        floor.kill()
        for at_gate in held:
            at_gate.drop()
        for victim in victims.values():
            floor.age(victim.job)
            victim.memory = floor.steps(victim.job)
        floor.lose_journal()
        floor.start()
        try:
            yield floor, victims
        finally:
            floor.end()


def test_s02_killed_between_begin_and_first_byte(killed: Killed) -> None:
    floor, victim = killed[0], killed[1]["begun"]
    assert victim.memory == ["queued", "claimed", "sending", "unknown"]
    job = floor.until(victim.job, "printed")
    assert floor.steps(victim.job) == AGAIN
    assert victim.zebra.serials == [victim.serial] * 2
    assert (job["attempts"], job["evidence_level"], job["extra_labels"]) == (2, 2, 0)


def test_s03_killed_after_the_last_byte(killed: Killed) -> None:
    floor, victim = killed[0], killed[1]["sent"]
    assert victim.memory == ["queued", "claimed", "sending", "unknown"]
    job = floor.until(victim.job, "printed")
    assert floor.steps(victim.job) == [*victim.memory, "printed"]
    assert (job["evidence_level"], job["fence"]) == (2, 1)
    assert victim.zebra.serials == [victim.serial] * 2


def test_s04_killed_after_the_last_byte_without_a_counter(killed: Killed) -> None:
    floor, victim = killed[0], killed[1]["blind"]
    next_job, next_serial = floor.label(victim.zebra)
    floor.until(next_job, "printed")  # its resolver has been at work there before
    assert floor.steps(victim.job) == ["queued", "claimed", "sending", "unknown"]
    (alarm,) = floor.alarms("print.unknown", job=victim.job)
    assert (alarm["next_action"], victim.serial in alarm["message"]) == ("resolve_print", True)
    assert victim.zebra.serials == [victim.serial] * 2 + [next_serial]
    with floor.person() as rpc:
        rpc.call("resolve_print", p_job_id=victim.job, p_outcome="came_out")
    assert floor.job(victim.job)["evidence_level"] == 3
    assert floor.alarms("print.unknown", job=victim.job) == []


def test_s07_asleep_for_ten_minutes_after_begin(mortal: Floor) -> None:
    with mortal.person() as rpc:
        rpc.call("set_setting", p_key="printing.send_seconds", p_value=2, p_site="main")
    try:
        with mortal.zebra() as zebra:
            job, name = mortal.label(zebra)
            held = mortal.gate.hold_answer("begin_send", job)
            agent = mortal.start()
            held.wait()
            agent.send_signal(signal.SIGSTOP)
            held.release()  # the permission lies in its socket when it wakes
            mortal.age(job)
            query = "select 1 from public.print_jobs where id = %s and send_deadline < now()"
            wait_for(lambda: mortal.sql(query, job), "the time to send is over", PATIENCE)
            agent.send_signal(signal.SIGCONT)
            done = mortal.until(job, "printed")
            assert mortal.steps(job) == AGAIN
            assert (done["fence"], zebra.serials) == (2, [name])
            with mortal.device() as device, pytest.raises(RpcError) as refused:
                device.call("mark_sent", p_job_id=job, p_fence=1, p_bytes=1)
            assert (refused.value.status, refused.value.code) == (409, "print.stale_fence")
    finally:
        with mortal.person() as rpc:
            rpc.call("set_setting", p_key="printing.send_seconds", p_value=20, p_site="main")


def test_s24_the_sign_in_is_revoked_while_it_prints(mortal: Floor) -> None:
    with mortal.zebra() as zebra:
        job, name = mortal.label(zebra)
        held = mortal.gate.hold("confirm_print", job)
        mortal.start()
        held.wait()
        later = "update public.print_jobs set lease_until = now() + interval '5 minutes'"
        mortal.sql(later + " where id = %s", job)  # until the clock is set on below
        with mortal.device() as device:
            with mortal.person() as rpc:
                rpc.call("revoke_device", p_code=mortal.agent)
            waiting, _ = mortal.label(zebra)
            for call, options in (
                ("claim_print_job", {"p_nonce": "6f1d4d5e-5e5c-4a0e-9d53-6b7a6f0d3a11"}),
                ("confirm_print", {"p_job_id": job, "p_fence": 1, "p_evidence": {"idle": True}}),
            ):
                with pytest.raises(RpcError) as refused:
                    device.call(call, **options)
                assert refused.value.status in (401, 403), call
        seen = mortal.gate.count("my_unsettled_prints")
        held.release()
        wait_for(
            lambda: mortal.gate.count("my_unsettled_prints") > seen, "it was refused", PATIENCE
        )
        assert mortal.job(job)["state"] == "sent"
        mortal.age(job)
        assert mortal.job(job)["state"] == "unknown"
        assert len(mortal.alarms("print.unknown", job=job)) == 1
        assert (mortal.steps(waiting), zebra.serials) == (["queued"], [name])
