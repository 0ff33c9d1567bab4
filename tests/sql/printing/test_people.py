"""What people do with a job: cancel, hold, say whether it came out, print once more."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.orders import make_order
from tests.support.printing import (
    STATES,
    Row,
    act,
    add_printer,
    alarms,
    begin,
    bring,
    claim,
    confirm,
    events,
    history,
    job,
    labels_of,
    mark_sent,
    new_job,
    refusal,
    request,
    rest,
    route,
    state_of,
    steps,
    sweep,
)
from tests.support.rpc import call


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")


def do(db: psycopg.Connection, rpc: str, job_id: int, who: str = "operator", **more: Any) -> Row:
    return dict(call(db, who, rpc, p_job_id=job_id, **more))


COMMANDS: dict[str, Row] = {
    "cancel_print": {},
    "hold_print": {},
    "resume_print": {},
    "resolve_print": {"p_outcome": "came_out"},
    "reprint": {"p_reason": "damaged"},
}
NEEDS = {
    "cancel_print": ("viewer",),
    "hold_print": ("viewer", "operator", "technician", "kiosk"),
    "resume_print": ("viewer", "operator", "technician", "kiosk"),
    "resolve_print": ("viewer", "kiosk"),
    "reprint": ("viewer", "kiosk"),
}


@pytest.mark.parametrize("rpc", COMMANDS)
def test_who_may_not(db: psycopg.Connection, rpc: str) -> None:
    job_id = new_job(db)
    for who in (*NEEDS[rpc], "print_agent", "bambu_bridge"):
        said = refusal(db, who, rpc, p_job_id=job_id, **COMMANDS[rpc])
        assert said == "403 auth.forbidden", who


@pytest.mark.parametrize("rpc", COMMANDS)
def test_a_job_that_does_not_exist(db: psycopg.Connection, rpc: str) -> None:
    assert refusal(db, "supervisor", rpc, p_job_id=99, **COMMANDS[rpc]) == "404 print.no_job"


START = {
    "cancel_print": "queued", "hold_print": "queued", "resume_print": "held",
    "resolve_print": "unknown", "reprint": "printed",
}  # fmt: skip


@pytest.mark.parametrize("rpc", COMMANDS)
def test_a_command_that_comes_twice_has_one_effect(db: psycopg.Connection, rpc: str) -> None:
    taken = bring(db, START[rpc])
    request_id = uuid4()
    more = {**COMMANDS[rpc], "p_request_id": request_id}
    first = do(db, rpc, taken["job_id"], "supervisor", **more)
    before = history(db, taken["job_id"])
    assert do(db, rpc, taken["job_id"], "supervisor", **more) == first
    again = do(db, rpc, taken["job_id"], "supervisor", **COMMANDS[rpc])
    assert (first["changed"], again["changed"]) == (True, False)
    assert history(db, taken["job_id"]) == before
    said = refusal(db, "supervisor", rpc, p_job_id=999, **more)
    assert said == "422 request.reused"


# What each command makes of each state: the state afterwards; anything else is refused.
OUTCOMES: dict[str, dict[str, str]] = {
    "cancel_print": {"queued": "cancelled", "held": "cancelled", "cancelled": "cancelled",
                     "claimed": "claimed", "sending": "sending", "sent": "sent",
                     "unknown": "unknown"},
    "hold_print": {"queued": "held", "held": "held"},
    "resume_print": {"queued": "queued", "held": "queued"},
    "resolve_print": {"unknown": "printed", "printed": "printed"},
    "reprint": {"printed": "printed", "failed": "failed"},
}  # fmt: skip


@pytest.mark.parametrize("rpc", COMMANDS)
@pytest.mark.parametrize("state", STATES)
def test_a_command_in_a_state(db: psycopg.Connection, rpc: str, state: str) -> None:
    taken = bring(db, state)
    expected = OUTCOMES[rpc].get(state)
    arguments = {"p_job_id": taken["job_id"], **COMMANDS[rpc]}
    if expected is None:
        said = refusal(db, "supervisor", rpc, **arguments)
        unresolved = rpc == "reprint" and state == "unknown"
        assert said == ("409 print.unresolved" if unresolved else "409 print.wrong_state")
    else:
        call(db, "supervisor", rpc, **arguments)
    assert state_of(db, taken["job_id"]) == (expected or state)


# Cancel -------------------------------------------------------------------------------------


def test_only_the_own_job_unless_a_supervisor(db: psycopg.Connection) -> None:
    job_id = new_job(db, who="technician")
    assert refusal(db, "operator", "cancel_print", p_job_id=job_id) == "403 print.not_yours"
    assert do(db, "cancel_print", job_id, "technician")["job"]["state"] == "cancelled"
    other = new_job(db, "SKU-2")
    assert do(db, "cancel_print", other, "supervisor")["job"]["state"] == "cancelled"


def test_a_cancel_never_overwrites_a_result(db: psycopg.Connection) -> None:
    """wcpos#1360, scenario 17: cancel pressed while the agent is sending."""
    taken = bring(db, "sending")
    answer = do(db, "cancel_print", taken["job_id"])
    assert answer["changed"]
    assert answer["job"]["cancel_requested"]
    mark_sent(db, taken)
    assert confirm(db, taken)["state"] == "printed"
    assert ("sending", "sending") in history(db, taken["job_id"]), "both are remembered"
    assert "print.cancel_requested" in events(db, str(taken["job_id"]))


