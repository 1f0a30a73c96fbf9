"""What the engine does not do: take over what is another's, write for a successor, or keep a refusal to itself."""

import asyncio
from typing import cast

import pytest

from modelwright.api.v1alpha1 import Dataset
from modelwright.kube import ApiError, error_of
from modelwright.objects import KubeObject
from modelwright.plan import Child, JsonObject, Plan, Ref
from modelwright.queue import Done, Gone, Retry
from modelwright.resources import APPS_DEPLOYMENTS, CONFIG_MAPS, JOBS, SERVICES, ResourceType
from modelwright.view import View
from pure.cluster_objects import dataset, job, model_version, obj, override
from pure.engine_bench import FACT, JOB, KEY, READY, SERVED, SERVICE, Bench

FOREIGN = [
    pytest.param(JOB, JOBS, obj("Job", "a-1", "batch/v1"), id="a Job"),
    pytest.param(SERVICE, SERVICES, obj("Service", "a", "v1"), id="a Service"),
    pytest.param(SERVED, APPS_DEPLOYMENTS, obj("Deployment", "a", "apps/v1"), id="a Deployment"),
]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("child", "type_", "foreign"), FOREIGN)
async def test_a_foreign_object_is_never_taken_over(
    child: Child, type_: ResourceType, foreign: KubeObject, known: bool
) -> None:
    bench = Bench(Plan(dict(READY), children=(child,)))
    put = bench.kube.put(type_, cast(JsonObject, dict(foreign)))
    if known:
        bench.cache.observe(type_, put)
    assert await bench.process() == Retry()
    ready, stalled = bench.condition("Ready"), bench.condition("Stalled")
    assert ready is not None
    assert stalled is not None
    assert (ready["status"], ready["reason"], stalled["reason"]) == ("False", "NameTaken", "NameTaken")
    assert f"{child.manifest['kind']} {foreign['metadata']['name']} exists" in str(ready["message"])
    assert not [write for write in bench.kube.written() if write[0] in ("apply", "scale")]
    assert await bench.process() == Retry()
    assert not [write for write in bench.kube.written() if write[0] == "status"], "said once"


@pytest.mark.parametrize("known", [True, False])
async def test_a_fact_with_another_spec_is_never_adopted(known: bool) -> None:
    bench = Bench(Plan(dict(READY), children=(FACT,)))
    put = bench.kube.put(bench.versions, cast(JsonObject, model_version("m-1", "another")))
    if known:
        bench.cache.observe(bench.versions, put)
    assert await bench.process() == Retry()
    stalled = bench.condition("Stalled")
    assert stalled is not None
    assert stalled["reason"] == "NameTaken"


async def test_a_fact_that_says_more_than_we_do_is_the_same_fact() -> None:
    bench = Bench(Plan(dict(READY), children=(FACT,)))
    same = model_version("m-1", "m")
    cast(JsonObject, dict(same)["spec"])["approval"] = {"approved": True}
    bench.add(bench.versions, same)
    assert await bench.process() == Done(None)


REFUSALS = [
    pytest.param(error_of(403, "Forbidden", "exceeded quota: small"), "Forbidden", id="a quota"),
    pytest.param(error_of(403, "Forbidden", "violates PodSecurity"), "Forbidden", id="pod security"),
    pytest.param(error_of(422, "Invalid", "spec.x: Required value"), "Invalid", id="a wrong manifest"),
    pytest.param(error_of(500, "InternalError", "failed calling webhook x"), "Forbidden", id="a broken webhook"),
]


@pytest.mark.parametrize(("error", "reason"), REFUSALS)
async def test_a_refused_child_is_a_condition_and_heals(error: ApiError, reason: str) -> None:
    bench = Bench(Plan(dict(READY), children=(JOB, SERVICE)))
    bench.kube.fails["create", "Job"] = error
    assert await bench.process() == Retry()
    assert bench.kube.written()[1] == ("apply", "Service", "a"), "the others are made all the same"
    stalled = bench.condition("Stalled")
    assert stalled is not None
    assert (stalled["reason"], stalled["message"]) == (reason, f"Job a-1: {error.message}")
    assert await bench.process() == Done(None)
    assert bench.status() == READY


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(error_of(403, "Forbidden", "an admission policy says no"), "Forbidden", id="a policy"),
        pytest.param(error_of(422, "Invalid", "not now"), "Invalid", id="a webhook's wish"),
        pytest.param(error_of(500, "InternalError", "failed calling webhook x"), "Forbidden", id="a broken webhook"),
    ],
)
async def test_a_refused_deletion_is_a_condition_and_heals(error: ApiError, reason: str) -> None:
    bench = Bench()
    old = bench.add(JOBS, job("old", bench.owner))
    bench.plan = Plan(dict(READY), (SERVICE,), (Ref("Job", "n", "old", old["metadata"]["uid"]),))
    bench.kube.fails["delete", "Job"] = error
    assert await bench.process() == Retry()
    assert ("apply", "Service", "a") in bench.kube.written()
    stalled = bench.condition("Stalled")
    assert stalled is not None
    assert (stalled["reason"], stalled["message"]) == (reason, f"Job old: {error.message}")
    assert await bench.process() == Done(None)
    assert bench.status() == READY


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("child", "type_", "foreign"), FOREIGN)
async def test_a_child_of_an_earlier_object_of_the_same_name_is_waited_for(
    child: Child, type_: ResourceType, foreign: KubeObject, known: bool
) -> None:
    bench = Bench(Plan(dict(READY), children=(child,)))
    earlier = dataset("a", uid="an earlier one's")
    old = bench.kube.put(type_, cast(JsonObject, obj(type_.kind, child.name, type_.api_version, earlier)))
    if known:
        bench.cache.observe(type_, old)
    assert await bench.process() == Retry()
    assert bench.status() == READY, "what the plan says"
    assert not [write for write in bench.kube.written() if write[0] in ("apply", "scale")]
    del bench.kube.objects[type_, "n", child.name]
    bench.cache.forget(type_, bench.kube.put(type_, cast(JsonObject, dict(old))))
    del bench.kube.objects[type_, "n", child.name]
    assert await bench.process() == Done(None)


