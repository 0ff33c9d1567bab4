"""`python -m services.simulator`."""

from __future__ import annotations

import sys

from services.simulator.app import run
from services.simulator.settings import SimulatorSettings
from takt import daemon, logs
from takt.settings import ConfigError


def main() -> int:
    """Exit code: 0 after a signal, 3 when settings or demo data are missing, otherwise 1."""
    try:
        settings = SimulatorSettings.load()
        logs.set_up(settings.log_level)
        return daemon.main(run(settings))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 3


if __name__ == "__main__":
    sys.exit(main())
