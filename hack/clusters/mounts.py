"""The mounts below a folder: containers' root file systems, Pods' volumes and network namespaces."""

import os
import subprocess
from pathlib import Path


def mounted_below(folder: Path) -> list[str]:
    """Every mount point at or below the folder, the innermost and latest first."""
    top = os.path.realpath(folder)
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point == top or point.startswith(f"{top}/"):
            found.append(point)
    return found[::-1]


def unmount_below(folder: Path) -> None:
    """Unmounts them all, lazily, since a process that dies may hold one for a moment longer."""
    for _ in range(8):  # a point may be covered by mounts on top of one another
        points = mounted_below(folder)
        if not points:
            return
        for start in range(0, len(points), 100):
            subprocess.run(["umount", "--lazy", *points[start : start + 100]], stderr=subprocess.DEVNULL, check=False)
