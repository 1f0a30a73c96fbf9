"""`train` as a process: models by content, metrics and gates, and what bad input is told."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from modelwright_contract.features import FeatureContract
from modelwright_contract.manifests import ModelManifest
from modelwright_contract.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS
from modelwright_contract.model_archive import load_model
from modelwright_contract.results import IngestSummary, TrainSummary
from modelwright_worker.metrics import CLASSIFICATION, REGRESSION

from .steps import LATE, Steps, flights, training


def model_of(steps: Steps, summary: TrainSummary) -> tuple[ModelManifest, Any, dict[str, Any]]:
    """Manifest, loaded model and golden rows."""
    name = summary.digest.removeprefix("sha256:")
    manifest = ModelManifest.parse((steps.store / "manifests" / "sha256" / f"{name}.json").read_bytes())
    blobs = {
        part: (steps.store / "blobs" / "sha256" / blob.digest.removeprefix("sha256:")).read_bytes()
        for part, blob in (("model", manifest.model), ("golden", manifest.golden))
    }
    return manifest, load_model(io.BytesIO(blobs["model"])), json.loads(blobs["golden"])


@pytest.fixture
def dataset(steps: Steps) -> IngestSummary:
    """A version with a boolean target and every kind of feature."""
    columns = [LATE, {"name": "id", "role": "id"}]
    return steps.ingest(steps.write("flights.csv", flights()), columns=columns)


def test_a_model_answers_its_golden_rows_from_raw_values(steps: Steps, dataset: IngestSummary) -> None:
    summary = steps.train(dataset, gates=[{"name": "floor", "metric": "roc_auc", "min": "0.1"}])
    manifest, model, golden = model_of(steps, summary)
    assert manifest.classes == (False, True)
    assert summary.classes == 2
    assert summary.passed
    assert set(summary.metrics.test) == {
        "accuracy",
        "balanced_accuracy",
        "f1",
        "precision",
        "recall",
        "roc_auc",
        "log_loss",
    }
    assert len(golden["rows"]) == 32
    contract = FeatureContract.from_json(manifest.contract)
    columns = {name: [row[name] for row in golden["rows"]] for name in golden["rows"][0]}
    matrix = contract.matrix(columns)
    np.testing.assert_array_equal(model.predict_proba(matrix), golden["outputs"]["probability"])
    assert model.predict(matrix).tolist() == golden["outputs"]["label"]
    assert [(tensor.name, tensor.datatype) for tensor in manifest.inputs] == [
        ("month", "INT64"), ("carrier", "BYTES"), ("distance", "INT64"), ("time_hour", "BYTES"), ("cancelled", "BOOL"),
    ]  # fmt: skip
    assert [(tensor.name, tensor.shape) for tensor in manifest.outputs] == [("label", (-1,)), ("probability", (-1, 2))]


def test_the_same_data_give_the_same_model_whatever_the_process(steps: Steps, dataset: IngestSummary) -> None:
    pipelines = (
        [{"class": "sklearn.ensemble.HistGradientBoostingClassifier", "params": {"max_iter": 10}}],
        [{"class": "sklearn.impute.SimpleImputer"}, {"class": "sklearn.ensemble.RandomForestClassifier",
                                                     "params": {"n_estimators": 10}}],
    )  # fmt: skip
    for index, pipeline in enumerate(pipelines):
        digests = {
            steps.train(dataset, {"PYTHONHASHSEED": seed}, pipeline=pipeline, seed=7, key=f"{index}{seed}" * 32).digest
            for seed in "12"
        }
        assert len(digests) == 1


def test_a_regression(steps: Steps) -> None:
    columns = [{"name": "arr_delay", "role": "target"}, {"name": "id", "role": "id"}]
    dataset = steps.ingest(steps.write("flights.csv", flights()), columns=columns)
    pipeline = [
        {"class": "sklearn.impute.SimpleImputer", "params": {"strategy": "median", "fill_value": {"value": None}}},
        {"class": "sklearn.preprocessing.StandardScaler"},
        {"class": "sklearn.linear_model.Ridge", "params": {"alpha": 0.5}},
    ]
    gates = [{"name": "floor", "metric": "r2", "min": "0.99"}, {"name": "error", "metric": "rmse", "max": "1e3"}]
    summary = steps.train(dataset, task="regression", pipeline=pipeline, gates=gates)
    assert [(gate.name, gate.passed) for gate in summary.gates] == [("floor", False), ("error", True)]
    assert not summary.passed
    assert summary.classes == 0
    manifest, _, golden = model_of(steps, summary)
    assert manifest.classes is None
    assert list(golden["outputs"]) == ["prediction"]


def test_text_labels_and_several_classes(steps: Steps) -> None:
    columns = [{"name": "carrier", "role": "target"}, {"name": "id", "role": "id"}]
    dataset = steps.ingest(steps.write("flights.csv", flights()), columns=columns)
    summary = steps.train(dataset)
    manifest, _, golden = model_of(steps, summary)
    assert manifest.classes == ("AA", "DL", "UA")
    assert set(golden["outputs"]["label"]) <= {"AA", "DL", "UA"}
    assert manifest.outputs[0].datatype == "BYTES"


def test_a_model_without_probabilities_gives_labels(steps: Steps, dataset: IngestSummary) -> None:
    pipeline = [{"class": "sklearn.impute.SimpleImputer"}, {"class": "sklearn.linear_model.RidgeClassifier"}]
    summary = steps.train(dataset, pipeline=pipeline)
    assert "roc_auc" in summary.metrics.test
    assert "log_loss" not in summary.metrics.test
    manifest, _, golden = model_of(steps, summary)
    assert list(golden["outputs"]) == ["label"]
    assert [tensor.name for tensor in manifest.outputs] == ["label"]


def test_the_seed_of_the_run_is_every_steps_seed(steps: Steps, dataset: IngestSummary) -> None:
    pipeline = [
        {"class": "sklearn.impute.SimpleImputer"},
        {
            "class": "sklearn.ensemble.ExtraTreesClassifier",
            "params": {"n_estimators": 3, "random_state": {"value": None}},
        },
    ]
    _, model, _ = model_of(steps, steps.train(dataset, pipeline=pipeline, seed=11))
    assert model.steps[1][1].random_state == 11


def test_the_worker_measures_what_the_contract_names() -> None:
    assert CLASSIFICATION.keys() == set(CLASSIFICATION_METRICS)
    assert REGRESSION.keys() == set(REGRESSION_METRICS)


def test_every_metric_of_a_regression_has_a_value(steps: Steps) -> None:
    columns = [{"name": "distance", "role": "target"}, {"name": "id", "role": "id"}]
    dataset = steps.ingest(steps.write("flights.csv", flights()), columns=columns)
    pipeline = [{"class": "sklearn.dummy.DummyRegressor"}]
    measured = steps.train(dataset, task="regression", pipeline=pipeline, metrics=REGRESSION_METRICS).metrics.test
    assert measured.keys() == set(REGRESSION_METRICS)
    assert float(measured["mse"]) == pytest.approx(float(measured["rmse"]) ** 2, rel=1e-4)


def step(path: str, **params: object) -> dict[str, object]:
    return {"pipeline": [{"class": path, "params": params}]}


HGB = "sklearn.ensemble.HistGradientBoostingClassifier"
BAD: list[tuple[str, Mapping[str, object], str, str]] = [
    ("a class of another library", step("os.system"), "EstimatorNotAllowed", "os.system is not allowed"),
    ("a class off the list", step("sklearn.ensemble.StackingClassifier"), "EstimatorNotAllowed", "is not allowed"),
    ("a private path", step("sklearn.linear_model._logistic.LogisticRegression"), "EstimatorNotAllowed",
     "did you mean sklearn.linear_model.LogisticRegression?"),
    ("a class that does not exist", step("sklearn.ensemble.RandomForrestClassifier"), "EstimatorNotFound",
     "did you mean sklearn.ensemble.RandomForestClassifier"),
    ("an unknown parameter", step(HGB, max_iters=5), "EstimatorParameterInvalid",
     "spec.trainer.estimator[0].params.max_iters"),
    ("a parameter of another type", step(HGB, max_iter="many"), "EstimatorParameterInvalid", "'max_iter'"),
    ("a tree of neighbours", step("sklearn.neighbors.KNeighborsClassifier", algorithm="kd_tree"),
     "EstimatorParameterInvalid", "write algorithm: brute"),
    ("a regressor for a classification", step("sklearn.ensemble.HistGradientBoostingRegressor"), "EstimatorNotAllowed",
     f"the last step must be {HGB}"),
    ("a predictor in the middle", {"pipeline": [{"class": HGB}, {"class": HGB}]}, "EstimatorNotAllowed",
     "only the last"),
    ("missing values", step("sklearn.linear_model.LogisticRegression"), "EstimatorFailed",
     "sklearn.impute.SimpleImputer"),
    ("an unknown metric", {"metrics": ["rocauc"]}, "MetricNotApplicable", "did you mean roc_auc"),
    ("a gate of another task", {"gates": [{"name": "g", "metric": "rmse", "max": "1"}]}, "MetricNotApplicable",
     "rmse is no metric of a classification"),
    ("a gate without a value",
     {"pipeline": [{"class": "sklearn.impute.SimpleImputer"}, {"class": "sklearn.svm.LinearSVC"}],
      "gates": [{"name": "g", "metric": "log_loss", "max": "1"}]}, "MetricNotApplicable", "gives no probabilities"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "reason", "says"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_is_told(
    packaged: tuple[Steps, TrainSummary], datasets: IngestSummary, task: Mapping[str, object], reason: str, says: str
) -> None:
    steps, _ = packaged
    failure = steps.failure("train", training(datasets, **task))
    assert (failure.reason, failure.retry) == (reason, False), failure.message
    assert says in failure.message


@pytest.fixture(scope="session")
def datasets(packaged: tuple[Steps, TrainSummary]) -> IngestSummary:
    """The version that the shared model was made from."""
    steps, _ = packaged
    columns = [LATE, {"name": "id", "role": "id"}]
    return steps.ingest("pvc://claim/flights.csv", columns=columns)


@pytest.mark.parametrize(
    ("columns", "reason", "says"),
    [
        pytest.param([{"name": "late", "role": "target", "expression": "arr_delay > 1000"}], "TargetSingleClass",
                     "all 2", id="one class"),
        pytest.param([{"name": "id", "role": "id"}], "TargetMissing", "role: target", id="no target"),
        pytest.param([{"name": "late", "role": "target", "expression": "cast('x' as double) > 1"}], "TargetMissing",
                     "missing in every row", id="a target that is always missing"),
        pytest.param([{"name": "y", "role": "target", "expression": "arr_delay / 7"}], "EstimatorFailed",
                     "write task: regression", id="fractions as classes"),
    ],
)  # fmt: skip
def test_a_target_that_can_not_be_learnt_is_told(
    steps: Steps, columns: list[dict[str, object]], reason: str, says: str
) -> None:
    dataset = steps.ingest(steps.write("flights.csv", flights()), columns=columns)
    failure = steps.failure("train", training(dataset))
    assert (failure.reason, failure.retry) == (reason, False), failure.message
    assert says in failure.message


def test_a_version_that_is_gone_is_told(steps: Steps, dataset: IngestSummary) -> None:
    for path in (steps.store / "blobs").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    altered = steps.failure("train", training(dataset))
    assert (altered.reason, altered.retry) == ("DatasetNotFound", True)
    (steps.store / "manifests" / "sha256" / f"{dataset.digest.removeprefix('sha256:')}.json").unlink()
    gone = steps.failure("train", training(dataset, key="d" * 64))
    assert (gone.reason, gone.retry) == ("DatasetNotFound", True)
