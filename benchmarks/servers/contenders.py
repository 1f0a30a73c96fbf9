"""A server in one of its configurations, and where it answers for each model."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.servers.dialects import Dialect
from benchmarks.servers.launch import Launch
from benchmarks.servers.targets import SKLEARN

OURS = "modelwright"


@dataclass(frozen=True)
class Endpoint:
    """Where a model is asked on 127.0.0.1."""

    launch: Launch
    port: int
    path: str


@dataclass(frozen=True)
class Contender:
    """`form` is what computes; peers serve by scikit-learn. Several contenders may share a server's processes.

    One that `echoes` answers fixed bytes and nothing of a model.
    """

    server: str
    configuration: str
    dialect: Dialect
    endpoints: Mapping[str, Endpoint]
    form: str = SKLEARN
    echoes: bool = False

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.server}, {self.configuration}"

    @property
    def is_ours(self) -> bool:
        """Whether it is what the others are compared with."""
        return self.server == OURS
