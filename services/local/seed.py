"""The demo: one sign-in per role, two shops, and the rows of supabase/seed_dev*.sql."""

from __future__ import annotations

import json
from typing import Any

import httpx
import psycopg

from services.local.paths import write_atomic
from services.local.settings import Settings

ROLES = ("viewer", "operator", "technician", "supervisor", "planner", "manager", "admin")
PASSWORD = "takt-demo-2026"  # noqa: S105  documented: the demo is on loopback, with made-up data
SHOPS = ("bannos", "flourlane")
SHOP_SECRET = "test-secret-not-a-real-one"  # noqa: S105
SHOP_TOKEN = "test-token-not-a-real-one"  # noqa: S105


class SeedError(RuntimeError):
    """The demo data could not be loaded; the message says why."""


def load_dev_seed(settings: Settings) -> None:
    """Create the demo users through the admin API, then run the seed files as role postgres.

    Safe to repeat when the seed files are. Writes `.takt/demo.json`. Errors: SeedError.
    """
    sign_ins = [
        {"email": f"{role}@takt.localhost", "password": PASSWORD, "role": role} for role in ROLES
    ]
    try:
        users = _ensure_users(settings, sign_ins)
        _run_seed_files(settings, users)
    except (httpx.HTTPError, psycopg.Error) as error:
        raise SeedError(f"The demo data could not be loaded: {error}") from error
    demo = {
        "sign_ins": sign_ins,
        "shops": [{"shop": shop, "secret": SHOP_SECRET} for shop in SHOPS],
        "shop_token": SHOP_TOKEN,
    }
    write_atomic(settings.paths.demo_file, json.dumps(demo, indent=2) + "\n")


def read_demo(settings: Settings) -> dict[str, Any] | None:
    """What the last seed wrote: `sign_ins` and `shops`; None without a demo."""
    try:
        demo: dict[str, Any] = json.loads(settings.paths.demo_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return demo


def _ensure_users(settings: Settings, sign_ins: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    """(email, user id, role) of each demo user, made when missing."""
    key = settings.secrets.secret_key
    headers = {"apikey": key, "authorization": f"Bearer {key}"}
    base = f"{settings.api_url}/auth/v1/admin"
    with httpx.Client(base_url=base, headers=headers, timeout=30) as client:
        for sign_in in sign_ins:
            account = {k: sign_in[k] for k in ("email", "password")}
            name = {"full_name": f"Demo {sign_in['role']}"}
            answer = client.post(
                "/users", json={**account, "email_confirm": True, "user_metadata": name}
            )
            if answer.is_error and answer.json().get("error_code") != "email_exists":
                raise SeedError(f"{sign_in['email']}: {answer.text}")
        listed = client.get("/users", params={"per_page": 1000}).raise_for_status()
    ids = {user["email"]: user["id"] for user in listed.json()["users"]}
    return [(s["email"], ids[s["email"]], s["role"]) for s in sign_ins]


def _run_seed_files(settings: Settings, users: list[tuple[str, str, str]]) -> None:
    """Run supabase/seed_dev.sql, then each seed_dev_*.sql beside it, in one transaction.

    They find the users in `pg_temp.demo_users(email, user_id, role)` and the key for shop secrets
    in the setting `takt.secrets_key`.
    """
    folder = settings.paths.root / "supabase"
    files = [folder / "seed_dev.sql", *sorted(folder.glob("seed_dev_*.sql"))]
    with psycopg.connect(settings.db_url()) as connection:
        connection.execute(
            "create temporary table demo_users (email text, user_id uuid, role text) on commit drop"
        )
        for user in users:
            connection.execute("insert into pg_temp.demo_users values (%s, %s, %s)", user)
        connection.execute(
            "select set_config('takt.secrets_key', %s, true)", (settings.secrets.secrets_key,)
        )
        for file in files:
            connection.execute(file.read_bytes())
