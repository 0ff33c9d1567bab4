"""Settings of the worker."""

from __future__ import annotations

import os
import socket

from pydantic import Field, SecretStr

from takt.settings import Settings


class WorkerSettings(Settings):
    """`TAKT_WORKER_…`. Times in seconds; metrics_port 0 = no metrics server.

    `secrets_key` (`TAKT_SECRETS_KEY`) opens the access tokens of shops. `worker_shop_url`: where
    a shop's Admin API is, with {domain} for its address.
    """

    worker_name: str = Field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    worker_concurrency: int = Field(default=4, ge=1, le=64)
    worker_lease: int = Field(default=30, ge=3, le=3600)
    worker_tick: float = Field(default=5.0, gt=0)
    worker_drain: float = Field(default=25.0, gt=0)
    worker_shop_url: str = "https://{domain}"
    worker_shop_timeout: float = Field(default=30.0, gt=0)
    secrets_key: SecretStr | None = None
    worker_metrics_port: int = Field(default=0, ge=0, le=65535)
