"""How long a step is waited for, which of its endings use its retries up, and when a person is called."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from modelwright import observe
from modelwright.conditions import timestamp
from modelwright.reasons import REASONS
from modelwright.reconcilers import steps
from modelwright_contract.tasks import TrainTask
from pure.begun import DATA, RUN, attempt, reading, training
from pure.world import START, World


@pytest.mark.parametrize(
    ("reason", "seconds", "stalled", "again"),
    [
        pytest.param("Unschedulable", 0, False, 60, id="a minute is left"),
        pytest.param("PodNotCreated", 59, False, 1, id="a second is left"),
        pytest.param("ImagePullFailed", 60, True, None, id="the time is up"),
        pytest.param("CrashLoop", 3600, True, None, id="long ago"),
        pytest.param("SecretNotFound", 0, False, None, id="what waiting mends, at once"),
        pytest.param("ConfigMapNotFound", 3600, False, None, id="what waiting mends, long ago"),
    ],
)
def test_a_person_is_called_only_after_a_while(reason: str, seconds: int, stalled: bool, again: int | None) -> None:
    blocked = observe.Blocked(reason, "it does not start", timestamp(START))
    wait = None if again is None else timedelta(seconds=again)
    assert steps.patience(blocked, START + timedelta(seconds=seconds)) == (stalled, wait)


def test_every_reason_that_keeps_a_pod_from_starting_is_in_the_table() -> None:
    assert not observe.BLOCKED - set(REASONS)


QUOTA = "forbidden: exceeded quota: small, requested: cpu=1, used: cpu=1, limited: cpu=1"


def test_a_refused_pod_is_told_by_its_cause_and_a_person_is_called_a_minute_later() -> None:
    world = reading()
    job = world.the_job(DATA)
    world.refuse_pod(job, QUOTA)
    world.settle()
    assert world.ready(*DATA) == ("False", "PodNotCreated")
    assert world.said(*DATA) == f"Job {job}: {QUOTA}"
    assert world.holds(*DATA, "Reconciling")
    assert world.decide(*DATA).requeue_after == timedelta(minutes=1)
    world.pass_time(minutes=1)
    world.settle()
    assert world.holds(*DATA, "Stalled")
    world.chain()
    assert world.ready(*DATA) == ("True", "Succeeded")
    assert len(world.jobs_made) == 1


PULL = {"containerStatuses": [{"name": "main", "state": {"waiting": {
    "reason": "ImagePullBackOff", "message": "no such image"}}}]}  # fmt: skip


def run_out_of_time(world: World, owner: tuple[str, str]) -> None:
    """The deadline of the object's Job passes; every pass on the way is one that the operator may be woken for."""
    job = world.the_job(owner)
    world.pass_time(hours=1)
    world.time_out(job)
    world.settle()
    world.lose_pod(job)
    world.settle()
    world.finish(job, failed="DeadlineExceeded", message="Job was active longer than specified deadline")
    world.settle()


def test_a_job_whose_pod_never_began_ends_for_what_kept_it_and_is_tried_again() -> None:
    world = training(retries=0)
    for count in (1, 2, 3):
        job = world.the_job(RUN)
        world.pod(job, PULL)
        world.settle()
        run_out_of_time(world, RUN)
        assert world.ready(*RUN) == ("False", "ImagePullFailed")
        assert world.said(*RUN).startswith("container main: no such image; next attempt at ")
        assert (attempt(world, RUN)["count"], attempt(world, RUN)["deaths"]) == (count, 0)
        assert attempt(world, RUN)["message"] == "container main: no such image"
        world.pass_time(minutes=5)
        world.settle()
    world.chain()
    assert world.ready(*RUN) == ("True", "Succeeded")


def test_what_is_said_stays_said_while_a_job_is_taken_away() -> None:
    world = training()
    job = world.the_job(RUN)
    world.pod(job, PULL)
    world.pass_time(minutes=1)
    world.settle()
    before = world.objects[RUN]["status"]["conditions"]
    assert world.holds(*RUN, "Stalled")
    world.time_out(job)
    world.settle()
    assert world.objects[RUN]["status"]["conditions"] == before
    world.lose_pod(job)
    world.settle()
    assert world.objects[RUN]["status"]["conditions"] == before


