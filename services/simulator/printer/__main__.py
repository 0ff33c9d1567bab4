"""`python -m services.simulator.printer`: the demo's virtual printers alone, without a plant."""

from __future__ import annotations

import sys

from services.simulator.printer.plant import Plant
from services.simulator.printer.settings import PrinterSettings
from takt import daemon, logs
from takt.daemon import Run
from takt.labels.picture import Picturer
from takt.settings import ConfigError

_LONG = 3600.0


async def _wait(state: Run) -> None:
    """The printers work by themselves."""
    state.ready()
    while not state.stopping:
        await state.pause(_LONG)


async def run(settings: PrinterSettings) -> int:
    """Run until a signal; answers the exit code."""
    async with Picturer() as pictures:
        plant = Plant(settings, pictures)
        return await daemon.run("printers", _wait, side_tasks={"printers": plant.run})


def main() -> int:
    """Exit code: 0 after a signal, 3 when a setting is wrong, otherwise 1."""
    try:
        settings = PrinterSettings.load()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    logs.set_up(settings.log_level)
    return daemon.main(run(settings))


if __name__ == "__main__":
    sys.exit(main())
