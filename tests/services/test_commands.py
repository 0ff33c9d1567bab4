"""`takt user` and `takt device`: real processes, the real Auth service."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.services.stack import Stack
from tests.takt.processes import ROOT

_TAKT = "import sys; from cli.main import main; sys.argv[0] = 'takt'; main()"


def takt(
    stack: Stack, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _TAKT, *arguments],
        cwd=ROOT,
        env={**stack.environment(), **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def data(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["version"] == 1
    return answer["data"]


def email() -> str:
    return f"{secrets.token_hex(4)}@takt.localhost"


def add(stack: Stack, who: str, role: str = "operator", password: str = "pass-word-1") -> Any:
    arguments = ("user", "add", who, "--name", "Ann", "--role", role, "--json")
    return data(takt(stack, *arguments, "--password-stdin", stdin=f"{password}\n"))


def sign_in(stack: Stack, who: str, password: str) -> httpx.Response:
    return httpx.post(
        f"{stack.url}/auth/v1/token?grant_type=password",
        json={"email": who, "password": password},
        headers={"apikey": stack.publishable_key},
    )


def auth_users(db: psycopg.Connection, who: str) -> int:
    row = db.execute("select count(*) from auth.users where email = %s", (who,)).fetchone()
    return int(row[0]) if row else 0


def test_bootstrap_works_only_while_there_is_no_admin(stack: Stack, db: psycopg.Connection) -> None:
    arguments = ("--name", "Boss", "--generate-password", "--json")
    first, second = email(), email()
    made = data(takt(stack, "user", "bootstrap", first, *arguments))
    assert made["role"] == "admin"
    assert sign_in(stack, first, made["password"]).status_code == 200
    refused = takt(stack, "user", "bootstrap", second, *arguments)
    assert refused.returncode == 1
    assert "staff.admin_exists" in refused.stderr
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "staff.admin_exists"
    assert error["message"] in refused.stderr
    assert auth_users(db, second) == 0


def test_a_person_is_added_changed_disabled_and_enabled(stack: Stack) -> None:
    who = email()
    assert add(stack, who)["stores"] == ["*"]
    assert sign_in(stack, who, "pass-word-1").status_code == 200
    changed = data(takt(stack, "user", "role", who, "supervisor", "--store", "bannos", "--json"))
    assert (changed["role"], changed["stores"]) == ("supervisor", ["bannos"])
    assert data(takt(stack, "user", "disable", who, "--json"))["is_active"] is False
    assert data(takt(stack, "user", "enable", who, "--json"))["is_active"] is True
    assert who in {row["email"] for row in data(takt(stack, "user", "list", "--json"))}


def test_a_refused_person_leaves_no_auth_user_behind(stack: Stack, db: psycopg.Connection) -> None:
    who = email()
    result = takt(stack, "user", "add", who, "--name", "A", "--role", "king", "--generate-password")
    assert result.returncode == 1
    assert "staff.unknown_role" in result.stderr
    assert auth_users(db, who) == 0


def test_the_password_is_asked_for_never_guessed(stack: Stack) -> None:
    assert takt(stack, "user", "add", email(), "--name", "A").returncode == 2
    both = ("--password-stdin", "--generate-password")
    assert takt(stack, "user", "add", email(), "--name", "A", *both).returncode == 2


def test_a_device_is_added_enrolled_listed_and_revoked(stack: Stack, tmp_path: Path) -> None:
    code = f"printer-{secrets.token_hex(3)}"
    made = data(
        takt(stack, "device", "add", code, "--kind", "print_agent", "--site", "main", "--json")
    )
    file = tmp_path / "device.json"
    arguments = ("device", "enroll", made["enrolment_code"], "--url", stack.url)
    enrolled = takt(stack, *arguments, "--out", str(file), "--json")
    assert data(enrolled)["device"] == code
    password = json.loads(file.read_text())["password"]
    assert password not in enrolled.stdout + enrolled.stderr
    assert data(takt(stack, "device", "revoke", code, "--json"))["revoked_at"] is not None
    rows = {row["code"]: row for row in data(takt(stack, "device", "list", "--json"))}
    assert rows[code]["enrolled_at"] is not None
    assert takt(stack, *arguments).returncode == 1


def test_13_a_disabled_person_gets_no_session_either(stack: Stack) -> None:
    who = email()
    add(stack, who)
    before = sign_in(stack, who, "pass-word-1").json()
    data(takt(stack, "user", "disable", who, "--json"))
    refused = sign_in(stack, who, "pass-word-1")
    assert (refused.status_code, refused.json()["error_code"]) == (400, "user_banned")
    url = f"{stack.url}/auth/v1/token?grant_type=refresh_token"
    body, key = {"refresh_token": before["refresh_token"]}, {"apikey": stack.publishable_key}
    assert httpx.post(url, json=body, headers=key).status_code == 400
    data(takt(stack, "user", "enable", who, "--json"))
    assert sign_in(stack, who, "pass-word-1").status_code == 200


def test_13_a_revoked_device_gets_no_session_either(stack: Stack, tmp_path: Path) -> None:
    code, file = f"kiosk-{secrets.token_hex(3)}", tmp_path / "device.json"
    made = data(takt(stack, "device", "add", code, "--kind", "kiosk", "--site", "main", "--json"))
    # One that was never enrolled has no user to ban.
    spare = f"kiosk-{secrets.token_hex(3)}"
    data(takt(stack, "device", "add", spare, "--kind", "kiosk", "--site", "main", "--json"))
    data(takt(stack, "device", "revoke", spare, "--json"))
    arguments = ("device", "enroll", made["enrolment_code"], "--url", stack.url)
    data(takt(stack, *arguments, "--out", str(file), "--json"))
    own = json.loads(file.read_text())
    assert sign_in(stack, own["email"], own["password"]).status_code == 200
    data(takt(stack, "device", "revoke", code, "--json"))
    refused = sign_in(stack, own["email"], own["password"])
    assert (refused.status_code, refused.json()["error_code"]) == (400, "user_banned")


def test_1_an_admin_gives_a_new_password(stack: Stack) -> None:
    who = email()
    add(stack, who)
    assert takt(stack, "user", "password", email(), "--generate-password").returncode == 1
    assert takt(stack, "user", "password", who).returncode == 2
    changed = takt(stack, "user", "password", who, "--password-stdin", stdin="pass-word-2\n")
    assert changed.returncode == 0
    assert "pass-word-2" not in changed.stdout + changed.stderr
    assert sign_in(stack, who, "pass-word-1").status_code == 400
    assert sign_in(stack, who, "pass-word-2").status_code == 200
    made = data(takt(stack, "user", "password", who, "--generate-password", "--json"))
    assert sign_in(stack, who, made["password"]).status_code == 200


def test_exit_codes_say_what_is_wrong(stack: Stack, tmp_path: Path) -> None:
    nowhere = {"SUPABASE_URL": "http://127.0.0.1:9"}
    assert takt(stack, "user", "list", env=nowhere).returncode == 4
    assert takt(stack, "user", "list", env={"SUPABASE_SECRET_KEY": ""}).returncode == 5
    unset = {"SUPABASE_URL": "", "TAKT_HOME": str(tmp_path)}
    result = takt(stack, "user", "list", env=unset)
    assert (result.returncode, "takt up" in result.stderr) == (3, True)
    assert result.stdout == ""


def test_silence_is_explained(stack: Stack, tmp_path: Path) -> None:
    """The stack of this folder is down: `takt up`. An address elsewhere: is it right?"""
    elsewhere = takt(stack, "user", "list", env={"SUPABASE_URL": "http://127.0.0.1:9"})
    assert "http://127.0.0.1:9" in elsewhere.stderr
    state = tmp_path / ".takt"
    state.mkdir()
    shutil.copy(stack.home / ".takt" / "secrets.json", state)
    (state / "ports.json").write_text('{"gateway": 9}')
    here = takt(stack, "user", "list", env={"SUPABASE_URL": "", "TAKT_HOME": str(tmp_path)})
    assert (here.returncode, "`takt up` starts it" in here.stderr) == (4, True)


def test_a_person_may_do_what_their_role_may(stack: Stack) -> None:
    who = email()
    add(stack, who, role="viewer", password="viewer-word")
    env = {"TAKT_EMAIL": who, "TAKT_PASSWORD": "viewer-word"}
    refused = takt(stack, "device", "add", "x", "--kind", "kiosk", "--site", "main", env=env)
    assert (refused.returncode, "auth.forbidden" in refused.stderr) == (5, True)


@pytest.mark.parametrize("noun", ["user", "device", "channel", "order"])
def test_every_group_explains_itself(stack: Stack, noun: str) -> None:
    result = takt(stack, noun, "--help")
    assert result.returncode == 0
    assert noun in result.stdout
