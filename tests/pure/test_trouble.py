"""What keeps servers from being ready: each way in which a cluster says no, as one fact with its remedy."""

from typing import cast

import pytest

from modelwright import trouble
from modelwright.objects import AppsDeployment, Pod
from modelwright.observe import Blocked

MADE, LATER = "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"
PULL = "check the image's name, that its registry answers the node, and spec.imagePullSecrets"
SECRET = "create what is lacking, or correct the name in spec; the Pod then starts by itself"
TOLD_TO_END = (
    "it left no message; the kubelet ends a server that is not ready within spec.server.startupDeadline, or no longer "
    "answers its liveness probe; of another server's image check spec.server.port and spec.server.readiness"
)


def pod(*containers: dict[str, object], name: str = "p", made: str = MADE, **more: object) -> Pod:
    """A Pod with these containers, those of the name `model` being init containers."""
    metadata = {"name": name, "namespace": "team", "uid": name, "creationTimestamp": made}
    metadata |= {"deletionTimestamp": made} if more.pop("deleting", False) else {}
    status = {
        "containerStatuses": [one for one in containers if one["name"] != "model"],
        "initContainerStatuses": [one for one in containers if one["name"] == "model"],
        **more,
    }
    return cast(Pod, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status})


def waiting(reason: str, message: str = "", name: str = "server") -> dict[str, object]:
    """A container that does not run yet."""
    return {"name": name, "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}


def ended(code: int, message: str = "", *, restarts: int = 1, name: str = "server", **more: str) -> dict[str, object]:
    """A container that ended and runs again."""
    last = {"exitCode": code, "message": message, "finishedAt": LATER, **more}
    state = {"running": {}} if name == "server" else {"terminated": last}
    return {"name": name, "ready": False, "restartCount": restarts, "state": state, "lastState": {"terminated": last}}


def looping(code: int, message: str) -> dict[str, object]:
    """A container that is held back after it ended."""
    found = ended(code, message, restarts=4)
    return {**found, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}}


UNSCHEDULED = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu."}]


@pytest.mark.parametrize(
    ("pods", "found"),
    [
        pytest.param([], None, id="no Pod"),
        pytest.param([pod(ended(1), deleting=True)], None, id="one that is going"),
        pytest.param([pod({**ended(1), "ready": True})], None, id="one that crashed once and is ready"),
        pytest.param([pod(waiting("ContainerCreating"))], None, id="one that is just starting"),
        pytest.param(
            [pod(ended(0, name="model"), {"name": "server", "ready": False, "state": {"running": {}}})], None,
            id="one whose model is copied and that loads it",
        ),
        pytest.param(
            [pod(waiting("ErrImagePull", "no such image"))],
            Blocked("ImagePullFailed", f"Pod p: container server: no such image; {PULL}", MADE),
            id="an image that cannot be pulled",
        ),
        pytest.param(
            [pod(waiting("ImagePullBackOff", "no such image", "model"), waiting("PodInitializing"))],
            Blocked("ImagePullFailed", f"Pod p: container model: no such image; {PULL}", MADE),
            id="a model's image that cannot be pulled to be copied from",
        ),
        pytest.param(
            [pod(waiting("InvalidImageName", "bad reference"))],
            Blocked("ImageInvalid", "Pod p: container server: bad reference", MADE), id="an image name that is none",
        ),
        pytest.param(
            [pod(waiting("CreateContainerError", "failed to mount image volume"))],
            Blocked("ContainerCreateFailed", "Pod p: container server: failed to mount image volume", MADE),
            id="a node without image volumes",
        ),
        pytest.param(
            [pod(waiting("CreateContainerConfigError", 'secret "s" not found'))],
            Blocked("SecretNotFound", f'Pod p: container server: secret "s" not found; {SECRET}', MADE),
            id="a Secret of the environment",
        ),
        pytest.param(
            [pod(ended(1, "reading\nbad model"))],
            Blocked("CrashLoop", "Pod p: the server ended with exit code 1: bad model", LATER), id="one that crashed",
        ),
        pytest.param(
            [pod(looping(1, "bad model"))],
            Blocked("CrashLoop", "Pod p: the server ended with exit code 1: bad model", MADE), id="a crash loop",
        ),
        pytest.param(
            [pod(ended(137))],
            Blocked("CrashLoop", f"Pod p: the server ended with exit code 137: {TOLD_TO_END}", LATER),
            id="one that the kubelet ended",
        ),
        pytest.param(
            [pod(ended(143, "listening"))],
            Blocked("CrashLoop", f"Pod p: the server ended with exit code 143: {TOLD_TO_END}".replace(
                "it left no message", "listening"), LATER),
            id="one that the kubelet ended after it had said something",
        ),
        pytest.param(
            [pod(ended(2))],
            Blocked("CrashLoop", "Pod p: the server ended with exit code 2: it left no message", LATER),
            id="one without a word",
        ),
        pytest.param(
            [pod(ended(1, "no space left", name="model"), waiting("PodInitializing"))],
            Blocked("CrashLoop", "Pod p: container model ended with exit code 1: no space left", LATER),
            id="a model that cannot be copied",
        ),
        pytest.param(
            [pod(ended(137, reason="OOMKilled", restarts=5))],
            Blocked("OutOfMemory", "Pod p: the server was killed at its memory limit; raise "
                    "spec.server.resources.limits.memory", MADE),
            id="one that takes too much memory",
        ),
        pytest.param(
            [pod(conditions=UNSCHEDULED)],
            Blocked("Unschedulable", "Pod p: 0/1 nodes: Insufficient cpu; lower spec.server.resources.requests, or add "
                    "nodes", MADE),
            id="one that no node takes",
        ),
        pytest.param(
            [pod(ended(1, "old"), name="old"), pod(ended(1, "new"), name="new", made=LATER)],
            Blocked("CrashLoop", "Pod new: the server ended with exit code 1: new", LATER), id="the newest first",
        ),
    ],
)  # fmt: skip
def test_what_keeps_a_server_from_being_ready(pods: list[Pod], found: Blocked | None) -> None:
    assert trouble.of_servers(pods, {}) == found


