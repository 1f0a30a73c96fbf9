"""What every kind of cluster can do, and which kind is meant when nobody says."""

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, get_args

from .command import succeeds
from .current import Current
from .kind import Kind
from .native import Native
from .report import ClusterError

Name = Literal["kind", "native", "current"]
NAMES: tuple[Name, ...] = get_args(Name)
VARIABLE = "MODELWRIGHT_CLUSTER_PROVIDER"


class Provider(Protocol):
    """A cluster by its name: it may run or not."""

    def build(self) -> None:
        """Makes what can be made before the cluster starts."""

    def up(self, control_plane_only: bool) -> None:
        """Returns when the cluster answers; starts or repairs only what is needed."""

    def down(self) -> None:
        """Removes the cluster and all it left on the machine; no error when there is none."""

    def status(self) -> bool:
        """Prints what runs; True when all of it does."""

    def environment(self) -> Mapping[str, str]:
        """The variables of the contract; `PATH` is the folder to put in front."""

    def load(self, images: Sequence[str]) -> list[str]:
        """Brings local images into the cluster; returns the references that a Pod names them by."""


def choose(provider: str | None, name: str) -> Provider:
    """The provider that was asked for by option or variable, that has this cluster already, or that can work here."""
    match provider or os.environ.get(VARIABLE) or _possible(name):
        case "kind":
            return Kind(name)
        case "native":
            return Native(name)
        case "current":
            return Current()
        case other:
            raise ClusterError(f"{VARIABLE}: {other!r} is no provider, write one of {', '.join(NAMES)}")


def _possible(name: str) -> Name:
    if Native(name).exists():
        return "native"
    if succeeds("docker", "info"):
        return "kind"
    if platform.system() == "Linux" and os.geteuid() == 0:
        return "native"
    raise ClusterError(
        "no cluster can be made here. Do one of these:\n"
        "  - start a Docker engine (`docker info` must answer), for the provider kind;\n"
        "  - on Linux, run this as root, for the provider native;\n"
        f"  - point kubectl at a cluster and say `{VARIABLE}=current`."
    )
