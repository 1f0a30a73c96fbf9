"""A TrainingRun: pinned, run once for each set of semantic fields, gated, remembered, and never believed too early."""

from typing import Any

import pytest

from pure import samples
from pure.world import World

DATA = ("Dataset", "flights")
ME = ("TrainingRun", "late-flights")
STEP = "modelwright.dev/step"


def a_run(**spec: object) -> World:
    """A world with a Ready Dataset and a TrainingRun whose Job is there."""
    world = World()
    world.apply(samples.dataset())
    world.chain()
    world.apply(samples.training_run(**spec))
    world.settle()
    return world


def status_of(world: World) -> dict[str, Any]:
    """The run's status as JSON."""
    status = world.objects[ME]["status"]
    assert isinstance(status, dict)
    return status


def versions(world: World) -> list[str]:
    """The names of all ModelVersions."""
    return [name for kind, name in world.objects if kind == "ModelVersion"]


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        pytest.param([], "Dataset flights does not exist; apply it, or correct spec.dataset.name", id="no dataset"),
        pytest.param([samples.dataset()], "Dataset flights is not Ready: Ingesting", id="a dataset that is read"),
    ],
)
def test_a_run_waits_for_its_dataset_and_names_it(prepare: list[dict[str, object]], words: str) -> None:
    world = World()
    world.apply(samples.training_run())
    for manifest in prepare:
        world.apply(manifest)
    world.settle()
    assert world.ready(*ME) == ("False", "DependencyNotReady")
    assert world.said(*ME) == words
    assert world.holds(*ME, "Reconciling")
    world.apply(samples.dataset())
    world.chain()
    assert world.ready(*ME) == ("True", "Succeeded")


def test_a_passed_run_makes_one_model_version_that_nobody_owns() -> None:
    world = a_run()
    world.succeed(world.the_job(ME))
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert world.said(*ME) == "on the test split: roc_auc 0.81"
    assert all(world.holds(*ME, type_) for type_ in ("Complete", "Passed"))
    (name,) = versions(world)
    version = world.objects["ModelVersion", name]
    assert "ownerReferences" not in version["metadata"]
    assert version["spec"] == {
        "model": "late-flights",
        "source": {"trainingRun": "late-flights", "digest": status_of(world)["artifact"]["digest"]},
    }
    assert status_of(world)["modelVersion"] == name


def test_a_model_version_that_a_person_deleted_is_not_made_again() -> None:
    world = a_run()
    world.chain()
    world.delete("ModelVersion", versions(world)[0])
    world.settle()
    assert versions(world) == []
    assert world.ready(*ME) == ("True", "Succeeded")


def test_a_taken_name_stalls_the_run_until_it_is_free() -> None:
    world = a_run()
    job = world.the_job(ME)
    world.succeed(job)
    plan = world.decide(*ME)
    (child,) = plan.children
    other = samples.model_version(child.name, model="another")
    world.apply(other)
    for _ in range(3):
        world.reconcile(*ME)
        assert world.ready(*ME) == ("False", "NameTaken")
        assert world.holds(*ME, "Stalled")
    world.delete("ModelVersion", child.name)
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert versions(world) == [child.name]


def test_no_model_version_where_none_is_wanted_and_one_once_it_is() -> None:
    world = a_run(output={"createModelVersion": False})
    world.chain()
    assert versions(world) == []
    world.edit(*ME, output={"createModelVersion": True})
    world.chain()
    assert len(versions(world)) == 1
    assert sum(job.startswith("late-flights") for job in world.jobs_made) == 2  # trained once, packaged once


def test_a_failed_gate_is_complete_but_neither_passed_nor_ready_and_stalls() -> None:
    world = a_run()
    world.succeed(world.the_job(ME), passed=False)
    world.settle()
    assert world.ready(*ME) == ("False", "GatesFailed")
    assert world.said(*ME) == "gate floor: roc_auc is 0.61, must be at least 0.70"
    assert world.holds(*ME, "Complete")
    assert world.holds(*ME, "Stalled")
    assert not world.holds(*ME, "Passed")
    assert not world.holds(*ME, "Failed")
    assert versions(world) == []
    assert not world.unfinished()


