"""What keeps servers from being ready, as one fact and its remedy: what the kubelet, the scheduler and Events say."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from modelwright.objects import AppsDeployment, ContainerStatus, Pod, Terminated
from modelwright.observe import Blocked, blocked

PERSISTENT_RESTARTS: Final = 3
"""From so many restarts on, a server that ends has trouble since its Pod was made, not since it ended last."""

_CREATING: Final = frozenset({"ContainerCreating", "PodInitializing"})
_MISSING: Final = re.compile(r"(secret|configmap) .*not found|references non-existent (secret|config) key")
_ANY_POD: Final = re.compile(r'^pods "[^"]*" is ')
"""A name that is another one in each try."""
_BY_SIGNAL: Final = frozenset({0, 137, 143})
"""How a server ends that was told to: by itself, by SIGKILL, by SIGTERM."""
_ENDED: Final = (
    "the kubelet ends a server that is not ready within spec.server.startupDeadline, or no longer answers its liveness "
    "probe; of another server's image check spec.server.port and spec.server.readiness"
)

_REMEDIES: Final[Mapping[str, str]] = {
    "ImagePullFailed": "check the image's name, that its registry answers the node, and spec.imagePullSecrets",
    "Unschedulable": "lower spec.server.resources.requests, or add nodes",
    "OutOfMemory": "raise spec.server.resources.limits.memory",
    "SecretNotFound": "create what is lacking, or correct the name in spec; the Pod then starts by itself",
    "ProgressDeadlineExceeded": "look at the Pod's log; raise spec.server.startupDeadline where it needs longer; of "
    "another server's image check port and readiness",
}


_REFUSAL_REMEDIES: Final[Mapping[str, str]] = {
    "exceeded quota": "raise the quota, or lower spec.server.resources or spec.scaling",
    "serviceaccount": "create it, or correct spec.serviceAccountName",
}


def of_servers(pods: Iterable[Pod], failed_mounts: Mapping[str, str]) -> Blocked | None:
    """The first thing, newest Pod first, that keeps a server from being ready.

    `failed_mounts` says of a Pod, by its UID, why a volume could not be mounted last.
    """
    for pod in sorted(pods, key=lambda p: p["metadata"]["creationTimestamp"], reverse=True):
        if "deletionTimestamp" not in pod["metadata"] and (found := _of_pod(pod, failed_mounts)):
            return replace(found, message=_with_remedy(found.reason, f"Pod {pod['metadata']['name']}: {found.message}"))
    return None


def of_ends(pods: Iterable[Pod], least: int) -> Blocked | None:
    """What a server ended of that has ended at least so often, though it may be ready again by now."""
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", []):
            now = container.get("state", {}).get("terminated")
            last = container.get("lastState", {}).get("terminated")
            times, ended = container.get("restartCount", 0) + (now is not None), now or last
            if container["name"] == "server" and ended is not None and times >= least:
                found = _of_end(container, ended, pod["metadata"]["creationTimestamp"])
                return replace(found, message=f"Pod {pod['metadata']['name']}: {found.message}")
    return None


def of_deployment(deployment: AppsDeployment) -> Blocked | None:
    """Why Kubernetes makes no Pods, or that those that it made do not become ready. It has tried for long enough."""
    since, status = deployment["metadata"]["creationTimestamp"], deployment.get("status", {})
    if status.get("observedGeneration", -1) < deployment["metadata"].get("generation", 0):
        return None
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    refused = conditions.get("ReplicaFailure")
    if refused is not None and refused["status"] == "True":
        words = _ANY_POD.sub("", refused.get("message", "Kubernetes refuses to create the Pods"))
        remedy = next((remedy for sign, remedy in _REFUSAL_REMEDIES.items() if sign in words), None)
        return Blocked("PodNotCreated", _joined(words, remedy), since)
    progress = conditions.get("Progressing")
    if progress is not None and progress.get("reason") == "ProgressDeadlineExceeded":
        words = "the new Pods run, but none becomes ready"
        return Blocked("ProgressDeadlineExceeded", _with_remedy("ProgressDeadlineExceeded", words), since)
    return None


def _of_pod(pod: Pod, failed_mounts: Mapping[str, str]) -> Blocked | None:
    since, status = pod["metadata"]["creationTimestamp"], pod.get("status", {})
    containers = (*status.get("initContainerStatuses", []), *status.get("containerStatuses", []))
    for container in containers:
        if found := _of_container(container, since):
            return found
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Blocked("Unschedulable", condition.get("message", ""), since)
    creating = any(c.get("state", {}).get("waiting", {}).get("reason", "") in _CREATING for c in containers)
    words = failed_mounts.get(pod["metadata"]["uid"]) if creating else None
    return None if words is None else Blocked(_mount_reason(words), words, since)


def _of_container(container: ContainerStatus, since: str) -> Blocked | None:
    state, last = container.get("state", {}), container.get("lastState", {})
    if found := blocked(container, state.get("waiting", {}), since):
        return found
    ended = state.get("terminated") or last.get("terminated")
    if ended is None or container.get("ready", False) or _is_done(container):
        return None
    if container.get("restartCount", 0) < PERSISTENT_RESTARTS:
        since = ended.get("finishedAt") or since
    return _of_end(container, ended, since)


def _of_end(container: ContainerStatus, ended: Terminated, since: str) -> Blocked:
    who = "the server" if container["name"] == "server" else f"container {container['name']}"
    if ended.get("reason") == "OOMKilled":
        return Blocked("OutOfMemory", f"{who} was killed at its memory limit", since)
    return Blocked("CrashLoop", f"{who} ended with exit code {ended.get('exitCode')}: {_last_words(ended)}", since)


def _is_done(container: ContainerStatus) -> bool:
    """Whether it is an init container that did what it is for."""
    terminated = container.get("state", {}).get("terminated")
    return container["name"] != "server" and terminated is not None and terminated.get("exitCode") == 0


def _last_words(ended: Terminated) -> str:
    lines = ended.get("message", "").strip().splitlines()
    words = lines[-1] if lines else "it left no message"
    return f"{words}; {_ENDED}" if ended.get("exitCode") in _BY_SIGNAL else words


def _mount_reason(words: str) -> str:
    if _MISSING.search(words) is None:
        return "MountFailed"
    return "SecretNotFound" if "secret" in words else "ConfigMapNotFound"


def _with_remedy(reason: str, words: str) -> str:
    return _joined(words, _REMEDIES.get(reason))


def _joined(words: str, remedy: str | None) -> str:
    return words if remedy is None else f"{words.strip().rstrip('.')}; {remedy}"
