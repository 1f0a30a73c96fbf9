"""How much memory the container may use, and how much of it is a process's own."""

from __future__ import annotations

import os
import re
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PRIVATE = re.compile(r"^Private_(?:Clean|Dirty): +(\d+) kB$", re.MULTILINE)

NO_LIMIT_BYTES = 2**60
"""cgroup v1 writes a number near 2**63 where there is no limit."""

USABLE = 0.9
"""The part of the container's limit that its processes may fill; the rest is the kernel's and a replacement's."""

MIN_SHARE_BYTES = 64 * 1024 * 1024
"""A process is not replaced for less: with so little it would be again as soon as it runs."""


def limit_bytes(cgroup: Path = _CGROUP) -> int | None:
    """The memory limit of the container, from `memory.max` (cgroup v2) or `memory.limit_in_bytes` (v1)."""
    for path in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        try:
            limit = int(path.read_text())
        except (OSError, ValueError):
            # The other version of cgroups, or the word "max".
            continue
        return limit if limit < NO_LIMIT_BYTES else None
    return None


def share_bytes(limit: int, common: int, processes: int) -> int:
    """What one of `processes` may own for itself where `common` bytes, such as the model's, are shared by all."""
    return max(MIN_SHARE_BYTES, int(limit * USABLE - common) // processes)


def resident_bytes(pid: int, proc: Path = _PROC) -> int:
    """What a process has in memory, shared or not; 0 when there is no such process."""
    try:
        return int((proc / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def own_bytes(pid: int, bound: int | None) -> int | None:
    """A process's own memory, told exactly where it might be above `bound`; None where nobody asks."""
    if bound is None:
        return None
    resident = resident_bytes(pid)
    return resident if resident <= bound else private_bytes(pid)


def private_bytes(pid: int, proc: Path = _PROC) -> int:
    """What would be free if the process ended: pages that it shares with no other; 0 when there is no such process.

    Takes a millisecond for each few hundred MiB; `resident_bytes`, which is cheap, is never less.
    """
    try:
        rollup = (proc / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(1024 * int(size) for size in _PRIVATE.findall(rollup))
