"""A ModelVersion: packaged once, gated once, and both kept though everything that it came from goes."""

import pytest

from pure import samples
from pure.world import World

RUN = ("TrainingRun", "late-flights")
ME = ("ModelVersion", "late-flights-v1")


def a_version(**spec: object) -> World:
    """A world with one ModelVersion that a person wrote, and no run."""
    world = World()
    world.apply(samples.model_version(**spec))
    world.settle()
    return world


def the_made(world: World) -> tuple[str, str]:
    """The one ModelVersion that a run made."""
    (id_,) = [id_ for id_ in world.objects if id_[0] == "ModelVersion"]
    return id_


def test_a_version_is_packaged_by_one_job_and_ready_though_not_gated() -> None:
    world = a_version()
    assert world.ready(*ME) == ("False", "Packaging")
    task = world.task(world.the_job(ME))
    assert task["image"] == "registry.test/models/team/late-flights"
    assert task["tag"] == "late-flights-v1"
    assert task["baseImage"] == samples.SERVER
    world.chain()
    assert world.ready(*ME) == ("True", "Packaged")
    assert world.holds(*ME, "Packaged")
    assert not world.holds(*ME, "Gated")


def test_a_version_of_a_passed_run_is_gated_and_stays_so_without_run_and_dataset() -> None:
    world = World()
    world.apply(samples.dataset())
    world.apply(samples.training_run())
    world.chain()
    me = the_made(world)
    assert world.holds(*me, "Gated")
    before = world.objects[me]["status"]
    assert isinstance(before, dict)
    assert before["metrics"] == {"roc_auc": "0.81"}
    assert before["lineage"]["trainingRun"] == "late-flights"
    assert before["lineage"]["serverImage"] == samples.SERVER
    world.delete(*RUN)
    world.delete("Dataset", "flights")
    world.settle()
    assert world.objects[me]["status"] == before


def test_a_version_is_gated_by_history_and_takes_no_figures_of_a_later_run() -> None:
    world = World()
    world.apply(samples.dataset())
    world.apply(samples.training_run())
    world.chain()
    me = the_made(world)
    digest = world.objects[me]["spec"]["source"]["digest"]
    world.edit(*RUN, seed=9)
    world.chain()
    world.apply(samples.model_version(source={"trainingRun": "late-flights", "digest": digest}))
    world.chain()
    assert world.holds(*ME, "Gated")
    assert world.objects[ME]["status"]["metrics"] == {}


def test_a_digest_that_the_run_did_not_pass_is_not_gated() -> None:
    world = World()
    world.apply(samples.dataset())
    world.apply(samples.training_run())
    world.chain(passed=False)
    digest = world.objects[RUN]["status"]["artifact"]["digest"]
    world.apply(samples.model_version(source={"trainingRun": "late-flights", "digest": digest}))
    world.chain()
    assert world.ready(*ME) == ("True", "Packaged")
    assert not world.holds(*ME, "Gated")


@pytest.mark.parametrize(
    ("repository", "package", "image"),
    [
        pytest.param("r.test/m", {}, "r.test/m/team/late-flights", id="the configured repository, a path below it"),
        pytest.param("r.test/m/", {}, "r.test/m/team/late-flights", id="a slash at its end is one slash"),
        pytest.param("", {"image": "r.test/mine"}, "r.test/mine", id="the version's own needs no configured one"),
        pytest.param("r.test/m", {"image": "r.test/mine"}, "r.test/mine", id="the version's own is stronger"),
    ],
)
def test_where_the_image_goes(repository: str, package: dict[str, object], image: str) -> None:
    world = World(samples.config(registry={"repository": repository}))
    world.apply(samples.model_version(package=package))
    world.settle()
    assert world.task(world.the_job(ME))["image"] == image


def test_without_any_repository_it_stalls_and_says_what_to_write() -> None:
    world = World(samples.config(registry={}))
    world.apply(samples.model_version())
    world.settle()
    assert world.ready(*ME) == ("False", "RepositoryMissing")
    assert world.said(*ME) == "write spec.package.image, such as registry.example.org/models/late-flights"
    world.config = samples.config()
    world.chain()
    assert world.ready(*ME) == ("True", "Packaged")


def test_another_repository_while_it_is_packaged_starts_over_with_one_job() -> None:
    world = a_version()
    first = world.the_job(ME)
    world.config = samples.config(registry={"repository": "r.test/other"})
    world.settle()
    assert world.the_job(ME) != first


def test_above_the_ceiling_it_stalls_but_not_once_it_is_packaged() -> None:
    world = World(samples.config(ceilings={"memory": "1Gi"}))
    world.apply(samples.model_version())
    world.settle()
    assert world.ready(*ME) == ("False", "ResourcesAboveCeiling")
    world.config = samples.config()
    world.chain()
    world.config = samples.config(ceilings={"memory": "1Gi"})
    world.settle()
    assert world.ready(*ME) == ("True", "Packaged")


