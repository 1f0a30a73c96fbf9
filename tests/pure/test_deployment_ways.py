"""The ways to a Deployment's servers: which children it has for which spec, and what the condition Routed says."""

from typing import Any, cast

import pytest

from modelwright.view import Cluster
from pure import samples
from pure.served import LIVE, ME, serving, stable, version
from pure.world import World

EVERYTHING = Cluster(frozenset({"HTTPRoute", "PodMonitor"}), image_volumes=True)
ALWAYS = {"apps/Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}
HOST = {"host": "models.example.org"}
GATEWAY = {**HOST, "gatewayRef": {"name": "public", "namespace": "gateways"}}
OTHER = {"image": "mlserver:1.7"}
ROUTE = ("HTTPRoute", "late-flights")


def children(world: World) -> set[str]:
    """The kinds of the Deployment's children that are there."""
    return {kind for kind, _ in world.objects if kind in {*ALWAYS, "Ingress", "HTTPRoute", "PodMonitor"}}


@pytest.mark.parametrize(
    ("cluster", "config", "spec", "more"),
    [
        pytest.param(Cluster(), {}, {}, set(), id="a plain one in a plain cluster"),
        pytest.param(EVERYTHING, {}, {}, {"PodMonitor"}, id="a monitor where there is the kind"),
        pytest.param(
            EVERYTHING, {"serving": {"podMonitor": {"enabled": False}}}, {}, set(), id="no monitor where it is off"
        ),
        pytest.param(EVERYTHING, {}, {"server": OTHER}, set(), id="no monitor of another server without metrics"),
        pytest.param(
            EVERYTHING, {}, {"server": {**OTHER, "metrics": {}}}, {"PodMonitor"}, id="a monitor of another server"
        ),
        pytest.param(EVERYTHING, {}, {"route": HOST}, {"PodMonitor", "Ingress"}, id="a route by an Ingress"),
        pytest.param(Cluster(), {}, {"route": GATEWAY}, set(), id="no HTTPRoute where there is no such kind"),
    ],
)  # fmt: skip
def test_which_children_there_are(
    cluster: Cluster, config: dict[str, object], spec: dict[str, object], more: set[str]
) -> None:
    world = World(samples.config(**config))
    world.cluster = cluster
    version(world, "v1")
    world.apply(samples.deployment(**spec))
    world.settle()
    assert children(world) == ALWAYS | more


def test_without_network_policies_there_is_none_and_an_old_one_goes() -> None:
    world = serving()
    assert "NetworkPolicy" in children(world)
    world.config = samples.config(serving={"networkPolicy": {"enabled": False}})
    world.settle()
    assert "NetworkPolicy" not in children(world)


def test_a_monitor_comes_with_its_kind_and_needs_no_deletion_when_that_goes() -> None:
    world = serving()
    world.cluster = EVERYTHING
    world.settle()
    assert "PodMonitor" in children(world)
    world.objects.pop(("PodMonitor", "late-flights"))
    world.cluster = Cluster()
    world.settle()
    assert children(world) == ALWAYS
    assert world.ready(*ME) == ("True", "Serving")


def test_an_ingress_is_told_of_and_decides_nothing() -> None:
    world = serving(route={**HOST, "ingressClassName": "nginx"})
    assert world.ready(*ME) == ("True", "Serving")
    assert not world.holds(*ME, "Routed")
    assert world.said(*ME, "Routed") == (
        "no ingress controller of class nginx has given Ingress late-flights an address yet; check that one runs"
    )
    world.objects["Ingress", "late-flights"]["status"] = {"loadBalancer": {"ingress": [{"ip": "10.1.2.3"}]}}
    world.settle()
    assert world.holds(*ME, "Routed")
    assert world.said(*ME, "Routed") == "models.example.org is served by the ingress controller at 10.1.2.3"
    world.edit(*ME, route=HOST)
    world.chain()
    ingress = world.objects["Ingress", "late-flights"]["spec"]
    assert "ingressClassName" not in ingress


def test_a_route_that_is_no_longer_wanted_goes_with_its_condition() -> None:
    world = serving(route=HOST)
    world.apply(samples.deployment())
    world.chain()
    assert children(world) == ALWAYS
    assert world.get(*ME).status.condition("Routed") is None


def gatewayed() -> World:
    """A world whose Deployment names a Gateway, with all servers ready."""
    world = World()
    world.cluster = EVERYTHING
    version(world, "v1")
    world.apply(samples.deployment(route=GATEWAY))
    world.settle()
    world.roll_out("late-flights")
    world.settle()
    return world


def answer(world: World, *conditions: dict[str, object], gateway: str = "public", **more: str) -> None:
    """What a Gateway's controller says of the route now."""
    route: dict[str, Any] = world.objects[ROUTE]
    reference = {"name": gateway, "namespace": "gateways", **more}
    generation = cast(int, route["metadata"]["generation"])
    said = [{"observedGeneration": generation, "lastTransitionTime": "2026-05-01T12:00:01Z", **c} for c in conditions]
    route["status"] = {"parents": [{"parentRef": reference, "controllerName": "x", "conditions": said}]}


ACCEPTED: dict[str, object] = {"type": "Accepted", "status": "True", "reason": "Accepted"}
RESOLVED: dict[str, object] = {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs"}
REJECTED: dict[str, object] = {
    "type": "Accepted", "status": "False", "reason": "NotAllowedByListeners", "message": "namespace team may not.",
}  # fmt: skip


def test_a_gateway_decides_when_it_is_ready() -> None:
    world = gatewayed()
    assert world.ready(*ME) == ("False", "RoutePending")
    assert world.holds(*ME, "Reconciling")
    assert world.holds(*ME, "Available")
    assert stable(world) == "v1"
    answer(world, ACCEPTED, RESOLVED)
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")
    assert world.said(*ME, "Routed") == "Gateway gateways/public routes to it"
    assert world.decide(*ME).requeue_after is None


@pytest.mark.parametrize(
    ("conditions", "gateway", "reason", "words"),
    [
        pytest.param([], "public", "RoutePending", "no controller has taken the HTTPRoute for", id="nothing yet"),
        pytest.param(
            [ACCEPTED], "former", "RoutePending", "no controller has taken the HTTPRoute for", id="of another Gateway"
        ),
        pytest.param(
            [ACCEPTED | {"observedGeneration": 0}], "public", "RoutePending",
            "no controller has taken the HTTPRoute for", id="of an earlier route",
        ),
        pytest.param(
            [REJECTED, RESOLVED], "public", "RouteRejected",
            "Gateway gateways/public: Accepted is False, NotAllowedByListeners: namespace team may not", id="refused",
        ),
        pytest.param(
            [ACCEPTED, RESOLVED | {"status": "False", "reason": "BackendNotFound"}], "public", "RouteRejected",
            "Gateway gateways/public: ResolvedRefs is False, BackendNotFound", id="taken, but without a backend",
        ),
    ],
)  # fmt: skip
def test_a_route_that_is_not_taken_calls_a_person_after_a_while(
    conditions: list[dict[str, object]], gateway: str, reason: str, words: str
) -> None:
    world = gatewayed()
    answer(world, *conditions, gateway=gateway)
    world.settle()
    assert world.ready(*ME) == ("False", reason)
    assert world.said(*ME).startswith(words)
    assert world.said(*ME, "Routed") == world.said(*ME)
    assert world.holds(*ME, "Reconciling")
    world.pass_time(minutes=2)
    world.settle()
    assert world.holds(*ME, "Stalled")
    assert world.holds(*ME, "Available")
    answer(world, ACCEPTED, RESOLVED)
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")


def test_a_gateway_in_a_cluster_without_its_kind_is_told_and_heals_with_the_kind() -> None:
    world = serving()
    world.pass_time(minutes=5)
    world.edit(*ME, route=GATEWAY)
    world.settle()
    world.roll_out("late-flights")
    world.settle()
    assert world.ready(*ME) == ("False", "RouteKindMissing")
    assert world.said(*ME) == (
        "the cluster has no HTTPRoute; install the Gateway API, or write spec.route.ingressClassName instead of "
        "gatewayRef"
    )
    assert world.holds(*ME, "Stalled")
    assert world.holds(*ME, "Available")
    world.cluster = EVERYTHING
    world.settle()
    answer(world, ACCEPTED, RESOLVED)
    world.settle()
    assert world.ready(*ME) == ("True", "Serving")


def test_callers_who_move_to_a_gateway_keep_the_ingress_until_they_can() -> None:
    world = serving(route=HOST)
    world.cluster = EVERYTHING
    world.edit(*ME, route=GATEWAY)
    world.settle()
    assert children(world) >= {"Ingress", "HTTPRoute"}
    answer(world, ACCEPTED, RESOLVED)
    world.settle()
    assert "Ingress" not in children(world)


def volumes(world: World) -> dict[str, str]:
    """The volumes of the servers' Pods by name, and of which kind each is."""
    spec = world.objects[LIVE]["spec"]["template"]["spec"]
    return {one["name"]: next(key for key in one if key != "name") for one in spec["volumes"]}


@pytest.mark.parametrize(
    ("can", "configured", "how"),
    [
        pytest.param(True, "auto", "image", id="mounted where the cluster can"),
        pytest.param(False, "auto", "emptyDir", id="copied where it cannot"),
        pytest.param(True, "copy", "emptyDir", id="copied where the configuration says so"),
        pytest.param(False, "image", "image", id="mounted where the configuration says so"),
    ],
)
def test_how_another_server_gets_the_model(can: bool, configured: str, how: str) -> None:
    world = World(samples.config(serving={"modelVolume": configured}))
    world.cluster = Cluster(image_volumes=can)
    version(world, "v1")
    world.apply(samples.deployment(server=OTHER))
    world.chain()
    assert volumes(world)["model"] == how
    assert world.ready(*ME) == ("True", "Serving")


def test_what_copies_goes_on_copying_when_the_control_plane_is_upgraded() -> None:
    world = World()
    version(world, "v1")
    world.apply(samples.deployment(server=OTHER))
    world.chain()
    before = world.objects[LIVE]["spec"]
    world.cluster = EVERYTHING
    world.chain()
    assert world.objects[LIVE]["spec"] == before
    version(world, "v2")
    world.chain()
    assert volumes(world)["model"] == "emptyDir"
    assert stable(world) == "v2", "the version is known though the server's image is the same"


def test_a_foreign_ingress_of_the_same_name_is_never_adopted() -> None:
    world = serving()
    world.apply({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "late-flights"},
                 "spec": {}})  # fmt: skip
    world.edit(*ME, route=HOST)
    world.settle()
    assert world.ready(*ME) == ("False", "NameTaken")
    assert world.objects["Ingress", "late-flights"]["spec"] == {}
    assert world.holds(*ME, "Available")
