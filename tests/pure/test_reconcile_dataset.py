"""A Dataset: one Job for one set of semantic fields, a version that stays, and truth about what went wrong."""

import pytest

from pure import samples
from pure.world import World

ME = ("Dataset", "flights")


def a_dataset(**spec: object) -> World:
    """A world with one Dataset, seen once."""
    world = World()
    world.apply(samples.dataset(**spec))
    world.settle()
    return world


def test_a_new_dataset_gets_one_job_and_says_that_it_is_read() -> None:
    world = a_dataset()
    assert world.ready(*ME) == ("False", "Ingesting")
    assert world.holds(*ME, "Reconciling")
    assert not world.holds(*ME, "Validated")
    assert world.task(world.the_job(ME))["source"] == {
        "uri": "s3://raw/flights.csv",
        "region": "us-east-1",
        "ownKeys": False,
        "format": None,
        "endpoint": None,
    }


def test_a_result_becomes_a_version_before_the_job_controller_says_complete() -> None:
    world = a_dataset()
    job = world.the_job(ME)
    world.start(job)
    world.settle()
    assert world.ready(*ME) == ("False", "Ingesting")
    world.end(job, samples.success(world.task(job)))
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    status = world.objects[ME]["status"]
    assert isinstance(status, dict)
    assert status["version"]["rows"] == 100
    assert [one["digest"] for one in status["versions"]] == [status["version"]["digest"]]
    assert world.holds(*ME, "Validated")


def test_warnings_pass_and_are_told() -> None:
    world = a_dataset()
    world.succeed(world.the_job(ME), violations=3)
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert "3 warnings" in world.said(*ME, "Validated")


@pytest.mark.parametrize(
    ("edit", "again"),
    [
        pytest.param({"resources": {"limits": {"memory": "3Gi"}}}, False, id="more memory reads nothing again"),
        pytest.param({"serviceAccountName": "reader"}, False, id="another service account reads nothing again"),
        pytest.param({"split": {"train": 70}}, False, id="a default written out reads nothing again"),
        pytest.param({"refresh": {}}, False, id="an empty refresh reads nothing again"),
        pytest.param({"refresh": {"token": "may"}}, True, id="a new token reads again"),
        pytest.param({"split": {"seed": 7}}, True, id="another seed reads again"),
        pytest.param({"checks": [{"name": "enough", "rowCount": {"min": 1}}]}, True, id="another check reads again"),
    ],
)
def test_only_semantic_fields_read_again(edit: dict[str, object], again: bool) -> None:
    world = a_dataset()
    world.chain()
    world.edit(*ME, **edit)
    world.settle()
    assert bool(world.unfinished()) is again
    assert world.ready(*ME) == (("False", "Ingesting") if again else ("True", "Succeeded"))
    assert len(world.jobs_made) == 1 + again


def test_the_version_stays_until_the_next_one_is_there_and_the_history_keeps_ten() -> None:
    world = a_dataset()
    world.chain()
    digests = []
    for number in range(12):
        before = world.objects[ME]["status"]
        world.edit(*ME, refresh={"token": str(number)})
        world.settle()
        now = world.objects[ME]["status"]
        assert isinstance(before, dict)
        assert isinstance(now, dict)
        assert now["version"] == before["version"]
        world.chain()
        status = world.objects[ME]["status"]
        assert isinstance(status, dict)
        digests.append(status["version"]["digest"])
    assert [one["digest"] for one in status["versions"]] == digests[::-1][:10]


def test_an_edit_in_flight_ends_the_old_job_and_starts_a_new_one() -> None:
    world = a_dataset()
    first = world.the_job(ME)
    world.start(first)
    world.edit(*ME, split={"seed": 7})
    world.settle()
    assert ("Job", first) not in world.objects
    assert world.the_job(ME) != first


def test_a_reverted_edit_needs_no_job_and_leaves_nothing_of_the_failure_behind() -> None:
    world = a_dataset()
    world.chain()
    world.edit(*ME, checks=[{"name": "enough", "rowCount": {"min": 1000}}])
    world.settle()
    world.tell(world.the_job(ME), "CheckFailed", retry=True, message="enough: 100 rows, must be at least 1000")
    world.settle()
    assert world.ready(*ME) == ("False", "CheckFailed")
    assert not world.holds(*ME, "Validated")
    world.edit(*ME, checks=[])
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert world.holds(*ME, "Validated")
    assert "attempt" not in world.objects[ME]["status"]


