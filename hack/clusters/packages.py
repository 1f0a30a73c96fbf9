"""The machine's packages that a native cluster needs: installed by apt-get where there is one."""

import os
import shutil
from collections.abc import Mapping

from .command import run, succeeds
from .report import ClusterError, say

RUN: Mapping[str, str] = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "openssl": "openssl",
    "mount": "mount",
}
BUILD_TOOLS: Mapping[str, str] = {"gcc": "gcc", "pkg-config": "pkg-config"}
IMAGES: Mapping[str, str] = {"skopeo": "skopeo", "buildah": "buildah"}


def require_for_run() -> None:
    """Installs the commands that the node calls."""
    install([package for command, package in RUN.items() if shutil.which(command) is None])


def require_for_build() -> None:
    """Installs what runc needs to be compiled."""
    missing = [package for command, package in BUILD_TOOLS.items() if shutil.which(command) is None]
    found = succeeds("pkg-config", "--exists", "libseccomp")
    if not found:
        missing.append("libseccomp-dev")
    install(missing)


def require_for_images() -> None:
    """Installs what copies images from a local store to a registry."""
    install([package for command, package in IMAGES.items() if shutil.which(command) is None])


def install(names: list[str]) -> None:
    """Installs packages without a question; raises ClusterError with the command to run where it cannot."""
    if not names:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise ClusterError(f"install these packages with your package manager (Debian's names): {' '.join(names)}")
    say(f"installing {' '.join(names)}")
    command = ("apt-get", "install", "-y", "--no-install-recommends", *names)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(*command, environment=quiet)
    except ClusterError:  # the lists of packages may be older than the archive
        run("apt-get", "update", environment=quiet)
        run(*command, environment=quiet)
