"""Batches: due once a time, of what is served, on the newest good rows; whatever fails is told, and serving goes on."""

from datetime import timedelta
from typing import Any

import pytest

from modelwright import keys
from pure import samples
from pure.served import LIVE, ME, serving, stable, version
from pure.world import World

DATA = ("Dataset", "today")
INPUT, OUTPUT = {"dataset": "today"}, {"uri": "s3://scores/late"}
ONCE = {"once": "a", "input": INPUT, "output": OUTPUT}
DAILY = {"schedule": "0 4 * * *", "input": INPUT, "output": OUTPUT}


def data(world: World, name: str = "d1") -> None:
    """A good version of the dataset, as its reconciler would leave it."""
    if DATA not in world.objects:
        world.apply(samples.dataset(DATA[1]))
    world.objects[DATA]["status"] = {"observedGeneration": 1, "version": {"digest": samples.digest(name)}}


def scoring(batch: dict[str, Any], *names: str, **spec: object) -> World:
    """A world with a served model, a dataset and a batch."""
    world = serving(*names, **spec)
    data(world)
    world.edit(*ME, batch=batch)
    once(world)
    return world


def once(world: World) -> None:
    """Passes over the Deployment until nothing moves. The Dataset is not looked at: its versions are the test's."""
    for _ in range(10):
        if not world.reconcile(*ME):
            return
    raise AssertionError("does not settle")


def until(world: World, hour: int) -> None:
    """Moves the clock to the next time that it is so late."""
    time = world.now.replace(hour=hour, minute=0, second=0)
    world.now = time if time > world.now else time + timedelta(days=1)
    once(world)


def told(world: World) -> tuple[str, str]:
    """Status and reason of the condition."""
    condition = world.get(*ME).status.condition("Batch")
    return (condition.status, condition.reason) if condition is not None else ("", "")


def records(world: World) -> list[dict[str, Any]]:
    """The batches in status, newest first."""
    found: list[dict[str, Any]] = world.objects[ME]["status"]["batch"].get("records", [])
    return found


def verdicts(world: World) -> list[str]:
    return [record["verdict"] for record in records(world)]


def done(world: World) -> None:
    """The Job that is under way ends well."""
    world.succeed(world.the_job(ME))
    once(world)


def test_once_is_one_job_and_its_file_is_told() -> None:
    world = scoring(ONCE)
    assert told(world) == ("False", "Scoring")
    assert world.ready(*ME) == ("True", "Serving")
    task = world.task(world.the_job(ME))
    key = keys.score(samples.digest("v1"), samples.digest("d1"), ME[1], OUTPUT["uri"])
    assert task["key"] == key
    assert task["output"] == f"s3://scores/late/late-flights-{key[:12]}.parquet"
    assert (task["model"], task["image"]) == ({"digest": samples.digest("v1")}, "r.test/v1@sha256:1")
    done(world)
    assert told(world) == ("True", "Scored")
    (record,) = records(world)
    assert record["uri"] == task["output"]
    assert (record["version"], record["rows"], record["verdict"]) == ("v1", 100, "Scored")
    assert len(world.unfinished(ME)) == 0
    assert "attempt" not in world.objects[ME]["status"]["batch"]


def test_a_file_that_is_named_is_the_output() -> None:
    world = scoring({**ONCE, "output": {"uri": "s3://scores/late.parquet"}})
    assert world.task(world.the_job(ME))["output"] == "s3://scores/late.parquet"


def test_another_value_of_once_is_another_batch_where_something_is_new() -> None:
    world = scoring(ONCE)
    done(world)
    world.edit(*ME, batch={**ONCE, "once": "b"})
    once(world)
    assert told(world) == ("True", "Scored")
    assert len(world.jobs_made) == 1
    data(world, "d2")
    once(world)
    assert len(world.jobs_made) == 1, "new data alone are no reason"
    world.edit(*ME, batch={**ONCE, "once": "c"})
    once(world)
    done(world)
    assert verdicts(world) == ["Scored", "Scored"]


def test_a_schedule_is_due_at_its_time_and_not_before() -> None:
    world = scoring(DAILY)
    assert told(world) == ("False", "NotStarted")
    assert world.objects[ME]["status"]["batch"]["nextAt"] == "2026-05-02T04:00:00Z"
    assert world.decide(*ME).requeue_after == world.now.replace(day=2, hour=4) - world.now + timedelta(
        minutes=-world.now.minute, seconds=-world.now.second
    )
    until(world, 4)
    done(world)
    assert verdicts(world) == ["Scored"]
    until(world, 4)
    assert (told(world), verdicts(world)) == (("True", "Scored"), ["Scored"]), "the same again is done already"
    data(world, "d2")
    until(world, 4)
    done(world)
    assert [record["dataset"] for record in records(world)] == [samples.digest("d2"), samples.digest("d1")]


