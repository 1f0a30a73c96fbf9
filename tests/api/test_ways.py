"""The ways to a served model on a real API server: made, repaired, removed, and told where their kind is lacking."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from api.asking import (
    DATASETS,
    DEPLOYMENTS,
    RUNS,
    condition,
    edited,
    essence,
    is_ready,
    manifest,
    put,
)
from api.optional_kinds import DEFINITIONS, definition
from conditions_lint import lint
from modelwright.children.role import STABLE
from modelwright.discovery import LOOK_AGAIN_S
from modelwright.kube import KubeClient, NotFound
from modelwright.names import MANAGED_BY_LABEL, STEP_LABEL
from modelwright.plan import JsonObject
from modelwright.resources import (
    DISRUPTION_BUDGETS,
    EVENTS,
    HTTP_ROUTES,
    INGRESSES,
    NETWORK_POLICIES,
    OPTIONAL,
    POD_MONITORS,
    PODS,
    SERVICES,
    ResourceType,
)
from operator_process import Operator, eventually
from pure import samples
from simulated_kubelet import SimulatedKubelet

NAME = "late-flights"
ROUTE = {"host": "models.example.org", "ingressClassName": "nginx", "annotations": {"example.org/team": "ana"}}
GATEWAY = {"host": "models.example.org", "gatewayRef": {"name": "public", "sectionName": "https"}}
LATER_S = 2 * LOOK_AGAIN_S + 10


async def serve(kube: KubeClient, namespace: str, **spec: object) -> None:
    """Makes the whole chain."""
    for type_, made in (
        (DATASETS, samples.dataset()),
        (RUNS, samples.training_run()),
        (DEPLOYMENTS, samples.deployment(**spec)),
    ):
        await kube.create(type_, namespace, manifest(made, namespace))


async def says(kube: KubeClient, namespace: str, type_: str = "Ready") -> str:
    """The reason of a condition of the Deployment."""
    return condition(await kube.get(DEPLOYMENTS, namespace, NAME), type_).get("reason", "")


async def exists(kube: KubeClient, type_: ResourceType, namespace: str) -> bool:
    """Whether the Deployment has this child."""
    try:
        await kube.get(type_, namespace, NAME)
    except NotFound:
        return False
    return True


async def change(kube: KubeClient, namespace: str, **spec: object) -> None:
    """The user's new spec; None removes a field."""

    def edit(obj: JsonObject) -> None:
        known = cast(JsonObject, obj["spec"])
        obj["spec"] = {name: value for name, value in {**known, **spec}.items() if value is not None}

    await edited(kube, DEPLOYMENTS, namespace, edit)


Edit = Callable[[JsonObject], None]
HANDS: list[tuple[str, ResourceType, Edit]] = [
    ("a budget that lets none go", DISRUPTION_BUDGETS, put("spec", "maxUnavailable", value=0)),
    ("a budget without our label", DISRUPTION_BUDGETS, put("metadata", "labels", MANAGED_BY_LABEL)),
    ("a policy that lets everything out", NETWORK_POLICIES, put("spec", "egress", value=[{}])),
    ("a policy that lets nobody in", NETWORK_POLICIES, put("spec", "ingress", value=[])),
    ("another host", INGRESSES, put("spec", "rules", 0, "host", value="evil.example.org")),
    ("another class", INGRESSES, put("spec", "ingressClassName", value="theirs")),
    ("no annotation of the user's", INGRESSES, put("metadata", "annotations", "example.org/team")),
]
OPTIONAL_HANDS: list[tuple[str, ResourceType, Edit]] = [
    ("another host", HTTP_ROUTES, put("spec", "hostnames", value=["evil.example.org"])),
    ("another backend", HTTP_ROUTES, put("spec", "rules", 0, "backendRefs", 0, "name", value="theirs")),
    ("another port", POD_MONITORS, put("spec", "podMetricsEndpoints", 0, "port", value="http")),
    ("other Pods", POD_MONITORS, put("spec", "selector", "matchLabels", value={"app": "theirs"})),
]


async def check_repairs(
    kube: KubeClient, namespace: str, operator: Operator, hands: list[tuple[str, ResourceType, Edit]]
) -> None:
    """Whatever another hand does to a child is put right; and then nothing is left to write."""
    good = {type_: essence(await kube.get(type_, namespace, NAME)) for _, type_, _ in hands}
    for what, type_, edit in hands:
        await edited(kube, type_, namespace, edit)

        async def repaired(type_: ResourceType = type_) -> bool:
            return essence(await kube.get(type_, namespace, NAME)) == good[type_]

        try:
            await eventually(repaired, 15, operator.log)
        except pytest.fail.Exception as error:
            pytest.fail(f"{what}: {error}", pytrace=False)
    operator.end()
    await operator.ready()
    await asyncio.sleep(2)
    written = [line for line in operator.metrics() if "requests_total" in line and 'verb="apply"' in line]
    assert written == [], "a restart asks for no write, not even for one that would change nothing"


