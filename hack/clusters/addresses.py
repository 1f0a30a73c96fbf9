"""Which addresses a cluster has: every cluster of a machine gets an index, and ranges of its own by it."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .places import state_root
from .report import ClusterError

LIMIT = 60
API_PORT = 6443
REGISTRY_PORT = 5000
S3_PORT = 7070


@dataclass(frozen=True)
class Addresses:
    """The ranges of the cluster with this index; those of two clusters never overlap, nor do their routes."""

    index: int

    @property
    def host_link(self) -> str:
        """The host's end of the veth pair; at most 15 characters."""
        return f"mwh{self.index}"

    @property
    def host(self) -> str:
        """The host as the node and its Pods see it."""
        return f"10.230.{self.index}.1"

    @property
    def node(self) -> str:
        """The node's one address: API server, registry and S3 listen there."""
        return f"10.230.{self.index}.2"

    @property
    def pods(self) -> str:
        """1,022 Pod addresses, so that churn never runs out of them at 250 Pods."""
        return f"10.231.{self.index * 4}.0/22"

    @property
    def services(self) -> str:
        """1,022 Service addresses."""
        return f"10.232.{self.index * 4}.0/22"

    @property
    def first_service(self) -> str:
        """The Service `kubernetes`."""
        return f"10.232.{self.index * 4}.1"

    @property
    def dns(self) -> str:
        """The Service `kube-dns`."""
        return f"10.232.{self.index * 4}.10"

    @property
    def api(self) -> str:
        """The API server's URL."""
        return f"https://{self.node}:{API_PORT}"

    @property
    def registry(self) -> str:
        """The registry's one name: the same on the host, in containerd and in Pods."""
        return f"{self.node}:{REGISTRY_PORT}"

    @property
    def s3(self) -> str:
        """The S3 endpoint's URL."""
        return f"http://{self.node}:{S3_PORT}"


def allocate(state: Path) -> Addresses:
    """The addresses of the cluster whose state is here: those it had, or the first that no other has."""
    if known := read(state):
        return known
    state.mkdir(parents=True, exist_ok=True)
    with _locked():
        taken = {found.index for found in map(read, state_root().iterdir()) if found}
        taken |= {int(name[1]) for path in Path("/sys/class/net").iterdir() if (name := _LINK.match(path.name))}
        free = next((index for index in range(LIMIT) if index not in taken), None)
        if free is None:
            raise ClusterError(f"{LIMIT} clusters run here already: take one down with `hack/cluster down --name NAME`")
        (state / "index").write_text(f"{free}\n")
    return Addresses(free)


def read(state: Path) -> Addresses | None:
    """The addresses that were allocated to the cluster whose state is here."""
    try:
        return Addresses(int((state / "index").read_text()))
    except (OSError, ValueError):
        return None


_LINK = re.compile(r"mwh(\d+)$")


@contextmanager
def _locked() -> Iterator[None]:
    folder = os.open(state_root(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
