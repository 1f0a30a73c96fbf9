"""The whole chain in memory: in any order, with anything going wrong in between, it ends Ready or truly Stalled."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelwright_contract.results import REASONS
from pure import samples
from pure.world import OURS, World, fork

DATA = ("Dataset", "flights")
RUN = ("TrainingRun", "late-flights")
SERVED = ("Deployment", "late-flights")

CHAIN = {"Dataset": samples.dataset(), "TrainingRun": samples.training_run(), "Deployment": samples.deployment()}


def everything(order: tuple[str, ...] = tuple(CHAIN)) -> World:
    """A world in which people have just applied the chain, in this order."""
    world = World()
    for kind in order:
        world.apply(CHAIN[kind])
    return world


@pytest.mark.parametrize("order", [pytest.param(o, id=" then ".join(o)) for o in itertools.permutations(CHAIN)])
def test_objects_created_in_any_order_end_in_the_same_state(order: tuple[str, ...]) -> None:
    world, usual = everything(order), everything()
    for one in (world, usual):
        one.chain()
        assert set(one.summary().values()) == {("True", "Succeeded"), ("True", "Packaged"), ("True", "Serving")}
    assert {id_: said(world, id_) for id_ in world.objects} == {id_: said(usual, id_) for id_ in usual.objects}
    assert len(world.jobs_made) == 3


@pytest.mark.parametrize("kinds", [pytest.param(o, id=" then ".join(o)) for o in itertools.permutations(OURS)])
def test_passes_in_any_order_end_in_the_same_state(kinds: tuple[str, ...]) -> None:
    world = everything()
    for _ in range(12):
        world.settle(sorted((id_ for id_ in world.objects if id_[0] in OURS), key=lambda id_: kinds.index(id_[0])))
        for job in world.unfinished():
            world.succeed(job)
        for kind, name in list(world.objects):
            if kind == "apps/Deployment":
                world.roll_out(name)
    world.settle()
    assert world.ready(*SERVED) == ("True", "Serving")
    assert len(world.jobs_made) == 3


def test_deleting_everything_behind_it_never_takes_a_served_model_away() -> None:
    world = everything()
    world.chain()
    before = world.objects["apps/Deployment", "late-flights"]["spec"]
    for kind in ("Dataset", "TrainingRun", "ModelVersion"):
        for id_ in [id_ for id_ in world.objects if id_[0] == kind]:
            world.delete(*id_)
            world.settle()
            assert world.ready(*SERVED) == ("True", "Serving")
    assert world.objects["apps/Deployment", "late-flights"]["spec"] == before


def test_a_second_operator_over_the_same_cluster_changes_nothing() -> None:
    world = everything()
    world.chain()
    other = fork(world)
    other.pass_time(days=30)
    other.settle()
    assert other.objects == world.objects


def said(world: World, id_: tuple[str, str]) -> object:
    """What an object's status says, without times and without whom it was told to first."""
    status = world.objects[id_].get("status")
    if id_[0] not in OURS or not isinstance(status, dict):
        return None
    conditions = [(one["type"], one["status"], one["reason"], one["message"]) for one in status["conditions"]]
    kept = ("version", "artifact", "image", "modelVersion", "metrics", "gates")
    return conditions, {name: _timeless(status[name]) for name in kept if name in status}


def _timeless(value: object) -> object:
    return {k: v for k, v in value.items() if k != "createdAt"} if isinstance(value, dict) else value


Happening = Callable[[World, int], None]


def _on_a_job(act: Callable[[World, str, int], None]) -> Happening:
    def happen(world: World, number: int) -> None:
        if jobs := world.unfinished():
            act(world, sorted(jobs)[number % len(jobs)], number)

    return happen


def _on_a_version(act: Callable[[World, str], None]) -> Happening:
    def happen(world: World, number: int) -> None:
        if versions := sorted(name for kind, name in world.objects if kind == "ModelVersion"):
            act(world, versions[number % len(versions)])

    return happen


def _edit(id_: tuple[str, str], spec: Callable[[int], dict[str, object]]) -> Happening:
    def happen(world: World, number: int) -> None:
        if id_ in world.objects:
            world.edit(*id_, **spec(number))

    return happen


def _die(world: World, job: str, number: int) -> None:
    world.end(job, "boom", [1, 2, 137, 139][number % 4], ["", "OOMKilled"][number % 2])
    world.finish(job, failed="BackoffLimitExceeded")


def _lack_a_secret(world: World, job: str, number: int) -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}
    world.pod(job, {"phase": "Pending", "containerStatuses": [{"name": "main", "state": {"waiting": waiting}}]})


def _drain(world: World, job: str, number: int) -> None:
    condition = {"type": "DisruptionTarget", "status": "True"}
    world.pod(job, {"phase": "Failed", "conditions": [condition]})
    world.finish(job, failed="BackoffLimitExceeded")


def _time_out(world: World, job: str, number: int) -> None:
    world.time_out(job)
    if number % 3:
        world.settle()
        world.lose_pod(job)
    if number % 3 == 2:
        world.settle()
        world.finish(job, failed="DeadlineExceeded", message="too long")


def _vanish(world: World, job: str, number: int) -> None:
    world.lose_pod(job)
    world.finish(job, failed=["", "BackoffLimitExceeded", "DeadlineExceeded"][number % 3], message="it is over")


