"""A cluster's control groups: the parent of all that it starts, so that `down` finds every process of it.

The daemons are in `modelwright/NAME/daemons`, the containers' shims too, since containerd starts them, and the Pods in
`modelwright/NAME/kubepods`. A process leaves its control group only when it ends, so that, unlike a remembered process
id, membership never names a stranger.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
PARENT = "modelwright"


def is_unified() -> bool:
    """Whether the machine has cgroup v2 only."""
    return (MOUNT / "cgroup.controllers").exists()


def kubelet_root(name: str) -> str:
    """The kubelet's `cgroupRoot` for the cluster."""
    return f"/{PARENT}/{name}"


def ensure(name: str) -> None:
    """Makes the cluster's groups in every hierarchy; the kubelet wants its root to be there."""
    if is_unified():
        _delegate(name)
    for hierarchy in _hierarchies():
        with contextlib.suppress(OSError):  # a named hierarchy may be read-only; the kubelet says what it misses
            (hierarchy / PARENT / name / "daemons").mkdir(parents=True, exist_ok=True)
            _inherit_cpuset(hierarchy / PARENT, hierarchy / PARENT / name, hierarchy / PARENT / name / "daemons")


def daemons_file(name: str) -> Path:
    """Where a daemon writes its process id to join the group."""
    return _tracking() / PARENT / name / "daemons" / "cgroup.procs"


def processes(name: str) -> list[int]:
    """Every process of the cluster: daemons, shims and all that runs in its containers."""
    found: list[int] = []
    for group in (_tracking() / PARENT / name).rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            found.extend(map(int, group.read_text().split()))
    return found


def kill(name: str, timeout_s: float = 20.0) -> bool:
    """Kills every process of the cluster at once; False where one survived the wait."""
    until = time.monotonic() + timeout_s
    while alive := [pid for pid in processes(name) if pid != os.getpid()]:
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def remove(name: str) -> None:
    """Removes the cluster's groups from every hierarchy, and the parent with the last cluster."""
    for hierarchy in _hierarchies():
        top = hierarchy / PARENT / name
        groups = sorted((Path(folder) for folder, _, _ in os.walk(top)), key=lambda path: -len(path.parts))
        for group in [*groups, hierarchy / PARENT]:
            _remove_group(group, last=group == hierarchy / PARENT)


def _remove_group(group: Path, last: bool) -> None:
    for _ in range(1 if last else 50):  # a group stays busy for a moment after its last process has ended
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0 if last else 0.02)
        else:
            return


def _hierarchies() -> list[Path]:
    if is_unified():
        return [MOUNT]
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2") and point.startswith(f"{MOUNT}/"):
            found.append(Path(point))
    return found


def _tracking() -> Path:
    """The hierarchy that answers which processes are the cluster's; each has them all, so one is enough."""
    hierarchies = _hierarchies()
    return next((path for path in hierarchies if path.name == "pids"), hierarchies[0] if hierarchies else MOUNT)


def _inherit_cpuset(*groups: Path) -> None:
    for group in groups:
        for name in ("cpuset.cpus", "cpuset.mems"):
            own = group / name
            if not is_unified() and own.exists() and not own.read_text().strip():
                own.write_text((group.parent / name).read_text())


def _delegate(name: str) -> None:
    """cgroup v2: turns the controllers on from the root to the cluster's group.

    Inside a container the root group is an ordinary one, which may not hold processes and delegate at once: its
    processes move to a leaf first.
    """
    if (MOUNT / "cgroup.type").exists() and (MOUNT / "cgroup.procs").read_text().strip():
        leaf = MOUNT / "init"
        leaf.mkdir(exist_ok=True)
        for pid in (MOUNT / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (leaf / "cgroup.procs").write_text(pid)
    controllers = (MOUNT / "cgroup.controllers").read_text().split()
    for group in (MOUNT, MOUNT / PARENT, MOUNT / PARENT / name):
        group.mkdir(exist_ok=True)
        for controller in controllers:
            with contextlib.suppress(OSError):
                (group / "cgroup.subtree_control").write_text(f"+{controller}")