@pytest.mark.parametrize(
    ("words", "reason", "told"),
    [
        pytest.param(
            'MountVolume.SetUp failed for volume "tls" : secret "s" not found', "SecretNotFound",
            f'Pod p: MountVolume.SetUp failed for volume "tls" : secret "s" not found; {SECRET}', id="no Secret",
        ),
        pytest.param(
            'MountVolume.SetUp failed for volume "tls" : references non-existent secret key: tls.crt', "SecretNotFound",
            f'Pod p: MountVolume.SetUp failed for volume "tls" : references non-existent secret key: tls.crt; {SECRET}',
            id="no such key",
        ),
        pytest.param(
            'MountVolume.SetUp failed for volume "m" : configmap "c" not found', "ConfigMapNotFound",
            'Pod p: MountVolume.SetUp failed for volume "m" : configmap "c" not found', id="no ConfigMap",
        ),
        pytest.param(
            'MountVolume.SetUp failed for volume "tls" : failed to sync secret cache: timed out', "MountFailed",
            'Pod p: MountVolume.SetUp failed for volume "tls" : failed to sync secret cache: timed out',
            id="a kubelet that cannot look",
        ),
    ],
)  # fmt: skip
def test_a_volume_that_cannot_be_mounted(words: str, reason: str, told: str) -> None:
    creating = pod(waiting("ContainerCreating"))
    assert trouble.of_servers([creating], {"p": words}) == Blocked(reason, told, MADE)
    running = pod({"name": "server", "ready": False, "state": {"running": {}}})
    assert trouble.of_servers([running], {"p": words}) is None, "what was said before it ran is over"
    assert trouble.of_servers([creating], {"another": words}) is None


def deployment(*conditions: dict[str, str], observed: int = 2) -> AppsDeployment:
    """An apps/v1 Deployment of generation 2."""
    metadata = {"name": "d", "namespace": "team", "uid": "d", "creationTimestamp": MADE, "generation": 2}
    status = {"conditions": list(conditions), "observedGeneration": observed}
    return cast(AppsDeployment, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "status": status})


QUOTA = {"type": "ReplicaFailure", "status": "True", "message": 'pods "d-x" is forbidden: exceeded quota: small.'}
ACCOUNT = {"type": "ReplicaFailure", "status": "True", "message": 'error looking up service account team/robot: '
           'serviceaccount "robot" not found'}  # fmt: skip
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}


@pytest.mark.parametrize(
    ("live", "reason", "words"),
    [
        pytest.param(deployment(), "", "", id="nothing"),
        pytest.param(deployment({"type": "ReplicaFailure", "status": "False"}), "", "", id="not so"),
        pytest.param(deployment(QUOTA, observed=1), "", "", id="of the generation before"),
        pytest.param(
            deployment(QUOTA), "PodNotCreated", "forbidden: exceeded quota: small; raise the quota, or "
            "lower spec.server.resources or spec.scaling", id="a quota",
        ),
        pytest.param(
            deployment(ACCOUNT), "PodNotCreated", 'error looking up service account team/robot: serviceaccount "robot" '
            "not found; create it, or correct spec.serviceAccountName", id="no service account",
        ),
        pytest.param(
            deployment({"type": "ReplicaFailure", "status": "True"}), "PodNotCreated",
            "Kubernetes refuses to create the Pods", id="without a word",
        ),
        pytest.param(
            deployment(LATE), "ProgressDeadlineExceeded", "the new Pods run, but none becomes ready; look at the Pod's "
            "log; raise spec.server.startupDeadline where it needs longer; of another server's image check port and "
            "readiness", id="never ready",
        ),
    ],
)  # fmt: skip
def test_what_the_deployment_controller_says(live: AppsDeployment, reason: str, words: str) -> None:
    found = trouble.of_deployment(live)
    assert found == (Blocked(reason, words, MADE) if reason else None)
