"""A Deployment whose servers cannot start: what Ready says, when a person is called, and who answers meanwhile."""

from datetime import timedelta

import pytest

from pure import samples
from pure.served import LIVE, ME, image_of, serving, stable, version
from pure.world import World

REFUSED = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


def server(*, init: bool = False, **container: object) -> dict[str, object]:
    """A server Pod's status with one container."""
    field = "initContainerStatuses" if init else "containerStatuses"
    return {"phase": "Running", field: [{"name": "model" if init else "server", "ready": False, **container}]}


def pulling() -> dict[str, object]:
    """A server Pod whose image is not there."""
    return server(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})


TROUBLE = [
    pytest.param(
        server(lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), "OutOfMemory",
        "Pod server: the server was killed at its memory limit; raise", id="killed at its limit",
    ),
    pytest.param(
        server(state={"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=3,
               lastState={"terminated": {"exitCode": 1, "message": "loading\nmodel.skops: type os.system"}}),
        "CrashLoop", "Pod server: the server ended with exit code 1: model.skops: type os.system", id="crash loop",
    ),
    pytest.param(pulling(), "ImagePullFailed", "Pod server: container server: no such image; check", id="no image"),
    pytest.param(
        server(init=True, state={"waiting": {"reason": "ErrImagePull", "message": "no such image"}}),
        "ImagePullFailed", "Pod server: container model: no such image; check", id="no model image to copy from",
    ),
    pytest.param(
        {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient memory."}]},
        "Unschedulable", "Pod server: 0/1 nodes: Insufficient memory; lower", id="no node",
    ),
    pytest.param(
        server(state={"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}}),
        "SecretNotFound", 'Pod server: container server: secret "s" not found; create', id="no Secret",
    ),
    pytest.param(server(state={"running": {}}), "RollingOut", "0 of 1 Pods", id="just slow"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "reason", "words"), TROUBLE)
def test_what_keeps_servers_from_being_ready(status: dict[str, object], reason: str, words: str) -> None:
    world = World()
    version(world, "v1")
    world.apply(samples.deployment())
    world.settle()
    world.server_pod("late-flights", status)
    world.settle()
    assert world.ready(*ME) == ("False", reason)
    assert world.said(*ME).startswith(words)
    assert world.holds(*ME, "Reconciling")
    assert "url" not in world.objects[ME]["status"] or not world.objects[ME]["status"]["url"]
    world.pass_time(minutes=1)
    world.settle()
    assert world.holds(*ME, "Stalled") is (reason not in ("RollingOut", "SecretNotFound"))
    world.objects.pop(("Pod", "server"))
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")


@pytest.mark.parametrize(("status", "reason", "words"), TROUBLE)
def test_a_new_latest_that_cannot_start_leaves_the_old_one_answering(
    status: dict[str, object], reason: str, words: str
) -> None:
    world = serving()
    version(world, "v2")
    world.settle()
    world.server_pod("late-flights", status)
    live = world.objects[LIVE]["status"]
    live.update(observedGeneration=2, updatedReplicas=1, replicas=2)
    world.settle()
    assert world.ready(*ME) == ("True", "Serving"), "the change is not the user's"
    assert world.holds(*ME, "Progressing")
    assert world.decide(*ME).requeue_after == timedelta(minutes=1)
    world.pass_time(minutes=1)
    world.settle()
    assert world.holds(*ME, "Stalled") is (reason not in ("RollingOut", "SecretNotFound"))
    assert world.ready(*ME) == (("False", reason) if reason != "RollingOut" else ("True", "Serving"))
    if reason != "RollingOut":
        assert world.said(*ME).startswith(words)
    assert world.holds(*ME, "Available")
    assert stable(world) == "v1"


def test_a_server_that_ends_once_after_a_long_time_is_no_crash_loop() -> None:
    world = serving()
    world.server_pod("late-flights", {"phase": "Running"})
    world.pass_time(days=3)
    ended = {"exitCode": 1, "message": "a bug", "finishedAt": f"{world.now:%Y-%m-%dT%H:%M:%SZ}"}
    world.server_pod("late-flights", server(state={"running": {}}, lastState={"terminated": ended}, restartCount=1))
    world.roll_out("late-flights", ready=0)
    world.settle()
    assert world.ready(*ME) == ("False", "CrashLoop")
    assert world.holds(*ME, "Reconciling")
    world.pass_time(minutes=1)
    world.settle()
    assert world.holds(*ME, "Stalled")


def test_a_secret_that_cannot_be_mounted_is_told_by_its_event() -> None:
    world = World()
    version(world, "v1")
    world.apply(samples.deployment(server={"tls": {"secretName": "flights-tls"}}))
    world.settle()
    world.server_pod("late-flights", server(state={"waiting": {"reason": "ContainerCreating"}}))
    world.refusals[world.objects["Pod", "server"]["metadata"]["uid"]] = (
        'MountVolume.SetUp failed for volume "tls" : secret "flights-tls" not found'
    )
    world.settle()
    assert world.ready(*ME) == ("False", "SecretNotFound")
    assert 'secret "flights-tls" not found; create what is lacking' in world.said(*ME)
    assert [event.reason for id_, event in world.events if id_ == ME][-1] == "SecretNotFound"
    world.refusals.clear()
    world.objects.pop(("Pod", "server"))
    world.chain()
    assert world.objects[ME]["status"]["url"] == "https://late-flights.team.svc.cluster.local"


@pytest.mark.parametrize(
    ("condition", "reason", "words"),
    [
        pytest.param(REFUSED, "PodNotCreated", "exceeded quota: small; raise the quota, or lower", id="a quota"),
        pytest.param(LATE, "ProgressDeadlineExceeded", "the new Pods run, but none becomes ready", id="never ready"),
    ],
)
def test_what_the_deployment_controller_refuses_or_gives_up(condition: dict[str, str], reason: str, words: str) -> None:
    world = World()
    version(world, "v1")
    world.apply(samples.deployment())
    world.settle()
    world.objects[LIVE]["status"] = {"conditions": [condition], "observedGeneration": 1}
    world.settle()
    assert world.ready(*ME) == ("False", reason)
    assert world.said(*ME).startswith(words)
    world.pass_time(minutes=1)
    world.settle()
    assert world.holds(*ME, "Stalled")


def test_a_spec_that_asks_too_much_leaves_the_last_good_one_answering() -> None:
    world = serving()
    world.edit(*ME, server={"resources": {"requests": {"memory": "1Ti"}}})
    world.settle()
    world.objects[LIVE]["status"].update(observedGeneration=2, replicas=2, updatedReplicas=1)
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient memory."}
    world.server_pod("late-flights", {"phase": "Pending", "conditions": [condition]})
    world.settle()
    assert world.ready(*ME) == ("False", "Unschedulable")
    assert world.holds(*ME, "Available")
    assert stable(world) == "v1"
    assert world.objects[ME]["status"]["url"]
    assert image_of(world) == "r.test/v1@sha256:1"
