"""`takt channel` and `takt order`: what an admin does when a shop's orders do not arrive."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.services.stack import SECRET, STORE, Stack
from tests.services.test_commands import data, takt
from tests.services.test_webhooks import delivery, order, shops
from tests.takt.processes import wait_for

__all__ = ["shops"]


def number() -> int:
    return 40_000_000 + uuid.uuid4().int % 10_000_000


def tickets(db: psycopg.Connection, order_number: int) -> int:
    row = db.execute(
        "select count(*) from public.orders where order_number = %s", (str(order_number),)
    ).fetchone()
    return int(row[0]) if row else 0


def inbox_entry(stack: Stack, delivery_id: str) -> dict[str, Any]:
    rows = data(takt(stack, "channel", "inbox", "--store", STORE, "--limit", "500", "--json"))
    return next(dict(row) for row in rows if row["delivery_id"] == delivery_id)


def test_the_inbox_shows_what_arrived_and_a_replay_changes_nothing(
    stack: Stack, db: psycopg.Connection
) -> None:
    wanted, delivery_id = number(), delivery()
    stack.shop().send("orders/create", order(wanted), delivery_id=delivery_id)
    wait_for(lambda: tickets(db, wanted) == 1, "the ticket is there")
    wait_for(lambda: inbox_entry(stack, delivery_id)["status"] == "done", "the row is done")
    entry = str(inbox_entry(stack, delivery_id)["id"])
    for apply in ((), ("--apply",)):
        (row,) = data(takt(stack, "channel", "replay", entry, *apply, "--json"))
        assert row["ok"] is True
    assert tickets(db, wanted) == 1
    assert takt(stack, "channel", "replay").returncode == 2
    unknown = takt(stack, "channel", "replay", "999999999")
    assert (unknown.returncode, "no webhook 999999999" in unknown.stdout) == (1, True)
    assert takt(stack, "channel", "replay", entry, "999999999").returncode == 7
    wanted_dead = takt(stack, "channel", "dead", "--requeue", entry, "--requeue", "999999999")
    assert (wanted_dead.returncode, wanted_dead.stdout) == (1, "")
    assert f"Webhook {entry} is done, not dead." in wanted_dead.stderr
    assert "There is no webhook 999999999." in wanted_dead.stderr


def test_status_tells_stores_apart(stack: Stack) -> None:
    rows = {row["store"]: row for row in data(takt(stack, "channel", "status", "--json"))}
    assert (rows[STORE]["has_secret"], rows[STORE]["secret_state"]) == (True, "ok")


def test_a_secret_of_another_key_is_said_with_its_remedy(
    stack: Stack, db: psycopg.Connection
) -> None:
    kept = db.execute(
        "update private.shop_secrets set ciphertext ="
        " extensions.pgp_sym_encrypt('x', 'another key of 32 characters ....')"
        " from (select ctid as place, ciphertext as was from private.shop_secrets"
        "   where store = %s and kind = 'webhook' and slot = 1) old"
        " where ctid = old.place returning was",
        (STORE,),
    ).fetchone()
    assert kept is not None
    try:
        shown = takt(stack, "channel", "status", "--json")
        state = next(row["secret_state"] for row in data(shown) if row["store"] == STORE)
        assert state == "unreadable"
        assert f"`takt channel secret {STORE}`" in shown.stderr
        doctor = takt(stack, "doctor", "--json")
        checks = {check["name"]: check for check in json.loads(doctor.stdout)["checks"]}
        assert (doctor.returncode, checks["shop secrets"]["result"]) == (1, "fail")
        assert STORE in checks["shop secrets"]["reason"]
    finally:
        db.execute(
            "update private.shop_secrets set ciphertext = %s"
            " where store = %s and kind = 'webhook' and slot = 1",
            (kept[0], STORE),
        )


def test_pause_keeps_webhooks_and_resume_processes_them(
    stack: Stack, db: psycopg.Connection
) -> None:
    wanted, delivery_id = number(), delivery()
    paused = takt(stack, "channel", "pause", STORE)
    assert (paused.returncode, paused.stdout.split()) == (0, ["stores", STORE]), paused.stderr
    assert data(takt(stack, "channel", "pause", STORE, "--json")) == {"stores": []}
    try:
        answer = stack.shop().send("orders/create", order(wanted), delivery_id=delivery_id)
        assert answer.status_code == 200
        assert inbox_entry(stack, delivery_id)["status"] == "new"
        assert tickets(db, wanted) == 0
    finally:
        assert data(takt(stack, "channel", "resume", STORE, "--json")) == {"stores": [STORE]}
    wait_for(lambda: tickets(db, wanted) == 1, "the ticket is there")


def test_poison_becomes_a_dead_letter_that_can_be_tried_again(
    stack: Stack, db: psycopg.Connection
) -> None:
    delivery_id = delivery()
    poison = b'{"id": 1, "name": "#1\\u0000", "line_items": 7}'
    answer = stack.shop().send("orders/create", poison, delivery_id=delivery_id)
    inbox_id = answer.json()["inbox_id"]

    def dead() -> bool:
        # Its back-off would take minutes: let each retry be the last and due at once.
        db.execute(
            "update public.work_queue set retries = max_retries, next_retry_at = now()"
            " where topic = 'channel.process' and payload ->> 'inbox_id' = %s"
            " and status = 'ready' and retries > 0",
            (str(inbox_id),),
        )
        rows = data(takt(stack, "channel", "dead", "--store", STORE, "--json"))
        return inbox_id in {row["id"] for row in rows}

    wait_for(dead, "it is a dead letter", 40)
    assert inbox_entry(stack, delivery_id)["error"]
    good = number()
    stack.shop().send("orders/create", order(good))
    wait_for(lambda: tickets(db, good) == 1, "others go on")
    again = takt(stack, "channel", "dead", "--requeue", str(inbox_id), "--json")
    assert data(again) == {"requeued": 1}


def test_a_secret_is_rotated_without_being_shown(stack: Stack) -> None:
    fresh = f"fresh-secret-{uuid.uuid4().hex}"
    arguments = ("channel", "secret", STORE, "--overlap-minutes", "60", "--secret-stdin")
    result = takt(stack, *arguments, "--json", stdin=f"{fresh}\n")
    assert data(result)["changed"] is True
    assert fresh not in result.stdout + result.stderr
    for secret in (SECRET, fresh):
        assert stack.shop(secret).send("themes/publish", {"id": 1}).status_code == 200
    assert takt(stack, *arguments, stdin="\n").returncode == 2


@pytest.fixture
def csv_file(tmp_path: Path) -> tuple[Path, list[int]]:
    numbers = [number(), number()]
    header = (
        "external_order_id;order_number;due_date;description;quantity;option_size;option_flavour"
    )
    lines = [f"x{n};{n};2026-12-08;Confetti cake;1;Medium;Vanilla" for n in numbers]
    file = tmp_path / "orders.csv"
    file.write_text("\r\n".join((header, *lines)), encoding="utf-8-sig")
    return file, numbers


def test_an_import_is_a_dry_run_until_told(
    stack: Stack, db: psycopg.Connection, csv_file: tuple[Path, list[int]]
) -> None:
    file, numbers = csv_file
    command = ("order", "import", str(file), "--store", STORE, "--json")
    tried = data(takt(stack, *command))
    assert [row["ok"] for row in tried] == [True, True]
    assert [row["needs_review"] for row in tried] == [[], []]
    assert sum(tickets(db, n) for n in numbers) == 0
    for _ in range(2):
        assert [row["row"] for row in data(takt(stack, *command, "--apply"))] == [1, 2]
        assert [tickets(db, n) for n in numbers] == [1, 1]
    assert takt(stack, "order", "import", str(file)).returncode == 2


def test_an_import_says_what_a_person_must_look_at(
    stack: Stack, csv_file: tuple[Path, list[int]]
) -> None:
    """A row that is a further line of an order has the reasons of the whole order."""
    file, numbers = csv_file
    with file.open("a", encoding="utf-8") as more:
        more.write(f"\r\nx{numbers[0]};{numbers[0]};;Plain cake;1;;\r\n")
    command = ("order", "import", str(file), "--store", STORE)
    rows = data(takt(stack, *command, "--json"))
    reasons = ["no_flavour", "no_size"]
    assert [row["needs_review"] for row in rows] == [reasons, [], reasons]
    assert "no_flavour, no_size" in takt(stack, *command).stdout


def test_every_bad_row_is_named_and_the_good_ones_come_in(
    stack: Stack, db: psycopg.Connection, csv_file: tuple[Path, list[int]]
) -> None:
    file, numbers = csv_file
    with file.open("a", encoding="utf-8") as more:
        more.write("\r\nx1;;;;many;;\r\n")
    command = ("order", "import", str(file), "--store", STORE, "--apply")
    result = takt(stack, *command)
    assert result.returncode == 7, result.stdout + result.stderr
    assert "2 fine, 1 with errors" in result.stderr
    assert "quantity must be a whole number" in result.stdout
    assert [tickets(db, n) for n in numbers] == [1, 1]


def test_an_order_is_shown_and_explained(stack: Stack, csv_file: tuple[Path, list[int]]) -> None:
    file, numbers = csv_file
    takt(stack, "order", "import", str(file), "--store", STORE, "--apply")
    order_id = f"{STORE}-{numbers[0]}"
    assert order_id in takt(stack, "order", "show", order_id, "--json").stdout
    codes = {row["code"] for row in data(takt(stack, "order", "why", order_id, "--json"))}
    assert "order.not_started" in codes
    assert takt(stack, "order", "why", "bannos-0").returncode == 1
