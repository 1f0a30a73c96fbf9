"""Approval and revocation with the operator under the chart's own rights and policies, on a real API server."""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
import yaml
from kubernetes import client

from api.approval_place import GROUP, RBAC, no
from api.asking import DATASETS, DEPLOYMENTS, RUNS, VERSIONS, condition, edited, manifest, versions
from api.policies import APPLY, MERGE, Person, expect, installed
from chart.rendering import JsonObject, of_kind, render
from conditions_lint import lint
from modelwright.children.role import STABLE
from modelwright.kube import KubeClient, NotFound
from modelwright.names import STEP_LABEL
from modelwright.resources import APPS_DEPLOYMENTS, EVENTS, PODS
from operator_process import Operator, eventually
from pure import samples
from simulated_kubelet import SimulatedKubelet

NAME, SYSTEM = "late-flights", "modelwright-system"


@pytest.fixture
def ana(api_server: client.ApiClient, namespace: str) -> Iterator[Person]:
    """A person who may approve in the namespace, where policies and roles are in force."""
    administrator = Person(api_server)
    with installed(administrator):
        binding = {
            "metadata": {"name": "ana"},
            "roleRef": {**GROUP, "kind": "ClusterRole", "name": "modelwright-approver"},
            "subjects": [{**GROUP, "kind": "User", "name": "ana"}],
        }
        expect(administrator.ask("POST", f"{RBAC}/{namespace}/rolebindings", binding))
        yield Person(api_server, "ana")


@pytest.fixture
def asking_operator(
    ana: Person, tmp_path: Path, kubeconfig: str, namespace: str, unused_tcp_port: int
) -> Iterator[Operator]:
    """The operator under its own service account, whose policy asks for approval."""
    administrator = Person(ana.api)
    administrator.ask("POST", "/api/v1/namespaces", {"metadata": {"name": SYSTEM}})
    account = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts"
    administrator.ask("POST", account, {"metadata": {"name": "modelwright"}})
    for obj in of_kind(render(), "Role", "RoleBinding"):
        obj["metadata"]["namespace"] = namespace
        path = f"{RBAC}/{namespace}/{obj['kind'].lower()}s/{obj['metadata']['name']}"
        expect(administrator.ask("PATCH", path, obj, APPLY))
    token = expect(administrator.ask("POST", f"{account}/modelwright/token", {"spec": {"expirationSeconds": 3600}}))
    own = tmp_path / "kubeconfig"
    own.write_text(as_account(kubeconfig, token["status"]["token"]))
    config = samples.config(policy={"namespaces": {namespace: {"approval": "required"}}})
    operator = Operator(tmp_path, str(own), namespace, unused_tcp_port, config=config)
    yield operator
    operator.end(signal.SIGKILL)


def as_account(kubeconfig: str, token: str) -> str:
    """The kubeconfig with a token instead of the administrator's certificate."""
    whole = yaml.safe_load(Path(kubeconfig).read_text())
    for user in whole["users"]:
        user["user"] = {"token": token}
    return yaml.safe_dump(whole)


Question = Callable[[], Awaitable[bool]]


def says(kube: KubeClient, namespace: str, ready: str, reason: str) -> Question:
    """Whether the Deployment's Ready says this."""

    async def asked() -> bool:
        found = await kube.get(DEPLOYMENTS, namespace, NAME)
        assert lint(cast(JsonObject, found)) == []
        return (condition(found, "Ready").get("status"), condition(found, "Ready").get("reason")) == (ready, reason)

    return asked


def serves(kube: KubeClient, namespace: str, version: str, history: list[str]) -> Question:
    """Whether this version is served, and the history gives these reasons, newest first."""

    async def asked() -> bool:
        status = cast(JsonObject, await kube.get(DEPLOYMENTS, namespace, NAME)).get("status", {})
        stable = status.get("stable", {})
        reasons = [record["reason"] for record in status.get("history", [])]
        return (stable.get("version"), stable.get("revokedAt"), reasons) == (version, None, history)

    return asked


async def offered(kube: KubeClient, namespace: str) -> str:
    """The name of the version that waits for approval, once there is one."""
    names: list[str] = []

    async def asked() -> bool:
        found = (await kube.page(VERSIONS, namespace)).items
        waiting = [one for one in found if condition(one, "Approved").get("reason") == "AwaitingApproval"]
        names[:] = [one["metadata"]["name"] for one in waiting]
        return bool(names)

    await eventually(asked, 30)
    return names[0]


async def word_of(kube: KubeClient, namespace: str, name: str) -> JsonObject:
    """The patch that the version's own condition tells to write, in Ana's name."""
    message = condition(await kube.get(VERSIONS, namespace, name), "Approved")["message"]
    patch = message.partition("--patch '")[2].partition("'")[0]
    return cast(JsonObject, json.loads(patch.replace("YOUR USER NAME", "ana")))


async def chain(kube: KubeClient, namespace: str, **spec: object) -> None:
    """Makes the whole chain."""
    for type_, made in (
        (DATASETS, samples.dataset()),
        (RUNS, samples.training_run()),
        (DEPLOYMENTS, samples.deployment(**spec)),
    ):
        await kube.create(type_, namespace, manifest(made, namespace))


