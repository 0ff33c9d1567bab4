from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from takt.settings import ConfigError, Settings


class Example(Settings):
    secrets_key: SecretStr | None = None
    speed: int = 3


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SUPABASE_URL", "SUPABASE_SECRET_KEY", "TAKT_SECRETS_KEY", "TAKT_SPEED"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_missing_is_named_by_its_variable() -> None:
    with pytest.raises(ConfigError, match="SUPABASE_URL"):
        Example.load()


def test_what_is_wrong_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://localhost")
    monkeypatch.setenv("TAKT_SPEED", "fast")
    with pytest.raises(ConfigError, match="TAKT_SPEED"):
        Example.load()


def test_a_server_without_a_secret_key_says_so() -> None:
    with pytest.raises(ConfigError, match="SUPABASE_SECRET_KEY"):
        _ = Example.load(supabase_url="http://localhost").secret_key


def test_secrets_come_from_files_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://localhost")
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    monkeypatch.setenv("SUPABASE_SECRET_KEY_FILE", str(file))
    monkeypatch.setenv("TAKT_SECRETS_KEY_FILE", str(file))
    settings = Example.load()
    assert settings.secret_key == "from-a-file"
    assert settings.secrets_key is not None
    assert settings.secrets_key.get_secret_value() == "from-a-file"
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "from-the-environment")
    assert Example.load().secret_key == "from-the-environment"


def test_systemd_credentials_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "supabase_secret_key").write_text("from-systemd")
    monkeypatch.setenv("SUPABASE_URL", "http://localhost")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Example.load().secret_key == "from-systemd"


def test_an_unreadable_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SUPABASE_SECRET_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="SUPABASE_SECRET_KEY_FILE"):
        Example.load(supabase_url="http://localhost")


def test_a_secret_is_not_in_the_repr() -> None:
    assert "hidden-key" not in repr(
        Example.load(supabase_url="http://localhost", supabase_secret_key="hidden-key")
    )
