"""How many servers a Deployment has, who decides it, and what the condition Autoscaled says."""

from typing import Any, cast

import pytest

from modelwright.plan import Child
from pure import samples
from pure.served import LIVE, ME, serving, stable, version
from pure.world import World

HPA = ("HorizontalPodAutoscaler", "late-flights")
ONE_TO_TEN = {"maxReplicas": 10}


def servers(world: World) -> int:
    """How many servers should run, by what Kubernetes has."""
    return int(world.objects[LIVE]["spec"]["replicas"])


def counts(world: World) -> tuple[int, int]:
    """How many servers should run and how many are ready, by status."""
    told = world.objects[ME]["status"]["stable"]
    return told["replicas"], told["readyReplicas"]


def scale(world: World, replicas: int) -> None:
    """Another hand, such as the autoscaler's."""
    live = world.objects[LIVE]
    live["spec"]["replicas"] = replicas
    live["metadata"]["generation"] += 1


def measure(world: World, status: str = "True", reason: str = "ValidMetricFound", message: str = "") -> None:
    """What the autoscaling controller says now."""
    able = {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "recommended"}
    active = {"type": "ScalingActive", "status": status, "reason": reason, "message": message}
    world.objects[HPA]["status"] = {"conditions": [able, active], "currentReplicas": 1, "desiredReplicas": 1}


def apps_deployment(world: World) -> Child:
    """The servers, as the next pass wants them."""
    return next(child for child in world.decide(*ME).children if child.manifest["kind"] == "Deployment")


@pytest.mark.parametrize(
    ("scaling", "there"),
    [
        pytest.param({}, False, id="one server"),
        pytest.param({"minReplicas": 3}, False, id="as many as said"),
        pytest.param({"minReplicas": 3, "maxReplicas": 3, "target": 60}, False, id="no more than always run"),
        pytest.param(ONE_TO_TEN, True, id="up to ten"),
    ],
)
def test_an_autoscaler_is_there_where_there_is_something_to_decide(scaling: dict[str, Any], there: bool) -> None:
    world = serving(scaling=scaling)
    assert (HPA in world.objects) is there
    assert (world.get(*ME).status.condition("Autoscaled") is not None) is there
    assert servers(world) == scaling.get("minReplicas", 1)


def test_what_the_autoscaler_decides_stays_and_is_told() -> None:
    world = serving(scaling=ONE_TO_TEN)
    measure(world)
    world.settle()
    assert world.said(*ME, "Autoscaled") == "1 to 10 servers, by cpu at 80 %"
    assert world.holds(*ME, "Autoscaled")
    scale(world, 6)
    world.settle()
    assert servers(world) == 6
    assert world.ready(*ME) == ("True", "Serving")
    assert counts(world) == (6, 1)
    world.chain()
    assert counts(world) == (6, 6)
    assert world.said(*ME) == "6 of v1 at http://late-flights.team.svc.cluster.local"
    version(world, "v2")
    world.chain()
    assert stable(world) == "v2"
    assert servers(world) == 6, "a new version starts with as many servers as the old one had"


def test_servers_that_another_hand_took_away_come_back() -> None:
    world = serving(scaling={"minReplicas": 2, "maxReplicas": 10})
    scale(world, 0)
    world.settle()
    assert servers(world) == 2, "an autoscaler leaves none at none"


def test_without_an_autoscaler_the_number_is_the_specs() -> None:
    world = serving(scaling={"minReplicas": 2})
    scale(world, 5)
    assert cast(dict[str, int], world.decide(*ME).status["stable"])["replicas"] == 2
    world.settle()
    assert servers(world) == 2


def test_an_autoscaler_starts_from_the_present_number() -> None:
    world = serving(scaling={"minReplicas": 3})
    world.edit(*ME, scaling=ONE_TO_TEN)
    world.settle()
    assert servers(world) == 3
    assert HPA in world.objects
    assert world.ready(*ME) == ("True", "Serving")


def test_without_its_autoscaler_there_are_as_many_as_always_run_and_never_two_scale() -> None:
    world = serving(scaling=ONE_TO_TEN)
    scale(world, 6)
    world.chain()
    world.edit(*ME, scaling={"minReplicas": 2})
    world.linger = True
    world.settle()
    assert "deletionTimestamp" in world.objects[HPA]["metadata"]
    assert servers(world) == 6, "the autoscaler is still there"
    assert apps_deployment(world).autoscaled
    assert world.ready(*ME) == ("False", "RollingOut")
    world.collect()
    world.settle()
    assert servers(world) == 2
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")
    assert world.get(*ME).status.condition("Autoscaled") is None


def test_a_raised_minimum_is_fulfilled_once_the_autoscaler_has_followed() -> None:
    world = serving(scaling=ONE_TO_TEN)
    world.edit(*ME, scaling={"minReplicas": 4, "maxReplicas": 10})
    world.settle()
    assert world.ready(*ME) == ("False", "RollingOut")
    assert world.said(*ME) == "1 of 4 Pods are of v1"
    world.chain()
    assert servers(world) == 4
    assert world.ready(*ME) == ("True", "Serving")


