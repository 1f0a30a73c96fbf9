"""A Deployment: which version is chosen, who answers meanwhile, and when Ready may be said."""

from datetime import timedelta
from typing import Any

import pytest

from pure import samples
from pure.served import LIVE, ME, image_of, serving, stable, version
from pure.world import World


@pytest.mark.parametrize(
    ("versions", "wanted", "chosen"),
    [
        pytest.param([("v1", {}), ("v2", {})], "latest", "v2", id="latest is the newest"),
        pytest.param([("v2", {}), ("v1", {})], "latest", "v1", id="newest by time, not by name"),
        pytest.param([("v1", {}), ("v2", {"gated": False})], "latest", "v1", id="latest passes over the ungated"),
        pytest.param([("v1", {}), ("v2", {"image": False})], "latest", "v1", id="latest passes over the unpackaged"),
        pytest.param([("v1", {}), ("v2", {"model": "other"})], "latest", "v1", id="latest keeps to its model"),
        pytest.param([("v1", {}), ("v2", {})], "v1", "v1", id="a named version is that version"),
        pytest.param([("v1", {"gated": False})], "v1", "v1", id="a named version need not be gated"),
    ],
)
def test_which_version_is_served(versions: list[tuple[str, dict[str, Any]]], wanted: str, chosen: str) -> None:
    world = World()
    for name, state in versions:
        version(world, name, **state)
    world.apply(samples.deployment(version=wanted))
    world.settle()
    assert image_of(world) == f"r.test/{chosen}@sha256:1"


@pytest.mark.parametrize(
    ("versions", "wanted", "reason", "words"),
    [
        pytest.param(
            [], "latest", "NoVersion",
            "no ModelVersion of model late-flights exists yet; a TrainingRun with spec.output.model late-flights makes "
            "one", id="none at all",
        ),
        pytest.param(
            [("v1", {"image": False})], "latest", "NoVersion", "ModelVersion v1 is not Ready: Packaging",
            id="none that is packaged",
        ),
        pytest.param(
            [("v1", {"gated": False})], "latest", "NoVersion",
            "ModelVersion v1 is packaged, but its gates are not known to hold", id="none that is gated",
        ),
        pytest.param(
            [], "v1", "DependencyNotReady", "ModelVersion v1 does not exist; apply it, or correct spec.model.version",
            id="a named one that is missing",
        ),
        pytest.param(
            [("v1", {"model": "other"})], "v1", "DependencyNotReady",
            "ModelVersion v1 is of model other, not late-flights; correct spec.model", id="one of another model",
        ),
        pytest.param(
            [("v1", {"image": False})], "v1", "DependencyNotReady", "ModelVersion v1 is not Ready: Packaging",
            id="a named one that is not packaged",
        ),
    ],
)  # fmt: skip
def test_without_a_version_it_waits_and_names_what_for(
    versions: list[tuple[str, dict[str, Any]]], wanted: str, reason: str, words: str
) -> None:
    world = World()
    for name, state in versions:
        version(world, name, **state)
    world.apply(samples.deployment(version=wanted))
    world.settle()
    assert world.ready(*ME) == ("False", reason)
    assert world.said(*ME) == words
    assert world.holds(*ME, "Reconciling")
    assert not world.holds(*ME, "Available")
    assert LIVE not in world.objects


def test_it_is_ready_when_every_server_is_and_not_before() -> None:
    world = World()
    version(world, "v1")
    world.apply(samples.deployment(scaling={"minReplicas": 2}))
    world.reconcile(*ME)
    assert world.said(*ME) == "0 of 2 Pods are of v1"
    world.settle()
    assert world.ready(*ME) == ("False", "RollingOut")
    assert not world.holds(*ME, "Available")
    world.roll_out("late-flights", ready=1)
    world.settle()
    assert world.ready(*ME) == ("False", "RollingOut")
    assert world.holds(*ME, "Available")
    assert world.holds(*ME, "Progressing")
    world.roll_out("late-flights")
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")
    assert not world.holds(*ME, "Progressing")
    status = world.objects[ME]["status"]
    assert isinstance(status, dict)
    assert status["url"] == "http://late-flights.team.svc.cluster.local"
    served = {"model": "late-flights", "version": "v1", "image": "r.test/v1@sha256:1"}
    served["modelDigest"] = samples.digest("v1")
    assert status["stable"] == {**served, "replicas": 2, "readyReplicas": 2}
    assert [one["version"] for one in status["history"]] == ["v1"]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"scaling": {"minReplicas": 3}}, id="more replicas"),
        pytest.param({"server": {"env": [{"name": "LOG_LEVEL", "value": "debug"}]}}, id="another environment"),
        pytest.param({"server": {"resources": {"limits": {"memory": "1Gi"}}}}, id="other resources"),
        pytest.param({"serviceAccountName": "robot"}, id="another service account"),
    ],
)
def test_a_changed_spec_is_never_ready_before_its_servers_are(spec: dict[str, object]) -> None:
    world = serving()
    world.edit(*ME, **spec)
    world.reconcile(*ME)
    assert world.ready(*ME) == ("False", "RollingOut")
    assert world.holds(*ME, "Available")
    world.settle()
    assert world.ready(*ME) == ("False", "RollingOut")
    world.roll_out("late-flights")
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")


def test_a_new_latest_is_rolled_out_while_ready_stays() -> None:
    world = serving()
    version(world, "v2")
    world.settle()
    assert image_of(world) == "r.test/v2@sha256:1"
    assert world.ready(*ME) == ("True", "Serving")
    assert world.holds(*ME, "Progressing")
    assert stable(world) == "v1"
    world.roll_out("late-flights")
    world.settle()
    assert stable(world) == "v2"
    assert not world.holds(*ME, "Progressing")
    history = world.objects[ME]["status"]["history"]
    assert [(one["version"], "until" in one) for one in history] == [("v2", False), ("v1", True)]


