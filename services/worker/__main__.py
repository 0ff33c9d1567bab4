"""`python -m services.worker`."""

from __future__ import annotations

import sys

from services.worker.app import run
from services.worker.settings import WorkerSettings
from takt import daemon, logs
from takt.settings import ConfigError


def main() -> int:
    """Exit code: 0 after a signal, 3 when a setting is missing, otherwise 1."""
    try:
        settings = WorkerSettings.load()
        logs.set_up(settings.log_level)
        logs.hide(settings.secret_key)
        if settings.secrets_key is not None:
            logs.hide(settings.secrets_key.get_secret_value())
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return daemon.main(run(settings))


if __name__ == "__main__":
    sys.exit(main())
