"""The scikit-learn predictor: bound or not, its answers and its refusals are scikit-learn's."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from modelwright_contract.model_archive import load_model
from modelwright_server import prediction, predictor
from modelwright_server.bound.calls import Bound
from modelwright_server.predictor import Predictor
from modelwright_server.problems import ModelUnusable, Problem
from modelwright_worker.archive import write_archive

from .fitted_models import Drawn, Estimator, Matrix

DRAWN = Drawn(4, features=3, classes=2, coarse=True)


def logistic() -> Estimator:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(DRAWN.matrix(), DRAWN.labels(np.arange(2)))


@pytest.mark.parametrize("bound", [False, True], ids=["ordinary", "bound"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=5),
        GradientBoostingClassifier(n_estimators=3, random_state=0),
        RandomForestClassifier(n_estimators=4, max_depth=2, random_state=0),
        LogisticRegression(C=1e-9),
        GaussianNB(),
        KNeighborsClassifier(4),
        RidgeClassifier(),
        SVC(random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_labels_are_those_of_scikit_learn(estimator: Estimator, classes: int, bound: bool) -> None:
    rng = np.random.default_rng(5)
    # Coarse features and few trees: many rows whose classes are equally probable.
    matrix = rng.integers(0, 3, (400, 2)).astype(np.float64)
    estimator.fit(matrix, rng.integers(0, classes, 400) * 10)
    model = Predictor(estimator, "classification", list(range(classes)))
    if bound:
        model.bind(matrix)
    as_asked: prediction.Predictor = model
    labels = as_asked.predict(matrix).labels
    assert labels is not None
    assert (labels * 10).tolist() == estimator.predict(matrix).tolist()


@pytest.mark.parametrize("bound", [False, True], ids=["ordinary", "bound"])
@pytest.mark.parametrize(
    ("make", "value", "told"),
    [
        pytest.param(logistic, np.nan, "takes no missing values, and the rows have some: Input X", id="missing"),
        pytest.param(logistic, np.inf, "takes no numbers as large as some in the rows: Input X", id="infinite"),
        pytest.param(
            lambda: RandomForestClassifier(3).fit(DRAWN.matrix(), DRAWN.labels(np.arange(2))),
            1e39,
            "takes no numbers as large as some in the rows: Input X",
            id="too large for float32",
        ),
    ],
)
def test_refusals(make: Callable[[], Estimator], value: float, told: str, bound: bool) -> None:
    model = Predictor(make(), "classification", [0, 1])
    if bound:
        model.bind(DRAWN.matrix())
        assert model.is_bound
    rows = DRAWN.matrix(3)
    rows[1, 1] = value
    with pytest.raises(Problem, match=told), np.errstate(over="ignore"):
        model.predict(rows)


def test_forests_and_boosting_take_missing_values() -> None:
    rows = DRAWN.matrix(40)
    rows[::2, 1] = np.nan
    for estimator in (RandomForestRegressor(5, random_state=0), make_pipeline(RandomForestRegressor(5, n_jobs=2))):
        model = Predictor(estimator.fit(DRAWN.matrix(), DRAWN.targets()), "regression", ())
        model.bind(DRAWN.matrix())
        assert model.is_bound
        values = model.predict(rows).values
        assert values is not None
        assert values.tolist() == estimator.predict(rows).tolist()


def test_an_error_of_the_model_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, matrix: Matrix) -> None:
        raise ValueError("a mistake of its own")

    model = Predictor(LinearRegression().fit(DRAWN.matrix(), DRAWN.targets()), "regression", ())
    monkeypatch.setattr(LinearRegression, "predict", fail)
    with pytest.raises(ValueError, match="of its own"):
        model.predict(DRAWN.matrix())


def test_classes_that_are_not_the_model_s() -> None:
    with pytest.raises(ModelUnusable, match="the manifest names 3 classes, the model has 2"):
        Predictor(logistic(), "classification", [0, 1, 2])


def test_models_without_a_bound_call_are_asked_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    estimator = SVC().fit(DRAWN.matrix(), DRAWN.labels(np.arange(2)))
    model = Predictor(estimator, "classification", [0, 1])
    with caplog.at_level(logging.INFO):
        model.bind(DRAWN.matrix())
    assert not model.is_bound
    assert caplog.records[-1].__dict__["fields"] == {"model": "SVC", "reason": "a SVC is asked as ever"}


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=3)),
        make_pipeline(HistGradientBoostingClassifier(max_iter=5)),
        make_pipeline(RandomForestClassifier(5)),
    ],
    ids=lambda estimator: type(estimator[-1]).__name__,
)
def test_models_from_an_archive_are_bound(estimator: Estimator, tmp_path: Path) -> None:
    write_archive(estimator.fit(DRAWN.matrix(), DRAWN.labels(np.arange(2))), tmp_path / "model.skops")
    model = Predictor(load_model(tmp_path / "model.skops"), "classification", [0, 1])
    model.bind(DRAWN.matrix())
    assert model.is_bound
    for row in np.split(DRAWN.matrix(7), 7):
        probabilities = model.predict(row).probabilities
        assert probabilities is not None
        assert probabilities.tolist() == estimator.predict_proba(row).tolist()


def lies(_: object) -> Bound:
    return Bound(lambda rows: prediction.Prediction(np.ones(len(rows), dtype=np.intp), np.ones((len(rows), 2))))


def has_changed(_: object) -> Bound:
    raise AttributeError("tree_")


@pytest.mark.parametrize(
    ("bind", "told"),
    [
        pytest.param(lies, "it answers golden rows otherwise than scikit-learn", id="another answer"),
        pytest.param(has_changed, "AttributeError", id="another scikit-learn"),
    ],
)
def test_what_is_not_proven_is_not_used(
    bind: Callable[[object], Bound], told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(predictor, "bind", bind)
    estimator = logistic()
    model = Predictor(estimator, "classification", [0, 1])
    with caplog.at_level(logging.INFO):
        model.bind(DRAWN.matrix())
    assert not model.is_bound
    assert told in caplog.text or told in str(caplog.records[-1].__dict__.get("fields"))
    labels = model.predict(DRAWN.matrix()).labels
    assert labels is not None
    assert labels.tolist() == estimator.predict(DRAWN.matrix()).tolist()
