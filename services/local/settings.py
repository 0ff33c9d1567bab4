"""Ports and secrets of the embedded stack: made once, kept in `.takt/`, shown by `takt status`."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from urllib.parse import quote

from services.local.database import Database
from services.local.paths import Paths, write_atomic
from services.local.postgres import LOGIN_ROLES, SUPERUSER
from takt.ports import HOST, port_is_free

_STEP = 10  # a second checkout gets 54331 … 54336: readable, and no clash inside the block
_TRIES = 500
_LAST_FIRST = 60_000


class SettingsError(RuntimeError):
    """A file of the stack cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback."""

    gateway: int
    postgres: int
    postgrest: int
    lite: int
    api: int
    postgrest_admin: int
    shop: int  # the Admin API of the demo's shops

    @classmethod
    def starting_at(cls, first: int) -> Ports:
        """One after another, the gateway first."""
        return cls(*range(first, first + len(fields(cls))))


def first_port() -> int:
    """Where the gateway would like to listen: `TAKT_PORT`, else where Supabase's own stack does.

    Errors: SettingsError when `TAKT_PORT` is no port.
    """
    text = os.environ.get("TAKT_PORT", "54321")
    if not text.isdecimal() or not 1024 <= int(text) <= _LAST_FIRST:
        raise SettingsError(f"TAKT_PORT is {text!r}; it must be from 1024 to {_LAST_FIRST}.")
    return int(text)


@dataclass(frozen=True)
class Secrets:
    """Everything that must not be seen; `db_passwords` is per login role."""

    jwt_secret: str
    publishable_key: str
    secret_key: str
    secrets_key: str
    db_passwords: Mapping[str, str]


@dataclass(frozen=True)
class Settings:
    """All that a service of the stack may ask for; `external` is a database on a server that is
    not the stack's own.
    """

    paths: Paths
    ports: Ports
    secrets: Secrets
    host: str = HOST
    external: Database | None = None

    @classmethod
    def load(cls, paths: Paths | None = None) -> Settings:
        """Read the settings that `prepare` left. Errors: SettingsError when there are none."""
        where = paths or Paths.find()
        return cls._read(where, _read_ports(where))

    @classmethod
    def prepare(cls, paths: Paths) -> Settings:
        """Make what is missing, and move each taken port to a free one.

        Errors: SettingsError; nothing is written when the secrets of existing data are lost.
        """
        refuse_lost_secrets(paths)
        paths.create()
        if not paths.secrets_file.exists():
            text = json.dumps(asdict(_new_secrets()), indent=2)
            write_atomic(paths.secrets_file, text + "\n")
        ports = choose_ports(_read_ports(paths))
        write_atomic(paths.ports_file, json.dumps(asdict(ports), indent=2) + "\n", mode=0o644)
        return cls._read(paths, ports)

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.ports.gateway}"

    @property
    def database(self) -> Database:
        """The database of the stack, and how to sign in to it."""
        if self.external is not None:
            return self.external
        passwords = self.secrets.db_passwords
        login = f"{SUPERUSER}:{quote(passwords[SUPERUSER], safe='')}"
        return Database(f"postgresql://{login}@{HOST}:{self.ports.postgres}/postgres", passwords)

    def db_url(self, user: str = "postgres", dbname: str | None = None) -> str:
        """Address for sessions as one role, password included; `dbname`: another database."""
        return self.database.sign_in(user, dbname)

    @classmethod
    def _read(cls, paths: Paths, ports: Ports) -> Settings:
        known = read_secrets(paths)
        return cls(paths, ports, known, _host(), read_external(paths, known.db_passwords))


def choose_ports(wanted: Ports) -> Ports:
    """Keep each port that is free; otherwise the next free one, ten further at a time."""
    defaults = asdict(Ports.starting_at(first_port()))
    chosen: dict[str, int] = {}
    for name, port in asdict(wanted).items():
        candidates = [port, *(defaults[name] + _STEP * n for n in range(_TRIES))]
        free = (p for p in candidates if p not in chosen.values() and port_is_free(p))
        found = next(free, None)
        if found is None:
            raise SettingsError(f"No free port for {name} from {defaults[name]} on.")
        chosen[name] = found
    return Ports(**chosen)


def refuse_lost_secrets(paths: Paths) -> None:
    """New secrets would fit neither the data's passwords nor its encrypted shop secrets.

    Errors: SettingsError when there is data and no secrets file.
    """
    if paths.secrets_file.exists() or not has_data(paths):
        return
    raise SettingsError(
        f"The file is gone, the data is there: restore {paths.secrets_file} from a backup. The "
        "data's passwords and the key of the shop secrets are in it. (To begin anew instead, move "
        f"the whole folder {paths.state} away.)"
    )


def has_data(paths: Paths) -> bool:
    """Is there a database that was made with stored secrets: our own, or a remembered one?"""
    try:
        own = (paths.pgdata / "PG_VERSION").exists()
    except PermissionError:  # of another account; so there is something
        own = True
    return own or paths.database_file.exists()


def read_secrets(paths: Paths) -> Secrets:
    """The stored secrets. Errors: SettingsError when missing or damaged."""
    try:
        stored = json.loads(paths.secrets_file.read_text(encoding="utf-8"))
        return Secrets(**{field.name: stored[field.name] for field in fields(Secrets)})
    except FileNotFoundError as error:
        refuse_lost_secrets(paths)
        raise SettingsError("The stack was never started here. Run `takt up`.") from error
    except PermissionError as error:
        raise SettingsError(f"{paths.secrets_file} belongs to another user.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{paths.secrets_file} is damaged. Restore it from a backup: without it the stored "
            "passwords and encrypted shop secrets cannot be used."
        ) from error


def read_external(paths: Paths, passwords: Mapping[str, str]) -> Database | None:
    """The remembered external database; None for the embedded server. Errors: SettingsError."""
    try:
        kept = json.loads(paths.database_file.read_text(encoding="utf-8"))
        own = {role: passwords[role] for role in kept["roles"]}
        return Database(kept["url"], own, kept["settings"], external=True)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise SettingsError(f"{paths.database_file} belongs to another user.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{paths.database_file} is damaged. Remove it, then run `takt up` with TAKT_DB_URL."
        ) from error


def write_external(paths: Paths, database: Database) -> None:
    """Remember an external database for later commands. The file holds its address' password."""
    kept = {
        "url": database.url,
        "roles": sorted(database.passwords),
        "settings": dict(database.settings),
    }
    write_atomic(paths.database_file, json.dumps(kept, indent=2) + "\n")


def _read_ports(paths: Paths) -> Ports:
    usual = asdict(Ports.starting_at(first_port()))
    try:
        stored = json.loads(paths.ports_file.read_text(encoding="utf-8"))
        known = {k: int(v) for k, v in stored.items() if k in usual}
    except (OSError, ValueError, TypeError, AttributeError):
        known = {}  # only a memory; a lost one is chosen again
    return Ports(**{**usual, **known})


def _new_secrets() -> Secrets:
    return Secrets(
        jwt_secret=secrets.token_urlsafe(48),
        publishable_key=f"sb_publishable_{secrets.token_urlsafe(24)}",
        secret_key=f"sb_secret_{secrets.token_urlsafe(24)}",
        secrets_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        db_passwords={role: secrets.token_urlsafe(24) for role in LOGIN_ROLES},
    )


def _host() -> str:
    """Where the gateway listens: loopback unless `TAKT_HOST` says otherwise."""
    return os.environ.get("TAKT_HOST", HOST)
