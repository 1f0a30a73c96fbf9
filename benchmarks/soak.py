#!/usr/bin/env python3
"""Our model server at 70 % of its capacity for some minutes: no error, memory flat, p99 flat.

    .venv/bin/python benchmarks/soak.py [--minutes N] [--quick] [--json FILE] [--strict]

Needs two processors and Go (for the load generator). The server has one process, on a core of its own.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for source in ("", "images/contract", "images/worker", "images/server"):
    sys.path.insert(0, str(ROOT / source))

from benchmarks.servers.machine import choose_cores, description
from benchmarks.servers.models import fit
from benchmarks.servers.soak import Moment, Soak, soak
from benchmarks.servers.targets import MODELS

GROWTH = 0.02
"""How much memory may grow over the time, as a share of what is used."""
SLOWER = 1.5
"""How much longer p99 may be in the last third of the time than in the first."""


def main() -> None:
    """Measures, prints, and writes JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="20 seconds")
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help="what is served (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--strict", action="store_true", help="end with 1 unless all is as it must be")
    options = parser.parse_args()
    seconds = 20.0 if options.quick else 60 * options.minutes
    (model,) = fit([options.model])
    with tempfile.TemporaryDirectory(prefix="modelwright-soak-") as folder:
        result = soak(model, seconds, max(1.0, seconds / 60), choose_cores(), Path(folder), tell)
    problems = problems_of(result)
    if options.json:
        options.json.write_text(json.dumps({"machine": description(), **asdict(result)}, indent=1) + "\n")
    print(
        f"{result.answered} requests in {result.seconds:.0f} s at {result.rate_per_s:.0f}/s: {result.faults} failed, "
        f"{result.wrong} of the checked rows wrong; memory {result.pss_bytes / 2**20:.1f} MiB, "
        f"grew by {result.growth_bytes / 2**20:+.2f} MiB; p99 {result.p99_first_ms:.2f} ms in the first third, "
        f"{result.p99_last_ms:.2f} ms in the last"
    )
    for problem in problems:
        print(f"NOT AS IT MUST BE: {problem}")
    if options.strict and problems:
        sys.exit(1)


def tell(moment: Moment) -> None:
    """One line for each span."""
    print(
        f"{moment.at_s:7.1f} s {moment.answered:9d} answers {moment.faults:4d} failed  p50 {moment.p50_ms:7.3f} ms  "
        f"p99 {moment.p99_ms:8.3f} ms  max {moment.max_ms:8.2f} ms  {moment.pss_bytes / 2**20:8.2f} MiB",
        flush=True,
    )


def problems_of(result: Soak) -> list[str]:
    """What a long run may not show."""
    found = []
    if result.faults or result.wrong:
        found.append(f"{result.faults} requests failed, {result.wrong} rows are wrong")
    if result.growth_bytes > GROWTH * result.pss_bytes:
        found.append(f"memory grew by {result.growth_bytes / result.pss_bytes:.1%}")
    if result.p99_last_ms > SLOWER * result.p99_first_ms:
        found.append(f"p99 rose from {result.p99_first_ms:.2f} to {result.p99_last_ms:.2f} ms")
    return found


if __name__ == "__main__":
    main()