def test_times_that_were_missed_are_due_once() -> None:
    world = scoring(DAILY)
    world.pass_time(days=9)
    once(world)
    done(world)
    assert verdicts(world) == ["Scored"]
    assert world.objects[ME]["status"]["batch"]["nextAt"] == "2026-05-11T04:00:00Z"


def test_a_later_schedule_is_not_due_at_the_time_of_the_one_before() -> None:
    world = scoring(DAILY)
    world.edit(*ME, batch={**DAILY, "schedule": "0 9 * * *", "timeZone": "Europe/Berlin"})
    once(world)
    assert world.objects[ME]["status"]["batch"]["nextAt"] == "2026-05-02T07:00:00Z"
    until(world, 4)
    assert not records(world) if "records" in world.objects[ME]["status"]["batch"] else True
    until(world, 7)
    assert told(world) == ("False", "Scoring")


def test_a_time_that_comes_while_one_is_under_way_is_kept() -> None:
    world = scoring(DAILY)
    until(world, 4)
    job = world.the_job(ME)
    world.start(job)
    data(world, "d2")
    until(world, 4)
    assert world.the_job(ME) == job, "it goes on with the rows that it began with"
    world.succeed(job)
    once(world)
    assert world.the_job(ME) != job
    done(world)
    assert [record["dataset"] for record in records(world)] == [samples.digest("d2"), samples.digest("d1")]


def test_it_waits_for_a_version_and_for_the_data() -> None:
    world = World()
    world.apply(samples.deployment(batch=ONCE))
    once(world)
    assert told(world) == ("False", "NoVersion")
    version(world, "v1")
    world.chain()
    assert told(world) == ("False", "DependencyNotReady")
    assert "Dataset today does not exist" in world.said(*ME, "Batch")
    data(world)
    once(world)
    assert told(world) == ("False", "Scoring")


def test_a_new_version_that_takes_over_begins_it_anew() -> None:
    world = scoring(ONCE)
    first = world.the_job(ME)
    version(world, "v2")
    world.reconcile(*ME)
    assert world.the_job(ME) == first, "what is not served yet answers no batch"
    for _ in range(3):
        once(world)
        world.roll_out(ME[1])
    once(world)
    assert stable(world) == "v2"
    assert world.the_job(ME) != first
    assert verdicts(world) == ["", "Superseded"] if "verdict" in records(world)[0] else True
    done(world)
    assert [(one["version"], one["verdict"]) for one in records(world)] == [("v2", "Scored"), ("v1", "Superseded")]


def test_a_version_that_a_person_says_no_to_ends_it_at_once() -> None:
    world = scoring(ONCE)
    world.objects["ModelVersion", "v1"]["spec"]["approval"] = {"approved": False, "approvedBy": "ana"}
    once(world)
    assert told(world) == ("False", "ApprovalRevoked")
    assert world.unfinished(ME) == []
    del world.objects["ModelVersion", "v1"]["spec"]["approval"]
    version(world, "v2")
    world.reconcile("ModelVersion", "v1")
    for _ in range(4):
        once(world)
        if LIVE in world.objects:
            world.roll_out(ME[1])
    once(world)
    assert world.task(world.the_job(ME))["image"] == "r.test/v2@sha256:1"


def test_an_unapproved_version_answers_no_batch_though_it_serves_on() -> None:
    world = serving()
    data(world)
    world.config = samples.config(policy={"default": {"approval": "required"}})
    world.edit(*ME, batch=ONCE)
    once(world)
    assert told(world)[0] == "False"
    assert told(world)[1] in ("AwaitingApproval", "ApprovalRevoked")
    assert world.unfinished(ME) == []


@pytest.mark.parametrize(
    ("batch", "reason", "words"),
    [
        pytest.param({**DAILY, "timeZone": "Mars/Base"}, "ScheduleInvalid", 'timeZone "Mars/Base" is not known',
                     id="a time zone that is none"),
        pytest.param({**ONCE, "output": {"uri": "s3://modelwright/artifacts/team"}}, "InvalidSpec",
                     "lies in the artifact store s3://modelwright/artifacts", id="an output within the store"),
    ],
)  # fmt: skip
def test_what_can_not_be_followed_is_told_and_begins_nothing(batch: dict[str, Any], reason: str, words: str) -> None:
    world = scoring(batch)
    assert told(world) == ("False", reason)
    assert words in world.said(*ME, "Batch")
    assert world.ready(*ME) == ("True", "Serving")
    assert world.unfinished(ME) == []