def test_a_cancelled_job_of_which_nothing_came_out_is_not_sent_again(
    db: psycopg.Connection,
) -> None:
    taken = bring(db, "sent")
    do(db, "cancel_print", taken["job_id"])
    rest(db, taken["job_id"])
    assert confirm(db, taken, 100)["state"] == "cancelled"
    assert steps(db, taken["job_id"])[-3:] == ["unknown", "queued", "cancelled"]
    assert claim(db) is None


def test_a_held_label_is_not_claimed_and_does_not_expire(db: psycopg.Connection) -> None:
    held = bring(db, "held")
    assert claim(db) is None
    sweep(db, "1 day")
    assert state_of(db, held["job_id"]) == "held"
    db.execute("update public.print_jobs set expires_at = now() - interval '1 hour'")
    do(db, "resume_print", held["job_id"], "supervisor")
    assert claim(db) is not None, "somebody wants it now"


# Did it come out? ---------------------------------------------------------------------------


def test_it_came_out(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown", p_copies=2)
    answer = do(db, "resolve_print", taken["job_id"], p_outcome="came_out", p_note="lies there")
    row = answer["job"]
    assert (row["state"], row["evidence_level"], row["labels_out"]) == ("printed", 3, 2)
    assert row["why"] == "lies there"
    assert labels_of(db, taken["job_id"]) == ["printed"]
    assert alarms(db) == []


def test_it_did_not_come_out(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown")
    answer = do(db, "resolve_print", taken["job_id"], p_outcome="did_not_come_out")
    assert (answer["job"]["state"], answer["job"]["labels_out"]) == ("failed", 0)
    assert labels_of(db, taken["job_id"]) == ["void"]
    again = do(db, "reprint", taken["job_id"], p_reason="unknown_resolution")
    assert again["changed"]
    assert (again["job"]["reprint_of"], again["job"]["print_no"]) == (taken["job_id"], 2)


def unknown_batch(db: psycopg.Connection, count: int = 10) -> Row:
    labels = [{"subject": f"S-{n}", "data": {"name": "Jar", "sku": f"S-{n}"}} for n in range(count)]
    call(db, "operator", "request_prints", p_label_type="item", p_labels=Jsonb(labels))
    taken = claim(db)
    assert taken is not None
    begin(db, taken)
    act(db, "print_unknown", taken)
    return taken


def test_a_batch_goes_on_behind_what_came_out(db: psycopg.Connection) -> None:
    """Scenario 9: three of ten came out before the power went."""
    taken = unknown_batch(db)
    do(db, "resolve_print", taken["job_id"], p_outcome="partly", p_labels_out=3)
    assert state_of(db, taken["job_id"]) == "failed"
    assert labels_of(db, taken["job_id"]) == ["printed"] * 3 + ["void"] * 7
    again = do(db, "reprint", taken["job_id"], p_reason="unknown_resolution")["job"]
    assert (again["labels"], again["subject"]) == (7, "S-3")
    rows = db.execute(
        "select subject, print_no from public.print_job_labels where job_id = %s order by seq",
        (again["id"],),
    ).fetchall()
    assert rows == [(f"S-{n}", 2) for n in range(3, 10)]


def test_the_missing_copies_are_printed_again(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown", p_copies=5)
    do(db, "resolve_print", taken["job_id"], p_outcome="partly", p_labels_out=3)
    again = do(db, "reprint", taken["job_id"], p_reason="unknown_resolution")["job"]
    assert (again["labels"], again["copies"]) == (1, 2)


BAD_OUTCOMES: list[tuple[Row, str]] = [
    ({"p_outcome": "maybe"}, "422 print.outcome"),
    ({"p_outcome": None}, "422 print.outcome"),
    ({"p_outcome": "partly"}, "422 print.labels_out"),
    ({"p_outcome": "partly", "p_labels_out": 0}, "422 print.labels_out"),
    ({"p_outcome": "partly", "p_labels_out": 3}, "422 print.labels_out"),
    ({"p_outcome": "came_out", "p_note": "x" * 401}, "422 request.too_long"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD_OUTCOMES)
def test_an_outcome_that_cannot_be_understood(
    db: psycopg.Connection, arguments: Row, said: str
) -> None:
    taken = bring(db, "unknown", p_copies=3)
    assert refusal(db, "operator", "resolve_print", p_job_id=taken["job_id"], **arguments) == said


def test_what_a_person_said_is_not_said_again(db: psycopg.Connection) -> None:
    taken = bring(db, "unknown")
    do(db, "resolve_print", taken["job_id"], p_outcome="did_not_come_out")
    again = do(db, "resolve_print", taken["job_id"], p_outcome="did_not_come_out")
    assert again["changed"] is False
    said = refusal(db, "operator", "resolve_print", p_job_id=taken["job_id"], p_outcome="came_out")
    assert said == "409 print.wrong_state"


# Once more ----------------------------------------------------------------------------------


def test_a_reprint_is_a_new_job_with_the_same_bytes(db: psycopg.Connection) -> None:
    """Scenario 20: linked, with a reason, and bit-identical."""
    taken = bring(db, "printed")
    answer = do(db, "reprint", taken["job_id"], p_reason="damaged", p_note="scratched")
    old, new = job(db, taken["job_id"]), job(db, answer["job"]["id"])
    assert new["reprint_of"] == old["id"]
    assert (new["reason"], new["note"], new["print_no"]) == ("damaged", "scratched", 2)
    assert new["payload"] == old["payload"]
    assert new["payload_sha256"] == old["payload_sha256"]
    assert labels_of(db, old["id"]) == ["printed"]
    shown = call(db, "operator", "get_print_job", p_job_id=old["id"])
    assert [r["id"] for r in shown["reprints"]] == [new["id"]]


def test_a_second_click_finds_the_reprint_on_its_way(db: psycopg.Connection) -> None:
    taken = bring(db, "printed")
    first = do(db, "reprint", taken["job_id"], p_reason="lost")
    again = do(db, "reprint", taken["job_id"], p_reason="lost")
    assert (again["changed"], again["job"]["id"]) == (False, first["job"]["id"])


def print_it(db: psycopg.Connection, odometer: int) -> None:
    taken = claim(db)
    assert taken is not None
    begin(db, taken, odometer)
    mark_sent(db, taken)
    confirm(db, taken, odometer + 1)


def test_above_the_limit_it_takes_a_supervisor(db: psycopg.Connection) -> None:
    taken = bring(db, "printed")
    for n in range(2):
        do(db, "reprint", taken["job_id"], p_reason="lost")
        print_it(db, 101 + n)
    arguments: Row = {"p_job_id": taken["job_id"], "p_reason": "lost"}
    assert refusal(db, "operator", "reprint", **arguments) == "403 print.reprint_limit"
    assert do(db, "reprint", taken["job_id"], "supervisor", p_reason="lost")["changed"]


def test_one_label_of_a_batch(db: psycopg.Connection) -> None:
    taken = unknown_batch(db)
    do(db, "resolve_print", taken["job_id"], p_outcome="came_out")
    answer = do(db, "reprint", taken["job_id"], p_reason="jam", p_subjects=["S-4"])
    assert (answer["job"]["labels"], answer["job"]["subject"]) == (1, "S-4")
    payload = job(db, answer["job"]["id"])["payload"]
    assert payload.count("^XA") == 1
    assert payload in job(db, taken["job_id"])["payload"] or "S_2D4" in payload or "S-4" in payload


BAD_REPRINTS: list[tuple[Row, str]] = [
    ({"p_reason": "because"}, "422 print.reason"),
    ({"p_reason": None}, "422 print.reason"),
    ({"p_reason": "lost", "p_subjects": ["other"]}, "422 print.subject"),
    ({"p_reason": "lost", "p_copies": 501}, "422 print.copies"),
    ({"p_reason": "lost", "p_note": "x" * 401}, "422 request.too_long"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD_REPRINTS)
def test_a_reprint_that_is_refused(db: psycopg.Connection, arguments: Row, said: str) -> None:
    taken = bring(db, "printed")
    assert refusal(db, "operator", "reprint", p_job_id=taken["job_id"], **arguments) == said


def test_what_changed_is_printed_anew(db: psycopg.Connection) -> None:
    make_order(db)
    wish: Row = {"p_label_type": "order_ticket", "p_printer": "prn-1"}
    taken = bring(db, "printed", "bannos-18617", **wish)
    db.execute("update public.orders set flavour = 'Lemon'")
    same = do(db, "reprint", taken["job_id"], p_reason="damaged")["job"]
    assert same["payload_sha256"] == job(db, taken["job_id"])["payload_sha256"]
    print_it(db, 101)
    changed = do(db, "reprint", taken["job_id"], p_reason="changed")["job"]
    assert "Lemon" in job(db, changed["id"])["payload"]
    assert changed["print_no"] == 3


def test_what_changed_can_be_given(db: psycopg.Connection) -> None:
    taken = bring(db, "printed")
    answer = do(db, "reprint", taken["job_id"], p_reason="changed", p_data={"name": "Sugar"})
    assert "Sugar" in job(db, answer["job"]["id"])["payload"]
    print_it(db, 101)
    assert request(db, p_data={"name": "Sugar"})["changed"] is False


def test_a_reprint_goes_to_another_printer_when_its_own_is_gone(db: psycopg.Connection) -> None:
    taken = bring(db, "printed")
    add_printer(db, "prn-2", p_dpi=300)
    route(db, "prn-2")
    call(db, "planner", "remove_printer", p_printer="prn-1")
    answer = do(db, "reprint", taken["job_id"], p_reason="lost")
    assert (answer["job"]["printer"], answer["job"]["dpi"]) == ("prn-2", 300)
