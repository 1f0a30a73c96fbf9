"""A canary's whole life on a real API server: what the operator writes, and what survives its death."""

import asyncio
import itertools
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from api.asking import DATASETS, DEPLOYMENTS, RUNS, VERSIONS, condition, is_ready, manifest
from chart.rendering import JsonObject
from conditions_lint import lint
from modelwright.kube import KubeClient
from modelwright.resources import APPS_DEPLOYMENTS, ROUTINGS, SERVICES
from operator_process import Operator, eventually
from pure import samples
from simulated_kubelet import SimulatedKubelet
from simulated_servers import SimulatedServers

pytestmark = pytest.mark.timeout(600)

NAME = "late-flights"
FULL = os.environ.get("MODELWRIGHT_TEST_FULL", "") == "1"
SEED = 20261129
KILLS = 25 if FULL else 5
WEIGHTS, PAUSE_S = (20, 50), 2
STEPS = [step for weight in WEIGHTS for step in ({"setWeight": weight}, {"pause": f"{PAUSE_S}s"})]
ROLLOUT = {"strategy": "canary", "steps": STEPS, "analysis": {"window": "1s", "minSamples": 100}}
REPOSITORY = "registry.test/models/late-flights"


def failing(version: str) -> float:
    """Versions are named for how they are."""
    return 0.5 if version.startswith("bad") else 0.0


@pytest.fixture
def operator(tmp_path: Path, kubeconfig: str, namespace: str, unused_tcp_port: int) -> Operator:
    """One that asks servers every second."""
    config = samples.config(serving={"liveFigures": {"duringRollouts": "1s"}})
    return Operator(tmp_path, kubeconfig, namespace, unused_tcp_port, config=config)


@asynccontextmanager
async def served(kube: KubeClient, namespace: str, operator: Operator) -> AsyncIterator[None]:
    """A model behind two servers, which takes new versions by canary."""
    await operator.ready()
    try:
        async with SimulatedServers(kube, failing) as servers, SimulatedKubelet(kube, serve=servers.start):
            spec = {"scaling": {"minReplicas": 2}, "rollout": ROLLOUT}
            for type_, made in (
                (DATASETS, samples.dataset()),
                (RUNS, samples.training_run()),
                (DEPLOYMENTS, samples.deployment(**spec)),
            ):
                await kube.create(type_, namespace, manifest(made, namespace))
            await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 60, operator.log)
            yield
    finally:
        operator.end(signal.SIGKILL)


async def offer(kube: KubeClient, namespace: str, name: str, image: str = "") -> str:
    """A new version as a backup is restored; its image."""
    found = cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME))
    stable = found["status"]["stable"]["version"]
    status = cast(JsonObject, await kube.get(VERSIONS, namespace, stable))["status"]
    # Creation times have whole seconds, and of two in the same second the name decides which is newer.
    await asyncio.sleep(1)
    made = samples.model_version(name, source={"trainingRun": "restored"})
    await kube.create(VERSIONS, namespace, manifest(made, namespace))
    image = image or f"{REPOSITORY}@{samples.digest(name)}"
    restored = {field: status[field] for field in ("signature", "sizes", "lineage") if field in status}
    await kube.patch_status(VERSIONS, namespace, name, {"status": {**restored, "image": image}})
    return image


def ended(kube: KubeClient, namespace: str, version: str, verdict: str) -> Callable[[], Awaitable[bool]]:
    """A question: whether this is the verdict on this version, and nothing is left of its canary."""

    async def asked() -> bool:
        found = cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME))
        assert lint(found) == []
        progress = found.get("status", {}).get("rollout", {})
        if (progress.get("version"), progress.get("verdict")) != (version, verdict):
            return False
        kinds = (APPS_DEPLOYMENTS, SERVICES)
        names = {item["metadata"]["name"] for type_ in kinds for item in (await kube.page(type_, namespace)).items}
        return names == {NAME} and "canary" not in await routing(kube, namespace)

    return asked


async def verdict_on(kube: KubeClient, namespace: str, version: str, verdict: str, operator: Operator) -> None:
    """Waits until this is the verdict and the canary is gone; else tells how far it came."""
    try:
        await eventually(ended(kube, namespace, version, verdict), 120, operator.log)
    except pytest.fail.Exception as late:
        status = cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME))["status"]
        raise AssertionError(json.dumps(status, indent=1)) from late


async def routing(kube: KubeClient, namespace: str) -> JsonObject:
    """What servers are told."""
    found = cast(JsonObject, await kube.get(ROUTINGS, namespace, f"{NAME}-routing"))
    told: JsonObject = json.loads(found["data"]["routing.json"])
    return told


