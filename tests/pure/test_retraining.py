"""When a model is trained anew, and what is told of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from modelwright import keys
from modelwright.api.v1alpha1 import Dataset, Deployment, ModelVersion, TrainingRun
from modelwright.api.v1alpha1.retraining import RetrainingStatus
from modelwright.conditions import timestamp
from modelwright.plan import JsonObject
from modelwright.reconcilers.retraining import Retraining, references, retraining
from modelwright.view import View
from pure import samples

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
OLD, NEW, NEWER = (samples.digest(text) for text in ("old", "new", "newer"))
DRIFT = "distance has drifted"


class Story:
    """A served model, its run, its dataset, and the passes over them."""

    def __init__(self, on: Mapping[str, object], **spec: object) -> None:
        retrained = {"triggers": dict(on), "template": {"trainingRun": "late-flights"}, "cooldown": "1h", **spec}
        self.spec: JsonObject = {"model": {"name": "late-flights"}, "retraining": retrained}
        self.template: JsonObject | None = samples.training_run()
        self.data = OLD
        self.served = "v1"
        self.generation = 1
        self.status = RetrainingStatus()
        self.quarantined: list[JsonObject] = []
        self.runs: dict[str, JsonObject] = {}
        self.versions: dict[str, JsonObject] = {"v1": {"image": "r.test/v1@" + samples.digest("v1")}}
        self.policy: dict[str, object] = {}
        self.now = NOW
        self.made: list[str] = []
        self.told: list[str] = []

    def deployment(self) -> Deployment:
        status = {
            "stable": {"model": "late-flights", "version": self.served, "image": "r.test/x@sha256:0"},
            "quarantined": self.quarantined,
            "retraining": self.status.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        return Deployment.parse(
            _with(samples.manifest("Deployment", "late-flights", self.spec), status, self.generation)
        )

    def view(self) -> View:
        deployment = self.deployment()
        dataset = Dataset.parse(_with(samples.dataset(), {"version": {"digest": self.data}}))
        versions = [
            ModelVersion.parse(
                _with(
                    samples.model_version(name), {"observedGeneration": 1, **status}, created=f"2026-05-01T12:0{at}:00Z"
                )
            )
            for at, (name, status) in enumerate(self.versions.items())
        ]
        found = {("Dataset", "team", "flights"): (dataset,), ("Model", "team", "late-flights"): tuple(versions)}
        for name, status in self.runs.items():
            found["TrainingRun", "team", name] = (TrainingRun.parse(_with(samples.training_run(name), status)),)
        if self.template is not None:
            template = TrainingRun.parse(self.template)
            key = keys.train(template.spec.semantic(template.metadata.name), "flights", OLD)
            trained = {"run": {"key": key, "dataset": OLD, "completedAt": timestamp(NOW)}}
            found["TrainingRun", "team", "late-flights"] = (TrainingRun.parse(_with(self.template, trained)),)
        related = {
            topic: found[topic]
            for topic in {*references(deployment), ("Model", "team", "late-flights")}
            if topic in found
        }
        return View(config=samples.config(policy={"default": self.policy} if self.policy else {}), related=related)

    def once(self, *, drifted: str | None = None, rolling: bool = False) -> Retraining:
        """One pass, carried out."""
        found = retraining(self.deployment(), self.view(), self.now, drifted=drifted, rolling=rolling)
        assert found is not None
        self.status = found.status
        self.made += [child.name for child in found.children if child.name not in self.made]
        for name in self.made:
            self.runs.setdefault(name, {})
        self.told += [event.reason for event in found.events]
        return found

    def settle(self, *, drifted: str | None = None, rolling: bool = False) -> Retraining:
        """Passes until nothing changes any more."""
        for _ in range(6):
            before = self.status
            found = self.once(drifted=drifted, rolling=rolling)
            if self.status == before:
                return found
        raise AssertionError("it does not settle")

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def end_run(self, passed: bool = True, version: str = "") -> None:
        conditions = [_condition("Complete", True), _condition("Passed", passed)]
        conditions.append(_condition("Ready", passed, "roc_auc is 0.6, must be at least 0.7"))
        self.runs[self.made[-1]] = {"observedGeneration": 1, "conditions": conditions, "modelVersion": version}
        if version:
            self.versions[version] = {"image": f"r.test/{version}@" + samples.digest(version)}


def _condition(type_: str, holds: bool, message: str = "") -> JsonObject:
    status = "True" if holds else "False"
    return {"type": type_, "status": status, "reason": "R", "message": message, "lastTransitionTime": timestamp(NOW)}


def _with(manifest: JsonObject, status: Mapping[str, object], generation: int = 1, created: str = "") -> JsonObject:
    metadata = manifest["metadata"]
    assert isinstance(metadata, dict)
    metadata = {**metadata, "generation": generation, "creationTimestamp": created or "2026-05-01T12:00:00Z"}
    return {**manifest, "metadata": metadata, "status": dict(status)}


def test_new_data_makes_one_run_that_is_followed_to_its_promotion() -> None:
    story = Story({"newData": True})
    assert story.settle().reason == "NothingNew", "the template itself was trained on the old data"
    story.data = NEW
    begun = story.settle()
    assert (begun.holds, begun.reason) == (True, "RetrainingUnderWay")
    assert len(story.made) == 1
    record = story.status.records[0]
    assert (record.trigger, record.dataset, record.verdict) == ("NewData", NEW, "")
    story.end_run(version="v2")
    assert "rolled out" in story.settle().message
    story.served = "v2"
    assert story.settle().reason == "NothingNew"
    record = story.status.records[0]
    assert (record.verdict, record.version, story.status.attempts) == ("Promoted", "v2", 0)
    assert story.told == ["RetrainingStarted", "RetrainingPromoted"]


def test_the_run_is_the_template_on_the_newest_data() -> None:
    story = Story({"newData": True})
    story.settle()
    story.data = NEW
    found = story.once()
    manifest = found.children[0].manifest
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    assert spec["dataset"] == {"name": "flights", "digest": NEW}
    assert spec["output"] == {"model": "late-flights"}
    assert spec["evaluation"] == samples.training_run()["spec"]["evaluation"]
    assert found.children[0].mode == "fact"
    assert "ownerReferences" not in manifest["metadata"]  # type: ignore[operator]
    TrainingRun.parse(manifest)


def test_a_storm_of_triggers_makes_one_run() -> None:
    story = Story({"newData": True, "drift": True, "schedule": "* * * * *"})
    story.settle(drifted=DRIFT)
    story.data = NEW
    for _ in range(50):
        story.once(drifted=DRIFT)
        story.wait(seconds=61)
    assert len(story.made) == 1
    assert story.told == ["RetrainingStarted"]


def test_drift_waits_for_data_that_was_not_trained_on() -> None:
    story = Story({"drift": True})
    waits = story.settle(drifted=DRIFT)
    assert (waits.holds, waits.reason) == (False, "NothingNew")
    assert DRIFT in waits.message
    story.data = NEW
    assert story.settle().reason == "NothingToDo", "new data alone starts nothing here"
    assert story.settle(drifted=DRIFT).holds
    assert story.status.records[0].trigger == "Drift"


def test_a_schedule_that_finds_no_new_data_trains_nothing() -> None:
    story = Story({"schedule": "0 * * * *"})
    story.settle()
    for _ in range(30):
        story.wait(hours=1)
        assert story.settle().children == ()
    assert story.made == []
    story.data = NEW
    assert story.settle().reason == "NothingToDo", "not before it is due"
    story.wait(hours=1)
    story.settle()
    assert story.status.records[0].trigger == "Schedule"


def test_an_operator_that_was_away_is_due_once() -> None:
    story = Story({"schedule": "*/5 * * * *"}, cooldown="1s")
    story.settle()
    story.data = NEW
    story.wait(hours=10)
    story.settle()
    story.end_run(version="v2")
    story.served = "v2"
    for _ in range(20):
        story.settle()
        story.wait(seconds=10)
    assert len(story.made) == 1


def test_the_cooldown_is_kept() -> None:
    story = Story({"newData": True})
    story.settle()
    story.data = NEW
    story.settle()
    story.end_run(version="v2")
    story.served, story.data = "v2", NEWER
    waits = story.settle()
    assert waits.reason == "CoolingDown"
    assert waits.again == timedelta(hours=1)
    story.wait(minutes=59)
    assert story.settle().children == ()
    story.wait(minutes=2)
    story.settle()
    assert len(story.made) == 2


def test_new_data_in_the_middle_of_a_retraining_waits_for_its_end() -> None:
    story = Story({"newData": True}, cooldown="1s")
    story.settle()
    story.data = NEW
    story.settle()
    story.data = NEWER
    story.wait(hours=2)
    assert story.settle().reason == "RetrainingUnderWay"
    assert len(story.made) == 1
    story.end_run(version="v2")
    story.served = "v2"
    story.settle()
    assert len(story.made) == 2
    assert story.status.records[0].dataset == NEWER


def test_attempts_are_bounded_and_a_person_lifts_the_bound() -> None:
    story = Story({"newData": True}, cooldown="1s", maxAttempts=3)
    story.settle()
    for number in range(6):
        story.data = samples.digest(f"data {number}")
        story.settle()
        if len(story.made) == number + 1:
            story.end_run(passed=False)
        story.settle()
        story.wait(minutes=1)
    assert len(story.made) == 3
    ended = story.settle()
    assert (ended.holds, ended.reason) == (False, "AttemptsExhausted")
    assert [record.verdict for record in story.status.records] == ["GatesFailed"] * 3
    assert "0.6" in story.status.records[0].message
    story.generation += 1
    story.settle()
    assert len(story.made) == 4


def test_a_version_that_was_taken_back_is_a_failed_attempt() -> None:
    story = Story({"newData": True})
    story.settle()
    story.data = NEW
    story.settle()
    story.end_run(version="v2")
    story.settle()
    story.quarantined = [{"digest": samples.digest("v2"), "message": "errors: 5 % against 0 %"}]
    story.settle()
    record = story.status.records[0]
    assert (record.verdict, story.status.attempts) == ("RolloutRejected", 1)
    assert "5 %" in record.message


def test_a_version_that_waits_for_a_person_gives_way_to_newer_data() -> None:
    story = Story({"newData": True})
    story.policy = {"approval": "required"}
    story.settle()
    story.data = NEW
    story.settle()
    story.end_run(version="v2")
    waits = story.settle()
    assert (waits.holds, waits.reason) == (True, "AwaitingApproval")
    story.wait(hours=2)
    assert len(story.made) == 1, "the same data is not trained twice"
    story.data = NEWER
    story.settle()
    assert len(story.made) == 2
    assert [record.verdict for record in story.status.records] == ["", "Superseded"]


def test_a_rollout_is_not_disturbed() -> None:
    story = Story({"drift": True})
    story.settle()
    story.data = NEW
    assert story.settle(drifted=DRIFT, rolling=True).reason == "CoolingDown"
    assert story.made == []
    assert story.settle(drifted=DRIFT).holds


def test_killed_between_any_two_writes_it_makes_the_same_run() -> None:
    story = Story({"newData": True})
    story.settle()
    story.data = NEW
    before = story.status
    first = story.once().children[0].name
    story.status = before
    assert story.once().children[0].name == first, "the status was not written"
    story.runs.clear()
    assert story.once().children[0].name == first, "the run was not made"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"template": None}, "TemplateMissing"),
        ({"template": samples.training_run("late-flights", output={"model": "other"})}, "TemplateUnfit"),
        ({"spec": {"model": {"name": "late-flights", "version": "v1"}}}, "VersionIsNamed"),
    ],
)
def test_what_a_person_must_mend_is_told(change: JsonObject, reason: str) -> None:
    story = Story({"newData": True})
    story.data = NEW
    for name, value in change.items():
        if name == "spec":
            assert isinstance(value, dict)
            story.spec.update(value)
        else:
            setattr(story, name, value)
    told = story.settle()
    assert (told.holds, told.reason, told.children) == (False, reason, ())


def test_a_wrong_schedule_is_told() -> None:
    story = Story({"schedule": "0 25 * * *"})
    told = story.settle()
    assert told.reason == "ScheduleInvalid"
    assert "spec.retraining.triggers" in told.message


def test_without_it_there_is_nothing() -> None:
    story = Story({"newData": True})
    del story.spec["retraining"]
    assert retraining(story.deployment(), story.view(), NOW, drifted=None, rolling=False) is None
    assert references(story.deployment()) == frozenset()
