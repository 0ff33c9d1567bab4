"""The RPC client against the real PostgREST: what is repeated, and what is not."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from takt.errors import RpcError
from takt.rpc import RpcClient
from tests.services.stack import Stack
from tests.takt.processes import wait_for

# A sequence does not roll back with the failed try: it counts the tries.
_FLAKY = """
drop function if exists public.test_flaky;
drop sequence if exists private.test_tries;
create sequence private.test_tries;
create function public.test_flaky(
  p_sqlstate text, p_failures integer, p_request_id uuid default null)
returns integer language plpgsql security definer set search_path = '' as $$
declare
  v_try integer := nextval('private.test_tries');
begin
  if v_try <= p_failures then
    raise exception using errcode = p_sqlstate, message = 'try ' || v_try, hint = 'test.flaky',
      detail = '{"try": ' || v_try || '}';
  end if;
  return v_try;
end $$;
grant execute on function public.test_flaky to service_role;
notify pgrst, 'reload schema';
"""


@pytest.fixture(scope="module")
def flaky(stack: Stack) -> Iterator[None]:
    def known() -> bool:
        try:
            with stack.rpc() as rpc:
                return bool(rpc.call("test_flaky", tries=1, p_sqlstate="PT418", p_failures=0))
        except RpcError as error:
            if error.sqlstate != "PGRST202":
                raise
            return False

    with stack.connect() as connection:
        connection.execute(_FLAKY)
        wait_for(known, "PostgREST has read the schema")
        yield
        connection.execute("drop function public.test_flaky; drop sequence private.test_tries")


@pytest.fixture(autouse=True)
def fresh(flaky: None, db: psycopg.Connection) -> None:
    db.execute("alter sequence private.test_tries restart")


def tries(db: psycopg.Connection) -> int:
    row = db.execute("select last_value from private.test_tries where is_called").fetchone()
    return row[0] if row else 0


@pytest.mark.parametrize("sqlstate", ["40P01", "55P03", "57014", "08006", "53300"])
def test_temporary_failures_of_a_safe_call_are_repeated(
    stack: Stack, db: psycopg.Connection, sqlstate: str
) -> None:
    with stack.rpc() as rpc:
        assert rpc.call("test_flaky", safe=True, p_sqlstate=sqlstate, p_failures=2) == 3
    assert tries(db) == 3


def test_a_request_id_makes_a_call_repeatable(stack: Stack, db: psycopg.Connection) -> None:
    request_id = str(uuid.uuid4())
    with stack.rpc() as rpc:
        answer = rpc.call("test_flaky", p_sqlstate="40P01", p_failures=1, p_request_id=request_id)
    assert answer == 2


@pytest.mark.parametrize("sqlstate", ["PT409", "PT503", "22023", "42501", "XX000"])
def test_a_refusal_is_never_repeated(stack: Stack, db: psycopg.Connection, sqlstate: str) -> None:
    with stack.rpc() as rpc, pytest.raises(RpcError) as caught:
        rpc.call("test_flaky", safe=True, p_sqlstate=sqlstate, p_failures=9)
    assert caught.value.sqlstate == sqlstate
    assert tries(db) == 1


def test_a_call_that_may_have_had_an_effect_is_not_repeated(
    stack: Stack, db: psycopg.Connection
) -> None:
    with stack.rpc() as rpc, pytest.raises(RpcError) as caught:
        rpc.call("test_flaky", p_sqlstate="40P01", p_failures=9)
    assert caught.value.temporary
    assert tries(db) == 1


def test_it_gives_up_after_its_tries(stack: Stack, db: psycopg.Connection) -> None:
    with stack.rpc(tries=3) as rpc, pytest.raises(RpcError):
        rpc.call("test_flaky", safe=True, p_sqlstate="40P01", p_failures=9)
    assert tries(db) == 3


def test_an_error_carries_code_message_and_facts(stack: Stack) -> None:
    with stack.rpc() as rpc, pytest.raises(RpcError) as caught:
        rpc.call("test_flaky", p_sqlstate="PT422", p_failures=1)
    error = caught.value
    assert (error.status, error.code, error.message, error.detail) == (
        422,
        "test.flaky",
        "try 1",
        {"try": 1},
    )


def test_a_read_may_go_by_get(stack: Stack) -> None:
    with stack.rpc() as rpc:
        assert rpc.call("list_inbox", get=True, p_limit=1, p_status="dead") == rpc.call(
            "list_inbox", safe=True, p_limit=1, p_status="dead"
        )
        with pytest.raises(RpcError) as caught:
            rpc.call("tick", get=True)
    assert caught.value.sqlstate == "25006"  # a GET cannot write


def test_a_server_that_is_not_there_is_temporary() -> None:
    async def call() -> None:
        async with RpcClient("http://127.0.0.1:9", "sb_secret_x", tries=2) as rpc:
            await rpc.call("whoami")

    with pytest.raises(RpcError) as caught:
        asyncio.run(call())
    assert (caught.value.status, caught.value.temporary, caught.value.sent) == (0, True, False)
