"""`takt channel`: is it working, what arrived last, what failed, replay it."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli.connect import Client, given
from cli.output import Exit, Failure, Json, fail, group, report, say, show
from takt import logs

app = group("Sales channels: webhooks in, secrets, replay.")

_STATES = {
    "unreadable": "{store}: its secret was encrypted with another key, so webhooks are refused. "
    "Bring that key back (TAKT_SECRETS_KEY, .takt/secrets.json), or set the secret again: "
    "`takt channel secret {store}`.",
    "unknown": "{store}: whether its secret can be read is not known without TAKT_SECRETS_KEY.",
}
_INBOX = ("id", "store", "topic", "status", "attempts", "received_at", "error")
Store = Annotated[str | None, typer.Option(help="Only this store.")]
Ids = Annotated[list[int] | None, typer.Argument(help="Inbox ids.")]
Limit = Annotated[int, typer.Option(min=1, max=500)]


@app.command()
def status(as_json: Json = False) -> None:
    """Each store: last event, what waits, failed and dead."""
    with Client() as client:
        rows = client.call("channel_status", safe=True)
    show(rows, as_json)
    for row in rows:
        if row["secret_state"] in _STATES:
            say(_STATES[row["secret_state"]].format(store=row["store"]))


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
        wrong = [text for wanted in requeue if (text := _not_dead(client, wanted))]
        if len(wrong) == len(requeue):
            raise Failure("\n".join(wrong))
        answer = client.call("requeue_dead_webhooks", p_ids=requeue)
    show({"requeued": answer}, as_json)
    if wrong:
        fail("\n".join(wrong), Exit.PARTIAL)


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
    found = {row["inbox_id"] for row in rows}
    rows += [_unknown(wanted) for wanted in ids or () if wanted not in found]
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
    show(answer, as_json)


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
        stores = client.call(rpc, **given(p_store=store))
    show({"stores": stores}, as_json)
    if not stores:
        say("No store was changed: see `takt channel status`.")


def _not_dead(client: Client, inbox_id: int) -> str | None:
    """Why this webhook cannot be tried again; None when it is a dead letter."""
    newest = client.call("list_inbox", safe=True, p_before=inbox_id + 1, p_limit=1)
    if not newest or newest[0]["id"] != inbox_id:
        return f"There is no webhook {inbox_id}."
    state = newest[0]["status"]
    return None if state == "dead" else f"Webhook {inbox_id} is {state}, not dead."


def _unknown(inbox_id: int) -> dict[str, Any]:
    """A row of `replay` for a webhook that was not found."""
    text = f"There is no webhook {inbox_id} here, or its content is gone."
    return {"inbox_id": inbox_id, "ok": False, "result": "unknown", "error": text}


def _list_inbox(arguments: dict[str, Any], as_json: bool) -> None:
    with Client() as client:
        show(client.call("list_inbox", safe=True, **arguments), as_json, _INBOX)


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