@pytest.mark.parametrize("blocked", [pytest.param(False, id="at first"), pytest.param(True, id="after a blocked one")])
def test_a_job_that_ran_until_its_deadline_is_too_slow_and_given_up(blocked: bool) -> None:
    world = training(retries=0)
    if blocked:
        world.pod(world.the_job(RUN), PULL)
        world.settle()
        run_out_of_time(world, RUN)
        world.pass_time(minutes=5)
        world.settle()
        assert world.said(*RUN) == "container main: no such image; it is tried again"
    world.start(world.the_job(RUN))
    world.settle()
    assert world.ready(*RUN) == ("False", "Training")
    run_out_of_time(world, RUN)
    assert world.ready(*RUN) == ("False", "DeadlineExceeded")
    assert world.holds(*RUN, "Stalled")
    assert world.holds(*RUN, "Failed")
    assert attempt(world, RUN)["deaths"] == 1


ENDINGS: dict[str, Callable[[World, str], None]] = {
    "death": lambda world, job: world.end(job, "boom", 1),
    "told": lambda world, job: world.tell(job, "StoreUnreachable", retry=True),
    "evicted": lambda world, job: world.pod(job, {"phase": "Failed", "reason": "Evicted", "message": "low on disk"}),
    "drained": lambda world, job: world.pod(
        job, {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}]}
    ),
}


@pytest.mark.parametrize(
    ("retries", "endings", "deaths", "given_up"),
    [
        pytest.param(2, ["death", "death"], 2, False, id="as many deaths as retries"),
        pytest.param(2, ["death", "death", "death"], 3, True, id="one death more"),
        pytest.param(0, ["death"], 1, True, id="no retry"),
        pytest.param(0, ["evicted"] * 4, 0, False, id="evictions are no deaths"),
        pytest.param(0, ["drained", "drained"], 0, False, id="nor are drained nodes"),
        pytest.param(0, ["drained", "death"], 1, True, id="a death after a drained node is the first"),
        pytest.param(1, ["told", "told", "told", "death"], 1, False, id="told failures use no retry up"),
        pytest.param(1, ["death", "told", "evicted"], 1, False, id="a death stays counted"),
        pytest.param(1, ["death", "told", "evicted", "death"], 2, True, id="and the next one is the second"),
    ],
)
def test_only_deaths_use_retries_up(retries: int, endings: list[str], deaths: int, given_up: bool) -> None:
    world = training(retries=retries)
    for count, ending in enumerate(endings, start=1):
        world.pass_time(minutes=5)
        world.settle()
        ENDINGS[ending](world, world.the_job(RUN))
        world.settle()
        assert attempt(world, RUN)["count"] == count
    assert attempt(world, RUN)["deaths"] == deaths
    assert ("nextAt" not in attempt(world, RUN)) is given_up
    assert world.holds(*RUN, "Failed") is given_up


@pytest.mark.parametrize(
    ("extra", "fits"), [pytest.param(0, True, id="as large as may be"), pytest.param(1, False, id="a byte more")]
)
def test_a_task_that_no_job_can_carry_is_told_and_makes_none(extra: int, fits: bool) -> None:
    step = {"class": "sklearn.linear_model.LogisticRegression"}
    world = training(trainer={"estimator": [{**step, "params": {"penalty": ""}}]})
    size_bytes = len(TrainTask.model_validate(world.task(world.the_job(RUN))).to_json().encode())
    much = "x" * (steps.MAX_TASK_BYTES - size_bytes + extra)
    world.edit(*RUN, trainer={"estimator": [{**step, "params": {"penalty": much}}]})
    world.settle()
    assert bool(world.unfinished()) is fits
    if not fits:
        assert world.ready(*RUN) == ("False", "InvalidSpec")
        assert world.said(*RUN) == "spec: 100001 bytes are too many for a Job, at most 100000 fit; shorten it"
        assert world.holds(*RUN, "Stalled")
        world.edit(*RUN, trainer={"estimator": [step]})
    world.chain()
    assert world.ready(*RUN) == ("True", "Succeeded")
