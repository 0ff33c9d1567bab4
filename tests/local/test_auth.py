"""Auth through the gateway, with both official clients."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from supabase import Client, create_client
from supabase_auth.errors import AuthApiError

from tests.local.support import ROOT

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PASSWORD = "correct-horse-1"


@pytest.fixture
def admin(facts: dict[str, Any]) -> Client:
    """A client with the secret key."""
    return create_client(facts["api_url"], facts["secret_key"])


@pytest.fixture
def client(facts: dict[str, Any]) -> Client:
    """A client with the publishable key."""
    return create_client(facts["api_url"], facts["publishable_key"])


@pytest.fixture
def email(admin: Client) -> Iterator[str]:
    """A user for one test."""
    address = f"{uuid.uuid4().hex}@takt.localhost"
    user = admin.auth.admin.create_user(
        {
            "email": address.upper(),
            "password": PASSWORD,
            "email_confirm": True,
            "user_metadata": {"full_name": "Ada"},
        }
    ).user
    yield address
    admin.auth.admin.delete_user(user.id)


def user_id(client: Client, email: str, password: str = PASSWORD) -> str:
    """Sign in; the user's id."""
    answer = client.auth.sign_in_with_password({"email": email, "password": password})
    assert answer.user is not None
    return answer.user.id


def test_a_created_user_signs_in_refreshes_and_is_known(client: Client, email: str) -> None:
    identity = user_id(client, email)
    refreshed = client.auth.refresh_session()
    assert refreshed.user is not None
    assert refreshed.user.id == identity
    assert refreshed.user.user_metadata == {"full_name": "Ada"}
    assert refreshed.user.created_at.tzinfo is not None
    known = client.auth.get_user()
    assert known is not None
    assert known.user.email == email


def test_admin_lists_reads_changes_and_deletes(admin: Client, client: Client, email: str) -> None:
    identity = user_id(client, email)
    assert email in {user.email for user in admin.auth.admin.list_users(per_page=1000)}
    assert admin.auth.admin.get_user_by_id(identity).user.email == email
    changed = admin.auth.admin.update_user_by_id(
        identity, {"password": "another-horse-2", "user_metadata": {"full_name": None, "n": 1}}
    )
    assert changed.user.user_metadata == {"n": 1}
    with pytest.raises(AuthApiError, match="Invalid login"):
        user_id(client, email)
    assert user_id(client, email, "another-horse-2") == identity


def test_a_banned_user_gets_no_session(admin: Client, client: Client, email: str) -> None:
    identity = user_id(client, email)
    admin.auth.admin.update_user_by_id(identity, {"ban_duration": "1h30m"})
    with pytest.raises(AuthApiError) as refused:
        user_id(client, email)
    assert refused.value.code == "user_banned"
    with pytest.raises(AuthApiError):
        client.auth.refresh_session()
    admin.auth.admin.update_user_by_id(identity, {"ban_duration": "none"})
    assert user_id(client, email) == identity


