"""The four kinds: where each is served, how it is parsed, and which reconciler decides for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from modelwright.api.v1alpha1 import Dataset, Deployment, ModelVersion, Resource, TrainingRun
from modelwright.objects import KubeObject
from modelwright.plan import Plan
from modelwright.reconcilers import dataset, deployment, model_version, training_run
from modelwright.resources import Key, ResourceType, ours
from modelwright.view import Topic, View

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True)
class Subject:
    """An object that could be parsed, with its reconciler bound to it."""

    resource: Resource
    references: frozenset[Topic]
    publishes: frozenset[Topic]
    decide: Callable[[View, datetime], Plan]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that could not be parsed, and why, for its author."""

    message: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of ours. `read` parses an object of it and never raises for what a user wrote."""

    type: ResourceType
    read: Callable[[KubeObject], Subject | Unreadable]


def kind(
    resource: type[R],
    references: Callable[[R], frozenset[Topic]],
    reconcile: Callable[[R, View, datetime], Plan],
    publishes: Callable[[R], frozenset[Topic]] = lambda _: frozenset(),
) -> Kind:
    """Binds a kind's model to its reconciler; `publishes` names topics beside the object's own."""
    type_ = ours(resource.__name__, resource.names.plural)

    def read(obj: KubeObject) -> Subject | Unreadable:
        try:
            parsed = resource.parse(obj)
            named = references(parsed)
        except (ValidationError, ValueError) as error:
            return Unreadable(explain(error))
        own: Topic = Key(type_.kind, obj["metadata"]["namespace"], obj["metadata"]["name"])
        return Subject(parsed, named, publishes(parsed) | {own}, lambda view, now: reconcile(parsed, view, now))

    return Kind(type_, read)


def explain(error: Exception) -> str:
    """A parse error as sentences with field paths, the first three of them."""
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(str(part) for part in one['loc']) or 'object'}: {one['msg']}" for one in found[:3]]
    more = len(found) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more else "")


def _model(version: ModelVersion) -> frozenset[Topic]:
    return frozenset({("Model", version.metadata.namespace, version.spec.model)})


def all_kinds() -> Mapping[str, Kind]:
    """The four kinds by name, in the order of the chain."""
    found = (
        kind(Dataset, dataset.references, dataset.reconcile),
        kind(TrainingRun, training_run.references, training_run.reconcile),
        kind(ModelVersion, model_version.references, model_version.reconcile, _model),
        kind(Deployment, deployment.references, deployment.reconcile),
    )
    return {one.type.kind: one for one in found}