@asynccontextmanager
async def watched(kube: KubeClient, namespace: str) -> AsyncIterator[list[tuple[float, str, int]]]:
    """What servers are told meanwhile: when, of which canary, and its weight in percent."""
    seen: list[tuple[float, str, int]] = []

    async def follow() -> None:
        version = (await kube.page(ROUTINGS, namespace)).version
        while True:
            async for event in kube.watch(ROUTINGS, namespace, version):
                version = event.obj["metadata"].get("resourceVersion", version)
                if event.type != "BOOKMARK":
                    canary = json.loads(cast(JsonObject, event.obj)["data"]["routing.json"]).get("canary", {})
                    weight = int(100 * Decimal(canary.get("weight", "0")))
                    seen.append((time.monotonic(), canary.get("version", ""), weight))

    task = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def end_of(kube: KubeClient, namespace: str) -> JsonObject:
    """What a rollout comes to, whatever the way."""
    status = cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME))["status"]
    said = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    progress = {field: status["rollout"].get(field) for field in ("version", "image", "verdict", "reason", "step")}
    refused = [(one["digest"], one["version"], one["reason"]) for one in status.get("quarantined", [])]
    return {"conditions": said, "rollout": progress, "quarantined": refused, "stable": status["stable"]["version"]}


async def test_a_canary_a_rollback_and_a_restart_touch_nothing_of_the_users(
    kube: KubeClient, namespace: str, operator: Operator
) -> None:
    async with served(kube, namespace, operator):
        before = await of_user(kube, namespace)
        bad = await offer(kube, namespace, "bad-1")
        await verdict_on(kube, namespace, "bad-1", "Rejected", operator)
        found = cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME))
        assert found["status"]["rollout"]["reason"] == "ErrorRate"
        assert condition(found, "Stalled")["status"] == condition(found, "Available")["status"] == "True"
        assert (condition(found, "Ready")["status"], condition(found, "Ready")["reason"]) == (
            "False",
            "RolloutRejected",
        )
        told = await routing(kube, namespace)

        for how in (signal.SIGTERM, signal.SIGKILL):
            operator.end(how)
            await operator.ready()
            await asyncio.sleep(3)
            assert await routing(kube, namespace) == told, "what was taken back is tried again"
        await offer(kube, namespace, "bad-2", image=bad)
        await asyncio.sleep(3)
        assert await routing(kube, namespace) == told, "the same image is tried again"

        await offer(kube, namespace, "good-1")
        await verdict_on(kube, namespace, "good-1", "Promoted", operator)
        await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 30, operator.log)
        assert (await end_of(kube, namespace))["stable"] == "good-1"
        assert await of_user(kube, namespace) == before


async def of_user(kube: KubeClient, namespace: str) -> JsonObject:
    """The Deployment without what is the operator's: its status, and who wrote that."""
    found = cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME))
    metadata = {name: value for name, value in found["metadata"].items() if name != "resourceVersion"}
    metadata["managedFields"] = [one for one in metadata["managedFields"] if one.get("subresource") != "status"]
    return {"metadata": metadata, "spec": found["spec"]}


@pytest.mark.parametrize("version", ["good-1", "bad-1"])
async def test_killed_anywhere_a_rollout_comes_to_the_same_end(
    kube: KubeClient, namespace: str, operator: Operator, version: str
) -> None:
    source = random.Random(f"{SEED} {version}")
    verdict = "Promoted" if version.startswith("good") else "Rejected"
    async with served(kube, namespace, operator), watched(kube, namespace) as told:
        first = (await end_of_stable(kube, namespace)), await offer(kube, namespace, version)
        for _ in range(KILLS):
            await asyncio.sleep(source.uniform(0, 2))
            operator.end(signal.SIGKILL)
            await operator.ready()
        await verdict_on(kube, namespace, version, verdict, operator)
        end = await end_of(kube, namespace)
        assert end["rollout"]["image"] == first[1]
        if verdict == "Promoted":
            await eventually(is_ready(kube, DEPLOYMENTS, namespace, NAME), 30, operator.log)
            assert (await end_of(kube, namespace))["stable"] == version
            assert end["quarantined"] == []
        else:
            assert end["stable"] == first[0]
            assert end["quarantined"] == [(samples.digest(version), version, "ErrorRate")]
    given = [one for one in told if one[1]]
    weights = [weight for _, _, weight in given]
    assert {version for _, version, _ in given} == {version}
    assert weights == list(WEIGHTS[: len(weights)]), weights
    # Times in status have whole seconds.
    assert all(later[0] - earlier[0] >= PAUSE_S - 1 for earlier, later in itertools.pairwise(given))


async def end_of_stable(kube: KubeClient, namespace: str) -> str:
    """The version that serves."""
    found = cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME))
    return str(found["status"]["stable"]["version"])
