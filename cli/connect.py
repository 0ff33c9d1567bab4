"""Which Supabase the commands talk to: the environment, otherwise the stack on this computer."""

from __future__ import annotations

import os
from typing import Any, Self

from pydantic import SecretStr

from cli.output import say
from takt import logs
from takt.auth_admin import AuthAdmin
from takt.device import Credentials, DeviceSession
from takt.rpc_sync import SyncRpcClient
from takt.settings import ConfigError, Settings


class CliSettings(Settings):
    """`TAKT_EMAIL` and `TAKT_PASSWORD` act as that person; otherwise the secret key acts."""

    secrets_key: SecretStr | None = None
    email: str | None = None
    password: SecretStr | None = None

    @classmethod
    def find(cls) -> Self:
        """Errors: ConfigError when neither the environment nor a local stack says where."""
        settings = cls.load(**({} if os.environ.get("SUPABASE_URL") else _local()))
        for secret in (settings.supabase_secret_key, settings.secrets_key, settings.password):
            if secret is not None:
                logs.hide(secret.get_secret_value())
        return settings


class Client(SyncRpcClient):
    """RPCs as the server, or as the person of `TAKT_EMAIL`; `options` of RpcClient."""

    def __init__(self, settings: CliSettings | None = None, **options: Any) -> None:
        self.settings = found = settings or CliSettings.find()
        self._session: DeviceSession | None = None
        key = found.supabase_publishable_key or ""
        if found.email and found.password:
            password = found.password.get_secret_value()
            who = Credentials(found.supabase_url, key, found.email, password, device="-")
            options["token_provider"] = self._session = DeviceSession(who)
        else:
            key = found.secret_key
        if found.secrets_key is not None:
            options["headers"] = {"x-takt-secrets-key": found.secrets_key.get_secret_value()}
        super().__init__(found.supabase_url, key, **options)

    def close(self) -> None:
        if self._session is not None:
            self.run(self._session.close())
        super().close()

    def auth_admin(self) -> AuthAdmin:
        """Use it inside `run`, as an async context. Errors: ConfigError without a secret key."""
        return AuthAdmin(self.settings.supabase_url, self.settings.secret_key)

    def set_banned(self, user_id: str | None, *, banned: bool) -> None:
        """Let Auth refuse a user, or let them in again; the RPC before it decided.

        Without a secret key only a word about it: to Takt itself the user is nobody already.
        """
        if user_id is None:
            return
        if self.settings.supabase_secret_key is None:
            done = "refuses the sign-in" if banned else "allows the sign-in"
            say(f"There is no secret key here: check that Auth {done} too.")
            return
        self.run(self._set_banned(user_id, banned))

    async def _set_banned(self, user_id: str, banned: bool) -> None:
        async with self.auth_admin() as auth:
            await auth.ban_user(user_id, banned=banned)


def given(**arguments: Any) -> dict[str, Any]:
    """Only the arguments that have a value; the RPC's defaults stand for the others."""
    return {name: value for name, value in arguments.items() if value is not None}


def environment() -> None:
    """Tell a daemon that is started from here where Supabase is."""
    if not os.environ.get("SUPABASE_URL"):
        for name, value in _local().items():
            prefix = "" if name.startswith("supabase") else "TAKT_"
            os.environ.setdefault(f"{prefix}{name}".upper(), str(value))


def _local() -> dict[str, Any]:
    from services.local.settings import Settings as Stack  # noqa: PLC0415  # only when needed
    from services.local.settings import SettingsError  # noqa: PLC0415

    try:
        stack = Stack.load()
    except SettingsError as error:
        text = "Set SUPABASE_URL and SUPABASE_SECRET_KEY, or start the local stack with `takt up`."
        raise ConfigError(f"{text} ({error})") from error
    return {
        "supabase_url": stack.api_url,
        "supabase_publishable_key": stack.secrets.publishable_key,
        "supabase_secret_key": stack.secrets.secret_key,
        "secrets_key": stack.secrets.secrets_key,
    }
