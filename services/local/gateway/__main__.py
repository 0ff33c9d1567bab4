"""`python -m services.local.gateway`: the gateway in its own process."""

from __future__ import annotations

import uvicorn

from services.local.gateway.app import build_app
from services.local.settings import Settings


def main() -> None:
    """Serve until SIGTERM; requests under way get a few seconds to end."""
    settings = Settings.load()
    uvicorn.run(
        build_app(settings),
        host=settings.host,
        port=settings.ports.gateway,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=3,
        log_level="warning",
        ws_max_size=1024 * 1024,
        ws_ping_interval=None,
    )


if __name__ == "__main__":
    main()
