"""The operator as a process, on a real API server: what it writes, what it never writes, and what a restart costs."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from api.asking import (
    DATASETS,
    DEPLOYMENTS,
    RUNS,
    VERSIONS,
    condition,
    edited,
    essence,
    is_ready,
    manifest,
    put,
    versions,
)
from conditions_lint import lint
from modelwright.api.v1alpha1 import Dataset
from modelwright.cache import Cache
from modelwright.config import Config
from modelwright.intake import Intake
from modelwright.kinds import Subject, all_kinds
from modelwright.kube import AlreadyExists, Conflict, KubeClient, NotFound
from modelwright.lease import Lease
from modelwright.names import APPLIED_ANNOTATION, MANAGED_BY_LABEL
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject
from modelwright.queue import Gone, Outcome, WorkQueue
from modelwright.reflector import Reflector
from modelwright.resources import APPS_DEPLOYMENTS, EVENTS, JOBS, LEASES, PODS, SERVICES, Key, ResourceType
from modelwright.view import View
from operator_process import Operator, eventually
from pure import samples
from simulated_kubelet import SimulatedKubelet


async def test_the_whole_chain_comes_to_rest_and_a_restart_writes_nothing(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    await operator.ready()
    async with SimulatedKubelet(kube):
        for type_, made in (
            (DATASETS, samples.dataset()),
            (RUNS, samples.training_run()),
            (DEPLOYMENTS, samples.deployment()),
        ):
            await kube.create(type_, namespace, manifest(made, namespace))
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, "late-flights"), 60, operator.log)
        await asyncio.sleep(4)
        before = await versions(kube, namespace)
        for how in (signal.SIGTERM, signal.SIGKILL):
            code = operator.end(how)
            assert code == (0 if how == signal.SIGTERM else -9)
            assert await operator.ready() < 15
            await asyncio.sleep(2)
            assert await versions(kube, namespace) == before
    for type_ in (DATASETS, RUNS, VERSIONS, DEPLOYMENTS):
        for item in (await kube.page(type_, namespace)).items:
            assert lint(cast(JsonObject, item)) == []
            metadata = cast(JsonObject, item["metadata"])
            managers = {(m["manager"], m.get("subresource")) for m in cast(list[JsonObject], metadata["managedFields"])}
            assert managers <= {("modelwright", None), ("modelwright", "status")}, "somebody else wrote"
            assert "finalizers" not in metadata
            assert "annotations" not in metadata
    served = await kube.get(APPS_DEPLOYMENTS, namespace, "late-flights")
    owners = cast(list[JsonObject], cast(JsonObject, served["metadata"])["managedFields"])
    scaled = [m for m in owners if m["manager"] == "modelwright-scale"]
    assert [list(cast(JsonObject, m["fieldsV1"])) for m in scaled] == [["f:spec"]]


_SERVER = ("spec", "template", "spec", "containers", 0)
HANDS: list[tuple[str, ResourceType, Callable[[JsonObject], None]]] = [
    ("another image", APPS_DEPLOYMENTS, put(*_SERVER, "image", value="mw.local/theirs:1")),
    ("no environment", APPS_DEPLOYMENTS, put(*_SERVER, "env")),
    ("another strategy", APPS_DEPLOYMENTS, put("spec", "strategy", value={"type": "Recreate"})),
    ("not one replica", APPS_DEPLOYMENTS, put("spec", "replicas", value=3)),
    ("no label of ours", APPS_DEPLOYMENTS, put("metadata", "labels", MANAGED_BY_LABEL)),
    ("no mark of what was applied", APPS_DEPLOYMENTS, put("metadata", "annotations", APPLIED_ANNOTATION)),
    ("other Pods behind the Service", SERVICES, put("spec", "selector", value={"app": "theirs"})),
    ("another port", SERVICES, put("spec", "ports", 0, "port", value=81)),
    ("another port of the server", APPS_DEPLOYMENTS, put(*_SERVER, "ports", 0, "containerPort", value=81)),
    ("another target", SERVICES, put("spec", "ports", 0, "targetPort", value=9999)),
    ("a Service without our label", SERVICES, put("metadata", "labels", MANAGED_BY_LABEL)),
]


async def test_what_was_done_to_a_child_is_put_right_whether_the_operator_was_there_or_away(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    await operator.ready()
    async with SimulatedKubelet(kube):
        for type_, made in (
            (DATASETS, samples.dataset()),
            (RUNS, samples.training_run()),
            (DEPLOYMENTS, samples.deployment()),
        ):
            await kube.create(type_, namespace, manifest(made, namespace))
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, "late-flights"), 60, operator.log)
        await asyncio.sleep(1)
        good = {
            type_: essence(await kube.get(type_, namespace, "late-flights")) for type_ in (APPS_DEPLOYMENTS, SERVICES)
        }
        for what, type_, edit in HANDS:
            for away in (True, False):
                if away:
                    operator.end()
                await edited(kube, type_, namespace, edit)
                assert essence(await kube.get(type_, namespace, "late-flights")) != good[type_] or not away, what
                if away:
                    await operator.ready()

                async def repaired(type_: ResourceType = type_) -> bool:
                    return essence(await kube.get(type_, namespace, "late-flights")) == good[type_]

                try:
                    await eventually(repaired, 15, operator.log)
                except pytest.fail.Exception as error:
                    pytest.fail(f"{what}, {'away' if away else 'present'}: {error}", pytrace=False)
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, "late-flights"), 30, operator.log)
        operator.end()
        await operator.ready()
        await asyncio.sleep(2)
        written = [line for line in operator.metrics() if "requests_total" in line and 'verb="apply"' in line]
        assert written == [], "a restart asks for no write, not even for one that would change nothing"


async def test_killed_anywhere_it_converges_and_does_nothing_twice(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    names = [f"d{number}" for number in range(8)]
    operator.start()
    async with SimulatedKubelet(kube):
        for pause_s, name in zip((0, 0.9, 0.3, 0.6, 1.2, 0, 0, 0), names, strict=True):
            await asyncio.sleep(pause_s)
            await kube.create(DATASETS, namespace, manifest(samples.dataset(name), namespace))
            if pause_s:
                operator.end(signal.SIGKILL)
                await operator.ready()
        for name in names:
            await eventually(is_ready(kube, DATASETS, namespace, name), 60, operator.log)
    jobs = (await kube.page(JOBS, namespace)).items
    assert len(jobs) == len(names), "one Job for each"
    told = [cast(JsonObject, item) for item in (await kube.page(EVENTS, namespace)).items]
    ours_ = [(cast(JsonObject, e["involvedObject"])["name"], e["reason"]) for e in told if "reportingInstance" in e]
    ours_ = [one for one in ours_ if one[0] in names]
    assert len(ours_) == len(set(ours_)), "each step is told once"


async def test_a_foreign_job_is_left_alone_and_said(kube: KubeClient, namespace: str, operator: Operator) -> None:
    name = job_name(samples.dataset("a"), namespace)
    container = {"name": "theirs", "image": "mw.local/theirs:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    foreign: JsonObject = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"suspend": True, "template": template},
    }
    theirs = await kube.create(JOBS, namespace, foreign)
    await operator.ready()
    await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))

    async def said() -> bool:
        return condition(await kube.get(DATASETS, namespace, "a"), "Stalled").get("reason") == "NameTaken"

    await eventually(said, 10, operator.log)
    found = await kube.get(JOBS, namespace, name)
    assert found["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert "ownerReferences" not in found["metadata"]
    await kube.delete(JOBS, namespace, name, None)

    async def healed() -> bool:
        return len((await kube.page(JOBS, namespace)).items) == 1

    await eventually(healed, 60, operator.log)


def job_name(made: JsonObject, namespace: str) -> str:
    """The name of the Job that a Dataset will want."""
    obj = cast(KubeObject, manifest(made, namespace))
    subject = all_kinds()["Dataset"].read(obj)
    assert isinstance(subject, Subject)
    return subject.decide(View(samples.config()), datetime.now(UTC)).children[0].name


async def test_a_quota_is_a_condition(kube: KubeClient, namespace: str, operator: Operator) -> None:
    quotas = ResourceType("", "v1", "resourcequotas", "ResourceQuota")
    hard = {"count/jobs.batch": "0"}
    await kube.create(quotas, namespace, {"metadata": {"name": "none"}, "spec": {"hard": hard}})

    async def counted() -> bool:
        quota = cast(Mapping[str, JsonObject], await kube.get(quotas, namespace, "none"))
        return "hard" in quota.get("status", {})

    await eventually(counted)
    await operator.ready()
    await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))

    async def said() -> bool:
        stalled = condition(await kube.get(DATASETS, namespace, "a"), "Stalled")
        return stalled.get("reason") == "Forbidden" and "exceeded quota: none" in stalled["message"]

    await eventually(said, 10, operator.log)


async def test_a_deleted_object_is_forgotten_and_its_successor_is_new(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    await operator.ready()
    async with SimulatedKubelet(kube):
        for _ in range(2):
            made = await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))
            await eventually(is_ready(kube, DATASETS, namespace, "a"), 20, operator.log)
            await kube.delete(DATASETS, namespace, "a", made["metadata"]["uid"])


async def test_a_pods_end_is_acted_upon_at_once(kube: KubeClient, namespace: str, operator: Operator) -> None:
    await operator.ready()
    ended: list[float] = []

    def outcome(task: Mapping[str, object]) -> str:
        ended.append(time.monotonic())
        return samples.success(task)

    version = (await kube.page(DATASETS, namespace)).version
    async with SimulatedKubelet(kube, outcome), asyncio.timeout(20):
        await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))
        async for event in kube.watch(DATASETS, namespace, version):
            if condition(event.obj, "Ready").get("status") == "True":
                break
    assert time.monotonic() - ended[0] < 0.5


async def test_a_write_for_one_object_never_reaches_its_successor(kube: KubeClient, namespace: str) -> None:
    await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))
    first = await kube.get(DATASETS, namespace, "a")
    version = first["metadata"].get("resourceVersion", "")
    guarded: JsonObject = {"metadata": {"resourceVersion": version}, "status": {"observedGeneration": 1}}
    await kube.delete(DATASETS, namespace, "a", first["metadata"]["uid"])
    await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))
    with pytest.raises(Conflict):
        await kube.patch_status(DATASETS, namespace, "a", guarded)
    port = {"port": 80}
    service: JsonObject = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {"ports": [port]},
    }
    made = await kube.apply(SERVICES, namespace, service, "modelwright")
    stranger: JsonObject = {**service, "metadata": {"name": "a", "namespace": namespace, "uid": "another"}}
    with pytest.raises(Conflict):
        await kube.apply(SERVICES, namespace, stranger, "modelwright")
    with pytest.raises(Conflict):
        await kube.delete(SERVICES, namespace, "a", "another")
    assert await kube.delete(SERVICES, namespace, "a", made["metadata"]["uid"]) is None
    with pytest.raises(Conflict):
        await kube.apply(SERVICES, namespace, stranger, "modelwright")
    with pytest.raises(NotFound):
        await kube.get(SERVICES, namespace, "a")


async def test_a_version_that_etcd_has_compacted_is_listed_anew(kube: KubeClient, namespace: str) -> None:
    kinds = all_kinds()
    cache = Cache(kinds, Config())
    queue: WorkQueue[Key] = WorkQueue(_gone)
    reflector = Reflector(kube, Intake(cache, queue), DATASETS, namespace)
    await reflector.fill()
    await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))
    reflector._version = "1"
    watching = asyncio.create_task(reflector.run())

    async def known() -> bool:
        return cache.get(Key(Dataset.__name__, namespace, "a")) is not None

    await eventually(known)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def _gone(_: Key) -> Outcome:
    return Gone()


def leads(operator: Operator) -> bool:
    """Whether a replica holds the Lease, by its own word."""
    return "modelwright_leader 1.0" in operator.metrics()


async def test_one_replica_leads_and_the_next_takes_over_at_once(
    kube: KubeClient, namespace: str, tmp_path: Path, kubeconfig: str, unused_tcp_port_factory: Callable[[], int]
) -> None:
    one, two = (
        Operator(tmp_path, kubeconfig, namespace, unused_tcp_port_factory(), identity) for identity in ("one", "two")
    )
    try:
        await one.ready()
        two.start()
        await eventually(lambda: asyncio.to_thread(two.answers, "/healthz"), 20, two.log)
        await asyncio.sleep(1)
        assert (leads(one), leads(two)) == (True, False)
        assert two.answers("/readyz"), "a standby is as ready as it can be"
        assert one.end() == 0
        began = time.monotonic()
        await eventually(lambda: asyncio.to_thread(leads, two), 10, two.log)
        assert time.monotonic() - began < 5, "a released Lease is taken at once"
    finally:
        one.end(signal.SIGKILL)
        two.end(signal.SIGKILL)


async def test_a_restarted_container_keeps_its_lease_and_another_waits_for_it_to_run_out(
    kube: KubeClient, namespace: str
) -> None:
    async with asyncio.timeout(5):
        await Lease(kube, namespace, "one").acquire()
        await Lease(kube, namespace, "one").acquire()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await Lease(kube, namespace, "two").acquire()
    stale = await kube.get(LEASES, namespace, "modelwright-operator")
    cast(JsonObject, dict(stale)["spec"])["leaseDurationSeconds"] = 1
    await kube.replace(LEASES, namespace, "modelwright-operator", cast(JsonObject, dict(stale)))
    async with asyncio.timeout(5):
        await Lease(kube, namespace, "two").acquire()


async def test_a_leader_that_lost_its_lease_says_so(
    kube: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelwright.lease.RENEW_S", 0.1)
    lease, lost = Lease(kube, namespace, "one"), asyncio.Event()
    await lease.acquire()
    keeping = asyncio.create_task(lease.keep(lost.set))
    await asyncio.sleep(0.5)
    assert not lost.is_set()
    stolen = await kube.get(LEASES, namespace, "modelwright-operator")
    cast(JsonObject, dict(stolen)["spec"])["holderIdentity"] = "two"
    while True:
        try:
            await kube.replace(LEASES, namespace, "modelwright-operator", cast(JsonObject, dict(stolen)))
            break
        except Conflict:
            newer = await kube.get(LEASES, namespace, "modelwright-operator")
            stolen["metadata"] = newer["metadata"]
    async with asyncio.timeout(5):
        await lost.wait()
    await keeping


async def test_a_leader_whose_lease_is_taken_ends_at_once(kube: KubeClient, namespace: str, operator: Operator) -> None:
    await operator.ready()
    while True:
        stolen = await kube.get(LEASES, namespace, "modelwright-operator")
        cast(JsonObject, dict(stolen)["spec"])["holderIdentity"] = "two"
        try:
            await kube.replace(LEASES, namespace, "modelwright-operator", cast(JsonObject, dict(stolen)))
            break
        except Conflict:
            continue
    assert await asyncio.to_thread(operator.wait, 12) == 1
    kept = await kube.get(LEASES, namespace, "modelwright-operator")
    assert cast(JsonObject, dict(kept)["spec"])["holderIdentity"] == "two"


async def test_creating_what_exists_is_told_apart_from_a_conflict(kube: KubeClient, namespace: str) -> None:
    await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))
    with pytest.raises(AlreadyExists):
        await kube.create(DATASETS, namespace, manifest(samples.dataset("a"), namespace))
    assert (await kube.page(PODS, namespace)).items == []
