"""Print jobs: what is polled and shown costs the same after 200,000 finished jobs as after none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from services.local.postgres import SUPERUSER
from tests.sql.plans.explain import Watcher, indexes, scans, sequential
from tests.support.databases import Clone
from tests.support.printing import (
    AGENT,
    add_printer,
    bring,
    evidence,
    heartbeat,
    new_job,
    rest,
    route,
)
from tests.support.rpc import call

_FILL = [
    "set session_replication_role = replica",  # the rows alone matter here
    "insert into public.print_jobs (site, printer, label_type, version_id, subject, language, dpi,"
    " payload_sha256, expires_at, state, sending_at, finished_at, queued_at, evidence_before)"
    " select 'main', 'prn-' || 1 + n % 2, 'item', (select min(id) from"
    " public.label_template_versions), 'OLD-' || n, 'zpl', 203, '', now(),"
    " case n % 100 when 0 then 'failed' when 1 then 'expired' else 'printed' end"
    "   ::public.print_job_state,"
    " now() - n * interval '1 minute', now() - n * interval '1 minute',"
    " now() - n * interval '1 minute', '{}' from generate_series(1, 200000) n",
    "insert into public.print_job_labels (job_id, seq, purpose, subject, template, state)"
    " select id, 1, 'item', subject, 'item', 'printed' from public.print_jobs",
    "insert into public.print_job_events (job_id, from_state, to_state, fence)"
    " select id, null, 'queued', 0 from public.print_jobs",
    "set session_replication_role = origin",
]
_TABLES = ("print_jobs", "print_job_labels", "print_job_events")


@pytest.fixture(scope="module")
def watcher(module_clone: Clone) -> Iterator[Watcher]:
    """200,000 finished jobs, ten waiting ones, an unknown and one that prints."""
    with module_clone.connect() as db:
        for name in ("prn-1", "prn-2"):
            add_printer(db, name)
        route(db, "prn-1", "prn-2")
    with module_clone.connect(SUPERUSER) as root:
        for statement in _FILL:
            root.execute(statement)
    with module_clone.connect() as db:
        bring(db, "unknown", "SKU-unknown")
        rest(db, ago="1 hour")
        bring(db, "sent", "SKU-sent", p_printer="prn-2")
        for n in range(10):
            new_job(db, f"SKU-{n}")
        heartbeat(db, {"code": "prn-1", "status": "idle", "odometer": 7})
    with module_clone.connect(SUPERUSER) as root:
        for table in _TABLES:
            root.execute(f"vacuum analyze public.{table}".encode())
        yield Watcher(root)


def assert_small(plans: list[dict[str, Any]], most: int = 500) -> None:
    """No table of jobs is read as a whole, and no node expects many rows of one."""
    for table in _TABLES:
        assert sequential(plans, table) == []
        for node in scans(plans, table):
            assert node["Plan Rows"] <= most, node


def test_a_poll_reads_waiting_jobs_only(watcher: Watcher) -> None:
    plans = watcher.of_rpc(AGENT, "claim_print_job", p_nonce=uuid4())
    assert_small(plans)
    assert {"print_jobs_queued_idx", "print_jobs_open_idx"} <= indexes(plans)


def test_an_empty_poll_too(watcher: Watcher) -> None:
    plans = watcher.of_rpc(AGENT, "claim_print_job", p_nonce=uuid4(), p_printers=["prn-2"])
    assert_small(plans)


def test_the_clock_reads_open_jobs_only(watcher: Watcher) -> None:
    watcher.notices.clear()
    with watcher.connection.transaction(force_rollback=True):
        watcher.connection.execute("select private.sweep_prints(now())")
    plans = watcher.plans()
    assert_small(plans)
    assert {"print_jobs_lease_idx", "print_jobs_expires_idx"} <= indexes(plans)


def test_the_calls_of_an_agent_find_their_rows_by_index(watcher: Watcher) -> None:
    row = watcher.connection.execute(
        "select id, fence from public.print_jobs where state = 'sent'"
    ).fetchone()
    assert row is not None
    mine: dict[str, Any] = {"p_job_id": row[0], "p_fence": row[1]}
    for rpc, more in [
        ("confirm_print", {"p_evidence": evidence(101)}),
        ("extend_print", {}),
        ("print_job_state", {}),
        ("print_unknown", {}),
    ]:
        assert_small(watcher.of_rpc(AGENT, rpc, **mine, **more))
    assert_small(watcher.of_rpc(AGENT, "my_unsettled_prints"))
    assert_small(watcher.of_rpc(AGENT, "agent_heartbeat"))


def test_asking_for_a_label_does_not_read_the_old_ones(watcher: Watcher) -> None:
    wish: dict[str, Any] = {
        "p_label_type": "item",
        "p_subject": "NEW-1",
        "p_data": {"name": "x", "sku": "1"},
    }
    plans = watcher.of_rpc("operator", "request_print", **wish)
    assert_small(plans)
    assert "print_job_labels_print_no_key" in indexes(plans)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"p_state": "unknown"}, {"p_state": "held"}, {"p_state": "queued"}, {"p_printer": "prn-1"},
     {"p_subject": "OLD-7"}, {"p_state": "unknown", "p_printer": "prn-1"}],
)  # fmt: skip
def test_a_list_of_jobs_reads_a_page(watcher: Watcher, arguments: dict[str, Any]) -> None:
    plans = watcher.of_rpc("operator", "get_print_jobs", **arguments)
    for table in _TABLES:
        assert sequential(plans, table) == []


def test_the_board_and_the_alarms_read_what_is_open_and_recent(watcher: Watcher) -> None:
    for rpc in ("get_printers_board", "get_print_alarms"):
        plans = watcher.of_rpc("operator", rpc)
        for table in _TABLES:
            assert sequential(plans, table) == [], rpc


@pytest.mark.parametrize("name", ["prn-1", "prn-2"])
def test_a_poll_costs_the_same_after_200_000_jobs(module_clone: Clone, name: str) -> None:
    """Rows touched, not time: a poll reads a handful, whatever lies behind it."""
    with module_clone.connect() as db, db.transaction(force_rollback=True):
        call(db, AGENT, "claim_print_job", p_nonce=uuid4(), p_printers=[name])
        db.execute("reset role")
        row = db.execute(
            "select seq_scan, idx_tup_fetch from pg_catalog.pg_stat_xact_user_tables"
            " where relname = 'print_jobs'"
        ).fetchone()
    assert row is not None
    assert row[0] == 0
    assert row[1] <= 12
