"""What a step's Job and its Pod say, as one of a few plain facts.

A Pod's terminated container is believed at once: the Job's own `Complete` comes some two seconds later. Of a failed
init container only what the kubelet wrote counts (its exit code and reason), and its text is quoted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelwright.conditions import moment
from modelwright.objects import ContainerStatus, Job, Pod, Terminated, Waiting

POD_GRACE = timedelta(seconds=15)
"""How long a Job may be without a Pod before that is worth a word."""

KILLED = 128
"""Exit codes from here on are the runtime's word for a signal."""

MODEL_LOADER = "check"
"""The container that loads a model: whatever it writes is quoted, never believed."""

MODEL_SERVER = "server"
"""The container that serves a model beside a step. The kubelet starts it again when it ends, and ends it when the step
has ended: its end says nothing of the step.
"""


@dataclass(frozen=True, slots=True)
class Starting:
    """The Pod is on its way; `reason` and `message` say where it is, `since` when the Job was made."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """The Pod does not start until something outside of it changes; Kubernetes has kept trying since `since`."""

    reason: str
    message: str
    since: str


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


@dataclass(frozen=True, slots=True)
class Ending:
    """Kubernetes is taking the Pod away; the Job will tell why once it is gone."""


Observation = Starting | Blocked | Running | Ended | Died | Vanished | Ending

BLOCKED = frozenset(
    {
        "SecretNotFound",
        "ConfigMapNotFound",
        "ContainerCreateFailed",
        "ImagePullFailed",
        "ImageInvalid",
        "Unschedulable",
        "PodNotCreated",
    }
)
"""The reasons that a `Blocked` of a step can have."""

_DECIDED = frozenset({"FailureTarget", "SuccessCriteriaMet"})
"""What a Job's end is called from its decision until its last Pod is gone."""

_WAITING = {
    "ErrImagePull": "ImagePullFailed",
    "ImagePullBackOff": "ImagePullFailed",
    "ErrImageNeverPull": "ImagePullFailed",
    "RegistryUnavailable": "ImagePullFailed",
    "InvalidImageName": "ImageInvalid",
    "CreateContainerError": "ContainerCreateFailed",
    "RunContainerError": "ContainerCreateFailed",
}


def job(job: Job, pods: tuple[Pod, ...], refusal: str | None, now: datetime) -> Observation:
    """What a Job and its Pods (oldest first) amount to; `refusal` is why Kubernetes last refused to make its Pod."""
    if pods:
        seen = pod(pods[-1])
        if seen is not None:
            return seen
    decided = False
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] == "Failed" and condition["status"] == "True":
            reason = "DeadlineExceeded" if condition.get("reason") == "DeadlineExceeded" else "Crashed"
            return Died(reason, condition.get("message", "the Job failed"))
        if condition["type"] == "Complete" and condition["status"] == "True":
            return Vanished()
        if condition["type"] in _DECIDED and condition["status"] == "True":
            decided = True
    if pods or decided:
        return Ending()
    name, since = job["metadata"]["name"], job["metadata"]["creationTimestamp"]
    if refusal is not None:
        return Blocked("PodNotCreated", f"Job {name}: {refusal}", since)
    if now - moment(since) > POD_GRACE:
        return Blocked("PodNotCreated", f"Job {name} has no Pod; `kubectl describe job {name}` may say why", since)
    return Starting("PodPending", f"Job {name} waits for its Pod")


def pod(pod: Pod) -> Observation | None:
    """What one Pod says, or None while it is being taken away and only its Job can tell."""
    status = pod.get("status", {})
    inits = status.get("initContainerStatuses", [])
    mains = status.get("containerStatuses", [])
    for container in (*inits, *mains):
        terminated = container.get("state", {}).get("terminated")
        if terminated is None or (container in inits and _is_passed(container, terminated)):
            continue
        if (
            "deletionTimestamp" in pod["metadata"]
            and terminated.get("exitCode", 0) != 0
            and not _told(container, terminated)
            and not _disrupted(pod)
        ):
            return None
        return _ended(container, terminated, pod)
    if "deletionTimestamp" in pod["metadata"]:
        return None
    if status.get("phase") == "Failed":
        return Died(
            "Evicted" if _disrupted(pod) else "Crashed",
            status.get("message") or status.get("reason") or "the Pod failed before a container ran",
        )
    return _alive(pod, (*inits, *mains))


def _is_passed(container: ContainerStatus, terminated: Terminated) -> bool:
    """Whether the end of an init container is not the Pod's."""
    return terminated.get("exitCode", 0) == 0 or container["name"] == MODEL_SERVER


def _alive(pod: Pod, containers: tuple[ContainerStatus, ...]) -> Observation:
    """What a Pod says of which no container has ended badly, nor the main one well."""
    name, since = pod["metadata"]["name"], pod["metadata"]["creationTimestamp"]
    for container in containers:
        waiting = container.get("state", {}).get("waiting")
        if waiting is not None and (found := blocked(container, waiting, since)):
            return found
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Blocked("Unschedulable", f"Pod {name}: {condition.get('message', '')}", since)
    for container in containers:
        running = container.get("state", {}).get("running")
        if running is not None:
            return Running(running.get("startedAt", ""))
    return Starting("PodInitializing", f"Pod {name} is starting")


def blocked(container: ContainerStatus, waiting: Waiting, since: str) -> Blocked | None:
    """What keeps a waiting container from starting, if it is more than time; `since` when its Pod was made."""
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    where = f"container {container['name']}: {message or reason}"
    if reason == "CreateContainerConfigError":
        if "secret" in message:
            return Blocked("SecretNotFound", where, since)
        return Blocked("ConfigMapNotFound" if "configmap" in message else "ContainerCreateFailed", where, since)
    told = _WAITING.get(reason)
    return Blocked(told, where, since) if told else None


def _disrupted(pod: Pod) -> bool:
    """Whether the Pod was taken away for the node's sake: evicted, preempted or drained."""
    status = pod.get("status", {})
    return status.get("reason") == "Evicted" or any(
        condition["type"] == "DisruptionTarget" and condition["status"] == "True"
        for condition in status.get("conditions", [])
    )


def _told(container: ContainerStatus, terminated: Terminated) -> bool:
    """Whether the worker had the word. Of one that was killed the kubelet quotes the log, whose lines are JSON too."""
    if container["name"] == MODEL_LOADER or terminated.get("exitCode", 0) >= KILLED:
        return False
    return terminated.get("message", "").lstrip().startswith("{")


def _ended(container: ContainerStatus, terminated: Terminated, pod: Pod) -> Observation:
    text = terminated.get("message", "")
    if terminated.get("reason") == "OOMKilled":
        return Died("OutOfMemory", f"container {container['name']} was killed at its memory limit")
    if _told(container, terminated):
        return Ended(text, terminated.get("finishedAt", ""))
    if terminated.get("exitCode", 0) == 0:
        return Died("Crashed", f"container {container['name']} ended without a result")
    if _disrupted(pod):
        return Died("Evicted", pod.get("status", {}).get("message") or "the Pod was taken away for the node's sake")
    reason = "ModelCheckFailed" if container["name"] == MODEL_LOADER and terminated.get("exitCode") == 1 else "Crashed"
    words = text.strip().splitlines()[-1] if text.strip() else "it left no message"
    return Died(reason, f"container {container['name']} ended with exit code {terminated.get('exitCode')}: {words}")
