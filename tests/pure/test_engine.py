"""The engine: what a plan becomes, and what is not written twice."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from modelwright import conditions
from modelwright.api.v1alpha1 import Dataset
from modelwright.kube import ApiError, error_of
from modelwright.names import APPLIED_ANNOTATION
from modelwright.plan import Child, Event, JsonObject, Plan, Ref
from modelwright.queue import Done
from modelwright.resources import APPS_DEPLOYMENTS, JOBS, SERVICES, ResourceType
from modelwright.view import View
from pure.cluster_objects import job, obj
from pure.engine_bench import FACT, JOB, KEY, NOW, READY, SERVED, SERVICE, Bench, owned
from pure.kube_double import Write

FIRST = [
    pytest.param(JOB, [("create", "Job", "a-1")], id="a Job is created"),
    pytest.param(SERVICE, [("apply", "Service", "a")], id="a Service is applied"),
    pytest.param(
        SERVED, [("apply", "Deployment", "a"), ("scale", "Deployment", "a")], id="a Deployment is applied and scaled"
    ),
    pytest.param(FACT, [("create", "ModelVersion", "m-1")], id="a fact is created"),
]


@pytest.mark.parametrize(("child", "writes"), FIRST)
async def test_a_child_is_made_once_and_a_restart_writes_nothing(child: Child, writes: list[object]) -> None:
    bench = Bench(Plan(dict(READY), children=(child,), requeue_after=timedelta(seconds=30)))
    assert await bench.process() == Done(30.0)
    assert bench.kube.written() == [*writes, ("status", "Dataset", "a")]
    assert bench.status() == READY
    assert await bench.process() == Done(30.0)
    bench.restart()
    await bench.process()
    assert bench.kube.written() == []


@pytest.mark.parametrize(("child", "_"), FIRST)
async def test_a_child_that_the_cache_does_not_know_yet_is_found_and_not_made_twice(child: Child, _: object) -> None:
    bench = Bench(Plan(dict(READY), children=(child,)))
    await bench.process()
    bench.kube.written()
    forgetful = bench.kube.objects.copy()
    children = {id_: one for id_, one in forgetful.items() if id_[0] != bench.type}
    bench.kube.objects = {id_: one for id_, one in forgetful.items() if id_[0] == bench.type}
    bench.restart()
    bench.kube.objects.update(children)
    assert await bench.process() == Done(None)
    assert [write for write in bench.kube.written() if write[0] != "create"] == []
    assert bench.condition("Stalled") is None


async def test_a_changed_manifest_is_applied_again_and_only_to_that_very_object() -> None:
    bench = Bench(Plan(dict(READY), children=(SERVICE,)))
    await bench.process()
    bench.kube.written()
    changed = Child(owned("Service", "a", "v1", spec={"ports": [{"port": 81}]}), "apply")
    bench.plan = Plan(dict(READY), children=(changed,))
    await bench.process()
    assert bench.kube.written() == [("apply", "Service", "a")]
    bench.kube.objects[SERVICES, "n", "a"] = cast(JsonObject, obj("Service", "a", "v1", uid="a successor"))
    bench.plan = Plan(dict(READY), children=(SERVICE,))
    with pytest.raises(ApiError, match="UID"):
        await bench.process()


async def test_replicas_are_applied_when_they_differ_and_never_with_the_rest() -> None:
    bench = Bench(Plan(dict(READY), children=(SERVED,)))
    await bench.process()
    bench.kube.written()
    live = bench.kube.objects[APPS_DEPLOYMENTS, "n", "a"]
    cast(JsonObject, live["spec"])["replicas"] = 5
    bench.cache.observe(APPS_DEPLOYMENTS, bench.kube.put(APPS_DEPLOYMENTS, live))
    await bench.process()
    assert bench.kube.written() == [("scale", "Deployment", "a")]
    assert cast(JsonObject, bench.kube.objects[APPS_DEPLOYMENTS, "n", "a"]["spec"])["replicas"] == 2


async def test_an_autoscaler_keeps_its_replicas_unless_they_are_none() -> None:
    bench = Bench(Plan(dict(READY), children=(replace(SERVED, autoscaled=True),)))
    await bench.process()
    written = bench.kube.written()
    assert written == [("apply", "Deployment", "a"), ("scale", "Deployment", "a"), ("status", "Dataset", "a")]

    async def after(replicas: int, *, known: bool = True) -> list[Write]:
        live = bench.kube.objects[APPS_DEPLOYMENTS, "n", "a"]
        cast(JsonObject, live["spec"])["replicas"] = replicas
        seen = bench.kube.put(APPS_DEPLOYMENTS, live)
        (bench.cache.observe if known else bench.cache.forget)(APPS_DEPLOYMENTS, seen)
        await bench.process()
        return bench.kube.written()

    assert await after(5) == []
    assert await after(0) == [("scale", "Deployment", "a")], "an autoscaler begins at one"
    assert await after(7, known=False) == [], "nor where the cache has lost sight of them"


EDITS: list[tuple[Child, ResourceType, tuple[str, ...], object]] = [
    (SERVED, APPS_DEPLOYMENTS, ("spec", "template", "spec"), {"containers": []}),
    (SERVICE, SERVICES, ("spec", "ports"), [{"port": 81}]),
    (SERVICE, SERVICES, ("metadata", "annotations", APPLIED_ANNOTATION), None),
]


@pytest.mark.parametrize("away", [True, False])
@pytest.mark.parametrize(("child", "type_", "path", "value"), EDITS)
async def test_what_another_hand_has_changed_is_applied_again_once(
    child: Child, type_: ResourceType, path: tuple[str, ...], value: object, away: bool
) -> None:
    bench = Bench(Plan(dict(READY), children=(child,)))
    await bench.process()
    bench.kube.written()
    edited = bench.kube.edit(type_, "n", "a", *path, value=value)
    if away:
        bench.restart()
    else:
        assert bench.cache.observe(type_, edited) == {KEY}, "an edit is news"
    await bench.process()
    assert bench.kube.written() == [("apply", type_.kind, "a")]
    await bench.process()
    bench.restart()
    await bench.process()
    assert bench.kube.written() == []


async def test_an_item_that_another_hand_has_put_beside_ours_is_overwritten_where_both_cannot_be() -> None:
    bench = Bench(Plan(dict(READY), children=(SERVICE,)))
    await bench.process()
    bench.kube.written()
    bench.cache.observe(SERVICES, bench.kube.edit(SERVICES, "n", "a", "spec", "ports", value=[{"port": 81}]))
    bench.kube.fails["apply", "Service"] = error_of(422, "Invalid", "spec.ports[1].name: Duplicate value")
    assert await bench.process() == Done(None)
    assert [verb for verb, _, _ in bench.kube.written()] == ["apply", "overwrite", "apply"]


@pytest.mark.parametrize(("type_", "path"), [(APPS_DEPLOYMENTS, ("spec", "paused")), (SERVICES, ("spec", "type"))])
async def test_what_another_hand_adds_is_left_alone(type_: ResourceType, path: tuple[str, ...]) -> None:
    bench = Bench(Plan(dict(READY), children=(SERVED, SERVICE)))
    await bench.process()
    bench.kube.written()
    bench.cache.observe(type_, bench.kube.edit(type_, "n", "a", *path, value="theirs"))
    await bench.process()
    assert bench.kube.written() == []


@pytest.mark.parametrize(("child", "type_"), [(SERVICE, SERVICES), (JOB, JOBS)])
async def test_a_child_that_lost_the_label_of_our_selector_is_found_again(child: Child, type_: ResourceType) -> None:
    bench = Bench(Plan(dict(READY), children=(child,)))
    await bench.process()
    bench.kube.written()
    if child.mode == "apply":
        told = bench.kube.edit(type_, "n", child.name, "metadata", "labels")
    else:
        told = bench.kube.put(type_, bench.kube.objects[type_, "n", child.name])
    assert bench.cache.forget(type_, told) == {KEY}, "the watch tells it as deleted"
    await bench.process()
    assert bench.kube.written() == [("apply" if child.mode == "apply" else "create", type_.kind, child.name)]
    assert bench.cache.child(type_, "n", child.name) is not None
    await bench.process()
    assert bench.kube.written() == []


async def test_a_child_on_its_way_out_is_waited_for() -> None:
    bench = Bench(Plan(dict(READY), children=(SERVICE,)))
    leaving = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    bench.add(SERVICES, obj("Service", "a", "v1", bench.owner, metadata=leaving))
    await bench.process()
    assert bench.kube.written() == [("status", "Dataset", "a")]


async def test_deletions_come_first_and_are_of_that_very_object() -> None:
    bench = Bench()
    old = bench.add(JOBS, job("old", bench.owner))
    uid = old["metadata"]["uid"]
    bench.plan = Plan(dict(READY), (JOB,), (Ref("Job", "n", "old", uid), Ref("Job", "n", "unknown", "x")))
    await bench.process()
    assert bench.kube.written() == [
        ("delete", "Job", "old"),
        ("create", "Job", "a-1"),
        ("status", "Dataset", "a"),
    ]
    await bench.process()
    assert bench.kube.written() == [], "the cache knows without being told"


async def test_an_event_is_posted_before_the_status_and_once_though_told_twice() -> None:
    bench = Bench(Plan(dict(READY), events=(Event("Normal", "Succeeded", "Done."),)))
    bench.kube.fails["status", "Dataset"] = error_of(500, "InternalError", "etcd is away")
    with pytest.raises(ApiError):
        await bench.process()
    assert len(bench.kube.events()) == 1
    bench.restart()
    await bench.process()
    assert len(bench.kube.events()) == 1
    posted = bench.kube.events()[0]
    assert (posted["reason"], posted["message"], posted["reportingInstance"]) == ("Succeeded", "Done.", "here")


async def test_an_event_that_cannot_be_posted_stops_nothing() -> None:
    bench = Bench(Plan(dict(READY), events=(Event("Normal", "Succeeded", "Done."),)))
    bench.kube.fails["create", "Event"] = error_of(403, "Forbidden", "no")
    assert await bench.process() == Done(None)
    assert bench.status() == READY


async def test_the_next_pass_sees_what_this_one_wrote() -> None:
    seen: list[tuple[int, int]] = []

    def look(resource: Dataset, view: View) -> Plan:
        seen.append((len(view.jobs()), resource.status.observed_generation))
        return Plan(dict(READY), children=(JOB,))

    bench = Bench(look)
    await bench.process()
    await bench.process()
    assert seen == [(0, -1), (1, 1)]
    assert bench.queue.depth == 1, "what was written is looked at once more"


async def test_what_is_no_longer_said_is_removed_from_the_status() -> None:
    report = conditions.Report((), 1, NOW)
    report.reconciling("Ingesting", "A Job reads the data.")
    attempt = {"key": "k", "count": 1}
    first = {"observedGeneration": 1, "conditions": conditions.dump(report.conditions()), "attempt": attempt}
    bench = Bench(Plan(first))
    await bench.process()
    assert bench.status() == first
    bench.plan = Plan({**READY, "attempt": None})
    await bench.process()
    assert bench.status() == READY
