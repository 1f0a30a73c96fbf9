"""Gates against a Deployment: what it serves is pinned when a run begins, asked for, and told of in the end."""

import json
from typing import Any

import pytest

from pure import samples
from pure.served import serving
from pure.world import World

DATA = ("Dataset", "flights")
ME = ("TrainingRun", "late-flights")
SERVED = ("Deployment", "late-flights")
GATES = [
    {"name": "floor", "metric": "roc_auc", "min": "0.70"},
    {"name": "champion", "metric": "roc_auc", "against": {"deployment": "late-flights"}},
]


def a_run(version: str | None = "v1", *, digest: bool = True, **spec: object) -> World:
    """A world with data, a Deployment that serves `version`, and a run whose gate is against it."""
    world = World()
    world.apply(samples.dataset())
    world.chain()
    if version is not None:
        world.apply(samples.deployment())
        serve(world, version, digest=digest)
    world.apply(samples.training_run(**{"evaluation": {"gates": GATES}, **spec}))
    world.settle([ME])
    return world


def serve(world: World, version: str, *, digest: bool = True) -> None:
    """The Deployment serves this version; its own reconciler is not asked."""
    stable = {"version": version, "image": f"r.test/{version}@sha256:1", "model": "late-flights"}
    stable |= {"modelDigest": samples.digest(version)} if digest else {}
    world.objects[SERVED]["status"] |= {"stable": stable}


def asked(world: World) -> list[dict[str, Any]]:
    """The gates that the run's Job is asked to judge."""
    gates = world.task(world.the_job(ME))["gates"]
    assert isinstance(gates, list)
    return gates


def end(world: World, *, passed: bool, compared: bool = True, told: bool = True) -> None:
    """The run's Job ends with these gates."""
    job = world.the_job(ME)
    report = json.loads(samples.success(world.task(job), passed=passed))
    gate = {"name": "champion", "metric": "roc_auc", "value": "0.81", "passed": passed}
    gate |= {"champion": "0.8", "gain": "0.01", "gainAtLeast": "-0.02", "pValue": "0.31"} if compared else {}
    report["gates"] = [{**report["gates"][0], "value": "0.81", "passed": True}, *([gate] if told else [])]
    world.start(job)
    world.end(job, json.dumps(report))
    world.finish(job)
    world.settle([ME])


def status_of(world: World) -> dict[str, Any]:
    """The run's status as JSON."""
    status = world.objects[ME]["status"]
    assert isinstance(status, dict)
    return status


def test_the_served_model_is_pinned_and_asked_for() -> None:
    world = a_run()
    pinned = {"deployment": "late-flights", "exists": True, "version": "v1", "digest": samples.digest("v1")}
    assert status_of(world)["run"]["champions"] == [pinned]
    floor, champion = asked(world)
    assert floor["against"] is None
    assert champion["against"] == {"deployment": "late-flights", "version": "v1", "digest": samples.digest("v1")}
    assert champion["confidence"] == "0.95"


def test_another_champion_makes_no_new_run_of_what_has_begun_or_ended() -> None:
    world = a_run()
    job, begun = world.the_job(ME), status_of(world)["run"]
    serve(world, "v2")
    world.settle([ME])
    assert world.the_job(ME) == job
    end(world, passed=True)
    serve(world, "v3")
    world.settle([ME])
    assert status_of(world)["run"] == {**begun, "completedAt": status_of(world)["run"]["completedAt"]}
    assert not world.unfinished(ME)
    world.edit(*ME, seed=4)
    world.settle([ME])
    assert status_of(world)["run"]["champions"][0]["version"] == "v3"
    assert world.the_job(ME) != job


def test_the_champion_decides_the_job_but_not_what_the_run_is_known_by() -> None:
    """A retraining asks whether a spec was trained on some data: by whichever champion it was judged."""
    first, second = a_run("v1"), a_run("v2")
    assert first.the_job(ME) != second.the_job(ME)
    assert status_of(first)["run"]["key"] == status_of(second)["run"]["key"]


@pytest.mark.parametrize(
    ("deployed", "why"),
    [
        pytest.param(False, "Deployment late-flights does not exist", id="no Deployment"),
        pytest.param(True, "Deployment late-flights serves no version", id="a Deployment that serves nothing"),
    ],
)
def test_no_champion_yet_passes_and_says_so(deployed: bool, why: str) -> None:
    world = World()
    world.apply(samples.dataset())
    world.chain()
    if deployed:
        world.apply(samples.deployment())
    world.apply(samples.training_run(evaluation={"gates": GATES}))
    world.settle()
    assert asked(world)[1]["against"] == {"deployment": "late-flights", "version": None, "digest": None}
    end(world, passed=True, compared=False)
    assert world.ready(*ME) == ("True", "Succeeded")
    words = f"gate champion: no champion yet, because {why}"
    assert world.said(*ME).endswith(words)
    assert world.said(*ME, "Passed") == f"2 of 2 gates hold; {words}"
    assert status_of(world)["gates"][1]["against"]["version"] == ""


def test_a_model_that_is_no_better_fails_and_the_figures_are_told() -> None:
    world = a_run()
    end(world, passed=False)
    assert world.ready(*ME) == ("False", "GatesFailed")
    assert world.said(*ME) == (
        "gate champion: roc_auc is 0.81, that of v1, which Deployment late-flights serves, is 0.8; that it is better "
        "has p-value 0.31, must be at most 0.05"
    )
    assert status_of(world)["gates"][1]["against"] == {
        "deployment": "late-flights", "version": "v1", "value": "0.8", "gain": "0.01", "gainAtLeast": "-0.02",
        "pValue": "0.31",
    }  # fmt: skip
    assert not [name for kind, name in world.objects if kind == "ModelVersion"]


def test_a_failed_gate_without_room_in_the_message_fails_the_run_all_the_same() -> None:
    world = a_run()
    end(world, passed=False, told=False)
    assert world.ready(*ME) == ("False", "GatesFailed")
    assert not world.holds(*ME, "Passed")
    assert world.said(*ME) == "a gate does not hold; the full result in the artifact store names it"


def test_a_champion_that_is_not_known_yet_is_waited_for() -> None:
    world = a_run(digest=False)
    assert world.ready(*ME) == ("False", "DependencyNotReady")
    assert "serves v1, but does not say yet of which model that is" in world.said(*ME)
    serve(world, "v1")
    world.settle([ME])
    assert world.ready(*ME) == ("False", "Training")


def test_a_run_that_its_champion_gave_up_is_cured_by_another_one() -> None:
    world = a_run()
    job = world.the_job(ME)
    world.tell(job, "ChampionNotComparable", retry=False, message='it needs the column "z"')
    world.settle([ME])
    assert world.ready(*ME) == ("False", "ChampionNotComparable")
    assert world.holds(*ME, "Stalled")
    assert world.said(*ME) == 'it needs the column "z"'
    serve(world, "v2")
    world.settle([ME])
    assert world.ready(*ME) == ("False", "Training")
    assert world.the_job(ME) != job
    end(world, passed=True)
    assert world.ready(*ME) == ("True", "Succeeded")


def test_a_deployment_says_which_model_it_serves_also_when_its_version_is_gone() -> None:
    world = serving("v1")
    stable = world.objects[SERVED]["status"]["stable"]
    assert stable["modelDigest"] == samples.digest("v1")
    del stable["modelDigest"]
    world.settle()
    assert world.objects[SERVED]["status"]["stable"]["modelDigest"] == samples.digest("v1")
    world.delete("ModelVersion", "v1")
    world.settle()
    assert world.objects[SERVED]["status"]["stable"]["modelDigest"] == samples.digest("v1")
