"""ONNX forms answer as scikit-learn does, to the bit where only trees are summed; and the proof finds what doesn't."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.ensemble
import sklearn.linear_model
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, RidgeClassifier, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from threadpoolctl import threadpool_limits

from modelwright_contract.model_archive import load_model
from modelwright_contract.onnx_session import OnnxModel
from modelwright_worker.archive import write_archive
from modelwright_worker.onnx_form import NoForm, OnnxForm, attempt, boosting, forests, tree_ensemble
from modelwright_worker.onnx_form.convert import convert
from modelwright_worker.onnx_form.graph import Matrix, NotConvertible
from modelwright_worker.onnx_form.proof import Difference, prove
from modelwright_worker.onnx_form.trees import Splits, splits_of_predictor, splits_of_tree

RANDOM = np.random.default_rng(0)
TUMOURS, MALIGNANT = load_breast_cancer(return_X_y=True)
FLOWERS, SPECIES = load_iris(return_X_y=True)
# Labels that contradict each other give trees whose leaves hold several classes.
FLOWERS = np.repeat(FLOWERS, 2, axis=0)
SPECIES = np.where(RANDOM.random(300) < 0.25, RANDOM.integers(3, size=300), np.repeat(SPECIES, 2))
PATIENTS, PROGRESS = load_diabetes(return_X_y=True)
WITH_HOLES = np.where(RANDOM.random(TUMOURS.shape) < 0.1, np.nan, TUMOURS)

LAST_BIT = 1e-14


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of OpenMP wait for each other busily; on a machine with other work that takes all the time."""
    with threadpool_limits(1):
        yield


TREES = [
    pytest.param(DecisionTreeClassifier(max_depth=4), 0.0, id="tree"),
    pytest.param(ExtraTreeClassifier(random_state=0), 0.0, id="extra tree"),
    pytest.param(RandomForestClassifier(20, random_state=0), 0.0, id="grown forest"),
    pytest.param(RandomForestClassifier(20, max_depth=3, random_state=0, n_jobs=2), 0.0, id="flat forest"),
    pytest.param(ExtraTreesClassifier(20, min_samples_leaf=3, class_weight="balanced"), 0.0, id="extra trees"),
    pytest.param(make_pipeline(StandardScaler(), RandomForestClassifier(10)), 0.0, id="scaled forest"),
    pytest.param(make_pipeline(MinMaxScaler(clip=True), DecisionTreeClassifier()), 0.0, id="clipped tree"),
    pytest.param(GradientBoostingClassifier(n_estimators=10), LAST_BIT, id="boosting"),
    pytest.param(HistGradientBoostingClassifier(max_iter=10), LAST_BIT, id="histograms"),
    pytest.param(make_pipeline(RobustScaler(), HistGradientBoostingClassifier(max_iter=5)), LAST_BIT, id="scaled"),
]
LINEAR = [
    pytest.param(LogisticRegression(), 1e-12, id="logistic"),
    pytest.param(make_pipeline(SimpleImputer(), RobustScaler(), LogisticRegression()), 1e-12, id="filled in"),
    pytest.param(make_pipeline("passthrough", MaxAbsScaler(), RidgeClassifier()), 0.0, id="ridge"),
    pytest.param(SGDClassifier(), 0.0, id="hinge"),
    pytest.param(LinearSVC(), 0.0, id="svc"),
]


def formed(model: Any, rows: Matrix, targets: Any) -> OnnxForm:
    """The form that a model must have."""
    model.fit(rows, targets)
    outcome = attempt(model, model.classes_.tolist() if hasattr(model, "classes_") else (), rows)
    assert isinstance(outcome, OnnxForm), outcome
    return outcome


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("labels", ["two", "three"])
@pytest.mark.parametrize(("model", "difference"), TREES + LINEAR)
def test_classifiers(model: Any, difference: float, labels: str) -> None:
    rows, targets = (TUMOURS, MALIGNANT) if labels == "two" else (FLOWERS, SPECIES)
    form = formed(clone(model), rows, targets)
    assert form.proof.greatest_difference <= difference
    assert form.proof.real_rows == len(rows)
    assert form.proof.hard_rows > 1000


@pytest.mark.parametrize(
    ("model", "difference"),
    [
        pytest.param(DecisionTreeRegressor(), 0.0, id="tree"),
        pytest.param(ExtraTreeRegressor(), 0.0, id="extra tree"),
        pytest.param(RandomForestRegressor(10), 0.0, id="forest"),
        pytest.param(ExtraTreesRegressor(5), 0.0, id="extra trees"),
        pytest.param(GradientBoostingRegressor(n_estimators=10), 0.0, id="boosting"),
        pytest.param(GradientBoostingRegressor(n_estimators=5, loss="huber", init="zero"), 0.0, id="from zero"),
        pytest.param(HistGradientBoostingRegressor(max_iter=10), 0.0, id="histograms"),
        pytest.param(HistGradientBoostingRegressor(max_iter=10, loss="poisson"), LAST_BIT, id="counts"),
        pytest.param(make_pipeline(StandardScaler(), LinearRegression()), 1e-10, id="linear"),
        pytest.param(PoissonRegressor(), 1e-10, id="poisson"),
    ],
)
def test_regressors(model: Any, difference: float) -> None:
    assert formed(model, PATIENTS, PROGRESS).proof.greatest_difference <= difference


