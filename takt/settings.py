"""Settings from the environment, secrets also from files. Base class of every daemon's settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


class ConfigError(RuntimeError):
    """A setting is missing or wrong; the message names its environment variable."""


class _Files(PydanticBaseSettingsSource):
    """`NAME_FILE=/path`, or a file `name` that systemd's LoadCredential put in place."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = env_name(self.settings_cls, field, field_name)
        path = os.environ.get(f"{name}_FILE")
        if path is None and (folder := os.environ.get("CREDENTIALS_DIRECTORY")):
            credential = Path(folder) / name.lower()
            path = str(credential) if credential.is_file() else None
        if path is None:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            raise ConfigError(f"{name}_FILE cannot be read: {error.strerror}.") from error

    def __call__(self) -> dict[str, Any]:
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[field.validation_alias or name] = value
        return {str(key): value for key, value in found.items()}


def env_name(cls: type[BaseSettings], field: FieldInfo, field_name: str) -> str:
    """The environment variable of a field: its alias, otherwise prefix + NAME."""
    prefix = cls.model_config.get("env_prefix", "")
    return str(field.validation_alias or f"{prefix}{field_name}").upper()


class Settings(BaseSettings):
    """Where Supabase is and with which keys; daemons add their own `TAKT_…` fields.

    Precedence: arguments > environment > files > .env > defaults.
    """

    model_config = SettingsConfigDict(
        env_prefix="TAKT_", env_file=".env", extra="ignore", populate_by_name=True
    )

    supabase_url: str = Field(default=..., validation_alias="SUPABASE_URL")
    supabase_publishable_key: str | None = Field(
        default=None, validation_alias="SUPABASE_PUBLISHABLE_KEY"
    )
    supabase_secret_key: SecretStr | None = Field(
        default=None, validation_alias="SUPABASE_SECRET_KEY"
    )
    log_level: str = "INFO"

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read everything. Errors: ConfigError that names each missing or wrong variable."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            wrong = {str(e["loc"][0]) if e["loc"] else "?": e["msg"] for e in error.errors()}
            lines = [f"{_shown(cls, name)}: {text}" for name, text in wrong.items()]
            raise ConfigError("; ".join(lines)) from None

    @property
    def secret_key(self) -> str:
        """The server key. Errors: ConfigError when there is none."""
        if self.supabase_secret_key is None:
            raise ConfigError("SUPABASE_SECRET_KEY is not set (or SUPABASE_SECRET_KEY_FILE).")
        return self.supabase_secret_key.get_secret_value()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _Files(settings_cls), dotenv_settings


def _shown(cls: type[BaseSettings], name: str) -> str:
    field = cls.model_fields.get(name)
    return env_name(cls, field, name) if field else name
