"""Who decides how many servers there are, on a real API server with the real autoscaling controller."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

import pytest

from api.asking import DATASETS, DEPLOYMENTS, RUNS, condition, edited, essence, is_ready, manifest, put
from api.optional_kinds import DEFINITIONS
from conditions_lint import lint
from modelwright.children.deployment import SERVER
from modelwright.children.role import STABLE
from modelwright.kube import AlreadyExists, KubeClient, NotFound
from modelwright.names import STEP_LABEL
from modelwright.plan import JsonObject
from modelwright.resources import APPS_DEPLOYMENTS, AUTOSCALERS, PODS, ResourceType
from operator_process import Operator, eventually
from pure import samples
from simulated_kubelet import SimulatedKubelet

NAME = "late-flights"
CONTROLLER = "kube-controller-manager"
POD_METRICS = ResourceType("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
MIB = 1024 * 1024


async def serve(kube: KubeClient, namespace: str, operator: Operator, **spec: object) -> None:
    """Makes the whole chain, and waits until it serves."""
    for type_, made in (
        (DATASETS, samples.dataset()),
        (RUNS, samples.training_run()),
        (DEPLOYMENTS, samples.deployment(**spec)),
    ):
        await kube.create(type_, namespace, manifest(made, namespace))
    await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 60, operator.log)


async def scaling(kube: KubeClient, namespace: str, **spec: object) -> None:
    """The user's new `spec.scaling`."""
    await edited(kube, DEPLOYMENTS, namespace, lambda obj: cast(JsonObject, obj["spec"]).update(scaling=spec))


async def has_autoscaler(kube: KubeClient, namespace: str) -> bool:
    """Whether there is one, going or not."""
    try:
        await kube.get(AUTOSCALERS, namespace, NAME)
    except NotFound:
        return False
    return True


async def servers(kube: KubeClient, namespace: str) -> tuple[int, set[str]]:
    """How many servers should run, and which field managers say so."""
    live = cast(JsonObject, await kube.get(APPS_DEPLOYMENTS, namespace, NAME))
    managers = {
        str(entry["manager"])
        for entry in cast(list[JsonObject], cast(JsonObject, live["metadata"])["managedFields"])
        if "f:replicas" in cast(JsonObject, cast(JsonObject, entry["fieldsV1"]).get("f:spec", {}))
    }
    return cast(int, cast(JsonObject, live["spec"])["replicas"]), managers


async def told(kube: KubeClient, namespace: str) -> tuple[str, str, int]:
    """Ready, the reason of Autoscaled, and the servers that status says should run."""
    found = await kube.get(DEPLOYMENTS, namespace, NAME)
    assert lint(cast(JsonObject, found)) == []
    stable = cast(dict[str, int], cast(JsonObject, cast(JsonObject, found)["status"])["stable"])
    return condition(found, "Ready")["status"], condition(found, "Autoscaled").get("reason", ""), stable["replicas"]


async def test_replicas_are_ours_until_the_autoscaler_takes_them_and_again_when_it_goes(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    await operator.ready()
    async with SimulatedKubelet(kube):
        await serve(kube, namespace, operator, scaling={"minReplicas": 2})
        assert await servers(kube, namespace) == (2, {"modelwright-scale"})
        assert not await has_autoscaler(kube, namespace)

        await scaling(kube, namespace, maxReplicas=5)

        async def without_metrics() -> bool:
            return await told(kube, namespace) == ("True", "MetricsMissing", 2)

        await eventually(without_metrics, 30, operator.log)
        words = condition(await kube.get(DEPLOYMENTS, namespace, NAME), "Autoscaled")["message"]
        assert "pods.metrics.k8s.io" in words
        assert "; install metrics-server, or mend it; until then the servers stay as many as they are" in words
        assert await servers(kube, namespace) == (2, {"modelwright-scale"}), "it starts from the present number"

        await scaling(kube, namespace, minReplicas=3, maxReplicas=5)

        async def followed() -> bool:
            return await told(kube, namespace) == ("True", "MetricsMissing", 3)

        await eventually(followed, 30, operator.log)
        assert await servers(kube, namespace) == (3, {CONTROLLER}), "its first change takes the field"

        good = essence(await kube.get(AUTOSCALERS, namespace, NAME))
        for edit in (put("spec", "maxReplicas", value=50), put("metadata", "labels", STEP_LABEL)):
            await edited(kube, AUTOSCALERS, namespace, edit)

            async def repaired() -> bool:
                return essence(await kube.get(AUTOSCALERS, namespace, NAME)) == good

            await eventually(repaired, 15, operator.log)
        await edited(kube, APPS_DEPLOYMENTS, namespace, put("spec", "replicas", value=0))

        async def not_none() -> bool:
            return (await servers(kube, namespace))[0] == 3

        await eventually(not_none, 15, operator.log)

        operator.end()
        await edited(kube, APPS_DEPLOYMENTS, namespace, put("spec", "replicas", value=4))
        await operator.ready()
        await asyncio.sleep(3)
        assert (await servers(kube, namespace))[0] == 4, "a new operator leaves the autoscaler's number"
        written = [line for line in operator.metrics() if "requests_total" in line and 'verb="apply"' in line]
        assert written == []

        await scaling(kube, namespace, minReplicas=1)

        async def ours_again() -> bool:
            count, managers = await servers(kube, namespace)
            return count == 1 and managers == {"modelwright-scale"} and not await has_autoscaler(kube, namespace)

        await eventually(ours_again, 15, operator.log)
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 15, operator.log)
        assert await told(kube, namespace) == ("True", "", 1)