def _kill(world: World, job: str, number: int) -> None:
    world.start(job)
    world.objects["Pod", f"{job}-pod"]["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"


def _roll_out(world: World, number: int) -> None:
    for kind, name in list(world.objects):
        if kind == "apps/Deployment":
            world.roll_out(name, ready=number % 2)


def _linger(world: World, number: int) -> None:
    world.linger = not world.linger
    world.collect()


def _scale(world: World, n: int) -> None:
    live = world.objects.get(("apps/Deployment", "late-flights"))
    if live is not None:
        live["spec"]["replicas"] = n % 7
        live["metadata"]["generation"] += 1


HAPPENINGS: dict[str, Happening] = {
    "a Pod starts": _on_a_job(lambda world, job, _: world.start(job)),
    "a Job succeeds": _on_a_job(lambda world, job, _: world.succeed(job)),
    "a Job fails its gate": _on_a_job(lambda world, job, _: world.succeed(job, passed=False)),
    "a worker tells why": _on_a_job(lambda world, job, n: world.tell(job, REASONS[n % len(REASONS)], retry=n % 3 > 0)),
    "a container dies": _on_a_job(_die),
    "check says something hostile": _on_a_job(
        lambda world, job, n: world.end(job, samples.success(world.task(job)), n % 2, container="check")
    ),
    "a Secret is missing": _on_a_job(_lack_a_secret),
    "a Pod is refused": _on_a_job(lambda world, job, _: world.refuse_pod(job, "forbidden: exceeded quota")),
    "a node is drained": _on_a_job(_drain),
    "a deadline passes": _on_a_job(_time_out),
    "a Pod vanishes": _on_a_job(_vanish),
    "a Pod is killed": _on_a_job(_kill),
    "a Job is cleaned away": _on_a_job(lambda world, job, _: world.delete("Job", job)),
    "time passes": lambda world, n: world.pass_time(seconds=n),
    "the dataset is deleted": lambda world, _: world.delete(*DATA) if DATA in world.objects else None,
    "the dataset is applied": lambda world, _: world.apply(CHAIN["Dataset"]),
    "the dataset is refreshed": _edit(DATA, lambda n: {"refresh": {"token": str(n % 3)}}),
    "the run is edited": _edit(RUN, lambda n: {"seed": n % 3}),
    "the run gets more memory": _edit(RUN, lambda n: {"resources": {"limits": {"memory": f"{4 + n % 3}Gi"}}}),
    "the run is suspended or resumed": _edit(RUN, lambda n: {"suspend": n % 2 == 0}),
    "the deployment is scaled": _edit(SERVED, lambda n: {"scaling": {"minReplicas": 1 + n % 3}}),
    "the deployment scales by load": _edit(SERVED, lambda n: {"scaling": {"minReplicas": 1 + n % 2, "maxReplicas": 5}}),
    "an autoscaler or another hand scales": _scale,
    "a version is deleted": _on_a_version(lambda world, name: world.delete("ModelVersion", name)),
    "servers come and go": _roll_out,
    "deletions begin or end to linger": _linger,
    "a Job's time to live ends": lambda world, _: _expire(world),
}


def _expire(world: World) -> None:
    unfinished = world.unfinished()
    for kind, name in list(world.objects):
        if kind == "Job" and name not in unfinished and ("Job", name) in world.objects:
            world.delete("Job", name)


def heal(world: World) -> None:
    """From now on nothing goes wrong any more; no spec is touched but for `suspend`."""
    world.linger = False
    world.collect()
    world.apply(CHAIN["Dataset"])
    world.edit(*RUN, suspend=False)
    for kind, name in list(world.objects):
        if kind == "Pod" and "deletionTimestamp" in world.objects[kind, name]["metadata"]:
            world.objects.pop((kind, name))
    for _ in range(6):
        world.chain()
        world.pass_time(minutes=10)


def ends_truthfully(world: World) -> None:
    """Everything is Ready, or Stalled for good, or waits for something that is not Ready itself."""
    for id_, (ready, reason) in world.summary_by_id().items():
        if ready == "True":
            continue
        assert not world.unfinished(id_)
        if reason in ("DependencyNotReady", "NoVersion"):
            assert world.holds(*id_, "Reconciling")
            assert "not Ready" in world.said(*id_) or "exists yet" in world.said(*id_) or "gates" in world.said(*id_)
        else:
            assert world.holds(*id_, "Stalled"), (id_, reason)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(HAPPENINGS)), st.integers(0, 400), st.sampled_from(["settle", "one", "restart"])
        ),
        max_size=30,
    )
)
def test_whatever_happens_it_converges(happenings: list[tuple[str, int, str]]) -> None:
    world = everything()
    world.settle()
    for name, number, then in happenings:
        HAPPENINGS[name](world, number)
        if then == "restart":
            world = fork(world)
        ours = sorted(id_ for id_ in world.objects if id_[0] in OURS)
        if then == "one":
            world.reconcile(*ours[number % len(ours)])
        else:
            world.settle()
    heal(world)
    ends_truthfully(world)
    for id_ in (DATA, RUN):
        if world.ready(*id_)[0] != "True":
            world.edit(*id_, resources={"limits": {"memory": "9Gi"}})
            heal(world)
    if world.ready(*RUN)[1] == "GatesFailed":
        world.edit(*RUN, seed=99)
        heal(world)
    assert world.ready(*DATA) == ("True", "Succeeded")
    assert world.ready(*RUN) == ("True", "Succeeded")
    ends_truthfully(world)
