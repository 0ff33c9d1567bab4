"""Settings of the gatekeeper."""

from __future__ import annotations

from pydantic import Field, SecretStr

from takt.settings import Settings


class ApiSettings(Settings):
    """`TAKT_…`. `cors_origins`: JSON list of web origins allowed to call; none by default."""

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=54325, ge=0, le=65535)
    cors_origins: list[str] = Field(default_factory=list)
    public_url: str = Field(default="", description="address that devices reach; default ours")
    # Decrypts the shops' webhook secrets where the database has no Vault; only passed on.
    secrets_key: SecretStr | None = None
    # Peers whose X-Forwarded-For is believed: the gateway in front of us.
    trusted_proxies: str = "127.0.0.1"
    # The sender gives up after 5 s (Shopify); answer before that.
    webhook_seconds: float = Field(default=4.0, gt=0)
    # Of /api/v1/…, /scans and /graphql, per sign-in, else per address; more is answered 429.
    rate_per_minute: int = Field(default=100, ge=1)
    enroll_burst: int = Field(default=5, ge=1)
    enroll_per_minute: float = Field(default=5.0, gt=0)
    graphql_max_depth: int = Field(default=6, ge=1)
    # Values one GraphQL request may ask for: lists count by their `first`.
    graphql_max_cost: int = Field(default=5000, ge=1)
