"""`make bench`: run the benchmarks and print the ratios as one table."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench import (
    allocation,
    farm,
    kpi,
    ledger,
    print_faults,
    printing,
    production,
    queue,
    rls,
    rpc,
    trace,
    units,
)
from bench.harness import Ratio, bench_server, owner

SUITES = {
    "rpc": rpc.run,
    "rls": rls.run,
    "queue": queue.run,
    "ledger": ledger.run,
    "allocation": allocation.run,
    "farm": farm.run,
    "printing": printing.run,
    "units": units.run,
    "trace": trace.run,
    "production": production.run,
    "kpi": kpi.run,
    "faults": print_faults.run,
}


def main() -> None:
    """Run all suites, or those named; `--json` prints the lines as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - set(SUITES)
    if unknown:
        parser.error(f"there is no suite {', '.join(sorted(unknown))}")
    lines: list[Ratio] = []
    with bench_server() as server:
        with owner(server) as connection:
            connection.execute((Path(__file__).parent / "setup.sql").read_bytes())
        for name in arguments.suites or SUITES:
            print(f"measuring {name} …", file=sys.stderr)
            lines += SUITES[name](server)
    if arguments.json:
        print(json.dumps([asdict(line) for line in lines], indent=2))
        return
    width = max(len(line.name) for line in lines)
    print(f"{'what':{width}}  ratio  budget     ours/s    yardstick/s  yardstick")
    for line in lines:
        print(
            f"{line.name:{width}}  {line.ratio:5.2f}  {line.budget:9}"
            f"{line.ours:9,.0f}  {line.theirs:11,.0f}  {line.yardstick}"
        )


if __name__ == "__main__":
    main()
