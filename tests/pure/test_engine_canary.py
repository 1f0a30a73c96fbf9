"""What the engine writes for a canary's sake: Pods that are touched, and a ConfigMap that nobody turns back."""

import re
from dataclasses import replace
from typing import cast

import pytest

from modelwright import metrics
from modelwright.kube import ApiError, error_of
from modelwright.names import ROUTING_ANNOTATION
from modelwright.objects import KubeObject
from modelwright.plan import Child, Event, JsonObject, Plan, Ref, Touch
from modelwright.queue import Done, Retry
from modelwright.resources import PODS, ROUTINGS, SERVICES
from pure.cluster_objects import obj
from pure.engine_bench import READY, SERVICE, Bench, owned

POD = Ref("Pod", "n", "a-pod", "uid-pod-a-pod")
TOUCH = Touch(POD, {ROUTING_ANNOTATION: "7"})


def pod(bench: Bench, **metadata: object) -> KubeObject:
    """A Pod in the API server and in the cache."""
    return bench.add(PODS, obj("Pod", "a-pod", "v1", metadata=metadata))


def annotations(bench: Bench) -> object:
    """Those of the Pod."""
    return cast(JsonObject, bench.kube.objects[PODS, "n", "a-pod"]["metadata"]).get("annotations")


async def test_a_touched_pod_keeps_what_else_it_has_and_the_next_pass_sees_it() -> None:
    bench = Bench(Plan(dict(READY), children=(SERVICE,), touches=(TOUCH,)))
    pod(bench, annotations={"somebody": "else"})
    assert await bench.process() == Done(None)
    assert annotations(bench) == {"somebody": "else", ROUTING_ANNOTATION: "7"}
    assert [write[0] for write in bench.kube.written()] == ["apply", "overwrite", "status"], "children first"
    known = bench.cache.child(PODS, "n", "a-pod")
    assert known is not None
    assert known["metadata"].get("annotations") == {ROUTING_ANNOTATION: "7"}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(error_of(403, "Forbidden", "pods is forbidden"), id="it is forbidden"),
        pytest.param(error_of(404, "NotFound", "pods a-pod not found"), id="it is gone"),
        pytest.param(error_of(503, "Unavailable", "later"), id="the API server is away"),
    ],
)
async def test_a_pod_that_cannot_be_touched_stops_nothing(error: ApiError) -> None:
    bench = Bench(Plan(dict(READY), touches=(TOUCH,)))
    pod(bench)
    bench.kube.fails["overwrite", "Pod"] = error
    assert await bench.process() == Done(None)
    assert bench.status() == READY


async def test_the_successor_of_a_pod_is_not_touched() -> None:
    bench = Bench(Plan(dict(READY), touches=(replace(TOUCH, pod=replace(POD, uid="the one before")),)))
    pod(bench)
    assert await bench.process() == Done(None)
    assert annotations(bench) is None


async def test_nothing_is_touched_where_a_child_was_refused() -> None:
    bench = Bench(Plan(dict(READY), children=(SERVICE,), touches=(TOUCH,)))
    pod(bench)
    bench.kube.put(SERVICES, cast(JsonObject, obj("Service", "a", "v1")))
    assert await bench.process() == Retry()
    assert annotations(bench) is None


def routing(weight: str, only_onto: str | None) -> Child:
    """A ConfigMap of ours."""
    return Child(owned("ConfigMap", "a-routing", "v1", data={"routing.json": weight}), "apply", only_onto=only_onto)


async def test_what_was_seen_is_changed_and_what_was_not_is_left_alone() -> None:
    bench = Bench(Plan(dict(READY), children=(routing("0.1", None),)))
    await bench.process()
    seen = bench.cache.child(ROUTINGS, "n", "a-routing")
    assert seen is not None
    version = seen["metadata"].get("resourceVersion")
    bench.plan = Plan(dict(READY), children=(routing("0.5", version),))
    assert await bench.process() == Done(None)
    bench.kube.written()
    bench.plan = Plan(dict(READY) | {"late": True}, children=(routing("0.1", version),))
    assert await bench.process() == Retry()
    assert bench.kube.objects[ROUTINGS, "n", "a-routing"]["data"] == {"routing.json": "0.5"}
    assert bench.kube.written() == [("apply", "ConfigMap", "a-routing")], "nothing else of that plan counts either"


async def test_verdicts_are_counted_once() -> None:
    bench = Bench(Plan(dict(READY), events=(Event("Warning", "RolloutRejected", "it failed"),)))
    before = counted()
    bench.kube.fails["status", "Dataset"] = error_of(500, "Internal", "no")
    with pytest.raises(ApiError):
        await bench.process()
    await bench.process()
    assert counted() == before + 1


def counted() -> float:
    """What the metric says."""
    found = re.search(r'modelwright_events_total\{.*reason="RolloutRejected".*\} (\S+)', metrics.exposition().decode())
    return float(found[1]) if found else 0.0