@pytest.mark.parametrize(
    ("edit", "again"),
    [
        pytest.param({"retries": 5}, False, id="retries make no new run"),
        pytest.param({"suspend": True}, False, id="suspending what is done makes no new run"),
        pytest.param({"activeDeadline": "2h"}, False, id="a deadline makes no new run"),
        pytest.param({"resources": {"limits": {"cpu": "2"}}}, False, id="resources make no new run"),
        pytest.param({"output": {"model": "late-flights"}}, False, id="the default model written out makes no new run"),
        pytest.param({"seed": 0}, False, id="the default seed written out makes no new run"),
        pytest.param({"seed": 1}, True, id="another seed is a new run"),
        pytest.param({"task": "regression", "evaluation": {}}, True, id="another task is a new run"),
        pytest.param({"output": {"model": "later"}}, True, id="another model is a new run"),
        pytest.param({"dataset": {"name": "flights", "digest": samples.digest("x")}}, True, id="another digest"),
    ],
)
def test_only_semantic_fields_make_a_new_run(edit: dict[str, object], again: bool) -> None:
    world = a_run()
    world.chain()
    made = len(world.jobs_made)
    world.edit(*ME, **edit)
    world.settle()
    assert len(world.jobs_made) - made == again
    assert world.holds(*ME, "Complete") is not again
    assert world.ready(*ME) == (("False", "Training") if again else ("True", "Succeeded"))


def test_a_new_run_forgets_figures_and_model_but_not_history() -> None:
    world = a_run()
    world.chain()
    first = status_of(world)
    world.edit(*ME, seed=1)
    world.settle()
    now = status_of(world)
    assert not {"metrics", "artifact", "lineage"} & set(now)
    assert now["gates"] == []
    assert now["modelVersion"] == ""
    assert now["history"] == first["history"]
    world.chain()
    assert len(status_of(world)["history"]) == 2
    assert len(versions(world)) == 2


def test_a_run_that_now_names_a_missing_dataset_is_not_complete() -> None:
    world = a_run()
    world.chain()
    world.edit(*ME, dataset={"name": "elsewhere"})
    world.settle()
    assert world.ready(*ME) == ("False", "DependencyNotReady")
    assert not world.holds(*ME, "Complete")
    assert not world.holds(*ME, "Passed")
    assert status_of(world)["modelVersion"] == ""


def test_a_run_stays_on_the_version_it_began_with() -> None:
    world = a_run()
    job, pinned = world.the_job(ME), status_of(world)["run"]["dataset"]
    world.edit(*DATA, refresh={"token": "may"})
    world.settle()
    world.succeed(world.the_job(DATA))
    world.settle()
    assert world.the_job(ME) == job
    world.delete(*DATA)
    world.settle()
    world.succeed(job)
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert status_of(world)["history"][0]["dataset"] == pinned
    assert sum(job.startswith("late-flights") for job in world.jobs_made) == 2  # trained once, packaged begun


def test_a_run_that_is_written_anew_takes_the_newest_version() -> None:
    world = a_run()
    world.chain()
    world.edit(*DATA, refresh={"token": "may"})
    world.chain()
    assert len(status_of(world)["history"]) == 1
    world.edit(*ME, seed=3)
    world.chain()
    newest = world.objects[DATA]["status"]["version"]["digest"]
    assert status_of(world)["run"]["dataset"] == newest


def test_a_run_that_was_given_up_is_cured_by_other_data_and_not_by_the_same() -> None:
    world = a_run()
    world.tell(world.the_job(ME), "TargetSingleClass", retry=False)
    world.settle()
    made = len(world.jobs_made)
    world.settle()
    assert world.ready(*ME) == ("False", "TargetSingleClass")
    assert len(world.jobs_made) == made
    world.edit(*DATA, refresh={"token": "may"})
    world.settle()
    assert world.ready(*ME) == ("False", "TargetSingleClass")
    world.chain()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert status_of(world)["run"]["dataset"] == world.objects[DATA]["status"]["version"]["digest"]


@pytest.mark.parametrize("data", [pytest.param(False, id="no dataset yet"), pytest.param(True, id="a dataset")])
def test_a_run_that_is_suspended_from_the_start_is_pinned_once_it_is_resumed(data: bool) -> None:
    world = World()
    if data:
        world.apply(samples.dataset())
        world.chain()
    world.apply(samples.training_run(suspend=True))
    world.settle()
    assert world.ready(*ME) == ("False", "Suspended")
    assert "run" not in status_of(world)
    world.apply(samples.dataset(refresh={"token": "may"}))
    world.chain()
    assert world.ready(*ME) == ("False", "Suspended")
    world.edit(*ME, suspend=False)
    world.chain()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert status_of(world)["run"]["dataset"] == world.objects[DATA]["status"]["version"]["digest"]


