"""An engine over an API server in memory, and plans for it to carry out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from modelwright.api.v1alpha1 import Dataset, ModelVersion, Resource
from modelwright.cache import Cache
from modelwright.config import Config
from modelwright.engine import Engine
from modelwright.intake import Intake
from modelwright.kinds import kind
from modelwright.names import MANAGED_BY, MANAGED_BY_LABEL
from modelwright.objects import KubeObject
from modelwright.plan import Child, JsonObject, Plan
from modelwright.queue import Outcome, WorkQueue
from modelwright.resources import Key, ResourceType
from modelwright.view import View
from modelwright.writer import Writer
from pure.cluster_objects import dataset
from pure.kube_double import KubeDouble

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = Key("Dataset", "n", "a")
READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "Done.",
                         "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 1}],
         "observedGeneration": 1}  # fmt: skip


@dataclass
class Bench:
    """An engine over an API server in memory, with one Dataset `a` whose reconciler returns `plan`."""

    plan: Plan | Callable[[Dataset, View], Plan] = field(default_factory=lambda: Plan(dict(READY)))
    kube: KubeDouble = field(default_factory=KubeDouble)

    def __post_init__(self) -> None:
        found = (
            kind(Dataset, lambda _: frozenset(), self._decide),
            kind(ModelVersion, lambda _: frozenset(), _nothing),
        )
        self.kinds = {one.type.kind: one for one in found}
        self.type = self.kinds["Dataset"].type
        self.versions = self.kinds["ModelVersion"].type
        self.restart()
        self.owner = self.add(self.type, dataset("a"))

    def restart(self) -> None:
        """A new operator, which knows what the API server has."""
        self.cache = Cache(self.kinds, Config())
        self.queue: WorkQueue[Key] = WorkQueue(self.process)
        self.intake = Intake(self.cache, self.queue)
        writer = Writer(self.kube, self.cache, self.intake, [one.type for one in self.kinds.values()], "here")
        self.engine = Engine(self.kinds, self.cache, writer, lambda: NOW)
        for (type_, _, _), one in self.kube.objects.items():
            self.cache.observe(type_, cast(KubeObject, one))

    def add(self, type_: ResourceType, one: KubeObject) -> KubeObject:
        """An object in the API server and in the cache."""
        put = self.kube.put(type_, cast(JsonObject, one))
        self.cache.observe(type_, put)
        return put

    async def process(self, key: Key = KEY) -> Outcome:
        """One pass."""
        return await self.engine.process(key)

    def status(self) -> Mapping[str, object]:
        """The Dataset's status in the API server."""
        return cast(Mapping[str, object], self.kube.objects[self.type, "n", "a"].get("status", {}))

    def condition(self, type_: str) -> Mapping[str, object] | None:
        """One of its conditions."""
        listed = cast(Iterable[Mapping[str, object]], self.status().get("conditions", ()))
        return next((one for one in listed if one["type"] == type_), None)

    def _decide(self, resource: Dataset, view: View, _: datetime) -> Plan:
        return self.plan if isinstance(self.plan, Plan) else self.plan(resource, view)


def _nothing(_: Resource, __: View, ___: datetime) -> Plan:
    return Plan({})


def owned(kind_: str, name: str, api: str, **body: object) -> JsonObject:
    owner = {"apiVersion": "modelwright.dev/v1alpha1", "kind": "Dataset", "name": "a", "controller": True}
    labels = {MANAGED_BY_LABEL: MANAGED_BY}
    metadata = {
        "name": name,
        "namespace": "n",
        "labels": labels,
        "ownerReferences": [{**owner, "uid": "uid-dataset-a"}],
    }
    return {"apiVersion": api, "kind": kind_, "metadata": metadata, **body}


JOB = Child(owned("Job", "a-1", "batch/v1", spec={"suspend": False}), "create")
SERVED = Child(owned("Deployment", "a", "apps/v1", spec={"template": {"spec": {}}}), "apply", replicas=2)
SERVICE = Child(owned("Service", "a", "v1", spec={"ports": [{"port": 80}]}), "apply")
FACT = Child(
    {
        "apiVersion": "modelwright.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": "m-1", "namespace": "n"},
        "spec": {"model": "m", "source": {"trainingRun": "run", "digest": "sha256:" + "0" * 64}},
    },
    "fact",
)