@pytest.mark.parametrize(
    "name",
    [
        "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "GammaRegressor", "HuberRegressor", "Lars",
        "Lasso", "LassoCV", "LassoLars", "LinearRegression", "OrthogonalMatchingPursuit", "QuantileRegressor",
        "Ridge", "SGDRegressor", "TheilSenRegressor", "TweedieRegressor",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_linear_regressors(name: str) -> None:
    formed(getattr(sklearn.linear_model, name)(), PATIENTS[:, :4], PROGRESS)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(RandomForestClassifier(10), id="forest"),
        pytest.param(HistGradientBoostingClassifier(max_iter=10), id="histograms"),
        pytest.param(make_pipeline(SimpleImputer(strategy="median"), LogisticRegression(max_iter=5)), id="imputer"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_missing_values(model: Any) -> None:
    form = formed(model, WITH_HOLES, MALIGNANT)
    taken = OnnxModel(form.content, WITH_HOLES.shape[1], 2).taken
    assert taken.missing


def test_a_loss_whose_ties_are_the_second_class() -> None:
    """Boosting gives a score of exactly 0 to the second class, histogram-based boosting to the first."""
    rows, targets = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 0, 1])
    second = GradientBoostingClassifier(n_estimators=2, init="zero")
    exponential = GradientBoostingClassifier(n_estimators=2, init="zero", loss="exponential")
    first = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1)
    for model, label in ((second, 1), (exponential, 1), (first, 0)):
        form = formed(model, rows, targets)
        assert (model.decision_function(rows) == 0).all()
        labels = OnnxModel(form.content, 1, 2).answer(rows).labels
        assert labels is not None
        assert (labels == label).all()


def test_ties_of_a_forest() -> None:
    """Sums of thirds and sevenths tie, or miss it by the last bit, just as scikit-learn's."""
    rows = RANDOM.integers(3, size=(200, 3)).astype(np.float64)
    targets = RANDOM.integers(2, size=200)
    model = RandomForestClassifier(8, max_depth=2, bootstrap=False, random_state=0)
    form = formed(model, np.concatenate([rows, rows]), np.concatenate([targets, 1 - targets]))
    probabilities = OnnxModel(form.content, 3, 2).answer(rows).probabilities
    assert probabilities is not None
    assert (np.abs(probabilities[:, 0] - 0.5) < 1e-15).any()


def test_a_proof_leaves_the_model_as_it_was() -> None:
    model = make_pipeline(RandomForestClassifier(5, n_jobs=2))
    formed(model, TUMOURS, MALIGNANT)
    assert model.get_params()["randomforestclassifier__n_jobs"] == 2


