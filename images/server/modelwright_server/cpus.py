"""How many processors this container may use, said to the numeric libraries before they are loaded."""

import math
import os
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


def limit_threads(environment: dict[str, str] | os._Environ[str], cpus: int) -> None:
    """Set the thread counts of OpenMP and BLAS to `cpus` where nobody has set them; must precede NumPy's import."""
    for name in _THREAD_VARIABLES:
        environment.setdefault(name, str(cpus))


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