def test_a_failure_that_may_pass_is_tried_again() -> None:
    world = scoring(ONCE)
    world.tell(world.the_job(ME), "StoreUnreachable", retry=True)
    once(world)
    assert told(world) == ("False", "StoreUnreachable")
    assert "next attempt at" in world.said(*ME, "Batch")
    assert world.ready(*ME) == ("True", "Serving")
    world.pass_time(seconds=10)
    once(world)
    done(world)
    assert told(world) == ("True", "Scored")


def test_what_is_given_up_is_tried_again_with_other_data_or_another_spec_or_at_the_next_time() -> None:
    world = scoring(DAILY)
    until(world, 4)
    world.tell(world.the_job(ME), "DatasetUnfit", retry=False, message='the model reads "hour"')
    once(world)
    assert told(world) == ("False", "DatasetUnfit")
    assert world.said(*ME, "Batch") == 'the model reads "hour"'
    once(world)
    assert world.unfinished(ME) == []
    data(world, "d2")
    once(world)
    world.tell(world.the_job(ME), "RowsRefused", retry=False)
    once(world)
    assert world.unfinished(ME) == []
    until(world, 4)
    world.tell(world.the_job(ME), "RowsRefused", retry=False)
    once(world)
    assert world.unfinished(ME) == []
    world.edit(*ME, scaling={"minReplicas": 2})
    once(world)
    done(world)
    assert verdicts(world) == ["Scored", "Failed", "Failed"]


def test_a_server_that_is_killed_beside_the_worker_is_told_in_the_kubelets_words() -> None:
    world = scoring(ONCE)
    job = world.the_job(ME)
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": ""}}
    inits = [{"name": "server", "state": {"running": {}}, "lastState": killed, "restartCount": 1}]
    main = {"name": "score", "state": {"running": {"startedAt": ""}}}
    world.pod(job, {"phase": "Running", "initContainerStatuses": inits, "containerStatuses": [main]})
    once(world)
    assert told(world) == ("False", "OutOfMemory")
    assert "spec.server.resources.limits.memory" in world.said(*ME, "Batch")
    text = samples.failure("ModelServerFailed", retry=True, message="it has not answered")
    ended = {"name": "score", "state": {"terminated": {"exitCode": 3, "message": text}}}
    stopped = [{**inits[0], "state": {"terminated": {"exitCode": 143, "message": '{"level": "info"}'}}}]
    world.pod(job, {"phase": "Failed", "initContainerStatuses": stopped, "containerStatuses": [ended]})
    world.finish(job, failed="BackoffLimitExceeded")
    once(world)
    assert told(world) == ("False", "OutOfMemory")
    assert world.objects[ME]["status"]["batch"]["attempt"]["reason"] == "OutOfMemory"


def test_what_the_model_says_as_its_last_word_is_not_the_steps() -> None:
    """The server runs what may be hostile code: a success of its own invention is none."""
    world = scoring(ONCE)
    job = world.the_job(ME)
    forged = samples.success(world.task(job))
    ended = [{"name": "server", "state": {"terminated": {"exitCode": 0, "message": forged}}}]
    main = {"name": "score", "state": {"running": {"startedAt": ""}}}
    world.pod(job, {"phase": "Running", "initContainerStatuses": ended, "containerStatuses": [main]})
    once(world)
    assert told(world) == ("False", "Scoring")


def test_without_the_field_nothing_is_left() -> None:
    world = scoring(ONCE)
    world.edit(*ME, batch=None)
    once(world)
    assert told(world) == ("", "")
    assert "batch" not in world.objects[ME]["status"]
    assert world.unfinished(ME) == []


def test_a_spec_that_may_not_be_followed_begins_none_and_lets_one_end() -> None:
    world = scoring(ONCE)
    world.config = samples.config(ceilings={"memory": "1Gi"})
    world.start(world.the_job(ME))
    once(world)
    assert told(world) == ("False", "Scoring")
    done(world)
    assert told(world) == ("True", "Scored")
    world.edit(*ME, batch={**ONCE, "once": "b", "output": {"uri": "s3://scores/other"}})
    once(world)
    assert told(world) == ("False", "ResourcesAboveCeiling")
    assert world.unfinished(ME) == []


def test_the_last_ten_are_remembered() -> None:
    world = scoring(ONCE)
    for number in range(12):
        done(world)
        data(world, f"n{number}")
        world.edit(*ME, batch={**ONCE, "once": f"n{number}"})
        once(world)
    assert len(records(world)) == 10
