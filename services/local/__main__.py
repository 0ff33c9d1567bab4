"""`python -m services.local [--demo]`: the supervisor in the foreground."""

from __future__ import annotations

import argparse
import logging
import sys
import time

from services.local.paths import Paths
from services.local.supervisor import ALREADY_RUNNING, Supervisor
from takt.locks import Held


def main() -> int:
    """Run the stack until SIGTERM or Ctrl-C; 0 stopped, 1 failed, 75 another one runs."""
    parser = argparse.ArgumentParser(prog="python -m services.local", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="demo data and the shop simulator")
    options = parser.parse_args()
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)sZ %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    paths = Paths.find()
    try:
        return Supervisor(paths, demo=options.demo).run()
    except Held:
        logging.getLogger("takt.supervisor").warning(
            "A supervisor already runs in %s.", paths.state
        )
        return ALREADY_RUNNING


if __name__ == "__main__":
    sys.exit(main())
