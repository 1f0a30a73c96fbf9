"""How many processors this container may use, and how many of them the numeric libraries of one process."""

import math
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """The CPU quota of the container, rounded up, or the processors of the process where there is no quota.

    Reads `cpu.max` (cgroup v2) or `cpu.cfs_quota_us` and `cpu.cfs_period_us` (v1) below `cgroup`.
    """
    available = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return available if quota is None else max(1, min(available, math.ceil(quota)))


def threads_of(environment: Mapping[str, str], cpus: int, processes: int) -> int:
    """The threads of one process's OpenMP and BLAS: what somebody set, else its share of the processors."""
    for name in _THREAD_VARIABLES:
        if (text := environment.get(name, "")).isdecimal() and int(text):
            return int(text)
    return max(1, cpus // processes)


def begin_with_one_thread(environment: MutableMapping[str, str]) -> None:
    """Have OpenMP and BLAS start without threads; must precede NumPy's import.

    A process that forks must not have used any: GNU's OpenMP waits for them in the child, where they never were.
    """
    for name in _THREAD_VARIABLES:
        environment[name] = "1"


def use_threads(environment: MutableMapping[str, str], threads: int) -> None:
    """Let OpenMP and BLAS, which began with one thread, use so many from now on."""
    if threads == 1:
        return
    from threadpoolctl import threadpool_limits

    for name in _THREAD_VARIABLES:
        environment[name] = str(threads)
    threadpool_limits(threads)


def _quota(cgroup: Path) -> float | None:
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if limit in ("max", "-1"):
        return None
    return int(limit) / int(period)
