#!/usr/bin/env python3
"""From four manifests to the first correct prediction, on a cluster that runs: how long, and where the time goes.

    eval "$(hack/cluster env)"; .venv/bin/python benchmarks/chain.py [--quick] [--rounds N] [--rows N] [--json FILE]

Each round has a namespace of its own, so nothing is reused; a first round, which is not counted, warms the cluster up.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for source in ("", "images/contract", "operator"):
    sys.path.insert(0, str(ROOT / source))

from benchmarks.chains.course import Course, measure
from benchmarks.chains.table import render
from tests.cluster.api_server import ApiServer, access
from tests.cluster.place import World
from tests.cluster.witness import Witness


def main() -> None:
    """Measures, prints, and writes JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--rounds", type=int, help="how many rounds are counted (5)")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of the Dataset (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 5)
    allowed = access()
    with Witness(allowed, lambda _: []) as witness:
        world = World(ApiServer(allowed), witness)
        courses: list[Course] = []
        for number in range(rounds + 1):
            course = measure(world, options.rows)
            name = f"round {number}" if number else "warm-up"
            print(f"{name}: {course.total_s:.2f} s to the first correct prediction", flush=True)
            if number:
                courses.append(course)
            time.sleep(3)
    print(render(courses))
    if options.json:
        figures = {
            "rows": options.rows,
            "median_s": statistics.median(course.total_s for course in courses),
            "rounds": [asdict(course) for course in courses],
        }
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
