"""What a reconciler decides: a plan of values, carried out by the engine and by nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

JsonObject = dict[str, object]
"""A Kubernetes object, or a part of one, as plain JSON."""


@dataclass(frozen=True, slots=True)
class Child:
    """One object that should be.

    `apply`: owned, kept so by server-side apply. `create`: owned and immutable, made once (a Job).
    `fact`: owned by nobody, made once and never touched again; one of the same name must have the same spec.
    `replicas` is applied apart from the rest, by its own field manager; of one that is `autoscaled` only where it has
    none, and whatever the autoscaler makes of it stays. With `only_onto` it is applied onto that
    resourceVersion alone: whoever knows an older one must not undo what was decided since.
    """

    manifest: JsonObject
    mode: Literal["apply", "create", "fact"]
    replicas: int | None = None
    autoscaled: bool = False
    only_onto: str | None = None

    @property
    def name(self) -> str:
        """The object's name."""
        metadata = self.manifest["metadata"]
        assert isinstance(metadata, dict)
        return str(metadata["name"])


@dataclass(frozen=True, slots=True)
class Ref:
    """One object in the cluster; with `uid`, that very one and not its successor of the same name."""

    kind: str
    namespace: str
    name: str
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """Annotations that a Pod should have, beside whatever else it has; nothing depends on it."""

    pod: Ref
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """A sentence for `kubectl describe`."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    action: str = "Reconcile"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one pass over one object wants done."""

    status: JsonObject
    children: tuple[Child, ...] = ()
    deletions: tuple[Ref, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: timedelta | None = None
    touches: tuple[Touch, ...] = ()
    """Done last, and only where everything else could be."""
