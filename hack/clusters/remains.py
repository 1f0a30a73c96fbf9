"""Removes every trace of a cluster, whether it runs, died at once, or was half removed before."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from . import addresses, cgroups, network
from .layout import RUN_ROOT, Folders
from .mounts import mounted_below, unmount_below
from .places import state_root
from .readiness import accepts
from .report import ClusterError

_CNI_RESULTS = Path("/var/lib/cni/results")
_CONTAINER_LOGS = Path("/var/log/containers")
_PLUGIN_SOCKETS = Path("/var/lib/kubelet/device-plugins")
_SHIM_SOCKETS = Path("/run/containerd/s")


def remove(folders: Folders) -> None:
    """Kills, unmounts, unlinks and deletes, in this order; can be repeated after it was cut short."""
    if not cgroups.kill(folders.name):
        raise ClusterError(f"these processes do not die: {cgroups.processes(folders.name)}; try again")
    sockets = list(_shim_sockets(folders))
    unmount_below(folders.state)
    network.remove(addresses.read(folders.state), folders.namespace)
    unmount_below(folders.run)
    if left := [*mounted_below(folders.state), *mounted_below(folders.run)]:
        raise ClusterError(f"these mounts stay, so nothing below them was deleted: {' '.join(left)}")
    cgroups.remove(folders.name)
    for path in sockets:
        path.unlink(missing_ok=True)
    _remove_shared(folders)
    shutil.rmtree(folders.run, ignore_errors=True)
    shutil.rmtree(folders.state, ignore_errors=True)
    if folders.state.exists():
        raise ClusterError(f"{folders.state} could not be deleted")
    (state_root() / f".{folders.name}.lock").unlink(missing_ok=True)
    _remove_empty(RUN_ROOT)
    _remove_empty(state_root())


def remove_dead_sockets(folders: Folders) -> None:
    """Removes the sockets of shims that died with their containerd; the next one forgets where they were."""
    for path in _shim_sockets(folders):
        if not accepts(path)():
            path.unlink(missing_ok=True)


def _shim_sockets(folders: Folders) -> Iterator[Path]:
    """The sockets of the containers' shims, which containerd keeps in a folder shared by all its instances."""
    for bundle in (folders.run / "containerd").glob("io.containerd.runtime.v2.task/k8s.io/*/bootstrap.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            path = Path(str(json.loads(bundle.read_text())["address"]).removeprefix("unix://"))
            if path.is_relative_to(_SHIM_SOCKETS):
                yield path


def _remove_shared(folders: Folders) -> None:
    """What containerd, CNI and the kubelet write at fixed places."""
    for result in _CNI_RESULTS.glob(f"modelwright-{folders.name}-*"):
        if re.fullmatch(r"[0-9a-f]{64}-\w+", result.name.removeprefix(f"modelwright-{folders.name}-")):
            result.unlink(missing_ok=True)
    for link in _CONTAINER_LOGS.glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{folders.state}/"):
            link.unlink(missing_ok=True)
    others = any(addresses.read(state) for state in state_root().iterdir() if state != folders.state)
    if not others and {path.name for path in _PLUGIN_SOCKETS.glob("*")} <= {"kubelet.sock", "DEPRECATION"}:
        shutil.rmtree(_PLUGIN_SOCKETS, ignore_errors=True)
    for folder in (_CNI_RESULTS, _CONTAINER_LOGS, _SHIM_SOCKETS, _PLUGIN_SOCKETS):
        _remove_empty(folder)
        _remove_empty(folder.parent)


def _remove_empty(folder: Path) -> None:
    if folder not in (Path("/var/log"), Path("/run")):
        with contextlib.suppress(OSError):
            folder.rmdir()
