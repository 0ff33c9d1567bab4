"""One embedded Postgres with the realtime schema, and the app on it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from services.local.postgres import SUPERUSER, PostgresServer
from services.local.prepare import prepare_database
from takt.ports import free_port
from tests.realtime.harness import Stack, serve

DATABASE = "realtime_tests"

# Reading and sending as data, so that each test gives and takes rights for its own topic.
POLICIES = """
  create table public.allowed (user_id uuid, topic text, may text);
  grant select on public.allowed to authenticated;
  create function public.may(p_what text) returns boolean language sql stable
  set search_path = '' as $$
    select exists (
      select from public.allowed a
      where a.user_id = auth.uid() and a.topic = realtime.topic() and a.may = p_what
    );
  $$;
  create policy select_allowed on realtime.messages for select to authenticated
    using (extension = 'broadcast' and public.may('listen')
      or extension = 'presence' and public.may('see'));
  create policy insert_allowed on realtime.messages for insert to authenticated
    with check (extension = 'broadcast' and public.may('speak')
      or extension = 'presence' and public.may('appear'));
"""


@pytest.fixture
def anyio_backend() -> str:
    """The async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="package")
def realtime_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A Postgres of its own: some tests stop it."""
    data = tmp_path_factory.mktemp("realtime") / "data"
    found = PostgresServer(data, free_port(), settings={"fsync": "off"})
    found.init()
    found.start()
    try:
        prepare_database(found, DATABASE)
        with psycopg.connect(found.url(SUPERUSER, DATABASE), autocommit=True) as connection:
            # As a migration would: by `postgres`, which is no superuser.
            connection.execute("set role postgres")
            connection.execute(POLICIES)
        yield found
    finally:
        found.stop("immediate")


@pytest.fixture(scope="package")
def stack(realtime_server: PostgresServer) -> Iterator[Stack]:
    """The app with hosted's safest setting: private channels only."""
    url = realtime_server.url(SUPERUSER, DATABASE)
    with serve(url) as api_url:
        yield Stack(url, api_url)
