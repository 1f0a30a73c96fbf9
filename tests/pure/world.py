"""A small cluster in memory: it carries out plans as the engine would, and plays API server, kubelet and controllers.

Every pass is checked: the same snapshot gives the same plan twice, every status passes the lint, no object has two
unfinished Jobs, and when nothing changes any more a further pass wants nothing.
"""

import copy
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from conditions_lint import lint
from modelwright import conditions
from modelwright.api.v1alpha1 import ModelVersion, Resource
from modelwright.conditionsdoc import ASPECTS
from modelwright.config import Config
from modelwright.live import Live
from modelwright.objects import KubeObject, Pod, owner_uid
from modelwright.patch import without_nulls
from modelwright.plan import Child, Event, JsonObject, Plan, Ref
from modelwright.slim import slim
from modelwright.view import Cluster, Topic, View
from pure import by_kind, samples
from pure.cluster_json import has_ended, id_of, inside, is_behind, kind_of, metadata_of, uid_of

START = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
OURS = ("Dataset", "TrainingRun", "ModelVersion", "Deployment")
OWNED = (
    "Job", "apps/Deployment", "Service", "ConfigMap", "PodDisruptionBudget", "HorizontalPodAutoscaler",
    "NetworkPolicy", "Ingress", "HTTPRoute", "PodMonitor",
)  # fmt: skip
Id = tuple[str, str]