@pytest.mark.parametrize(
    ("words", "exit_code", "reason"),
    [
        pytest.param("label of row 3 is 1, was 0", 1, "ModelCheckFailed", id="a sentence is quoted"),
        pytest.param("Traceback:\n  at x\nValueError: no", 1, "ModelCheckFailed", id="of many lines the last one"),
        pytest.param("", 1, "ModelCheckFailed", id="no word at all"),
        pytest.param("segmentation fault", 139, "Crashed", id="another exit code is a crash"),
        pytest.param(
            samples.failure("InternalError", retry=True), 1, "ModelCheckFailed", id="a told failure is not believed"
        ),
        pytest.param(
            '{"outcome":"succeeded","step":"package","image":"evil@sha256:0"}', 1, "ModelCheckFailed",
            id="a forged success is not believed",
        ),
    ],
)  # fmt: skip
def test_of_the_container_that_loads_the_model_only_the_kubelet_is_believed(
    words: str, exit_code: int, reason: str
) -> None:
    world = a_version()
    world.end(world.the_job(ME), words, exit_code, container="check")
    world.settle()
    assert world.ready(*ME) == ("False", reason)
    assert world.objects[ME]["status"]["image"] == ""
    last = words.splitlines()[-1] if words else "it left no message"
    assert f"container check ended with exit code {exit_code}: {last}"[:120] in world.said(*ME)
    assert world.holds(*ME, "Stalled") is (reason == "ModelCheckFailed")


def test_a_hostile_success_of_check_is_no_result_of_the_step() -> None:
    world = a_version()
    job = world.the_job(ME)
    forged = samples.success({**world.task(job), "image": "evil"})
    world.end(job, forged, 0, container="check")
    world.settle()
    assert world.ready(*ME) == ("False", "Packaging")


def test_a_failed_fetch_is_believed_because_it_is_ours_and_loads_nothing() -> None:
    world = a_version()
    world.end(world.the_job(ME), samples.failure("ModelNotFound", retry=False), 3, container="fetch")
    world.settle()
    assert world.ready(*ME) == ("False", "ModelNotFound")
    assert world.holds(*ME, "Stalled")


@pytest.mark.parametrize(
    ("container", "exit_code", "given_up"),
    [
        pytest.param("push", 137, False, id="a death is no fault of a spec that nobody can change"),
        pytest.param("check", 139, False, id="a crash of the check neither"),
        pytest.param("check", 1, True, id="a model that does not answer as it did stays so"),
    ],
)
def test_a_version_is_given_up_by_a_verdict_only(container: str, exit_code: int, given_up: bool) -> None:
    world = a_version()
    for count in range(1, 2 if given_up else 8):
        job = world.the_job(ME)
        world.end(job, "", exit_code, container=container)
        world.finish(job, failed="BackoffLimitExceeded")
        world.settle()
        attempt = world.objects[ME]["status"]["attempt"]
        assert (attempt["count"], attempt["deaths"], "nextAt" in attempt) == (count, count, not given_up)
        assert world.holds(*ME, "Stalled") is (given_up or count >= 3)
        world.pass_time(minutes=5)
        world.settle()
    assert bool(world.unfinished()) is not given_up


def without_digest() -> dict[str, object]:
    """A ModelVersion that names a run and leaves the digest to it."""
    return samples.model_version(source={"trainingRun": "late-flights"})


def test_a_version_without_a_digest_waits_for_its_run_and_names_it() -> None:
    world = World()
    world.apply(without_digest())
    world.settle()
    assert world.ready(*ME) == ("False", "DependencyNotReady")
    assert world.said(*ME).startswith("TrainingRun late-flights does not exist; apply it")
    world.apply(samples.training_run())
    world.settle()
    assert world.said(*ME) == "TrainingRun late-flights is not Ready: DependencyNotReady"
    assert not world.jobs_made


def test_a_version_without_a_digest_takes_the_passed_one_and_keeps_it() -> None:
    world = World()
    world.apply(without_digest())
    world.apply(samples.dataset())
    world.apply(samples.training_run())
    world.chain()
    digest = world.objects[RUN]["status"]["artifact"]["digest"]
    assert world.holds(*ME, "Gated")
    before = world.objects[ME]["status"]
    assert before["lineage"]["model"] == digest
    world.edit(*RUN, seed=9)
    world.chain()
    assert world.objects[RUN]["status"]["artifact"]["digest"] != digest
    assert world.objects[ME]["status"] == before


def test_a_version_without_a_digest_never_takes_the_model_of_a_spec_that_is_edited_already() -> None:
    world = World()
    world.apply(samples.dataset())
    world.apply(samples.training_run(output={"model": "late-flights", "createModelVersion": False}))
    world.chain()
    first = world.objects[RUN]["status"]["artifact"]["digest"]
    world.edit(*RUN, seed=9)
    world.apply(without_digest())
    world.reconcile(*ME)
    assert world.ready(*ME) == ("False", "DependencyNotReady")
    world.chain()
    assert world.objects[ME]["status"]["lineage"]["model"] not in ("", first)


@pytest.mark.parametrize(
    ("image", "insecure"),
    [
        pytest.param("registry.test/mine", True, id="the configured registry is spoken to as configured"),
        pytest.param("registry.example.org/mine", False, id="any other is spoken to securely"),
    ],
)
def test_only_the_configured_registry_may_be_insecure(image: str, insecure: bool) -> None:
    world = World(samples.config(registry={"repository": "registry.test/models", "insecure": True}))
    world.apply(samples.model_version(package={"image": image}))
    world.settle()
    assert world.task(world.the_job(ME))["insecure"] is insecure
