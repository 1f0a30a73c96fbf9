"""The models: parsing, defaults, and the semantic fields that content hashes are made of."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from modelwright import keys
from modelwright.api.v1alpha1 import Condition, Dataset, Deployment, TrainingRun, parse

CSV = {"uri": "s3://raw/flights.csv"}
DIGEST = "sha256:" + "0" * 64


def dataset(**spec: Any) -> Dataset:
    return Dataset.parse({"metadata": {"name": "flights"}, "spec": {"source": CSV} | spec})


def run(**spec: Any) -> TrainingRun:
    minimal = {
        "dataset": {"name": "flights"},
        "task": "classification",
        "trainer": {"estimator": [{"class": "sklearn.linear_model.LogisticRegression", "params": {"C": 1.0}}]},
    }
    return TrainingRun.parse({"metadata": {"name": "late-flights"}, "spec": minimal | spec})


def test_a_kind_is_found_by_its_name() -> None:
    obj = {"apiVersion": "modelwright.dev/v1alpha1", "kind": "Deployment", "metadata": {"name": "a"}}
    found = parse(obj | {"spec": {"model": {"name": "late-flights"}}})
    assert isinstance(found, Deployment)
    assert found.spec.model.version == "latest"
    with pytest.raises(ValueError, match="'Job' is not a kind"):
        parse({"kind": "Job"})


def test_an_object_without_status_has_not_been_seen() -> None:
    status = dataset().status
    assert (status.observed_generation, status.conditions, status.version, status.ready) == (-1, (), None, False)


def test_metadata_of_the_api_server_is_read_and_the_rest_ignored() -> None:
    metadata = {
        "name": "flights",
        "namespace": "ana",
        "uid": "u",
        "generation": 3,
        "resourceVersion": "7",
        "creationTimestamp": "2026-05-01T00:00:00Z",
        "managedFields": [{}],
        "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "y", "blockOwnerDeletion": True}],
    }
    found = Dataset.parse({"metadata": metadata, "spec": {"source": {"uri": "s3://raw/flights.csv"}}}).metadata
    assert (found.namespace, found.generation, found.resource_version) == ("ana", 3, "7")
    assert found.owner_references[0].uid == "y"
    assert found.deletion_timestamp is None


def test_a_spec_refuses_what_it_does_not_know_and_a_status_does_not() -> None:
    with pytest.raises(ValidationError, match="refrsh"):
        dataset(refrsh={"token": "1"})
    status = Dataset.parse(
        {"metadata": {"name": "a"}, "spec": {"source": {"uri": "s3://raw/a.csv"}}, "status": {"newer": 1}}
    )
    assert status.status.observed_generation == -1


def test_models_are_frozen() -> None:
    with pytest.raises(ValidationError):
        setattr(dataset().spec.split, "train", 3)  # noqa: B010  # written out, the type checker would refuse it


def test_a_wrong_text_says_what_to_write() -> None:
    with pytest.raises(ValidationError, match="must be hours, minutes and seconds"):
        run(activeDeadline="5 minutes")
    with pytest.raises(ValidationError, match="must be s3://bucket/key"):
        dataset(source={"uri": "s3://raw/flights.csv\n"})


def test_quantities_are_text() -> None:
    assert run(resources={"limits": {"cpu": 2, "memory": "1Gi"}}).spec.resources.limits == {"cpu": "2", "memory": "1Gi"}
    with pytest.raises(ValidationError):
        run(resources={"limits": {"cpu": True}})


def test_a_status_is_written_as_it_was_read() -> None:
    condition = Condition(
        type="Ready", status="True", reason="Succeeded", message="", last_transition_time="2026-05-01T00:00:00Z"
    )
    written = condition.model_dump(by_alias=True, exclude_none=True)
    assert written["lastTransitionTime"] == "2026-05-01T00:00:00Z"
    assert Condition.model_validate(written) == condition


def test_the_model_is_named_like_its_run_unless_told() -> None:
    assert run().model == "late-flights"
    assert run(output={"model": "delays"}).model == "delays"


def same(left: Any, right: Any) -> bool:
    return json.dumps(left.spec.semantic()) == json.dumps(right.spec.semantic())


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        pytest.param(dataset(), dataset(split={"train": 70, "by": "hash"}), id="a default written out"),
        pytest.param(dataset(), dataset(columns=[], checks=[], refresh=None), id="empty lists"),
        pytest.param(dataset(), dataset(source=CSV | {"format": "csv"}), id="the ending's format"),
        pytest.param(dataset(), dataset(source=CSV | {"secretRef": {"name": "keys"}}), id="the keys' Secret"),
        pytest.param(
            dataset(),
            dataset(resources={"limits": {"cpu": 2}}, serviceAccountName="a", imagePullSecrets=[{"name": "b"}]),
            id="how the Pod runs",
        ),
        pytest.param(
            dataset(columns=[{"name": "a"}, {"name": "b", "allowed": ["y", "x"]}]),
            dataset(columns=[{"name": "b", "allowed": ["x", "y"], "role": "feature"}, {"name": "a"}]),
            id="another order of columns and values",
        ),
        pytest.param(run(), run(seed=0, evaluation={"metrics": []}, output={"createModelVersion": False}), id="a run"),
        pytest.param(run(), run(retries=5, suspend=True, activeDeadline="2h"), id="how a run runs"),
        pytest.param(run(), run(dataset={"name": "flights", "digest": DIGEST}), id="the dataset is passed beside it"),
        pytest.param(
            run(evaluation={"metrics": ["f1", "accuracy"]}),
            run(evaluation={"metrics": ["accuracy", "f1"]}),
            id="metrics",
        ),
    ],
)
def test_what_does_not_change_the_result_does_not_change_the_hash(plain: Any, written: Any) -> None:
    assert same(plain, written)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(dataset(), dataset(source={"uri": "s3://raw/other.csv"}), id="another file"),
        pytest.param(dataset(), dataset(source=CSV | {"format": "parquet"}), id="another format"),
        pytest.param(dataset(), dataset(refresh={"token": "2"}), id="a new token"),
        pytest.param(dataset(), dataset(split={"seed": 1}), id="another split"),
        pytest.param(dataset(), dataset(columns=[{"name": "a"}]), id="a declared column"),
        pytest.param(run(), run(seed=1), id="another seed"),
        pytest.param(run(), run(output={"model": "delays"}), id="another model"),
        pytest.param(
            run(trainer={"estimator": [{"class": "a.A"}, {"class": "a.B"}]}),
            run(trainer={"estimator": [{"class": "a.B"}, {"class": "a.A"}]}),
            id="another order of estimators",
        ),
    ],
)
def test_what_changes_the_result_changes_the_hash(before: Any, after: Any) -> None:
    assert not same(before, after)


def test_the_own_name_is_the_default_of_the_output() -> None:
    named = run(output={"model": "late-flights"}).spec
    assert named.semantic("late-flights") == run().spec.semantic("late-flights")
    assert named.semantic("other") != run().spec.semantic("other")


def test_golden_hashes() -> None:
    """These never change: a changed hash would repeat the work of every installation at its upgrade."""
    read = dataset(
        columns=[
            {"name": "late", "role": "target", "type": "boolean", "expression": "arr_delay > 15"},
            {"name": "carrier"},
        ],
        checks=[{"name": "enough", "rowCount": {"min": 1000}}],
        split={"train": 80, "validation": 10, "test": 10, "seed": 7},
    )
    trained = run(evaluation={"gates": [{"name": "floor", "metric": "roc_auc", "min": "0.65"}]}, seed=42)
    assert keys.ingest(read.spec.semantic()) == "b58cc503b945f85253a6d683dbf82807274db49987fb444d047bfd21ec10555e"
    assert (
        keys.train(trained.spec.semantic("late-flights"), "flights", DIGEST)
        == "8e43c97a33ae2230ed3ac94cce37d7794884728886eda8f2dd732e5b88e95995"
    )