async def train_again(kube: KubeClient, namespace: str) -> None:
    """Another run, and so a newer version: which one is newer is told by the second of its creation."""
    await asyncio.sleep(1)
    await edited(kube, RUNS, namespace, lambda obj: cast(JsonObject, obj["spec"]).update(seed=9))


async def test_only_approved_versions_are_served_and_revoked_ones_are_taken_back(
    kube: KubeClient, namespace: str, ana: Person, asking_operator: Operator
) -> None:
    operator, log = asking_operator, asking_operator.log

    def say(name: str, patch: JsonObject) -> None:
        expect(ana.ask("PATCH", VERSIONS.path(namespace, name), patch, MERGE))

    await operator.ready()
    async with SimulatedKubelet(kube):
        await chain(kube, namespace)
        first = await offered(kube, namespace)
        await eventually(says(kube, namespace, "False", "AwaitingApproval"), 30, log)
        say(first, await word_of(kube, namespace, first))
        await eventually(serves(kube, namespace, first, ["NewVersion"]), 30, log)
        await eventually(says(kube, namespace, "True", "Serving"), 30, log)

        await train_again(kube, namespace)
        second = await offered(kube, namespace)
        assert await says(kube, namespace, "True", "Serving")()
        say(second, await word_of(kube, namespace, second))
        await eventually(serves(kube, namespace, second, ["NewVersion"] * 2), 30, log)

        # Revoked while nobody watches.
        operator.end(signal.SIGKILL)
        say(second, {"spec": {"approval": no("ana")}})
        await operator.ready()
        back = ["ApprovalRevoked", "NewVersion", "NewVersion"]
        await eventually(serves(kube, namespace, first, back), 30, log)
        await eventually(says(kube, namespace, "True", "Serving"), 30, log)

        say(first, {"spec": {"approval": None}})
        await eventually(says(kube, namespace, "False", "ApprovalRevoked"), 30, log)

        async def ended() -> bool:
            try:
                await kube.get(APPS_DEPLOYMENTS, namespace, NAME)
            except NotFound:
                return True
            return False

        await eventually(ended, 30, log)
        await asyncio.sleep(2)
        before = await versions(kube, namespace)
        operator.end()
        await operator.ready()
        await asyncio.sleep(2)
        assert await versions(kube, namespace) == before, "a restart writes nothing while nothing may be served"

        say(first, await word_of(kube, namespace, first))
        await eventually(serves(kube, namespace, first, ["ApprovedAgain", *back]), 30, log)
        await eventually(says(kube, namespace, "True", "Serving"), 30, log)

    told = {
        (str(event["type"]), str(event["reason"]))
        for event in cast(list[JsonObject], (await kube.page(EVENTS, namespace)).items)
        if event["involvedObject"]["kind"] in ("ModelVersion", "Deployment")
    }
    assert {
        ("Warning", "AwaitingApproval"),
        ("Normal", "Approved"),
        ("Warning", "ApprovalRevoked"),
    } <= told
    record = cast(JsonObject, await kube.get(VERSIONS, namespace, second))["status"]["approval"]
    assert (record["by"], record["policy"], "until" in record) == ("ana", "", True)
    for item in (await kube.page(VERSIONS, namespace)).items:
        assert lint(cast(JsonObject, item)) == []


async def test_a_revoked_version_ends_in_time_though_its_successor_does_not_start(
    kube: KubeClient, namespace: str, ana: Person, asking_operator: Operator
) -> None:
    operator, log, seen = asking_operator, asking_operator.log, list[set[str]]()

    async def images() -> set[str]:
        pods = cast(list[JsonObject], (await kube.page(PODS, namespace)).items)
        serving = (pod for pod in pods if pod["metadata"]["labels"].get(STEP_LABEL) == STABLE.step)
        return {pod["spec"]["containers"][0]["image"] for pod in serving}

    await operator.ready()
    async with SimulatedKubelet(kube):
        await chain(kube, namespace, server={"startupDeadline": "6s"}, scaling={"minReplicas": 2})
        for history in (["NewVersion"], ["NewVersion"] * 2):
            name = await offered(kube, namespace)
            expect(ana.ask("PATCH", VERSIONS.path(namespace, name), await word_of(kube, namespace, name), MERGE))
            await eventually(serves(kube, namespace, name, history), 30, log)
            seen.append(await images())
            await train_again(kube, namespace)
    good, bad = seen
    # From here on no Pod becomes ready.
    expect(ana.ask("PATCH", VERSIONS.path(namespace, name), {"spec": {"approval": no("ana")}}, MERGE))

    async def both() -> bool:
        return await images() == good | bad

    async def ended() -> bool:
        return await images() == good

    await eventually(both, 5, log)
    began = time.monotonic()
    await eventually(ended, 20, log)
    assert time.monotonic() - began > 3, "it answers on while its successor may still come"

    async def unavailable() -> bool:
        found = await kube.get(DEPLOYMENTS, namespace, NAME)
        assert lint(cast(JsonObject, found)) == []
        return condition(found, "Available")["status"] == "False"

    await eventually(unavailable, 10, log)