NO_API = "unable to fetch metrics from resource metrics API: the server could not find (get pods.metrics.k8s.io)"


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        pytest.param(
            ("Unknown", "", ""), "AutoscalerPending", "the autoscaler has not measured the servers yet", id="nothing"
        ),
        pytest.param(
            ("False", "FailedGetContainerResourceMetric", NO_API), "MetricsMissing",
            f"{NO_API}; install metrics-server, or mend it; until then the servers stay as many as they are",
            id="no metrics-server",
        ),
        pytest.param(
            ("False", "FailedGetContainerResourceMetric", "did not receive metrics for targeted pods"),
            "AutoscalerPending", "did not receive metrics for targeted pods", id="the first minute",
        ),
        pytest.param(
            ("False", "AmbiguousSelector", "the pods are targeted by others."), "AutoscalerFailed",
            "ScalingActive is False, AmbiguousSelector: the pods are targeted by others", id="two of them",
        ),
    ],
)  # fmt: skip
def test_an_autoscaler_without_a_figure_is_told_and_the_model_stays_ready(
    said: tuple[str, str, str], reason: str, words: str
) -> None:
    world = serving(scaling=ONE_TO_TEN)
    measure(world, *said)
    world.pass_time(minutes=10)
    world.settle()
    condition = world.get(*ME).status.condition("Autoscaled")
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == ("False", reason, words)
    assert world.ready(*ME) == ("True", "Serving")


def test_a_target_without_a_request_calls_a_person_and_serves() -> None:
    config = samples.config(defaults={"serve": {"requests": {"memory": "256Mi"}}})
    world = World(config)
    version(world, "v1")
    world.apply(samples.deployment(scaling=ONE_TO_TEN))
    world.settle()
    world.roll_out("late-flights")
    world.pass_time(minutes=2)
    world.settle()
    assert world.ready(*ME) == ("False", "RequestMissing")
    assert world.holds(*ME, "Stalled")
    assert world.holds(*ME, "Available")
    assert (
        world.said(*ME, "Autoscaled")
        == world.said(*ME)
        == (
            "the target is in percent of the cpu that a server requests, and it requests none; write "
            "spec.server.resources.requests.cpu, or another spec.scaling.metric"
        )
    )
    world.edit(*ME, server={"resources": {"limits": {"cpu": "2"}}})
    world.chain()
    assert world.ready(*ME) == ("True", "Serving"), "the API server takes the limit for the request"
    world.edit(*ME, server={}, scaling={**ONE_TO_TEN, "metric": "memory"})
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")


def test_servers_that_only_the_load_asks_for_may_be_lacking() -> None:
    world = serving(scaling=ONE_TO_TEN)
    measure(world)
    scale(world, 4)
    world.roll_out("late-flights", ready=3)
    full = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: Insufficient cpu."}
    world.server_pod("late-flights", {"phase": "Pending", "conditions": [full]})
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")
    assert world.said(*ME).startswith("3 of 4 servers of v1 at")
    assert world.holds(*ME, "Autoscaled"), "nodes come late"
    assert world.decide(*ME).requeue_after is not None
    world.pass_time(minutes=2)
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")
    assert not world.holds(*ME, "Autoscaled")
    assert world.said(*ME, "Autoscaled") == (
        "3 of 4 servers run: Pod server: 0/3 nodes are available: Insufficient cpu; lower "
        "spec.server.resources.requests, or add nodes; or lower spec.scaling.maxReplicas"
    )
    assert counts(world) == (4, 3)
    world.delete("Pod", "server")
    world.roll_out("late-flights")
    world.settle()
    assert world.holds(*ME, "Autoscaled")


def test_fewer_than_always_run_is_not_ready() -> None:
    world = serving(scaling={"minReplicas": 2, "maxReplicas": 10})
    world.roll_out("late-flights", ready=1)
    full = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available."}
    world.server_pod("late-flights", {"phase": "Pending", "conditions": [full]})
    world.pass_time(minutes=2)
    world.settle()
    assert world.ready(*ME) == ("False", "Unschedulable")


def test_a_users_autoscaler_of_the_same_name_is_never_adopted() -> None:
    world = serving()
    theirs = {"apiVersion": "autoscaling/v2", "kind": HPA[0], "metadata": {"name": HPA[1]}, "spec": {"maxReplicas": 3}}
    world.apply(theirs)
    world.edit(*ME, scaling=ONE_TO_TEN)
    world.settle()
    assert world.ready(*ME) == ("False", "NameTaken")
    assert world.objects[HPA]["spec"] == {"maxReplicas": 3}
    assert world.holds(*ME, "Available")