def violations(world: World) -> object:
    """What status says of broken checks."""
    return world.objects[ME]["status"].get("violations")


FOUND = {"total": 7, "first": ["no-jump: 1 is above 0"]}


def broken(*, before: bool, retry: bool = True) -> World:
    """A world whose Dataset has just failed a check, with or without a version from before."""
    world = a_dataset()
    if before:
        world.succeed(world.the_job(ME), violations=2)
        world.settle()
        world.edit(*ME, checks=[{"name": "enough", "rowCount": {"min": 1000}}])
        world.settle()
    world.tell(world.the_job(ME), "CheckFailed", retry=retry, message="no-jump is broken", violations=7)
    world.settle()
    return world


@pytest.mark.parametrize("before", [pytest.param(True, id="over a version"), pytest.param(False, id="at first")])
@pytest.mark.parametrize("retry", [pytest.param(True, id="tried again"), pytest.param(False, id="given up")])
def test_a_failed_check_tells_what_it_found_as_long_as_it_is_failed(before: bool, retry: bool) -> None:
    world = broken(before=before, retry=retry)
    assert world.ready(*ME) == ("False", "CheckFailed")
    assert violations(world) == FOUND
    world.pass_time(minutes=5)
    world.settle()
    assert violations(world) == FOUND
    assert bool(world.unfinished()) is retry
    if retry:
        world.tell(world.the_job(ME), "SourceNotFound", retry=True)
        world.settle()
        assert violations(world) is None
        assert world.holds(*ME, "Validated") is before


@pytest.mark.parametrize(
    "checks",
    [
        pytest.param([], id="the spec before needs no job"),
        pytest.param([{"name": "enough", "rowCount": {"min": 1}}], id="another spec"),
    ],
)
def test_what_a_failed_check_found_is_never_said_of_the_version_that_is_there(checks: list[object]) -> None:
    world = broken(before=True)
    world.edit(*ME, checks=checks)
    world.settle()
    assert violations(world) is None
    assert world.said(*ME, "Validated") == "every check of severity error holds"
    world.chain()
    assert world.ready(*ME) == ("True", "Succeeded")


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        pytest.param({"limits": {"memory": "100Gi"}}, "spec.resources.limits.memory: 100Gi", id="a limit"),
        pytest.param({"requests": {"cpu": "17"}}, "spec.resources.requests.cpu: 17", id="a request without a limit"),
        pytest.param({"requests": {"memory": "65Gi"}}, "spec.resources.limits.memory: 65Gi", id="a request that lifts"),
    ],
)
def test_resources_above_the_ceiling_stall_and_make_no_job(resources: dict[str, object], words: str) -> None:
    world = World(samples.config(ceilings={"cpu": "16", "memory": "64Gi"}))
    world.apply(samples.dataset(resources=resources))
    world.settle()
    assert world.ready(*ME) == ("False", "ResourcesAboveCeiling")
    assert world.holds(*ME, "Stalled")
    assert words in world.said(*ME)
    assert not world.jobs_made


def test_a_ceiling_that_is_lowered_later_takes_no_finished_version_away() -> None:
    world = a_dataset()
    world.chain()
    world.config = samples.config(ceilings={"memory": "1Gi"})
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")


def test_an_upgrade_with_everything_ready_makes_no_job() -> None:
    world = a_dataset()
    world.chain()
    world.config = samples.config(images={"server": "other@sha256:1", "worker": "other@sha256:2"})
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert len(world.jobs_made) == 1


def test_a_finished_job_of_an_older_spec_stays_for_its_log() -> None:
    world = a_dataset()
    first = world.the_job(ME)
    world.chain()
    world.edit(*ME, split={"seed": 7})
    world.chain()
    assert ("Job", first) in world.objects
    assert world.ready(*ME) == ("True", "Succeeded")
