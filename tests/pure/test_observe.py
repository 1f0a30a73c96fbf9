"""What a Job and its Pods say, as one fact."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from modelwright import observe
from modelwright.objects import Job, Pod

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
MADE = "2026-05-01T12:00:00Z"


def pod(name: str = "p", *, deleting: bool = False, **status: object) -> Pod:
    """A Pod with this status."""
    metadata = {"name": name, "namespace": "team", "uid": name, "creationTimestamp": MADE}
    metadata |= {"deletionTimestamp": MADE} if deleting else {}
    return cast(Pod, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status})


def job(**status: object) -> Job:
    """A Job made at noon."""
    metadata = {"name": "j", "namespace": "team", "uid": "j", "creationTimestamp": MADE}
    return cast(Job, {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "status": status})


def state(name: str, **state_: object) -> list[dict[str, object]]:
    """One container's status."""
    return [{"name": name, "state": state_}]


def ended(name: str, exit_code: int, message: str = "", **more: object) -> list[dict[str, object]]:
    """One container that ended."""
    return state(name, terminated={"exitCode": exit_code, "message": message, "finishedAt": MADE, **more})


DONE = {"type": "Complete", "status": "True"}
LATE = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}
DECIDED = {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
TOLD = '{"outcome":"failed"}'


@pytest.mark.parametrize(
    ("status", "pods", "after", "seen"),
    [
        pytest.param({}, [], 15, observe.Starting("PodPending", "Job j waits for its Pod"), id="no Pod yet"),
        pytest.param(
            {}, [], 16,
            observe.Blocked("PodNotCreated", "Job j has no Pod; `kubectl describe job j` may say why", MADE),
            id="no Pod for long",
        ),
        pytest.param({"conditions": [DONE]}, [], 60, observe.Vanished(), id="complete, its Pod is gone"),
        pytest.param({"conditions": [LATE]}, [], 60, observe.Died("DeadlineExceeded", "too long"), id="too late"),
        pytest.param(
            {"conditions": [LATE | {"status": "False"}]}, [], 0,
            observe.Starting("PodPending", "Job j waits for its Pod"), id="a condition that is not True says nothing",
        ),
        pytest.param(
            {"conditions": [DONE]}, [pod(containerStatuses=ended("train", 0, "{}"))], 0,
            observe.Ended("{}", MADE), id="the Pod's word is better than the Job's",
        ),
        pytest.param(
            {}, [pod("old", containerStatuses=ended("train", 1)), pod("new", containerStatuses=state(
                "train", running={"startedAt": MADE}))], 0,
            observe.Running(MADE), id="the newest Pod counts",
        ),
        pytest.param(
            {"conditions": [LATE]}, [pod(deleting=True, containerStatuses=ended("train", 143))], 0,
            observe.Died("DeadlineExceeded", "too long"), id="of a Pod that was killed the Job tells why",
        ),
        pytest.param({}, [pod(deleting=True)], 60, observe.Ending(), id="a Pod that is being taken away"),
        pytest.param({"conditions": [DECIDED]}, [pod(deleting=True)], 60, observe.Ending(), id="as the Job decided"),
        pytest.param({"conditions": [DECIDED]}, [], 60, observe.Ending(), id="decided, its Pod is gone"),
        pytest.param(
            {"conditions": [DECIDED, LATE]}, [], 60, observe.Died("DeadlineExceeded", "too long"),
            id="decided and over",
        ),
        pytest.param(
            {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]}, [], 60, observe.Ending(),
            id="a success whose Pod is gone",
        ),
    ],
)  # fmt: skip
def test_what_a_job_amounts_to(
    status: dict[str, object], pods: list[Pod], after: int, seen: observe.Observation
) -> None:
    assert observe.job(job(**status), tuple(pods), None, NOW + timedelta(seconds=after)) == seen


QUOTA = "forbidden: exceeded quota: small"


@pytest.mark.parametrize(
    ("status", "pods", "after", "seen"),
    [
        pytest.param({}, [], 0, observe.Blocked("PodNotCreated", f"Job j: {QUOTA}", MADE), id="at once"),
        pytest.param({}, [], 60, observe.Blocked("PodNotCreated", f"Job j: {QUOTA}", MADE), id="a minute later"),
        pytest.param(
            {}, [pod(containerStatuses=state("train", running={"startedAt": MADE}))], 60, observe.Running(MADE),
            id="a Pod that was made after all counts",
        ),
        pytest.param(
            {}, [pod()], 60, observe.Starting("PodInitializing", "Pod p is starting"), id="a Pod that starts counts",
        ),
        pytest.param(
            {"conditions": [LATE]}, [], 60, observe.Died("DeadlineExceeded", "too long"), id="the Job's end counts",
        ),
    ],
)  # fmt: skip
def test_why_a_job_got_no_pod(
    status: dict[str, object], pods: list[Pod], after: int, seen: observe.Observation
) -> None:
    assert observe.job(job(**status), tuple(pods), QUOTA, NOW + timedelta(seconds=after)) == seen