async def test_the_ways_are_made_repaired_and_removed(kube: KubeClient, namespace: str, operator: Operator) -> None:
    await operator.ready()
    async with SimulatedKubelet(kube):
        await serve(kube, namespace, route=ROUTE)
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 60, operator.log)
        for type_ in (SERVICES, DISRUPTION_BUDGETS, NETWORK_POLICIES, INGRESSES):
            assert await exists(kube, type_, namespace), type_.kind
        assert await says(kube, namespace, "Routed") == "RoutePending"
        address: JsonObject = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
        await kube.patch_status(INGRESSES, namespace, NAME, address)

        async def accepted() -> bool:
            return await says(kube, namespace, "Routed") == "RouteAccepted"

        await eventually(accepted, 10, operator.log)
        await check_repairs(kube, namespace, operator, HANDS)
        await change(kube, namespace, route=None)

        async def gone() -> bool:
            return not await exists(kube, INGRESSES, namespace)

        async def silent() -> bool:
            return await says(kube, namespace, "Routed") == ""

        await eventually(gone, 10, operator.log)
        await eventually(silent, 10, operator.log)
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 10, operator.log)
        # The server decides what a node's drain may take.
        budget = cast(JsonObject, await kube.get(DISRUPTION_BUDGETS, namespace, NAME))

        async def may_go() -> bool:
            status = cast(JsonObject, cast(JsonObject, await kube.get(DISRUPTION_BUDGETS, namespace, NAME))["status"])
            return status.get("disruptionsAllowed") == 1

        assert cast(JsonObject, budget["spec"])["maxUnavailable"] == 1
        await eventually(may_go, 20, operator.log)


@pytest.fixture
async def no_optional_kinds(kube: KubeClient) -> AsyncIterator[None]:
    """An API server without them, also afterwards."""
    await remove_definitions(kube)
    yield
    await remove_definitions(kube)


async def remove_definitions(kube: KubeClient) -> None:
    """The cluster no longer has the optional kinds."""
    for type_ in OPTIONAL:
        name = f"{type_.plural}.{type_.group}"
        try:
            await kube.delete(DEFINITIONS, None, name, None)
        except NotFound:
            continue

    async def all_gone() -> bool:
        return not any([await kube.is_discovered(type_) for type_ in OPTIONAL])

    await eventually(all_gone, 30)


@pytest.mark.usefixtures("no_optional_kinds")
async def test_a_kind_may_come_and_go_while_the_operator_runs(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    await operator.ready()
    async with SimulatedKubelet(kube):
        await serve(kube, namespace, route=GATEWAY)

        async def lacks() -> bool:
            try:
                return await says(kube, namespace) == "RouteKindMissing"
            except NotFound:
                return False

        await eventually(lacks, 60, operator.log)
        for type_ in OPTIONAL:
            await kube.create(DEFINITIONS, None, definition(type_))

        async def made() -> bool:
            return all([await exists(kube, type_, namespace) for type_ in OPTIONAL])

        await eventually(made, LATER_S, operator.log)

        async def pending() -> bool:
            return await says(kube, namespace) == "RoutePending"

        await eventually(pending, 10, operator.log)
        route = await kube.get(HTTP_ROUTES, namespace, NAME)
        accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
        accepted |= {
            "observedGeneration": route["metadata"].get("generation"),
            "lastTransitionTime": "2026-05-01T12:00:00Z",
        }
        parent = {"parentRef": {"name": "public", "sectionName": "https"}, "controllerName": "example.org/gateway"}
        parent |= {"conditions": [accepted]}
        await kube.patch_status(HTTP_ROUTES, namespace, NAME, {"status": {"parents": [parent]}})
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 10, operator.log)
        assert await says(kube, namespace, "Routed") == "RouteAccepted"
        await check_repairs(kube, namespace, operator, OPTIONAL_HANDS)
        await remove_definitions(kube)
        await eventually(lacks, LATER_S, operator.log)
        assert operator.answers("/healthz")
        assert condition(await kube.get(DEPLOYMENTS, namespace, NAME), "Available")["status"] == "True"
        assert lint(cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME))) == []


async def test_a_secret_that_is_lacking_is_told_by_the_kubelets_event(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    await operator.ready()
    async with SimulatedKubelet(kube, servers=False):
        await serve(kube, namespace, server={"tls": {"secretName": "flights-tls"}})
        found: list[JsonObject] = []

        async def started() -> bool:
            pods = (await kube.page(PODS, namespace)).items
            found[:] = [
                cast(JsonObject, pod) for pod in pods if pod["metadata"].get("labels", {})[STEP_LABEL] == STABLE.step
            ]
            return bool(found)

        await eventually(started, 60, operator.log)
        metadata = cast(dict[str, str], found[-1]["metadata"])
        creating = {"name": "server", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
        creating |= {"state": {"waiting": {"reason": "ContainerCreating"}}}
        status: JsonObject = {"status": {"phase": "Pending", "containerStatuses": [creating]}}
        await kube.patch_status(PODS, namespace, metadata["name"], status)
        event: JsonObject = {
            "metadata": {"name": f"{metadata['name']}.1", "namespace": namespace},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, **{
                name: metadata[name] for name in ("name", "uid")
            }},
            "type": "Warning",
            "reason": "FailedMount",
            "message": 'MountVolume.SetUp failed for volume "tls" : secret "flights-tls" not found',
        }  # fmt: skip
        await kube.create(EVENTS, namespace, event)

        async def told() -> bool:
            return await says(kube, namespace) == "SecretNotFound"

        await eventually(told, 10, operator.log)
        words = condition(await kube.get(DEPLOYMENTS, namespace, NAME), "Ready")["message"]
        assert 'secret "flights-tls" not found; create what is lacking' in words
