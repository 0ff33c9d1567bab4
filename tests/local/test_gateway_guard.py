"""What the gateway refuses before a service sees it. Each test names the attack it stands for."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from services.local.processes import wait_until
from services.local.settings import Settings
from tests.local.support import Stack

PASSWORD = "correct-horse-1"
FUNCTIONS = """
  create or replace function public.test_headers() returns jsonb
  language sql stable set search_path = ''
  as $$ select current_setting('request.headers', true)::jsonb $$;
  create or replace function public.test_constraint() returns void
  language plpgsql set search_path = '' as $$
  begin
    raise exception 'new row violates check constraint "t_size_check"'
      using errcode = 'check_violation', detail = 'Failing row contains (7, a secret).';
  end $$;
  create or replace function public.test_rows() returns table (name text)
  language sql stable set search_path = '' as $$ select 'a' $$;
  grant execute on function public.test_headers(), public.test_constraint(), public.test_rows()
    to anon, authenticated, service_role;
"""


@pytest.fixture(scope="module")
def functions(stack: Stack) -> dict[str, Any]:
    """Status of the stack, with three functions to call."""
    facts = stack.status()
    with psycopg.connect(facts["db_url"], autocommit=True) as connection:
        connection.execute(FUNCTIONS)
    url, key = f"{facts['api_url']}/rest/v1/rpc/test_rows", {"apikey": facts["publishable_key"]}
    assert wait_until(lambda: httpx.post(url, headers=key, json={}).status_code == 200, 10, 0.05)
    return facts


@pytest.fixture
def key(facts: dict[str, Any]) -> dict[str, str]:
    """Headers of somebody who knows the public key."""
    return {"apikey": facts["publishable_key"]}


@pytest.fixture
def user(facts: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Somebody with a sign-in: email, password, id, access and refresh token."""
    email = f"{uuid.uuid4().hex}@takt.localhost"
    admin, users = {"apikey": facts["secret_key"]}, f"{facts['api_url']}/auth/v1/admin/users"
    body = {"email": email, "password": PASSWORD, "email_confirm": True}
    made = httpx.post(users, headers=admin, json=body).json()
    yield {"email": email, "id": made["id"]}
    httpx.delete(f"{users}/{made['id']}", headers=admin)


def sign_in(facts: dict[str, Any], email: Any, password: Any = PASSWORD) -> httpx.Response:
    return httpx.post(
        f"{facts['api_url']}/auth/v1/token?grant_type=password",
        headers={"apikey": facts["publishable_key"]},
        json={"email": email, "password": password},
    )


def bearer(facts: dict[str, Any], user: dict[str, str]) -> dict[str, str]:
    token = sign_in(facts, user["email"]).json()["access_token"]
    return {"apikey": facts["publishable_key"], "authorization": f"Bearer {token}"}


def chunked(url: str, headers: dict[str, str], pieces: int) -> int | None:
    """The status after a body that announces no length; None when the line was cut."""
    try:
        body = (b" " * 65_536 for _ in range(pieces))
        return httpx.post(url, headers=headers, content=body).status_code
    except httpx.TransportError:
        return None