async def test_a_refusal_that_reads_differently_each_time_waits_its_time_all_the_same() -> None:
    bench = Bench()
    passes = 0

    def wants_more(_: Dataset, __: View) -> Plan:
        nonlocal passes
        passes += 1
        bench.kube.fails["create", "Job"] = error_of(403, "Forbidden", f"no, for the {passes}th time")
        return Plan(dict(READY), children=(JOB,))

    bench.plan = wants_more
    bench.queue.add(KEY)
    bench.queue.start()
    await asyncio.sleep(0.3)
    await bench.queue.stop()
    assert passes < 10


async def test_nothing_is_said_about_a_namespace_that_is_going() -> None:
    bench = Bench(Plan(dict(READY), children=(JOB,)))
    message = "unable to create new content in namespace n because it is being terminated"
    bench.kube.fails["create", "Job"] = error_of(403, "Forbidden", message)
    assert await bench.process() == Done()
    assert bench.kube.written() == [("create", "Job", "a-1")]


async def test_a_server_that_is_away_leaves_the_status_alone() -> None:
    bench = Bench(Plan(dict(READY), children=(JOB,)))
    bench.kube.fails["create", "Job"] = error_of(503, "ServiceUnavailable", "later")
    with pytest.raises(ApiError):
        await bench.process()
    assert bench.status() == {}


async def test_what_cannot_be_parsed_says_so() -> None:
    bench = Bench()
    bench.add(bench.type, obj("Dataset", "a", body={"spec": {"source": {"uri": "ftp://x"}}}))
    await bench.process()
    stalled = bench.condition("Stalled")
    assert stalled is not None
    assert stalled["reason"] == "InvalidSpec"
    assert "spec.source.uri" in str(stalled["message"])
    bench.kube.written()
    await bench.process()
    assert bench.kube.written() == []


async def test_a_namespaces_broken_configuration_says_so() -> None:
    bench = Bench()
    bench.add(CONFIG_MAPS, override("stores: {}"))
    await bench.process()
    stalled = bench.condition("Stalled")
    assert stalled is not None
    assert stalled["reason"] == "InvalidConfiguration"


async def test_a_reconciler_that_raises_says_so_and_is_tried_again() -> None:
    def broken(_: Dataset, __: View) -> Plan:
        raise KeyError("rows")

    bench = Bench(broken)
    assert await bench.process() == Retry()
    stalled = bench.condition("Stalled")
    assert stalled is not None
    assert (stalled["reason"], stalled["message"]) == ("InternalError", "KeyError: 'rows'")


async def test_an_object_on_its_way_out_gets_no_children() -> None:
    bench = Bench(Plan(dict(READY), children=(JOB,)))
    bench.add(bench.type, dataset("a", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))
    assert await bench.process() == Done()
    assert bench.kube.written() == []


async def test_an_object_that_is_gone_is_forgotten() -> None:
    bench = Bench()
    del bench.kube.objects[bench.type, "n", "a"]
    assert await bench.process() == Retry()
    assert await bench.process() == Gone()


async def test_the_status_of_a_successor_is_never_written() -> None:
    bench = Bench()
    successor = dataset("a", uid="another")
    bench.kube.put(bench.type, cast(JsonObject, successor))
    assert await bench.process() == Retry()
    assert bench.status() == {}
    assert await bench.process() == Done(None)
    assert bench.status() == READY


async def test_a_status_that_was_decided_for_an_older_spec_is_not_written() -> None:
    bench = Bench()
    bench.kube.put(bench.type, cast(JsonObject, dataset("a", metadata={"generation": 2})))
    assert await bench.process() == Retry()
    assert bench.status() == {}
    assert await bench.process() == Done(None)