def test_the_last_version_that_is_deleted_is_served_on() -> None:
    world = serving()
    world.delete("ModelVersion", "v1")
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")
    assert image_of(world) == "r.test/v1@sha256:1"


def test_a_named_version_that_is_deleted_is_served_on() -> None:
    world = serving(version="v1")
    world.delete("ModelVersion", "v1")
    world.edit(*ME, scaling={"minReplicas": 2})
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")


def test_a_version_that_is_being_deleted_is_no_longer_latest() -> None:
    world = World()
    version(world, "v1")
    version(world, "v2")
    world.objects["ModelVersion", "v2"]["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    world.apply(samples.deployment())
    world.settle()
    assert image_of(world) == "r.test/v1@sha256:1"


def test_a_wish_for_a_missing_version_leaves_the_served_one_and_says_so() -> None:
    world = serving()
    world.edit(*ME, model={"name": "late-flights", "version": "v9"})
    world.settle()
    assert world.ready(*ME) == ("False", "DependencyNotReady")
    assert world.said(*ME) == ("ModelVersion v9 does not exist; apply it, or correct spec.model.version; v1 serves on")
    assert world.holds(*ME, "Available")
    assert image_of(world) == "r.test/v1@sha256:1"
    version(world, "v9")
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")
    assert stable(world) == "v9"


def model_of(world: World) -> str:
    """The model's name that the servers are told."""
    env = world.objects[LIVE]["spec"]["template"]["spec"]["containers"][0]["env"]
    return next(str(one["value"]) for one in env if one["name"] == "MODELWRIGHT_MODEL_NAME")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param(
            "latest", "no ModelVersion of model other exists yet; a TrainingRun with spec.output.model other makes "
            "one; v1 serves on", id="the latest one",
        ),
        pytest.param(
            "o1", "ModelVersion o1 does not exist; apply it, or correct spec.model.version; v1 serves on", id="by name"
        ),
        pytest.param(
            "v1", "ModelVersion v1 is of model late-flights, not other; correct spec.model; v1 serves on",
            id="the served one's name",
        ),
    ],
)  # fmt: skip
def test_a_wish_for_another_model_without_versions_leaves_the_served_one_as_it_is(wanted: str, words: str) -> None:
    world = serving()
    before = world.objects[LIVE]["spec"]
    world.edit(*ME, model={"name": "other", "version": wanted})
    world.settle()
    assert world.ready(*ME) == ("False", "DependencyNotReady")
    assert world.said(*ME) == words
    assert all(world.holds(*ME, type_) for type_ in ("Reconciling", "Available"))
    assert world.objects[LIVE]["spec"] == before
    assert world.objects[ME]["status"]["stable"]["model"] == "late-flights"
    if wanted == "v1":
        world.delete("ModelVersion", "v1")
    version(world, "o1" if wanted == "latest" else wanted, model="other")
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")
    assert model_of(world) == "other"
    assert world.objects[ME]["status"]["stable"]["model"] == "other"


def test_back_to_the_model_that_is_served_is_ready_at_once() -> None:
    world = serving()
    world.edit(*ME, model={"name": "other", "version": "latest"})
    world.settle()
    world.edit(*ME, model={"name": "late-flights", "version": "latest"})
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")
    assert [one["version"] for one in world.objects[ME]["status"]["history"]] == ["v1"]


def test_while_servers_are_rolled_out_it_looks_again_and_then_no_more() -> None:
    world = World()
    version(world, "v1")
    world.apply(samples.deployment())
    world.settle()
    assert world.decide(*ME).requeue_after == timedelta(minutes=1)
    world.chain()
    assert world.decide(*ME).requeue_after is None


def test_above_the_ceiling_it_stalls_and_what_serves_serves_on() -> None:
    world = serving()
    world.config = samples.config(ceilings={"memory": "1Gi"})
    world.settle()
    assert world.ready(*ME) == ("False", "ResourcesAboveCeiling")
    assert world.holds(*ME, "Available")
    assert LIVE in world.objects


def test_a_version_lost_in_its_first_rollout_is_told_with_truth_about_who_answers() -> None:
    world = World()
    version(world, "v1")
    world.apply(samples.deployment(scaling={"minReplicas": 2}))
    world.settle()
    world.roll_out("late-flights", ready=1)
    world.delete("ModelVersion", "v1")
    world.settle()
    assert world.ready(*ME) == ("False", "NoVersion")
    assert world.holds(*ME, "Available")


def test_a_foreign_deployment_of_the_same_name_is_never_adopted() -> None:
    world = World()
    version(world, "v1")
    world.apply({"apiVersion": "apps/v1", "kind": "apps/Deployment", "metadata": {"name": "late-flights"}, "spec": {}})
    world.apply(samples.deployment())
    world.settle()
    assert world.ready(*ME) == ("False", "NameTaken")
    assert world.objects[LIVE]["spec"] == {}


def test_a_server_that_is_lost_later_leaves_ready_as_long_as_another_answers() -> None:
    world = serving(scaling={"minReplicas": 2})
    world.roll_out("late-flights", ready=1)
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")
    world.roll_out("late-flights", ready=0)
    world.settle()
    assert world.ready(*ME) == ("False", "ServersNotReady")
    assert world.said(*ME) == "0 of 2 servers of v1 are ready"
    assert world.holds(*ME, "Reconciling")
    assert not world.holds(*ME, "Available")
