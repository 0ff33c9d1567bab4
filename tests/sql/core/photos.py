"""Photos as Storage takes them: a path of the server, then a row of storage.objects."""

from __future__ import annotations

import psycopg

from tests.support.rpc import acting_as, call


def start(db: psycopg.Connection, who: str = "operator", about: str = "print_run") -> str:
    """A path for a photo, not uploaded yet."""
    return str(call(db, who, "start_photo", p_about=about, p_site="main")["path"])


def upload(
    db: psycopg.Connection, path: str, who: str = "operator", bucket: str = "photos"
) -> None:
    """What Storage does in the caller's name. Errors: Refused (42501) by the policy."""
    with acting_as(db, who):
        db.execute("insert into storage.objects (bucket_id, name) values (%s, %s)", (bucket, path))


def photo(db: psycopg.Connection, who: str = "operator", about: str = "print_run") -> str:
    """The path of a photo that has arrived."""
    path = start(db, who, about)
    upload(db, path, who)
    return path