class World:
    """One namespace. Objects are plain JSON by (kind, name); apps/v1's Deployment is `apps/Deployment`."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or samples.config()
        self.now = START
        self.cluster = Cluster()
        self.live: Live | None = None
        self.objects: dict[Id, dict[str, Any]] = {}
        self.events: list[tuple[Id, Event]] = []
        self.jobs_made: list[str] = []
        self.refusals: dict[str, str] = {}
        self.linger = False
        self._serial = 0

    # What people do

    def apply(self, manifest: JsonObject) -> None:
        """Creates the object, or changes its spec."""
        id_ = (str(manifest["kind"]), str(metadata_of(manifest)["name"]))
        known = self.objects.get(id_)
        if known is None:
            self._create(id_, {**copy.deepcopy(manifest), "status": {"observedGeneration": -1}})
        elif known["spec"] != manifest["spec"]:
            known["spec"] = copy.deepcopy(manifest["spec"])
            metadata_of(known)["generation"] = cast(int, metadata_of(known)["generation"]) + 1

    def edit(self, kind: str, name: str, /, **spec: object) -> None:
        """Changes fields of a spec."""
        known = self.objects[kind, name]
        self.apply({**known, "spec": {**cast(JsonObject, known["spec"]), **spec}})

    def delete(self, kind: str, name: str) -> None:
        """Deletes the object, and with it what it owns."""
        uid = str(metadata_of(self.objects.pop((kind, name)))["uid"])
        for child in [id_ for id_, obj in self.objects.items() if owner_uid(cast(KubeObject, obj)) == uid]:
            self.delete(*child)

    # What the operator does

    def view(self, resource: Resource) -> View:
        """The snapshot that the operator's cache would give, slimmed as it slims."""
        owned = self._owned(resource.metadata.uid, OWNED)
        holders = [*owned, *(rs for child in owned for rs in self._owned(uid_of(child), ("ReplicaSet",)))]
        pods = [pod for holder in holders for pod in self._owned(uid_of(holder), ("Pod",))]
        return View(
            config=self.config,
            children=tuple(owned),
            pods=tuple(cast(Pod, pod) for pod in pods),
            refusals={uid: self.refusals[uid] for one in (*owned, *pods) if (uid := uid_of(one)) in self.refusals},
            related={topic: self._published(topic) for topic in by_kind.references(resource)},
            cluster=self.cluster,
            live=self.live,
        )

    def decide(self, kind: str, name: str) -> Plan:
        """The reconciler's plan for one object; asks twice, and demands the same answer."""
        resource = self.get(kind, name)
        view = self.view(resource)
        plan = by_kind.reconcile(resource, view, self.now)
        assert plan == by_kind.reconcile(resource, view, self.now), "the same snapshot gave another plan"
        return plan

    def reconcile(self, kind: str, name: str) -> bool:
        """One pass of the engine over one object; whether anything was written."""
        plan, obj = self.decide(kind, name), self.objects[kind, name]
        before = copy.deepcopy(self.objects)
        for ref in plan.deletions:
            self._remove(ref)
        refusals = [self._make(child, uid_of(cast(KubeObject, obj))) for child in plan.children]
        refused = next((refusal for refusal in refusals if refusal), "")
        for touch in plan.touches if not refused else ():
            metadata_of(self.objects["Pod", touch.pod.name]).setdefault("annotations", {}).update(touch.annotations)
        status, events = plan.status, plan.events
        if refused:
            resource = self.get(kind, name)
            status, events = conditions.stalled_by_write(
                status, resource.status.conditions, resource.metadata.generation, "NameTaken", refused, self.now
            )
        obj["status"] = without_nulls(status)
        self.events += [((kind, name), event) for event in events]
        self._check(kind, name)
        return self.objects != before

    def settle(self, order: Iterable[Id] | None = None) -> None:
        """Passes over all objects until nothing is written any more; then one more pass must want nothing."""
        first = list(order or ())
        for _ in range(30):
            rest = [id_ for id_ in self.objects if id_[0] in OURS and id_ not in first]
            if not sum(self.reconcile(*id_) for id_ in (*first, *rest) if id_ in self.objects):
                break
        else:
            raise AssertionError(f"does not settle: {self.summary()}")
        for kind, name in [id_ for id_ in self.objects if id_[0] in OURS]:
            if self.ready(kind, name)[1] == "NameTaken":
                continue
            plan = self.decide(kind, name)
            missing = [c.name for c in plan.children if (kind_of(c.manifest), c.name) not in self.objects]
            gone = [ref for ref in plan.deletions if "deletionTimestamp" not in self._metadata(ref)]
            assert not missing, f"{kind} {name} still wants {missing}"
            assert not gone, f"{kind} {name} still deletes {gone}"
            assert not plan.events, f"{kind} {name} says again {plan.events}"
            assert without_nulls(plan.status) == self.objects[kind, name]["status"], f"{kind} {name} flaps"

    def get(self, kind: str, name: str) -> Resource:
        """The object, parsed."""
        return samples.MODELS[kind].parse(self.objects[kind, name])

    def ready(self, kind: str, name: str) -> tuple[str, str]:
        """Status and reason of Ready."""
        condition = self.get(kind, name).status.condition("Ready")
        return (condition.status, condition.reason) if condition is not None else ("", "")

    def said(self, kind: str, name: str, type_: str = "Ready") -> str:
        """The message of a condition; empty where it is not there."""
        condition = self.get(kind, name).status.condition(type_)
        return condition.message if condition is not None else ""

    def said_reason(self, kind: str, name: str, type_: str) -> str:
        """The reason of a condition; empty where it is not there."""
        condition = self.get(kind, name).status.condition(type_)
        return condition.reason if condition is not None else ""

    def holds(self, kind: str, name: str, type_: str) -> bool:
        """Whether a condition is True."""
        condition = self.get(kind, name).status.condition(type_)
        return condition is not None and condition.status == "True"

    def summary(self) -> dict[str, tuple[str, str]]:
        """Ready of everything, by kind and name as text."""
        return {" ".join(id_): said for id_, said in self.summary_by_id().items()}

    def summary_by_id(self) -> dict[Id, tuple[str, str]]:
        """Ready of everything."""
        return {id_: self.ready(*id_) for id_ in self.objects if id_[0] in OURS}

    # What the cluster does

    def pass_time(self, **time: float) -> None:
        """Moves the clock on."""
        self.now += timedelta(**time)

    def unfinished(self, owner: Id | None = None) -> list[str]:
        """Jobs that have not ended and are not on their way out."""
        uid = None if owner is None else str(metadata_of(self.objects[owner])["uid"])
        return [
            name
            for (kind, name), obj in self.objects.items()
            if kind == "Job"
            and uid in (None, owner_uid(cast(KubeObject, obj)))
            and not has_ended(obj)
            and "deletionTimestamp" not in metadata_of(obj)
        ]

    def the_job(self, owner: Id) -> str:
        """The one unfinished Job of an object."""
        (job,) = self.unfinished(owner)
        return job

    def task(self, job: str) -> Mapping[str, object]:
        """What the Job was asked, as its container reads it."""
        spec = inside(self.objects["Job", job], "spec", "template", "spec")
        containers = cast(list[JsonObject], spec["containers"])
        env = {e["name"]: e["value"] for e in cast(list[dict[str, str]], containers[0]["env"])}
        return cast(Mapping[str, object], json.loads(env["MODELWRIGHT_TASK"].replace("$$", "$")))

    def pod(self, job: str, status: Mapping[str, object]) -> None:
        """The Job's Pod is there, with this status."""
        id_ = ("Pod", f"{job}-pod")
        if id_ not in self.objects or owner_uid(cast(KubeObject, self.objects[id_])) != str(
            metadata_of(self.objects["Job", job])["uid"]
        ):
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "controller": True}
            owner |= {"uid": metadata_of(self.objects["Job", job])["uid"]}
            pod: JsonObject = {"apiVersion": "v1", "kind": "Pod"}
            self.objects.pop(id_, None)
            self._create(id_, {**pod, "metadata": {"name": id_[1], "ownerReferences": [owner]}})
        self.objects[id_]["status"] = copy.deepcopy(dict(status))

    def refuse_pod(self, job: str, message: str) -> None:
        """Kubernetes refuses to make the Job's Pod."""
        self.refusals[str(metadata_of(self.objects["Job", job])["uid"])] = message

    def start(self, job: str) -> None:
        """The Pod runs."""
        running = {"startedAt": conditions.timestamp(self.now)}
        self.pod(job, {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": running}}]})

    def end(self, job: str, text: str, exit_code: int = 0, reason: str = "", container: str = "main") -> None:
        """The Pod's container ends with these words; the Job's own condition comes with `finish`."""
        field = "initContainerStatuses" if container in ("fetch", "check") else "containerStatuses"
        ended = {"exitCode": exit_code, "message": text, "reason": reason or ("Error" if exit_code else "Completed")}
        ended |= {"finishedAt": conditions.timestamp(self.now)}
        phase = "Failed" if exit_code else "Succeeded"
        self.pod(job, {"phase": phase, field: [{"name": container, "state": {"terminated": ended}}]})

    def time_out(self, job: str) -> None:
        """The Job's deadline has passed: its Pod is taken away; the Job says so once `finish` is called."""
        target = {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}
        self.objects["Job", job]["status"] = {"conditions": [target]}
        if ("Pod", f"{job}-pod") in self.objects:
            metadata_of(self.objects["Pod", f"{job}-pod"])["deletionTimestamp"] = conditions.timestamp(self.now)

    def finish(self, job: str, *, failed: str = "", message: str = "") -> None:
        """The Job controller notes the end; `failed` is its reason."""
        condition = {"type": "Failed" if failed else "Complete", "status": "True", "reason": failed, "message": message}
        self.objects["Job", job]["status"] = {"conditions": [condition]}

    def lose_pod(self, job: str) -> None:
        """The Job's Pod is gone without a trace."""
        self.objects.pop(("Pod", f"{job}-pod"), None)

    def succeed(self, job: str, *, passed: bool = True, violations: int = 0) -> None:
        """The Job runs and ends well."""
        self.start(job)
        self.end(job, samples.success(self.task(job), passed=passed, violations=violations))
        self.finish(job)

    def tell(
        self, job: str, reason: str, *, retry: bool, message: str = "it did not work", violations: int = 0
    ) -> None:
        """The Job runs and its worker tells why it failed."""
        self.start(job)
        told = samples.failure(reason, retry=retry, message=message, violations=violations)
        self.end(job, told, exit_code=3)
        self.finish(job, failed="BackoffLimitExceeded")

    def roll_out(self, name: str, ready: int | None = None) -> None:
        """The Deployment controller follows the spec of an apps/v1 Deployment; `ready` Pods answer (default all)."""
        live = self.objects["apps/Deployment", name]
        wanted = cast(int, inside(live, "spec")["replicas"])
        counts = dict.fromkeys(("readyReplicas", "availableReplicas"), wanted if ready is None else ready)
        live["status"] = {
            "observedGeneration": metadata_of(live)["generation"],
            "replicas": wanted,
            "updatedReplicas": wanted,
            **counts,
        }

    def autoscale(self) -> None:
        """The autoscaling controller keeps the bounds of what it scales, and leaves none at none."""
        for (kind, name), autoscaler in self.objects.items():
            live = self.objects.get(("apps/Deployment", name))
            if kind != "HorizontalPodAutoscaler" or live is None or not live["spec"]["replicas"]:
                continue
            spec = autoscaler["spec"]
            bounded = min(max(live["spec"]["replicas"], spec["minReplicas"]), spec["maxReplicas"])
            if bounded != live["spec"]["replicas"]:
                live["spec"]["replicas"] = bounded
                live["metadata"]["generation"] += 1

    def server_pod(self, deployment_: str, status: Mapping[str, object], name: str = "server") -> None:
        """A Pod of an apps/v1 Deployment, below a ReplicaSet."""
        if ("ReplicaSet", deployment_) not in self.objects:
            owner = self._owner("apps/Deployment", deployment_)
            metadata = {"name": deployment_, "ownerReferences": [owner]}
            replica_set: JsonObject = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata}
            self._create(("ReplicaSet", deployment_), replica_set)
        if ("Pod", name) not in self.objects:
            labels = inside(self.objects["apps/Deployment", deployment_], "spec", "template", "metadata")["labels"]
            metadata = {"name": name, "labels": labels, "ownerReferences": [self._owner("ReplicaSet", deployment_)]}
            self._create(("Pod", name), {"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
        self.objects["Pod", name]["status"] = copy.deepcopy(dict(status))

    def chain(self, *, passed: bool = True) -> None:
        """Everything that waits runs and ends well, until nothing is left to do."""
        for _ in range(20):
            self.settle()
            self.autoscale()
            jobs = self.unfinished()
            behind = [
                name for (kind, name), obj in self.objects.items() if kind == "apps/Deployment" and is_behind(obj)
            ]
            for job in jobs:
                self.succeed(job, passed=passed)
            for name in behind:
                self.roll_out(name)
            if not jobs and not behind:
                return
            self.pass_time(seconds=5)
        raise AssertionError(f"never ends: {self.summary()}")

    # Machinery

    def collect(self) -> None:
        """What was being deleted is gone."""
        for id_ in [id_ for id_, obj in self.objects.items() if "deletionTimestamp" in metadata_of(obj)]:
            if id_ in self.objects:
                self.delete(*id_)

    def _check(self, kind: str, name: str) -> None:
        obj = self.objects[kind, name]
        assert not lint(obj), (kind, name, lint(obj), obj["status"])
        jobs = self.unfinished((kind, name))
        assert len(jobs) <= 1, f"{kind} {name} has {jobs}"
        working = [job for job in jobs if not self._pod_ended(job)]
        # A Dataset's version stays Ready while newer data is read.
        again = self.holds(kind, name, "Refreshing") or self.said_reason(kind, name, "Validated") == "CheckFailed"
        done = kind != "Deployment" and self.ready(kind, name)[0] == "True" and not again
        assert not (done and working), f"{kind} {name} is Ready, and {working} works"
        for condition in self.get(kind, name).status.conditions:
            reasons = ASPECTS[condition.type].reasons
            assert reasons is None or condition.reason in reasons, f"{condition.type} is {condition.reason}"

    def _pod_ended(self, job: str) -> bool:
        pod = self.objects.get(("Pod", f"{job}-pod"), {})
        return cast(JsonObject, pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")

    def _owner(self, kind: str, name: str) -> JsonObject:
        uid = metadata_of(self.objects[kind, name])["uid"]
        kind = kind.removeprefix("apps/")
        return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}

    def _metadata(self, ref: Ref) -> JsonObject:
        return metadata_of(self.objects[id_of(ref)])

    def _create(self, id_: Id, obj: JsonObject) -> None:
        self._serial += 1
        metadata = {"namespace": samples.NAMESPACE, "uid": f"uid-{self._serial}", "generation": 1}
        metadata |= {"creationTimestamp": conditions.timestamp(self.now)}
        self.objects[id_] = {**obj, "metadata": {**copy.deepcopy(metadata_of(obj)), **metadata}}

    def _make(self, child: Child, owner: str) -> str:
        """Why the child could not be made; empty where it was, or is there."""
        id_ = (kind_of(child.manifest), child.name)
        known = self.objects.get(id_)
        if known is None:
            self._create(id_, copy.deepcopy(child.manifest))
            if id_[0] == "Job":
                self.jobs_made.append(id_[1])
            if id_[0] in OURS:
                self.objects[id_]["status"] = {"observedGeneration": -1}
        elif child.mode == "fact":
            return "" if known["spec"] == child.manifest["spec"] else f"{id_[0]} {id_[1]} is another's"
        elif owner_uid(cast(KubeObject, known)) != owner:
            return f"{id_[0]} {id_[1]} is another's"
        if child.mode == "apply" and "data" in child.manifest:
            self._fill(self.objects[id_], inside(child.manifest, "data"), known is None)
        elif child.mode == "apply":
            live = self.objects[id_]
            spec = copy.deepcopy(inside(child.manifest, "spec"))
            if child.replicas is not None:
                kept = cast(int, live["spec"].get("replicas") or 0) if child.autoscaled else 0
                spec["replicas"] = kept or child.replicas
            if live["spec"] != spec and known is not None:
                metadata_of(live)["generation"] = cast(int, metadata_of(live)["generation"]) + 1
            live["spec"] = spec
        return ""

    def _fill(self, config_map: dict[str, Any], data: JsonObject, new: bool) -> None:
        """A ConfigMap has this data from now on."""
        if new or config_map["data"] != data:
            self._serial += 1
            metadata_of(config_map)["resourceVersion"] = str(self._serial)
        config_map["data"] = copy.deepcopy(data)

    def _remove(self, ref: Ref) -> None:
        known = self.objects.get(id_of(ref))
        if known is None or ref.uid not in (None, metadata_of(known)["uid"]):
            return
        if self.linger:
            metadata_of(known).setdefault("deletionTimestamp", conditions.timestamp(self.now))
        else:
            self.delete(*id_of(ref))

    def _owned(self, uid: str, kinds: tuple[str, ...]) -> list[KubeObject]:
        return [
            slim(cast(KubeObject, copy.deepcopy(obj)))
            for (kind, _), obj in sorted(self.objects.items())
            if kind in kinds and owner_uid(cast(KubeObject, obj)) == uid
        ]

    def _published(self, topic: Topic) -> tuple[Resource, ...]:
        kind, _, name = topic
        if kind == "Model":
            versions = [self.get(*id_) for id_ in sorted(self.objects) if id_[0] == "ModelVersion"]
            return tuple(v for v in versions if isinstance(v, ModelVersion) and v.spec.model == name)
        return (self.get(kind, name),) if (kind, name) in self.objects else ()


def fork(world: World) -> World:
    """Another operator process over the same cluster: nothing but the objects is kept."""
    other = World(world.config)
    other.__dict__.update({k: copy.deepcopy(v) for k, v in world.__dict__.items() if k != "config"})
    return other