@pytest.fixture
async def pod_metrics(kube: KubeClient) -> AsyncIterator[None]:
    """A metrics API whose figures a test writes itself, gone afterwards."""
    open_object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    name = f"{POD_METRICS.plural}.{POD_METRICS.group}"
    approval = {"api-approved.kubernetes.io": "unapproved, for a test"}
    names = {"plural": POD_METRICS.plural, "singular": "pod", "kind": POD_METRICS.kind}
    version = {"name": POD_METRICS.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": open_object}}
    spec = {"group": POD_METRICS.group, "names": names, "scope": "Namespaced", "versions": [version]}
    definition: JsonObject = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    await kube.create(
        DEFINITIONS, None, {**definition, "metadata": {"name": name, "annotations": approval}, "spec": spec}
    )

    async def served() -> bool:
        return await kube.is_discovered(POD_METRICS)

    await eventually(served, 30)
    yield
    await kube.delete(DEFINITIONS, None, name, None)


async def use(kube: KubeClient, namespace: str, bytes_: int) -> None:
    """Every server uses so much memory now."""
    for pod in (await kube.page(PODS, namespace)).items:
        metadata = pod["metadata"]
        if metadata.get("labels", {}).get(STEP_LABEL) != STABLE.step:
            continue
        figures: JsonObject = {
            "apiVersion": POD_METRICS.api_version,
            "kind": POD_METRICS.kind,
            "metadata": {"name": metadata["name"], "namespace": namespace, "labels": metadata.get("labels", {})},
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "window": "15s",
            "containers": [{"name": SERVER, "usage": {"cpu": "1m", "memory": str(bytes_)}}],
        }
        try:
            await kube.create(POD_METRICS, namespace, figures)
        except AlreadyExists:
            continue


@pytest.mark.usefixtures("pod_metrics")
async def test_servers_follow_their_load_and_the_users_object_is_left_as_it_is(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    await operator.ready()
    async with SimulatedKubelet(kube):
        await serve(kube, namespace, operator, scaling={"maxReplicas": 3, "metric": "memory", "target": 50})
        before = await kube.get(DEPLOYMENTS, namespace, NAME)
        assert await servers(kube, namespace) == (1, {"modelwright-scale"}), "applied once, at creation"

        async def at_the_most() -> bool:
            # A server requests 256 MiB, so each new one is above the target too.
            await use(kube, namespace, 250 * MIB)
            return await told(kube, namespace) == ("True", "AutoscalerActive", 3)

        await eventually(at_the_most, 60, operator.log)
        assert await servers(kube, namespace) == (3, {CONTROLLER})
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 15, operator.log)
        after = await kube.get(DEPLOYMENTS, namespace, NAME)
        assert dict(after)["spec"] == dict(before)["spec"]
        for field in ("generation", "labels", "annotations", "finalizers"):
            assert after["metadata"].get(field) == before["metadata"].get(field)
        managers = cast(list[JsonObject], cast(JsonObject, after["metadata"])["managedFields"])
        assert {(entry["manager"], entry.get("subresource")) for entry in managers} == {
            (entry["manager"], entry.get("subresource"))
            for entry in cast(list[JsonObject], cast(JsonObject, before["metadata"])["managedFields"])
        }


async def test_a_users_autoscaler_of_the_same_name_is_left_alone(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    await operator.ready()
    theirs: JsonObject = {
        "apiVersion": AUTOSCALERS.api_version,
        "kind": AUTOSCALERS.kind,
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}, "maxReplicas": 2},
    }
    made = await kube.create(AUTOSCALERS, namespace, theirs)
    async with SimulatedKubelet(kube):
        await serve(kube, namespace, operator)
        await scaling(kube, namespace, maxReplicas=5)

        async def refused() -> bool:
            return condition(await kube.get(DEPLOYMENTS, namespace, NAME), "Ready")["reason"] == "NameTaken"

        await eventually(refused, 15, operator.log)
        found = await kube.get(AUTOSCALERS, namespace, NAME)
        assert dict(found)["spec"] == dict(made)["spec"]
        assert "ownerReferences" not in found["metadata"]
        assert (await servers(kube, namespace))[0] == 1
