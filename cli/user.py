"""`takt user`: people and what they may do."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli.connect import Client
from cli.output import Exit, Failure, Json, group, say, show
from takt import logs

app = group("People: the first admin, roles, who may sign in.")

_SAVED = ("user_id", "full_name", "email", "role", "stores")
_COLUMNS = ("email", "full_name", "role", "stores", "is_active")
Email = Annotated[str, typer.Argument(help="E-mail address, used to sign in.")]
Name = Annotated[str, typer.Option("--name", help="Full name, as shown on the floor.")]
Stores = Annotated[list[str] | None, typer.Option("--store", help="Repeat it; default all.")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")]
Generate = Annotated[bool, typer.Option("--generate-password", help="Make one, print it once.")]


@app.command()
def bootstrap(
    email: Email,
    name: Name,
    password_stdin: Stdin = False,
    generate_password: Generate = False,
    as_json: Json = False,
) -> None:
    """Make the first admin. Works only while there is none."""
    password = _password(password_stdin, generate_password)

    def place(client: Client, user_id: str) -> Any:
        return client.call(
            "bootstrap_admin", p_user_id=user_id, p_full_name=name, p_email=email.lower()
        )

    _create(email, password, generate_password, as_json, place)


@app.command()
def add(  # noqa: PLR0917  # options of the command line, never positional
    email: Email,
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, operator, …, admin")] = "operator",
    store: Stores = None,
    password_stdin: Stdin = False,
    generate_password: Generate = False,
    as_json: Json = False,
) -> None:
    """Add a person with a role."""
    password = _password(password_stdin, generate_password)

    def place(client: Client, user_id: str) -> Any:
        person = {"user_id": user_id, "full_name": name, "email": email.lower()}
        return _save(client, {**person, "role": role, "stores": store or ["*"]})

    _create(email, password, generate_password, as_json, place)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Everybody on the staff."""
    with Client() as client:
        show(client.call("list_staff", safe=True), as_json, _COLUMNS)


@app.command()
def role(email: Email, new_role: str, store: Stores = None, as_json: Json = False) -> None:
    """Give a person another role, and with --store other stores."""
    with Client() as client:
        person = _find(client, email)
        stores = store or person["stores"]
        saved = _save(client, {**person, "role": new_role, "stores": stores})
        _show_person(saved, as_json)


@app.command()
def password(
    email: Email,
    password_stdin: Stdin = False,
    generate_password: Generate = False,
    as_json: Json = False,
) -> None:
    """Give a person a new password; signs them out on the embedded stack."""
    chosen = _password(password_stdin, generate_password)
    with Client() as client:
        person = _find(client, email)
        client.run(_set_password(client, person["user_id"], chosen))
    _show_person(person, as_json, {"password": chosen} if generate_password else {})
    if generate_password:
        say("The password is shown only this once.")


@app.command()
def disable(email: Email, as_json: Json = False) -> None:
    """Shut a person out; works at their next call, and Auth gives them no session."""
    _set_active(email, False, as_json)


@app.command()
def enable(email: Email, as_json: Json = False) -> None:
    """Let a disabled person back in."""
    _set_active(email, True, as_json)


def _set_active(email: str, active: bool, as_json: bool) -> None:
    with Client() as client:
        person = _find(client, email)
        saved = client.call(
            "set_staff_active",
            p_user_id=person["user_id"],
            p_is_active=active,
            p_request_id=str(uuid4()),
        )
        client.set_banned(person["user_id"], banned=not active)
        _show_person(saved, as_json)


def _save(client: Client, person: dict[str, Any]) -> Any:
    """`person`: user_id, full_name, email, role, stores."""
    arguments = {f"p_{name}": person[name] for name in _SAVED}
    return client.call("upsert_staff", p_request_id=str(uuid4()), **arguments)


def _find(client: Client, email: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = client.call("list_staff", safe=True)
    found = next((row for row in rows if row["email"].lower() == email.lower()), None)
    if found is None:
        raise Failure(f"{email} is not on the staff. `takt user list` shows who is.")
    return found


def _create(
    email: str,
    password: str,
    generated: bool,
    as_json: bool,
    place: Callable[[Client, str], Any],
) -> None:
    """An Auth user and their place on the staff, or neither."""
    with Client() as client:
        user_id = client.run(_create_user(client, email, password))
        try:
            person = place(client, user_id)
        except BaseException:
            client.run(_delete_user(client, user_id))
            raise
    _show_person(person, as_json, {"password": password} if generated else {})
    if generated:
        say("The password is shown only this once.")


async def _create_user(client: Client, email: str, password: str) -> str:
    async with client.auth_admin() as auth:
        return await auth.create_user(email, password)


async def _set_password(client: Client, user_id: str, password: str) -> None:
    async with client.auth_admin() as auth:
        await auth.set_password(user_id, password)


async def _delete_user(client: Client, user_id: str) -> None:
    async with client.auth_admin() as auth:
        await auth.delete_user(user_id)


def _show_person(person: dict[str, Any], as_json: bool, more: dict[str, str] | None = None) -> None:
    record = {name: person.get(name) for name in ("user_id", *_COLUMNS)}
    show({**record, **(more or {})}, as_json)


def _password(from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise Failure("Choose --password-stdin or --generate-password.", Exit.USAGE)
    if generate:
        password = secrets.token_urlsafe(18)
    elif from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise Failure("No terminal: use --password-stdin or --generate-password.", Exit.USAGE)
    if not password:
        raise Failure("The password is empty.", Exit.USAGE)
    logs.hide(password)
    return password
