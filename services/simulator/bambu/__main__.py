"""`python -m services.simulator.bambu`: virtual 3D printers alone, to try the bridge.

With the file of a recording (and how many times faster) the first printer tells that instead.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from services.simulator.bambu.farm import Farm
from services.simulator.bambu.recording import Step, read_steps, tell
from services.simulator.bambu.settings import BambuSettings
from takt import daemon, logs
from takt.daemon import Run
from takt.settings import ConfigError

_LONG = 3600.0


async def _wait(state: Run) -> None:
    """The printers work by themselves."""
    state.ready()
    while not state.stopping:
        await state.pause(_LONG)


def _tell(farm: Farm, file: Path, speed: float) -> None:
    steps, began = read_steps(file.read_text(encoding="utf-8")), time.monotonic()

    def wait(step: Step) -> None:
        time.sleep(max(0.0, step.at / speed - (time.monotonic() - began)))

    tell(farm.printers[0], steps, before=wait, after=lambda step: None)


async def run(settings: BambuSettings, recording: Path | None = None, speed: float = 1.0) -> int:
    """Run until a signal; answers the exit code."""
    farm = Farm(settings, is_printing=recording is None)
    if recording is not None:
        file = recording

        async def told(state: Run) -> None:
            await farm.started.wait()
            await asyncio.to_thread(_tell, farm, file, speed)
            await _wait(state)

        return await daemon.run("bambu-printers", told, side_tasks={"printers": farm.run})
    return await daemon.run("bambu-printers", _wait, side_tasks={"printers": farm.run})


def main() -> int:
    """Exit code: 0 after a signal, 3 when a setting is wrong, otherwise 1."""
    try:
        settings = BambuSettings.load()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    logs.set_up(settings.log_level)
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    speed = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    count = 1 if file else settings.sim_bambu or 3
    return daemon.main(run(settings.model_copy(update={"sim_bambu": count}), file, speed))


if __name__ == "__main__":
    sys.exit(main())
