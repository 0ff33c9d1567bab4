"""`takt user` and `takt device`: real processes, the real Auth service."""

from __future__ import annotations

import json
import secrets
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
    assert refused.stdout == ""
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


def test_exit_codes_say_what_is_wrong(stack: Stack, tmp_path: Path) -> None:
    nowhere = {"SUPABASE_URL": "http://127.0.0.1:9"}
    assert takt(stack, "user", "list", env=nowhere).returncode == 4
    assert takt(stack, "user", "list", env={"SUPABASE_SECRET_KEY": ""}).returncode == 5
    unset = {"SUPABASE_URL": "", "TAKT_HOME": str(tmp_path)}
    result = takt(stack, "user", "list", env=unset)
    assert (result.returncode, "takt up" in result.stderr) == (3, True)


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
