"""A kubelet without a node: it ends the Pods of steps with their summaries and makes servers Ready, at once.

Jobs, ReplicaSets and Deployments around them are the real controllers' work.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Self, cast

from modelwright.kube import ApiError, Conflict, Expired, KubeClient, NotFound, Unreachable
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject
from modelwright.resources import PODS
from pure import samples

Outcome = Callable[[Mapping[str, object]], str]
Serve = Callable[[JsonObject], Awaitable[str]]
"""Starts the server of a Pod, and gives its IP address."""


class SimulatedKubelet:
    """Plays every Pod of ours in the cluster; `outcome` gives a step's termination message from its task.

    Without `servers`, it leaves Pods that serve to the test; with `serve`, they have an address.
    """

    def __init__(
        self,
        kube: KubeClient,
        outcome: Outcome = samples.success,
        workers: int = 8,
        servers: bool = True,
        serve: Serve | None = None,
    ) -> None:
        self._kube = kube
        self._outcome = outcome
        self._servers = servers
        self._serve = serve
        self._pods: asyncio.Queue[KubeObject] = asyncio.Queue()
        self._workers = workers
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        page = await self._kube.page(PODS, None)
        for pod in page.items:
            self._pods.put_nowait(pod)
        self._tasks = [asyncio.create_task(self._watch(page.version))]
        self._tasks += [asyncio.create_task(self._work()) for _ in range(self._workers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self, version: str) -> None:
        while True:
            try:
                async for event in self._kube.watch(PODS, None, version):
                    version = event.obj["metadata"].get("resourceVersion", version)
                    if event.type == "ADDED":
                        self._pods.put_nowait(event.obj)
            except Expired:
                version = (await self._kube.page(PODS, None)).version
            except Unreachable:
                await asyncio.sleep(0.2)

    async def _work(self) -> None:
        while True:
            pod = await self._pods.get()
            status = self._play(pod)
            if status is None:
                continue
            if status["phase"] == "Running" and self._serve is not None:
                status["podIP"] = await self._serve(cast(JsonObject, pod))
            metadata = pod["metadata"]
            try:
                await self._kube.patch_status(PODS, metadata["namespace"], metadata["name"], {"status": status})
            except (NotFound, Conflict):
                continue
            except ApiError:
                await asyncio.sleep(0.5)
                self._pods.put_nowait(pod)

    def _play(self, pod: KubeObject) -> JsonObject | None:
        """The status that the Pod comes to, or None where it has it already."""
        body = cast(Mapping[str, Mapping[str, object]], pod)
        if body["status"].get("phase") != "Pending":
            return None
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        containers = cast(list[JsonObject], body["spec"]["containers"])
        names = [str(container["name"]) for container in containers]
        task = _task(containers)
        if task is None and not self._servers:
            return None
        if task is None:
            statuses = [_container(name, {"running": {"startedAt": now}}, ready=True) for name in names]
            ready = [
                {"type": type_, "status": "True", "lastTransitionTime": now} for type_ in ("Ready", "ContainersReady")
            ]
            return {"phase": "Running", "conditions": ready, "containerStatuses": statuses}
        message = self._outcome(task)
        good = json.loads(message)["outcome"] == "succeeded"
        end = {"exitCode": 0 if good else 3, "startedAt": now, "finishedAt": now, "message": message}
        statuses = [_container(name, {"terminated": end}, ready=False) for name in names]
        return {"phase": "Succeeded" if good else "Failed", "containerStatuses": statuses}


def _container(name: str, state: JsonObject, *, ready: bool) -> JsonObject:
    return {"name": name, "image": "x", "imageID": "", "ready": ready, "restartCount": 0, "state": state}


def _task(containers: list[JsonObject]) -> Mapping[str, object] | None:
    for container in containers:
        for variable in cast(list[dict[str, str]], container.get("env") or []):
            if variable["name"] == "MODELWRIGHT_TASK":
                return cast(Mapping[str, object], json.loads(variable["value"]))
    return None
