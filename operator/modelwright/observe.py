"""What a step's Job and its Pod say, as one of a few plain facts.

A Pod's terminated container is believed at once: the Job's own `Complete` comes some two seconds later. Of a failed
init container only what the kubelet wrote counts (its exit code and reason), and its text is quoted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelwright.conditions import moment
from modelwright.objects import AppsDeployment, ContainerStatus, Job, Pod, Terminated, Waiting

POD_GRACE = timedelta(seconds=15)
"""How long a Job may be without a Pod before that is worth a word."""

MODEL_LOADER = "check"
"""The container that loads a model: whatever it writes is quoted, never believed."""


@dataclass(frozen=True, slots=True)
class Starting:
    """The Pod is on its way; `reason` and `message` say where it is, `since` when the Job was made."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """The Pod does not start until something outside of it changes; the kubelet keeps trying."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Running:
    """The container works."""

    started_at: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The main container ended by itself with exit code 0 or a told failure; `text` is its termination message."""

    text: str
    finished_at: str


@dataclass(frozen=True, slots=True)
class Died:
    """The Pod ended without its worker having had the word."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """The Job is finished but its Pod, and with it the summary, is gone."""


Observation = Starting | Blocked | Running | Ended | Died | Vanished

_WAITING = {
    "ErrImagePull": "ImagePullFailed",
    "ImagePullBackOff": "ImagePullFailed",
    "ErrImageNeverPull": "ImagePullFailed",
    "RegistryUnavailable": "ImagePullFailed",
    "InvalidImageName": "ImageInvalid",
    "CreateContainerError": "ContainerCreateFailed",
    "RunContainerError": "ContainerCreateFailed",
}


def job(job: Job, pods: tuple[Pod, ...], now: datetime) -> Observation:
    """What a Job and its Pods (oldest first) amount to."""
    if pods:
        seen = pod(pods[-1])
        if seen is not None:
            return seen
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] == "Failed" and condition["status"] == "True":
            reason = "DeadlineExceeded" if condition.get("reason") == "DeadlineExceeded" else "Crashed"
            return Died(reason, condition.get("message", "the Job failed"))
        if condition["type"] == "Complete" and condition["status"] == "True":
            return Vanished()
    name = job["metadata"]["name"]
    if not pods and now - moment(job["metadata"]["creationTimestamp"]) > POD_GRACE:
        return Blocked("PodNotCreated", f"Job {name} has no Pod; `kubectl describe job {name}` quotes the refusal")
    return Starting("PodPending", f"Job {name} waits for its Pod")


def pod(pod: Pod) -> Observation | None:
    """What one Pod says, or None while it is being taken away and only its Job can tell."""
    status = pod.get("status", {})
    inits = status.get("initContainerStatuses", [])
    mains = status.get("containerStatuses", [])
    for container in (*inits, *mains):
        terminated = container.get("state", {}).get("terminated")
        if terminated is None or (container in inits and terminated.get("exitCode", 0) == 0):
            continue
        if (
            "deletionTimestamp" in pod["metadata"]
            and terminated.get("exitCode", 0) != 0
            and not _told(container, terminated)
        ):
            return None
        return _ended(container, terminated, pod)
    if "deletionTimestamp" in pod["metadata"]:
        return None
    if status.get("phase") == "Failed":
        return Died(
            "Evicted" if status.get("reason") == "Evicted" else "Crashed",
            status.get("message") or status.get("reason") or "the Pod failed before a container ran",
        )
    for container in (*inits, *mains):
        waiting = container.get("state", {}).get("waiting")
        if waiting is not None and (blocked := _blocked(container, waiting)):
            return blocked
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Blocked("Unschedulable", f"Pod {pod['metadata']['name']}: {condition.get('message', '')}")
    for container in (*inits, *mains):
        running = container.get("state", {}).get("running")
        if running is not None:
            return Running(running.get("startedAt", ""))
    return Starting("PodInitializing", f"Pod {pod['metadata']['name']} is starting")


def _blocked(container: ContainerStatus, waiting: Waiting) -> Blocked | None:
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    where = f"container {container['name']}: {message or reason}"
    if reason == "CreateContainerConfigError":
        if "secret" in message:
            return Blocked("SecretNotFound", where)
        return Blocked("ConfigMapNotFound" if "configmap" in message else "ContainerCreateFailed", where)
    told = _WAITING.get(reason)
    return Blocked(told, where) if told else None


def _told(container: ContainerStatus, terminated: Terminated) -> bool:
    return container["name"] != MODEL_LOADER and terminated.get("message", "").lstrip().startswith("{")


def _ended(container: ContainerStatus, terminated: Terminated, pod: Pod) -> Observation:
    text = terminated.get("message", "")
    if terminated.get("reason") == "OOMKilled":
        return Died("OutOfMemory", f"container {container['name']} was killed at its memory limit")
    if _told(container, terminated):
        return Ended(text, terminated.get("finishedAt", ""))
    if terminated.get("exitCode", 0) == 0:
        return Died("Crashed", f"container {container['name']} ended without a result")
    if pod.get("status", {}).get("reason") == "Evicted":
        return Died("Evicted", pod.get("status", {}).get("message", "the node evicted the Pod"))
    reason = "ModelCheckFailed" if container["name"] == MODEL_LOADER and terminated.get("exitCode") == 1 else "Crashed"
    words = text.strip().splitlines()[-1] if text.strip() else "it left no message"
    return Died(reason, f"container {container['name']} ended with exit code {terminated.get('exitCode')}: {words}")


def serving_trouble(pods: tuple[Pod, ...]) -> tuple[str, str] | None:
    """The first thing, newest Pod first, that keeps a server from being ready and will not pass by itself."""
    for pod in sorted(pods, key=lambda p: p["metadata"]["creationTimestamp"], reverse=True):
        if "deletionTimestamp" in pod["metadata"]:
            continue
        name, status = pod["metadata"]["name"], pod.get("status", {})
        for container in status.get("containerStatuses", []):
            state, last = container.get("state", {}), container.get("lastState", {})
            waiting = state.get("waiting", {})
            if blocked := _blocked(container, waiting):
                return blocked.reason, f"Pod {name}: {blocked.message}"
            ended = state.get("terminated") or last.get("terminated")
            if ended is not None and not container.get("ready", False):
                if ended.get("reason") == "OOMKilled":
                    return "OutOfMemory", f"Pod {name}: the server was killed at its memory limit"
                words = (ended.get("message", "").strip().splitlines() or ["it left no message"])[-1]
                return "CrashLoop", f"Pod {name}: the server ended with exit code {ended.get('exitCode')}: {words}"
        for condition in status.get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return "Unschedulable", f"Pod {name}: {condition.get('message', '')}"
    return None


def replica_failure(deployment: AppsDeployment) -> str | None:
    """Why Kubernetes refuses to create the Pods of an apps/v1 Deployment."""
    for condition in deployment.get("status", {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return condition.get("message", "Kubernetes refuses to create the Pods")
    return None
