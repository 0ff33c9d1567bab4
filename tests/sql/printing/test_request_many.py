"""Lists of labels, and what waits while rolls, resolutions and hours change."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.orders import make_order
from tests.support.printing import (
    Row,
    act,
    add_printer,
    alarms,
    begin,
    claim,
    heartbeat,
    job,
    labels_of,
    new_job,
    refusal,
    route,
    second_agent,
    state_of,
    sweep,
)
from tests.support.rpc import call


@pytest.fixture(autouse=True)
def printer(db: psycopg.Connection) -> None:
    add_printer(db)
    route(db, "prn-1")


def count(db: psycopg.Connection) -> int:
    row = db.execute("select count(*) from public.print_jobs").fetchone()
    assert row is not None
    return int(row[0])


# Many labels --------------------------------------------------------------------------------


def wishes(count: int, start: int = 0) -> Jsonb:
    return Jsonb(
        [
            {"subject": f"S-{n}", "data": {"name": f"Jar {n}", "sku": f"S-{n}"}}
            for n in range(start, start + count)
        ]
    )


def request_many(db: psycopg.Connection, labels: Jsonb, **more: Any) -> list[Row]:
    return list(
        call(db, "operator", "request_prints", p_label_type="item", p_labels=labels, **more)
    )


def test_many_labels_become_jobs_of_ten(db: psycopg.Connection) -> None:
    request_id = uuid4()
    jobs = request_many(db, wishes(25), p_request_id=request_id)
    assert [row["labels"] for row in jobs] == [10, 10, 5]
    assert [row["subject"] for row in jobs] == ["S-0", "S-10", "S-20"]
    assert {row["priority"] for row in jobs} == {90}
    assert request_many(db, wishes(25), p_request_id=request_id) == jobs
    assert [row["id"] for row in request_many(db, wishes(25))] == [row["id"] for row in jobs]
    subjects = db.execute(
        "select subject from public.print_job_labels order by job_id, seq"
    ).fetchall()
    assert [s for (s,) in subjects] == [f"S-{n}" for n in range(25)]
    taken = claim(db)
    assert taken is not None
    assert taken["payload"].count("^XA") == 10


def test_only_the_missing_labels_of_a_list_are_made(db: psycopg.Connection) -> None:
    first = request_many(db, wishes(5))
    both = request_many(db, wishes(15))
    assert [row["labels"] for row in both] == [5, 10]
    assert both[0]["id"] == first[0]["id"]


def test_an_urgent_label_overtakes_a_batch_at_the_border_of_a_chunk(
    db: psycopg.Connection,
) -> None:
    request_many(db, wishes(100))
    first = claim(db)
    assert first is not None
    urgent = new_job(db, "SKU-1")
    act(db, "fail_print", first, p_reason="x")
    second = claim(db)
    assert second is not None
    assert second["job_id"] == urgent


BAD_LISTS: list[tuple[Any, str]] = [
    ([], "422 print.labels"),
    ({"subject": "a"}, "422 print.labels"),
    ([{"subject": f"S-{n}"} for n in range(501)], "422 print.labels"),
    ([{"subject": "SKU-1"}, {"subject": "SKU-1"}], "422 print.same_subject"),
    ([{"data": {}}], "422 print.subject"),
    (["SKU-1"], "422 print.subject"),
    ([{"subject": "bannos-1"}, {"subject": "flourlane-1"}], "422 print.mixed_stores"),
    ([{"subject": "bannos-1"}, {"subject": "SKU-1"}], "422 print.mixed_stores"),
]


@pytest.mark.parametrize(("labels", "said"), BAD_LISTS)
def test_a_list_that_cannot_be_printed_is_refused_as_a_whole(
    db: psycopg.Connection, labels: Any, said: str
) -> None:
    make_order(db, "bannos-1")
    make_order(db, "flourlane-1")
    wish: Row = {"p_label_type": "item", "p_labels": Jsonb(labels)}
    assert refusal(db, "operator", "request_prints", **wish) == said
    assert count(db) == 0


def test_one_label_that_does_not_fit_refuses_all(db: psycopg.Connection) -> None:
    labels = [
        {"subject": "S-1", "data": {"name": "Jar"}},
        {"subject": "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", "data": {"name": "Jar"}},
    ]
    wish: Row = {"p_label_type": "item", "p_labels": Jsonb(labels)}
    assert refusal(db, "operator", "request_prints", **wish) == "422 label.does_not_fit"
    assert count(db) == 0


# Media and resolution -----------------------------------------------------------------------


def media_of(db: psycopg.Connection, template: str) -> str:
    row = db.execute(
        "select media from public.label_templates where code = %s", (template,)
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_the_wrong_roll_holds_the_label(db: psycopg.Connection) -> None:
    """Scenario 15: zero labels."""
    media = media_of(db, "item")
    call(db, "operator", "set_loaded_media", p_printer="prn-1", p_media="gold foil")
    job_id = new_job(db)
    assert claim(db) is None
    row = job(db, job_id)
    assert (row["state"], row["why"]) == (
        "held",
        f"Wrong media: it needs {media}, gold foil is loaded.",
    )
    assert alarms(db) == ["print.held"]
    call(db, "operator", "set_loaded_media", p_printer="prn-1", p_media=media)
    assert state_of(db, job_id) == "queued"
    assert claim(db) is not None


def test_what_waits_is_made_anew_for_another_resolution(db: psycopg.Connection) -> None:
    """Scenario 14: the printer was swapped for one of 300 dpi."""
    job_id = new_job(db)
    before = job(db, job_id)
    heartbeat(db, {"code": "prn-1", "status": "idle", "dpi": 300})
    after = job(db, job_id)
    assert (before["dpi"], after["dpi"]) == (203, 300)
    assert before["payload_sha256"] != after["payload_sha256"]
    taken = claim(db)
    assert taken is not None
    assert taken["dpi"] == 300
    assert begin(db, taken, dpi=300)["state"] == "sending"


def test_what_does_not_fit_the_new_resolution_is_held(db: psycopg.Connection) -> None:
    second_agent(db)
    job_id = new_job(db)
    db.execute('update public.print_job_labels set data = data || \'{"code": ""}\'')
    heartbeat(db, {"code": "prn-1", "status": "idle", "dpi": 600})
    assert state_of(db, job_id) == "held"
    assert job(db, job_id)["why"]


# Time ---------------------------------------------------------------------------------------


def test_a_label_nobody_printed_in_time_never_comes_out(db: psycopg.Connection) -> None:
    """PrintNode: a job from two weeks ago printed by surprise when the computer came back."""
    job_id = new_job(db)
    sweep(db, "7 hours")
    assert state_of(db, job_id) == "queued"
    db.execute("update public.print_jobs set expires_at = now() - interval '1 second'")
    assert claim(db) is None, "not even before the clock has struck"
    sweep(db, "14 days")
    assert state_of(db, job_id) == "expired"
    assert labels_of(db, job_id) == ["void"]


def test_the_age_at_which_labels_expire_is_a_setting(db: psycopg.Connection) -> None:
    call(
        db, "admin", "set_setting", p_key="printing.expire_minutes", p_value=Jsonb(5), p_site="main"
    )
    job_id = new_job(db)
    sweep(db, "4 minutes")
    assert state_of(db, job_id) == "queued"
    sweep(db, "6 minutes")
    assert state_of(db, job_id) == "expired"
