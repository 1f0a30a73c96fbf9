"""`modelwright-worker ingest|train|fetch|push|score`: what a Job's container calls."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

USAGE = "usage: modelwright-worker ingest|train|fetch|push|score"


def main() -> int:
    """Run one command; gives the exit code: 0 done, 1 crashed, 2 wrong usage, 3 failed with a reason."""
    started_s = time.perf_counter()
    # Process 1 of a container ignores SIGTERM unless it asks: past its deadline, a step would work on to its end.
    signal.signal(signal.SIGTERM, _end)
    if len(sys.argv) != 2 or sys.argv[1] not in ("ingest", "train", "fetch", "push", "score"):
        sys.stderr.write(USAGE + "\n")
        return 2
    command = sys.argv[1]
    from modelwright_worker.limits import limit_threads, processors

    # Sums depend on how many threads share them: a model is fitted by one thread a library, so that the same data give
    # the same bytes whatever the container's size. Forests still use all processors, tree by tree.
    limit_threads(os.environ, 1 if command == "train" else processors())
    from modelwright_worker.job import run

    return run(command, os.environ, started_s)


def _end(_number: int, _frame: FrameType | None) -> None:
    # At once: what lies in the store was written whole or not at all, and a result that is not there is made again.
    os._exit(128 + signal.SIGTERM)