def test_a_constant_and_a_stump() -> None:
    formed(DecisionTreeRegressor(), PATIENTS, np.full(len(PATIENTS), 7.5))
    formed(HistGradientBoostingRegressor(max_iter=2), PATIENTS, np.full(len(PATIENTS), 7.5))
    formed(RandomForestClassifier(5, max_depth=1), TUMOURS, MALIGNANT)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        pytest.param(SVC(), "SVC has no ONNX form here", id="model"),
        pytest.param(sklearn.ensemble.AdaBoostClassifier(), "AdaBoostClassifier has no ONNX form", id="ensemble"),
        pytest.param(make_pipeline(PolynomialFeatures(), LogisticRegression()), "step PolynomialFeatures", id="step"),
        pytest.param(SGDClassifier(loss="modified_huber"), "the probabilities of its loss modified_huber", id="loss"),
        pytest.param(HistGradientBoostingClassifier(categorical_features=[0]), "columns by category", id="categories"),
        pytest.param(GradientBoostingClassifier(init=LogisticRegression()), "guess is a LogisticRegression", id="init"),
        pytest.param(
            make_pipeline(SimpleImputer(missing_values=-1), LogisticRegression()), "missing_values=-1", id="imputer"
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_has_no_form_says_why(model: Any, reason: str) -> None:
    model.fit(np.floor(FLOWERS), SPECIES)
    outcome = attempt(model, [0, 1, 2], np.floor(FLOWERS))
    assert isinstance(outcome, NoForm)
    assert reason in outcome.reason


def test_several_targets_one_class_and_other_classes_have_no_form() -> None:
    both = np.column_stack([PROGRESS, PROGRESS])
    for model in (DecisionTreeRegressor(max_depth=2), LinearRegression()):
        with pytest.raises(NotConvertible, match="2 targets"):
            convert(model.fit(PATIENTS, both))
    with pytest.raises(NotConvertible, match="one class only"):
        convert(DecisionTreeClassifier().fit(PATIENTS, np.zeros(len(PATIENTS))))
    tree = DecisionTreeClassifier(max_depth=2).fit(TUMOURS, MALIGNANT)
    assert attempt(tree, ["no", "yes"], TUMOURS) == NoForm("the model has other classes than its manifest")


def test_trees_without_end_have_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = DecisionTreeClassifier().fit(TUMOURS, MALIGNANT)
    with monkeypatch.context() as patched:
        patched.setattr(tree_ensemble, "MAX_NODES", 10)
        with pytest.raises(NotConvertible, match="more than 10 nodes"):
            convert(tree)
    monkeypatch.setattr(tree_ensemble, "MAX_DEPTH", 3)
    with pytest.raises(NotConvertible, match="deeper than 3"):
        convert(tree)


def test_the_same_model_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=5)).fit(FLOWERS, SPECIES)
    content = convert(model)
    archive = tmp_path / "model.skops"
    write_archive(model, archive)
    loaded = load_model(archive)
    assert convert(loaded) == content
    assert isinstance(attempt(loaded, [0, 1, 2], FLOWERS), OnnxForm)
    script = (
        "import hashlib, pathlib, sys\n"
        "from modelwright_contract.model_archive import load_model\n"
        "from modelwright_worker.onnx_form.convert import convert\n"
        "print(hashlib.sha256(convert(load_model(pathlib.Path(sys.argv[1])))).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", script, str(archive)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == hashlib.sha256(content).hexdigest()


# -- what the proof finds -------------------------------------------------------------------------------------------


def _nearest(splits: Splits) -> Splits:
    threshold = splits.threshold.astype(np.float32).astype(np.float64)
    return Splits(splits.left, splits.right, splits.feature, threshold, splits.missing_left)


def _just_below(splits: Splits) -> Splits:
    return Splits(
        splits.left, splits.right, splits.feature, np.nextafter(splits.threshold, -np.inf), splits.missing_left
    )


def _missing_elsewhere(splits: Splits) -> Splits:
    return Splits(splits.left, splits.right, splits.feature, splits.threshold, ~splits.missing_left)


@pytest.mark.parametrize(
    ("model", "spoil"),
    [
        pytest.param(RandomForestClassifier(20, random_state=0), _nearest, id="forest, thresholds to nearest"),
        pytest.param(RandomForestRegressor(20, random_state=0), _nearest, id="regression, thresholds to nearest"),
        pytest.param(HistGradientBoostingClassifier(max_iter=10), _nearest, id="histograms in float32"),
        pytest.param(HistGradientBoostingClassifier(max_iter=10), _just_below, id="less instead of at most"),
        pytest.param(HistGradientBoostingClassifier(max_iter=10), _missing_elsewhere, id="missing values"),
        pytest.param(
            make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=10)), _nearest, id="scaled"
        ),
    ],
)
def test_the_proof_finds_thresholds_that_are_not_the_models(
    model: Any, spoil: Callable[[Splits], Splits], monkeypatch: pytest.MonkeyPatch
) -> None:
    model.fit(TUMOURS, MALIGNANT)
    with monkeypatch.context() as patched:
        patched.setattr(forests, "splits_of_tree", lambda tree: spoil(splits_of_tree(tree)))
        patched.setattr(boosting, "splits_of_predictor", lambda nodes: spoil(splits_of_predictor(nodes)))
        content = convert(model)
    outcome = prove(model, content, TUMOURS)
    assert isinstance(outcome, Difference)
    assert "scikit-learn's is" in outcome.sentence
    assert "its features are" in outcome.sentence


def test_the_proof_finds_rows_that_are_not_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    model = RandomForestClassifier(20, random_state=0).fit(TUMOURS, MALIGNANT)
    monkeypatch.setattr(forests, "as_float32", lambda _, rows: rows)
    assert isinstance(prove(model, convert(model), TUMOURS), Difference)


def test_the_proof_finds_another_model() -> None:
    one, other = (RandomForestClassifier(5, random_state=seed).fit(TUMOURS, MALIGNANT) for seed in (0, 1))
    assert isinstance(prove(one, convert(other), TUMOURS), Difference)
    labels_only = convert(RidgeClassifier().fit(TUMOURS, MALIGNANT))
    outcome = prove(LogisticRegression(tol=1e9).fit(TUMOURS, MALIGNANT), labels_only, TUMOURS)
    assert outcome == Difference("a test row, in batches of 1: the form gives other outputs than scikit-learn; its "
                                 f"features are {', '.join(map(repr, TUMOURS[0].tolist()))[:199]}…")  # fmt: skip


def test_rows_that_no_model_takes_prove_nothing() -> None:
    model = LogisticRegression(tol=1e9).fit(FLOWERS, SPECIES)
    outcome = prove(model, convert(model), np.full((3, 4), np.nan))
    assert outcome == Difference("there is no row to compare on: each has values that the model does not take")