def test_a_begun_run_stays_on_its_version_while_it_is_suspended() -> None:
    world = a_run()
    begun = status_of(world)["run"]
    world.edit(*ME, suspend=True)
    world.edit(*DATA, refresh={"token": "may"})
    world.chain()
    assert world.ready(*ME) == ("False", "Suspended")
    assert status_of(world)["run"] == begun
    world.edit(*ME, suspend=False)
    world.settle()
    assert status_of(world)["run"] == begun


def test_another_run_that_is_suspended_says_nothing_of_the_one_before() -> None:
    world = a_run()
    world.chain()
    world.edit(*ME, seed=7, suspend=True)
    world.settle()
    assert world.ready(*ME) == ("False", "Suspended")
    assert not world.holds(*ME, "Complete")
    assert not {"run", "artifact", "metrics"} & set(status_of(world))
    assert not world.unfinished(ME)
    world.edit(*ME, seed=0)
    world.settle()
    assert world.ready(*ME) == ("False", "Suspended")


def test_another_package_makes_another_model_version_of_the_same_model_and_trains_nothing() -> None:
    world = a_run()
    world.chain()
    (first,) = versions(world)
    trained = [name for name in world.jobs_made if world.objects["Job", name]["metadata"]["labels"][STEP] == "train"]
    world.edit(*ME, output={"package": {"image": "r.test/mine"}})
    world.chain()
    assert world.ready(*ME) == ("True", "Succeeded")
    second = status_of(world)["modelVersion"]
    assert sorted(versions(world)) == sorted([first, second])
    sources = [world.objects["ModelVersion", name]["spec"]["source"] for name in (first, second)]
    assert sources[0] == sources[1]
    assert world.objects["ModelVersion", second]["spec"]["package"] == {"image": "r.test/mine"}
    assert world.ready("ModelVersion", second) == ("True", "Packaged")
    assert trained == [
        name for name in world.jobs_made if world.objects["Job", name]["metadata"]["labels"][STEP] == "train"
    ]
    world.edit(*ME, output={})
    world.chain()
    assert status_of(world)["modelVersion"] == first
    assert len(versions(world)) == 2


def test_suspending_ends_the_job_and_resuming_makes_it_again() -> None:
    world = a_run()
    job = world.the_job(ME)
    world.start(job)
    world.edit(*ME, suspend=True)
    world.settle()
    assert world.ready(*ME) == ("False", "Suspended")
    assert world.holds(*ME, "Suspended")
    assert not world.holds(*ME, "Reconciling")
    assert not world.unfinished()
    world.edit(*ME, suspend=False)
    world.settle()
    assert world.the_job(ME) == job
    assert not world.holds(*ME, "Suspended")
    world.chain()
    assert world.ready(*ME) == ("True", "Succeeded")


def test_resuming_waits_until_the_old_job_is_really_gone() -> None:
    world = a_run()
    job = world.the_job(ME)
    world.linger = True
    world.edit(*ME, suspend=True)
    world.settle()
    world.edit(*ME, suspend=False)
    world.settle()
    assert not world.unfinished()
    assert world.ready(*ME) == ("False", "Training")
    world.collect()
    world.settle()
    assert world.the_job(ME) == job


def test_a_run_above_the_ceiling_stalls_before_it_makes_a_job_but_never_ends_one() -> None:
    world = a_run()
    world.config = samples.config(ceilings={"memory": "1Gi"})
    world.settle()
    assert world.ready(*ME) == ("False", "Training")
    assert world.unfinished()
    world.edit(*ME, seed=8)
    world.settle()
    assert world.ready(*ME) == ("False", "ResourcesAboveCeiling")
    assert not world.unfinished()


def test_a_version_that_was_deleted_does_not_come_back_when_a_passing_trouble_is_over() -> None:
    world = a_run()
    world.chain()
    made = [id_ for id_ in world.objects if id_[0] == "ModelVersion"]
    assert len(made) == 1
    world.delete(*made[0])
    status = world.objects[ME]["status"]
    for condition in status["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", reason="InvalidConfiguration")
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert made[0] not in world.objects


def test_a_run_that_is_given_up_is_failed_until_its_spec_changes() -> None:
    world = a_run()
    world.tell(world.the_job(ME), "EstimatorNotAllowed", retry=False, message="os.system is not on the list")
    world.settle()
    assert world.ready(*ME) == ("False", "EstimatorNotAllowed")
    assert world.holds(*ME, "Failed")
    assert world.holds(*ME, "Stalled")
    world.pass_time(days=3)
    world.settle()
    assert not world.unfinished()
    world.edit(*ME, trainer={"estimator": [{"class": "sklearn.svm.SVC"}]})
    world.chain()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert not world.holds(*ME, "Failed")
