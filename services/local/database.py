"""How to sign in to the stack's database as any of its roles, whoever runs the server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from services.local.postgres import SUPERUSER

_DEFAULT_PORT = 5432


class BadAddress(ValueError):
    """Not the address of a database over TCP; the message says what one looks like."""


@dataclass(frozen=True)
class Database:
    """One database. `url` is a superuser's sign-in, in the form of `normalise`.

    Roles in `passwords` sign in by themselves. Any other role is a session of that superuser
    that takes on the role from its first moment, with what `settings` says of it
    (`name=value`, as in pg_roles.rolconfig): Postgres applies those to sign-ins only.
    """

    url: str = field(repr=False)
    passwords: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    external: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or _DEFAULT_PORT

    @property
    def where(self) -> str:
        """Host, port and name, for people and logs: no password."""
        return f"{urlsplit(self.url).netloc.rpartition('@')[2]}{unquote(urlsplit(self.url).path)}"

    def sign_in(self, role: str = "postgres", dbname: str | None = None) -> str:
        """Address for sessions as `role`; `supabase_admin` means the superuser, however named."""
        parts = urlsplit(self.url)
        login, _, place = parts.netloc.rpartition("@")
        if dbname is not None:
            parts = parts._replace(path=f"/{quote(dbname, safe='')}")
        if role in self.passwords:
            login = f"{quote(role, safe='')}:{quote(self.passwords[role], safe='')}"
            parts = parts._replace(netloc=f"{login}@{place}")
        elif role not in (SUPERUSER, unquote(login.partition(":")[0])):
            taken = (f"role={role}", *self.settings.get(role, ()))
            parts = parts._replace(query=_with_options(parts.query, taken))
        return urlunsplit(parts)


def normalise(url: str) -> str:
    """The same address with every part in place and quoted. Errors: BadAddress."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORT
    except ValueError as error:
        raise BadAddress(_expected("This is no address.")) from error
    if parts.scheme not in ("postgresql", "postgres"):
        raise BadAddress(_expected("It does not begin with postgresql://."))
    name = unquote(parts.path.strip("/"))
    if not (parts.username and parts.hostname and name) or "/" in unquote(parts.hostname):
        raise BadAddress(_expected("User, host or database is missing."))
    login = quote(unquote(parts.username), safe="")
    if parts.password:
        login += f":{quote(unquote(parts.password), safe='')}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    query = urlencode(parse_qsl(parts.query.replace("+", "%2B")), quote_via=quote)
    path = f"/{quote(name, safe='')}"
    return urlunsplit(("postgresql", f"{login}@{host}:{port}", path, query, ""))


def _with_options(query: str, settings: Sequence[str]) -> str:
    """The query with `settings` behind its own `options`, in the form of a server's start."""
    fields = dict(parse_qsl(query))
    given = [fields["options"]] if "options" in fields else []
    # The server splits at spaces; a backslash keeps one.
    added = ["-c " + re.sub(r"([ \\])", r"\\\1", setting) for setting in settings]
    fields["options"] = " ".join([*given, *added])
    return urlencode(fields, quote_via=quote)


def _expected(problem: str) -> str:
    return f"{problem} It must look like postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
