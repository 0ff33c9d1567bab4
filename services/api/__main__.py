"""`python -m services.api`."""

from __future__ import annotations

import signal
import sys

import uvicorn

from services.api.app import create_app
from services.api.settings import ApiSettings
from takt import logs
from takt.settings import ConfigError


def main() -> int:
    """Exit code: 0 after a signal, 3 when a setting is missing."""
    try:
        settings = ApiSettings.load()
        logs.set_up(settings.log_level)
        logs.hide(settings.secret_key)
        if settings.secrets_key is not None:
            logs.hide(settings.secrets_key.get_secret_value())
        app = create_app(settings)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn drains, then raises the signal again: this handler makes that an exit with 0.
        signal.signal(number, lambda *_: None)
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=10,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