@pytest.mark.parametrize(
    ("it", "seen"),
    [
        pytest.param(pod(), observe.Starting("PodInitializing", "Pod p is starting"), id="nothing known"),
        pytest.param(
            pod(initContainerStatuses=state("fetch", running={"startedAt": MADE})), observe.Running(MADE),
            id="an init container runs",
        ),
        pytest.param(
            pod(initContainerStatuses=ended("fetch", 0, TOLD), containerStatuses=state(
                "push", waiting={"reason": "PodInitializing"})),
            observe.Starting("PodInitializing", "Pod p is starting"), id="an init container that ended well",
        ),
        pytest.param(
            pod(initContainerStatuses=ended("fetch", 3, TOLD)), observe.Ended(TOLD, MADE), id="fetch tells a failure",
        ),
        pytest.param(
            pod(initContainerStatuses=ended("check", 3, TOLD)),
            observe.Died("Crashed", "container check ended with exit code 3: " + TOLD), id="check is never believed",
        ),
        pytest.param(
            pod(initContainerStatuses=ended("check", 1, "  \n")),
            observe.Died("ModelCheckFailed", "container check ended with exit code 1: it left no message"),
            id="check fails in silence",
        ),
        pytest.param(
            pod(initContainerStatuses=ended("check", 137, TOLD, reason="OOMKilled")),
            observe.Died("OutOfMemory", "container check was killed at its memory limit"), id="check needs more memory",
        ),
        pytest.param(
            pod(containerStatuses=ended("train", 3, "  " + TOLD)), observe.Ended("  " + TOLD, MADE), id="told",
        ),
        pytest.param(
            pod(deleting=True, containerStatuses=ended("train", 3, TOLD)), observe.Ended(TOLD, MADE),
            id="a told failure counts though the Pod is being deleted",
        ),
        pytest.param(pod(deleting=True, containerStatuses=ended("train", 143)), None, id="killed while being deleted"),
        pytest.param(
            pod(deleting=True, containerStatuses=ended("train", 137, '{"step": "train"}')), None,
            id="killed while being deleted, and its log quoted",
        ),
        pytest.param(pod(deleting=True), None, id="being deleted before it ran"),
        pytest.param(
            pod(phase="Failed", reason="Evicted", message="low on disk", containerStatuses=ended("train", 137)),
            observe.Died("Evicted", "low on disk"), id="evicted while it ran",
        ),
        pytest.param(
            pod(phase="Failed", reason="Evicted", message="low on disk"), observe.Died("Evicted", "low on disk"),
            id="evicted before it ran",
        ),
        pytest.param(
            pod(phase="Failed", conditions=[DISRUPTED], containerStatuses=ended("train", 143)),
            observe.Died("Evicted", "the Pod was taken away for the node's sake"), id="drained while it ran",
        ),
        pytest.param(
            pod(phase="Failed", message="preempted", conditions=[DISRUPTED]), observe.Died("Evicted", "preempted"),
            id="preempted before it ran",
        ),
        pytest.param(
            pod(deleting=True, phase="Failed", conditions=[DISRUPTED], containerStatuses=ended("train", 137)),
            observe.Died("Evicted", "the Pod was taken away for the node's sake"),
            id="drained and on its way out, as the eviction API leaves it",
        ),
        pytest.param(
            pod(deleting=True, conditions=[DISRUPTED], containerStatuses=state("train", running={"startedAt": MADE})),
            None, id="to be drained while it still runs",
        ),
        pytest.param(
            pod(phase="Failed", conditions=[DISRUPTED], containerStatuses=ended("train", 3, TOLD)),
            observe.Ended(TOLD, MADE), id="it had told its failure before it was drained",
        ),
        pytest.param(
            pod(phase="Failed", conditions=[DISRUPTED], containerStatuses=ended("train", 137, reason="OOMKilled")),
            observe.Died("OutOfMemory", "container train was killed at its memory limit"),
            id="out of memory before it was drained",
        ),
        pytest.param(
            pod(phase="Failed", conditions=[DISRUPTED | {"status": "False"}], containerStatuses=ended("train", 143)),
            observe.Died("Crashed", "container train ended with exit code 143: it left no message"),
            id="it was to be drained and was not",
        ),
        pytest.param(
            pod(phase="Failed", reason="NodeAffinity"), observe.Died("Crashed", "NodeAffinity"), id="refused by a node",
        ),
        pytest.param(
            pod(phase="Failed"), observe.Died("Crashed", "the Pod failed before a container ran"), id="no reason",
        ),
        pytest.param(
            pod(containerStatuses=state("train", waiting={"reason": "CreateContainerConfigError", "message": "x: no"})),
            observe.Blocked("ContainerCreateFailed", "container train: x: no", MADE), id="another configuration error",
        ),
        pytest.param(
            pod(containerStatuses=state("train", waiting={"reason": "ContainerCreating"})),
            observe.Starting("PodInitializing", "Pod p is starting"), id="being created",
        ),
        pytest.param(
            pod(conditions=[{"type": "PodScheduled", "status": "True"}]),
            observe.Starting("PodInitializing", "Pod p is starting"), id="scheduled",
        ),
    ],
)  # fmt: skip
def test_what_a_pod_says(it: Pod, seen: observe.Observation | None) -> None:
    assert observe.pod(it) == seen