def test_nobody_signs_up(client: Client, facts: dict[str, Any]) -> None:
    address = f"{uuid.uuid4().hex}@takt.localhost"
    for attempt in (
        lambda: client.auth.sign_up({"email": address, "password": PASSWORD}),
        client.auth.sign_in_anonymously,
        lambda: client.auth.sign_in_with_otp({"email": address}),
    ):
        with pytest.raises(AuthApiError, match="Ask an admin"):
            attempt()
    with psycopg.connect(facts["db_url"]) as connection:
        found = connection.execute("select from auth.users where email = %s", (address,))
        assert found.fetchone() is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"password": PASSWORD}, "validation_failed"),
        ({"email": "not-an-address", "password": PASSWORD}, "validation_failed"),
        ({"email": "a@b.co", "password": "short"}, "weak_password"),
        ({"email": "a@b.co", "ban_duration": "soon"}, "validation_failed"),
        ({"email": "a@b.co", "role": "service_role"}, "validation_failed"),
    ],
)
def test_bad_users_are_refused(facts: dict[str, Any], body: dict[str, str], code: str) -> None:
    url = f"{facts['api_url']}/auth/v1/admin/users"
    answer = httpx.post(url, headers={"apikey": facts["secret_key"]}, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (422, code)


def test_only_the_secret_key_administers(facts: dict[str, Any], client: Client, email: str) -> None:
    user_id(client, email)
    session = client.auth.get_session()
    assert session is not None
    url = f"{facts['api_url']}/auth/v1/admin/users"
    for headers in (
        {"apikey": facts["publishable_key"]},
        {"apikey": facts["publishable_key"], "authorization": f"Bearer {session.access_token}"},
    ):
        assert httpx.get(url, headers=headers).status_code == 403


SCRIPT = """
import { createClient } from "@supabase/supabase-js";
const { url, publishable, secret, email, password } = JSON.parse(process.argv[1]);
const options = {
  auth: { persistSession: false, autoRefreshToken: false },
  realtime: { transport: class {} },
};
const ok = ({ data, error }) => { if (error) throw error; return data; };
const admin = createClient(url, secret, options).auth.admin;
const { user } = ok(await admin.createUser({ email, password, email_confirm: true }));
const page = ok(await admin.listUsers({ page: 1, perPage: 1 }));
const client = createClient(url, publishable, options);
const signed = ok(await client.auth.signInWithPassword({ email, password }));
ok(await admin.updateUserById(user.id, { ban_duration: "24h" }));
const banned = await client.auth.signInWithPassword({ email, password });
ok(await admin.updateUserById(user.id, { ban_duration: "none", app_metadata: { a: 1 } }));
const got = ok(await admin.getUserById(user.id));
ok(await admin.deleteUser(user.id));
const gone = await admin.getUserById(user.id);
console.log(JSON.stringify({
  same: signed.user.id === user.id, total: page.total, page: page.users.length,
  banned: banned.error?.code, app: got.user.app_metadata, gone: gone.error?.status,
}));
process.exit(0);
"""


def test_the_javascript_client_administers(facts: dict[str, Any]) -> None:
    arguments = {
        "url": facts["api_url"],
        "publishable": facts["publishable_key"],
        "secret": facts["secret_key"],
        "email": f"{uuid.uuid4().hex}@takt.localhost",
        "password": PASSWORD,
    }
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT, json.dumps(arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["same"]
    assert seen["total"] >= 1
    assert seen["page"] == 1
    assert (seen["banned"], seen["gone"]) == ("user_banned", 404)
    assert seen["app"] == {"provider": "email", "providers": ["email"], "a": 1}


def test_storage_follows_policies_and_opens_no_table(
    admin: Client, client: Client, email: str, facts: dict[str, Any]
) -> None:
    user_id(client, email)
    bucket = uuid.uuid4().hex
    admin.storage.create_bucket(bucket)
    admin.storage.from_(bucket).upload("a/b.txt", b"hello")
    assert admin.storage.from_(bucket).download("a/b.txt") == b"hello"
    signed = admin.storage.from_(bucket).create_signed_url("a/b.txt", 60)
    assert httpx.get(signed["signedURL"]).content == b"hello"
    with pytest.raises(Exception, match="row-level security"):
        client.storage.from_(bucket).upload("c.txt", b"no policy lets me")
    with psycopg.connect(facts["db_url"]) as connection:
        opened = connection.execute(
            "select c.oid::regclass::text, a.grantee::regrole::text, a.privilege_type"
            " from pg_class c, aclexplode(c.relacl) a where c.relowner = 'postgres'::regrole"
            " and a.grantee in ('anon'::regrole, 'authenticated'::regrole)"
            " and a.privilege_type <> 'SELECT'"
        ).fetchall()
    assert opened == []
    admin.storage.empty_bucket(bucket)
    admin.storage.delete_bucket(bucket)