def status(url: str, target: bytes, *headers: bytes) -> int:
    """The status for a request line that no client library would send."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as sender:
        lines = [b"GET " + target + b" HTTP/1.1", b"Host: x", b"Connection: close", *headers]
        sender.sendall(b"\r\n".join([*lines, b"", b""]))
        return int(sender.recv(64).split()[1])


@pytest.mark.parametrize(
    "route",
    [
        *("recover", "otp", "magiclink", "resend", "verify", "invite", "signup", "callback", "sso"),
        *("reauthenticate", "authorize?provider=google", "factors", "nonsense", "token/x"),
        *("token?grant_type=pkce", "token?grant_type=password&grant_type=refresh_token"),
    ],
)
def test_1_no_code_can_be_guessed_where_no_mail_arrives(
    facts: dict[str, Any], key: dict[str, str], route: str
) -> None:
    body = {"type": "recovery", "email": "admin@takt.localhost", "token": "123456"}
    for method in ("GET", "POST"):
        answer = httpx.request(
            method, f"{facts['api_url']}/auth/v1/{route}", headers=key, json=body
        )
        assert answer.status_code == 501, answer.text
        assert "takt user password" in answer.json()["msg"]


def test_1_nobody_changes_an_address_that_is_not_confirmed(
    facts: dict[str, Any], user: dict[str, str]
) -> None:
    url, headers = f"{facts['api_url']}/auth/v1/user", bearer(facts, user)
    assert httpx.put(url, headers=headers, json={"email": "a@b.co"}).status_code == 501
    assert httpx.put(url, headers=headers, json={"data": {"n": 1}}).status_code == 200


def test_1_codes_are_short_lived_in_lite_itself(stack: Stack) -> None:
    config = (stack.home / ".takt" / "lite" / "supabase" / "config.toml").read_text()
    assert "otp_expiry = 300" in config


@pytest.mark.parametrize(
    "target",
    [
        b"/storage/v1/object/public/x/../../../auth/v1/user",
        b"/storage/v1/object/public/%2e%2e/%2E./rest/v1/",
        b"/storage/v1/object/public/x%2F..%2fy",
        b"/auth/v1//verify",
        b"//rest/v1/",
        b"/auth/v1/..%5c..%5Crest",
        b"/auth/v1/a\\b",
        b"/rest/v1/./orders",
        b"/auth/v1/%252e%252e/user",
        b"/rest/v1/orders/..",
        b"/rest/v1/a%00b",
        b"/..",
    ],
)
def test_2_path_tricks_end_at_the_door(facts: dict[str, Any], target: bytes) -> None:
    secret = b"apikey: " + facts["secret_key"].encode()
    assert status(facts["api_url"], target, secret) == 400


@pytest.mark.parametrize("path", ["/_admin", "/s3/x", "/upload/resumable", "/rest/v1/orders"])
def test_2_only_known_storage_routes_reach_lite(
    facts: dict[str, Any], key: dict[str, str], path: str
) -> None:
    answer = httpx.get(f"{facts['api_url']}/storage/v1{path}", headers=key)
    assert answer.status_code == 404
    assert "Storage" in answer.json()["message"]


def test_2_lite_cannot_keep_the_database_busy(facts: dict[str, Any]) -> None:
    with psycopg.connect(facts["db_url"]) as connection:
        row = connection.execute(
            "select array_to_string(rolconfig, ' ') from pg_roles where rolname = 'supabase_lite'"
        ).fetchone()
    assert row is not None
    assert "statement_timeout=15s" in row[0]


def test_6_passwords_cannot_be_guessed_at_speed(
    facts: dict[str, Any], user: dict[str, str]
) -> None:
    # Right ones cost nothing, however often.
    assert {sign_in(facts, user["email"]).status_code for _ in range(12)} == {200}
    answers = [sign_in(facts, user["email"].upper(), f"wrong-{n}") for n in range(12)]
    assert [a.status_code for a in answers[:10]] == [400] * 10
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error_code"] == "over_request_rate_limit"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    # Somebody else at the same address is not shut out.
    assert sign_in(facts, "else@takt.localhost").status_code == 400


def test_7_the_log_of_lite_holds_no_secret(
    stack: Stack, facts: dict[str, Any], user: dict[str, str], settings: Settings
) -> None:
    # Past the gateway: this is what lite writes if a route should ever be opened again.
    lite = f"http://127.0.0.1:{settings.ports.lite}/auth/v1/recover"
    sent = httpx.post(lite, headers={"apikey": facts["publishable_key"]}, json=user)
    assert sent.status_code == 200
    log = stack.log("lite")
    for secret in (facts["secret_key"], user["email"], "verify?", "code"):
        assert secret not in log


def test_8_large_bodies_are_413(
    facts: dict[str, Any], key: dict[str, str], user: dict[str, str]
) -> None:
    url, large = facts["api_url"], b" " * (5 * 1024 * 1024)
    assert httpx.post(f"{url}/rest/v1/rpc/whoami", headers=key, content=large).status_code == 413
    # Of unknown length: hung up on, as it may be endless; the answer may be lost with it.
    assert chunked(f"{url}/rest/v1/rpc/whoami", key, 80) in (413, None)
    body = {"email": "a@b.co", "password": "x" * 70_000}
    token = f"{url}/auth/v1/token?grant_type=password"
    assert httpx.post(token, headers=key, json=body).status_code == 413


def test_22_nobody_stores_a_library_in_their_profile(
    facts: dict[str, Any], user: dict[str, str]
) -> None:
    headers, body = bearer(facts, user), {"data": {"blob": "x" * 70_000}}
    answer = httpx.put(f"{facts['api_url']}/auth/v1/user", headers=headers, json=body)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "query",
    [
        "name=match.^(a%2B)%2B$",
        "name=imatch.x",
        "name=not.match.x",
        "name=match(any).{a,b}",
        "name=%6datch.x",
        "or=(name.match.x,name.eq.a)",
        "not.and=(name.eq.a,or(name.not.imatch.x,name.eq.b))",
        "rel.or=(name.match(all).{x})",
        "limit=1;name=match.x",
        "p_x=1&name=match.x",
    ],
)
def test_10_regular_expressions_of_strangers_are_refused(
    functions: dict[str, Any], key: dict[str, str], query: str
) -> None:
    for path in ("orders", "rpc/test_rows"):
        answer = httpx.get(f"{functions['api_url']}/rest/v1/{path}?{query}", headers=key)
        assert (answer.status_code, answer.json()["hint"]) == (400, "rest.regex_filter")


@pytest.mark.parametrize("query", ["name=eq.match.x", "name=in.(match.x)", "name=ilike.*match*"])
def test_10_other_filters_still_work(
    functions: dict[str, Any], key: dict[str, str], query: str
) -> None:
    url = f"{functions['api_url']}/rest/v1/rpc/test_rows?{query}"
    assert httpx.get(url, headers=key).status_code == 200


def test_14_a_used_refresh_token_ends_the_session(
    facts: dict[str, Any], key: dict[str, str], user: dict[str, str]
) -> None:
    url = f"{facts['api_url']}/auth/v1/token?grant_type=refresh_token"
    first = sign_in(facts, user["email"]).json()

    def refresh(token: str) -> httpx.Response:
        return httpx.post(url, headers=key, json={"refresh_token": token})

    second = refresh(first["refresh_token"]).json()
    # Two tabs may refresh at the same moment.
    assert refresh(first["refresh_token"]).status_code == 200
    with psycopg.connect(facts["db_url"], autocommit=True) as connection:
        connection.execute(
            "update auth.refresh_tokens set updated_at = updated_at - interval '11 seconds'"
            " where token = %s",
            (first["refresh_token"],),
        )
    stolen = refresh(first["refresh_token"])
    assert (stolen.status_code, stolen.json()["error_code"]) == (400, "refresh_token_already_used")
    assert refresh(second["refresh_token"]).status_code == 400
    headers = {**key, "authorization": f"Bearer {second['access_token']}"}
    assert httpx.get(f"{facts['api_url']}/auth/v1/user", headers=headers).status_code == 403


def test_15_answers_with_tokens_and_data_are_not_cached(
    functions: dict[str, Any], key: dict[str, str], user: dict[str, str]
) -> None:
    url = f"{functions['api_url']}/rest/v1/rpc/test_rows"
    assert httpx.get(url, headers=key).headers["cache-control"] == "no-store"
    assert sign_in(functions, user["email"]).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", [b"/rest/v1/", b"/auth/v1/user", b"/storage/v1/bucket"])
def test_16_a_token_of_odd_bytes_is_401(facts: dict[str, Any], path: bytes) -> None:
    known = b"apikey: " + facts["publishable_key"].encode()
    assert status(facts["api_url"], path, known, b"authorization: Bearer \xe9") == 401
    assert status(facts["api_url"], path, b"apikey: \xe9") == 401


def test_17_an_encoded_path_hides_no_array(functions: dict[str, Any], key: dict[str, str]) -> None:
    headers = {**key, "content-type": "Application/JSON"}
    for path in ("%72pc/test_rows", "rp%63/test_rows"):
        url = f"{functions['api_url']}/rest/v1/{path}"
        answer = httpx.post(url, headers=headers, content=b"[{}]")
        assert (answer.status_code, answer.json()["hint"]) == (400, "rpc.array_body")


def test_18_constraint_errors_show_no_row(functions: dict[str, Any], key: dict[str, str]) -> None:
    answer = httpx.post(f"{functions['api_url']}/rest/v1/rpc/test_constraint", headers=key)
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["details"]) == ("23514", None)
    assert "t_size_check" in answer.json()["message"]
    assert "secret" not in answer.text


def test_18_the_log_of_postgres_shows_no_row(functions: dict[str, Any], stack: Stack) -> None:
    with psycopg.connect(functions["db_url"]) as connection:
        assert connection.execute("show log_error_verbosity").fetchone() == ("terse",)
    assert "Failing row" not in stack.log("postgres")


def test_23_the_key_of_the_shops_comes_from_servers_only(
    functions: dict[str, Any], key: dict[str, str]
) -> None:
    url = f"{functions['api_url']}/rest/v1/rpc/test_headers"
    sent = {"x-takt-secrets-key": "guess"}
    assert "x-takt-secrets-key" not in httpx.post(url, headers={**key, **sent}).json()
    server = {"apikey": functions["secret_key"]}
    assert httpx.post(url, headers={**server, **sent}).json()["x-takt-secrets-key"] == "guess"


@pytest.mark.parametrize(
    ("email", "password"),
    [({"$ne": 1}, "x"), (7, "x"), (None, "x"), ("a@b.co", ["x"]), ("a@b.co", None), ("\0@b", "x")],
)
def test_25_a_sign_in_is_made_of_text(facts: dict[str, Any], email: Any, password: Any) -> None:
    answer = sign_in(facts, email, password)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "validation_failed")


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b'{"refresh_token": 7}', b"\xff"])
def test_25_a_refresh_is_made_of_text(
    facts: dict[str, Any], key: dict[str, str], body: bytes
) -> None:
    url = f"{facts['api_url']}/auth/v1/token?grant_type=refresh_token"
    assert httpx.post(url, headers=key, content=body).status_code == 400


def test_25_a_bad_storage_token_is_400(facts: dict[str, Any], key: dict[str, str]) -> None:
    for token in ("bad", "a.b.c", "", "%E9"):
        path = f"x/y.txt?token={token}"
        url = f"{facts['api_url']}/storage/v1/object"
        assert httpx.get(f"{url}/sign/{path}").status_code == 400
        put = httpx.put(f"{url}/upload/sign/{path}", headers=key, content=b"x")
        assert put.status_code == 400
