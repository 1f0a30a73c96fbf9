"""How a step is carried through: what each ending of its Job means, when it is tried again, when it is given up."""

from datetime import timedelta
from typing import Any

import pytest

from pure import samples
from pure.begun import DATA, RUN, attempt, reading, training

WAITING = [
    pytest.param(
        {"containerStatuses": [{"name": "ingest", "state": {"waiting": {
            "reason": "CreateContainerConfigError", "message": 'secret "modelwright-store" not found'}}}]},
        "SecretNotFound", False, 'container ingest: secret "modelwright-store" not found', id="a missing Secret",
    ),
    pytest.param(
        {"containerStatuses": [{"name": "ingest", "state": {"waiting": {
            "reason": "CreateContainerConfigError", "message": 'configmap "c" not found'}}}]},
        "ConfigMapNotFound", False, 'container ingest: configmap "c" not found', id="a missing ConfigMap",
    ),
    pytest.param(
        {"containerStatuses": [{"name": "ingest", "state": {"waiting": {
            "reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}]},
        "ImagePullFailed", True, "container ingest: Back-off pulling image", id="an image that cannot be pulled",
    ),
    pytest.param(
        {"containerStatuses": [{"name": "ingest", "state": {"waiting": {"reason": "InvalidImageName"}}}]},
        "ImageInvalid", True, "container ingest: InvalidImageName", id="an image name that is malformed",
    ),
    pytest.param(
        {"containerStatuses": [{"name": "ingest", "state": {"waiting": {
            "reason": "RunContainerError", "message": "exec: no such file"}}}]},
        "ContainerCreateFailed", True, "container ingest: exec: no such file", id="a container that does not start",
    ),
    pytest.param(
        {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}]},
        "Unschedulable", True, "0/1 nodes are available: 1 Insufficient cpu", id="no node can take it",
    ),
    pytest.param(
        {"initContainerStatuses": [{"name": "fetch", "state": {"waiting": {
            "reason": "CreateContainerConfigError", "message": 'secret "s" not found'}}}],
         "containerStatuses": [{"name": "push", "state": {"waiting": {"reason": "PodInitializing"}}}]},
        "SecretNotFound", False, 'container fetch: secret "s" not found', id="an init container's Secret",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("status", "reason", "stalled", "words"), WAITING)
def test_a_pod_that_cannot_start_says_why_and_goes_on_by_itself(
    status: dict[str, object], reason: str, stalled: bool, words: str
) -> None:
    world = reading()
    job = world.the_job(DATA)
    world.pod(job, status)
    for seconds, late in ((0, False), (59, False), (1, True)):
        world.pass_time(seconds=seconds)
        world.settle()
        assert world.ready(*DATA) == ("False", reason)
        assert words in world.said(*DATA)
        assert world.holds(*DATA, "Stalled") is (stalled and late)
        assert world.holds(*DATA, "Reconciling") is not (stalled and late)
    world.start(job)
    world.settle()
    assert world.ready(*DATA) == ("False", "Ingesting")
    world.succeed(job)
    world.settle()
    assert world.ready(*DATA) == ("True", "Succeeded")
    assert len(world.jobs_made) == 1


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [pytest.param(15, "Ingesting", id="at fifteen seconds"), pytest.param(16, "PodNotCreated", id="a second later")],
)
def test_a_job_without_a_pod_is_worth_a_word_after_a_while(seconds: int, reason: str) -> None:
    world = reading()
    assert world.decide(*DATA).requeue_after == timedelta(seconds=15)
    world.pass_time(seconds=seconds)
    world.settle()
    assert world.ready(*DATA) == ("False", reason)
    world.start(world.the_job(DATA))
    world.settle()
    assert world.ready(*DATA) == ("False", "Ingesting")


def test_a_retried_job_without_a_pod_is_looked_at_again_too() -> None:
    world = reading()
    world.tell(world.the_job(DATA), "StoreUnreachable", retry=True)
    world.settle()
    world.pass_time(seconds=10)
    world.settle()
    assert world.decide(*DATA).requeue_after == timedelta(seconds=15)


DEATHS = [
    pytest.param({"text": "", "exit_code": 137, "reason": "OOMKilled"}, "OutOfMemory",
                 "container main was killed at its memory limit", id="out of memory"),
    pytest.param({"text": samples.success({"step": "ingest", "key": "k"}), "exit_code": 137, "reason": "OOMKilled"},
                 "OutOfMemory", "container main was killed", id="out of memory though it spoke before"),
    pytest.param({"text": "Traceback\n  x\nMemoryError: 12 GiB", "exit_code": 1}, "Crashed",
                 "container main ended with exit code 1: MemoryError: 12 GiB", id="a crash, by its last words"),
    pytest.param({"text": "", "exit_code": 2}, "Crashed", "exit code 2: it left no message", id="a crash in silence"),
    pytest.param({"text": "", "exit_code": 0}, "Crashed", "ended without a result", id="an end without a result"),
    pytest.param({"text": '{"outcome":"succeeded","step":"ing', "exit_code": 0}, "Crashed",
                 "the step's message is not a result", id="a result that is cut off"),
    pytest.param({"text": '{"outcome":"failed","reason":"Nonsense","message":"","retry":true}', "exit_code": 3},
                 "Crashed", "the step's message is not a result", id="a reason that nobody knows"),
]  # fmt: skip


@pytest.mark.parametrize(("ending", "reason", "words"), DEATHS)
def test_a_death_is_told_tried_twice_more_and_then_given_up(ending: dict[str, Any], reason: str, words: str) -> None:
    world = training()
    for count in (1, 2):
        job = world.the_job(RUN)
        world.end(job, **ending)
        world.finish(job, failed="BackoffLimitExceeded")
        world.settle()
        assert world.ready(*RUN) == ("False", reason)
        assert words in world.said(*RUN)
        assert world.holds(*RUN, "Reconciling")
        assert attempt(world, RUN)["count"] == count
        assert not world.unfinished()
        world.pass_time(minutes=5)
        world.settle()
    job = world.the_job(RUN)
    world.end(job, **ending)
    world.settle()
    assert world.ready(*RUN) == ("False", reason)
    assert world.holds(*RUN, "Stalled")
    assert "nextAt" not in attempt(world, RUN)
    world.pass_time(days=1)
    world.settle()
    assert len([name for name in world.jobs_made if name.startswith("late")]) == 3


@pytest.mark.parametrize(
    ("failed", "message", "reason"),
    [
        pytest.param(
            "DeadlineExceeded", "Job was active longer than specified deadline", "DeadlineExceeded", id="time"
        ),
        pytest.param("BackoffLimitExceeded", "Job has reached the limit", "Crashed", id="a Pod nobody saw"),
    ],
)
def test_a_failed_job_without_a_pod_is_judged_by_its_own_word(failed: str, message: str, reason: str) -> None:
    world = reading()
    world.finish(world.the_job(DATA), failed=failed, message=message)
    world.settle()
    assert world.ready(*DATA) == ("False", reason)
    assert message in world.said(*DATA)


def test_an_evicted_pod_says_what_the_node_said() -> None:
    world = reading()
    message = "The node was low on resource: ephemeral-storage."
    world.pod(world.the_job(DATA), {"phase": "Failed", "reason": "Evicted", "message": message})
    world.settle()
    assert world.ready(*DATA) == ("False", "Evicted")
    assert "ephemeral-storage" in world.said(*DATA)


def test_a_pod_that_is_being_deleted_is_no_failure_until_its_job_says_so() -> None:
    world = reading()
    job = world.the_job(DATA)
    world.end(job, "Terminated", 143)
    world.objects["Pod", f"{job}-pod"]["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    world.settle()
    assert world.ready(*DATA) == ("False", "Ingesting")
    assert not attempt(world)
    world.finish(job, failed="DeadlineExceeded", message="too long")
    world.settle()
    assert world.ready(*DATA) == ("False", "DeadlineExceeded")


def test_a_result_of_a_pod_that_is_being_deleted_counts() -> None:
    world = reading()
    job = world.the_job(DATA)
    world.end(job, samples.success(world.task(job)))
    world.objects["Pod", f"{job}-pod"]["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    world.settle()
    assert world.ready(*DATA) == ("True", "Succeeded")


def test_a_finished_job_whose_pod_vanished_is_made_again_to_repeat_its_message() -> None:
    world = reading()
    job = world.the_job(DATA)
    world.start(job)
    world.lose_pod(job)
    world.finish(job)
    world.settle()
    assert world.jobs_made == [job, job]
    assert world.ready(*DATA) == ("False", "Ingesting")
    world.chain()
    assert world.ready(*DATA) == ("True", "Succeeded")


def test_a_vanished_pod_of_a_job_that_lingers_waits_for_its_end() -> None:
    world = reading()
    job = world.the_job(DATA)
    world.linger = True
    world.finish(job)
    world.settle()
    assert world.jobs_made == [job]
    world.collect()
    world.settle()
    assert world.jobs_made == [job, job]


def test_the_ladder_doubles_to_its_top_and_stalls_meanwhile() -> None:
    world = reading()
    for count, wait in enumerate([10, 20, 40, 80, 160, 300, 300], start=1):
        world.tell(world.the_job(DATA), "SourceNotFound", retry=True, message="no file at s3://raw/flights.csv")
        world.settle()
        assert world.ready(*DATA) == ("False", "SourceNotFound")
        assert attempt(world)["count"] == count
        assert world.holds(*DATA, "Stalled") is (count >= 3), count
        assert world.said(*DATA).startswith("no file at s3://raw/flights.csv; next attempt at 2026-05-01T")
        assert world.decide(*DATA).requeue_after == timedelta(seconds=wait)
        world.pass_time(seconds=wait - 1)
        world.settle()
        assert not world.unfinished()
        world.pass_time(seconds=1)
        world.settle()
        assert world.said(*DATA) == "no file at s3://raw/flights.csv; it is tried again"
        assert world.holds(*DATA, "Stalled") is (count >= 3), count
    world.chain()
    assert world.ready(*DATA) == ("True", "Succeeded")
    assert not attempt(world)


def test_what_only_time_can_mend_never_stalls() -> None:
    world = reading()
    for _ in range(6):
        world.tell(world.the_job(DATA), "StoreUnreachable", retry=True)
        world.settle()
        assert world.holds(*DATA, "Reconciling")
        world.pass_time(minutes=5)
        world.settle()


@pytest.mark.parametrize("retry", [pytest.param(True, id="on the ladder"), pytest.param(False, id="given up")])
def test_a_changed_spec_is_tried_at_once_and_counts_anew(retry: bool) -> None:
    world = reading()
    world.tell(world.the_job(DATA), "SourceForbidden", retry=retry)
    world.settle()
    assert not world.unfinished()
    world.edit(*DATA, serviceAccountName="reader")
    world.settle()
    assert world.ready(*DATA) == ("False", "Ingesting")
    assert not attempt(world)
    world.tell(world.the_job(DATA), "SourceForbidden", retry=True)
    world.settle()
    assert attempt(world)["count"] == 1


def test_a_told_failure_that_no_retry_heals_is_given_up_at_once() -> None:
    world = training()
    world.tell(world.the_job(RUN), "TargetSingleClass", retry=False, message="the target has one class: true.")
    world.settle()
    assert world.ready(*RUN) == ("False", "TargetSingleClass")
    assert world.said(*RUN) == "the target has one class: true"
    assert world.holds(*RUN, "Stalled")


def test_a_failure_is_remembered_though_its_job_is_cleaned_away() -> None:
    world = reading()
    job = world.the_job(DATA)
    world.tell(job, "SourceEmpty", retry=True)
    world.settle()
    world.delete("Job", job)
    world.settle()
    assert world.ready(*DATA) == ("False", "SourceEmpty")
    assert not world.unfinished()


def test_each_failure_is_one_warning_event() -> None:
    world = reading()
    for _ in range(3):
        world.tell(world.the_job(DATA), "SourceEmpty", retry=True)
        world.settle()
        world.pass_time(minutes=5)
        world.settle()
    assert [(event.type, event.reason) for _, event in world.events] == [
        ("Normal", "Ingesting"),
        ("Warning", "SourceEmpty"),
    ]


def test_a_result_of_another_step_is_never_taken_for_ones_own() -> None:
    world = reading()
    job = world.the_job(DATA)
    world.end(job, samples.success({"step": "train", "key": "k"}))
    with pytest.raises(AssertionError, match="the train step's result is another step's"):
        world.decide(*DATA)
