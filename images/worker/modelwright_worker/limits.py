"""What this container may use: processors and memory, as its control group says (version 1 and 2)."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def processors(root: Path = _CGROUP) -> int:
    """Whole processors of the quota, at least 1, at most those of the machine."""
    available = len(os.sched_getaffinity(0))
    quota = _read(root / "cpu.max")
    if quota is not None:
        limit, _, period = quota.partition(" ")
    else:
        limit = _read(root / "cpu" / "cpu.cfs_quota_us") or "max"
        period = _read(root / "cpu" / "cpu.cfs_period_us") or "100000"
    if not limit.isdigit() or not period.isdigit():
        return available
    return max(1, min(available, int(limit) // int(period)))


def memory_bytes(root: Path = _CGROUP) -> int:
    """The memory limit, or the machine's memory where there is none."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    text = _read(root / "memory.max") or _read(root / "memory" / "memory.limit_in_bytes") or "max"
    return min(machine, int(text)) if text.isdigit() and int(text) < _UNLIMITED else machine


def limit_threads(environment: MutableMapping[str, str], threads: int) -> None:
    """Bound the threads of numerical libraries; must be called before the first of them is imported."""
    for name in THREAD_VARIABLES:
        environment.setdefault(name, str(threads))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None
