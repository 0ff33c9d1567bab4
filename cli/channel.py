"""`takt channel`: is it working, what arrived last, what failed, replay it."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli.connect import Client, given
from cli.output import Exit, Failure, Json, group, report, show
from takt import logs

app = group("Sales channels: webhooks in, secrets, replay.")

_INBOX = ("id", "store", "topic", "status", "attempts", "received_at", "error")
Store = Annotated[str | None, typer.Option(help="Only this store.")]
Ids = Annotated[list[int] | None, typer.Argument(help="Inbox ids.")]
Limit = Annotated[int, typer.Option(min=1, max=500)]


@app.command()
def status(as_json: Json = False) -> None:
    """Each store: last event, what waits, failed and dead."""
    with Client() as client:
        show(client.call("channel_status", safe=True), as_json)


@app.command()
def inbox(
    store: Store = None,
    state: Annotated[str | None, typer.Option("--status", help="new, done, failed, …")] = None,
    limit: Limit = 50,
    before: Annotated[int | None, typer.Option(help="Older than this id.")] = None,
    as_json: Json = False,
) -> None:
    """What arrived, newest first."""
    _list_inbox(given(p_store=store, p_status=state, p_limit=limit, p_before=before), as_json)


@app.command()
def dead(
    requeue: Annotated[list[int] | None, typer.Option(help="Try these again.")] = None,
    store: Store = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Dead letters; --requeue ID tries one again."""
    if not requeue:
        _list_inbox(given(p_store=store, p_status="dead", p_limit=limit), as_json)
        return
    with Client() as client:
        answer = client.call("requeue_dead_webhooks", p_ids=requeue)
    show(_record(answer, "requeued"), as_json)


@app.command()
def replay(
    ids: Ids = None,
    store: Store = None,
    since: Annotated[str | None, typer.Option(help="Received since, e.g. 2026-11-20.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; default shows it.")] = False,
    as_json: Json = False,
) -> None:
    """Process stored webhooks again. Shows what would change; --apply does it."""
    if not ids and store is None and since is None:
        raise Failure("Name inbox ids, --store or --since.", Exit.USAGE)
    arguments = given(p_ids=ids or None, p_store=store, p_since=since)
    with Client() as client:
        rows = client.call("replay_webhooks", p_dry_run=not apply, **arguments)
    report(rows, as_json, ("inbox_id", "topic", "ok", "result", "changes", "error"), apply)


@app.command()
def secret(
    store: str,
    kind: Annotated[str, typer.Option(help="webhook or access_token")] = "webhook",
    overlap_minutes: Annotated[
        int, typer.Option(min=0, help="How long the old secret is still good.")
    ] = 120,
    secret_stdin: Annotated[bool, typer.Option("--secret-stdin")] = False,
    as_json: Json = False,
) -> None:
    """Set a shop's secret; it is encrypted and never shown again."""
    value = _secret(secret_stdin)
    with Client() as client:
        answer = client.call(
            "set_shop_secret",
            p_store=store,
            p_kind=kind,
            p_secret=value,
            p_overlap_minutes=overlap_minutes,
        )
    show(_record(answer, "result"), as_json)


@app.command()
def pause(store: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Keep storing webhooks, but stop processing them (one store, or all)."""
    _switch("pause_webhooks", store, as_json)


@app.command()
def resume(store: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Process what waited, and what comes."""
    _switch("resume_webhooks", store, as_json)


def _switch(rpc: str, store: str | None, as_json: bool) -> None:
    with Client() as client:
        show(_record(client.call(rpc, **given(p_store=store)), "stores"), as_json)


def _list_inbox(arguments: dict[str, Any], as_json: bool) -> None:
    with Client() as client:
        show(client.call("list_inbox", safe=True, **arguments), as_json, _INBOX)


def _record(answer: Any, name: str) -> Any:
    """Rows and records as they are; a bare value under a name."""
    return answer if isinstance(answer, dict | list) else {name: answer}


def _secret(from_stdin: bool) -> str:
    if from_stdin:
        value = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        value = typer.prompt("Secret", hide_input=True, err=True)
    else:
        raise Failure("No terminal: use --secret-stdin.", Exit.USAGE)
    if not value:
        raise Failure("The secret is empty.", Exit.USAGE)
    logs.hide(value)
    return value
