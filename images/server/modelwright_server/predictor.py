"""A fitted scikit-learn pipeline behind one typed call: float64 matrix in, labels and probabilities or values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, cast

import numpy as np
import sklearn
from numpy.typing import NDArray

from modelwright_server.problems import ModelUnusable, Problem

Matrix: TypeAlias = NDArray[np.float64]
Task = Literal["classification", "regression"]
Class: TypeAlias = str | int | float | bool


class Estimator(Protocol):
    """What every scikit-learn predictor has."""

    def predict(self, matrix: Matrix) -> NDArray[np.generic]:
        """One label or value a row."""

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Parameters, with those of nested estimators as `step__name`."""

    def set_params(self, **params: object) -> object:
        """Set parameters by the names of `get_params`."""


class _ProbabilisticClassifier(Protocol):
    classes_: NDArray[np.generic]

    def predict_proba(self, matrix: Matrix) -> Matrix:
        """One probability a class, columns in the order of `classes_`."""


# For these, scikit-learn's own predict() takes the class with the greatest score, and a probability never falls while
# its score grows: where the greatest probability is unique, it belongs to the class that predict() names.
_GREATEST_PROBABILITY_WINS = frozenset(
    {
        "DecisionTreeClassifier",
        "ExtraTreeClassifier",
        "ExtraTreesClassifier",
        "GaussianNB",
        "GradientBoostingClassifier",
        "HistGradientBoostingClassifier",
        "LinearDiscriminantAnalysis",
        "LogisticRegression",
        "LogisticRegressionCV",
        "QuadraticDiscriminantAnalysis",
        "RandomForestClassifier",
    }
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Answers for n rows: `labels` are indices into the classes and `probabilities` [n, classes], or `values` [n]."""

    labels: NDArray[np.intp] | None = None
    probabilities: Matrix | None = None
    values: Matrix | None = None


class Predictor:
    """One fitted estimator. Its answers are scikit-learn's own; several threads may predict at the same time."""

    def __init__(self, estimator: object, task: Task, classes: Sequence[Class]) -> None:
        """Raises ModelUnusable when estimator, task and classes don't belong together."""
        self.task = task
        self.classes = tuple(classes)
        self._estimator = cast(Estimator, estimator)
        self._classifier: _ProbabilisticClassifier | None = None
        self._labels_from_probabilities = False
        self._own_classes: NDArray[np.generic] = np.empty(0)
        if task == "classification":
            self._own_classes = np.asarray(getattr(estimator, "classes_", ()))
            if len(self._own_classes) != len(self.classes):
                raise ModelUnusable(
                    f"the manifest names {len(self.classes)} classes, the model has {len(self._own_classes)}"
                )
            if hasattr(estimator, "predict_proba"):
                self._classifier = cast(_ProbabilisticClassifier, estimator)
                self._labels_from_probabilities = _final_class(estimator) in _GREATEST_PROBABILITY_WINS
        self._use_one_thread()

    @property
    def has_probabilities(self) -> bool:
        """Whether predictions carry probabilities."""
        return self._classifier is not None

    def predict(self, matrix: Matrix) -> Prediction:
        """Predict n rows. Raises Problem when the model takes no missing values and there are some."""
        if np.isfinite(matrix).all():
            return self._predict(matrix)
        # `settle_in_thread` switched scikit-learn's own search for missing values off; here it has something to say.
        with sklearn.config_context(assume_finite=False):
            try:
                return self._predict(matrix)
            except ValueError as refusal:
                text = str(refusal).strip().splitlines()[0]
                raise Problem(f"the model takes no missing values, and the rows have some: {text}") from refusal

    @staticmethod
    def settle_in_thread() -> None:
        """scikit-learn's configuration is a thread's own: leave out checks that `predict` makes or needs not."""
        sklearn.set_config(assume_finite=True, skip_parameter_validation=True)

    def _predict(self, matrix: Matrix) -> Prediction:
        if self.task == "regression":
            return Prediction(values=np.asarray(self._estimator.predict(matrix), dtype=np.float64).reshape(-1))
        probabilities = None
        if self._classifier is not None:
            probabilities = np.ascontiguousarray(self._classifier.predict_proba(matrix), dtype=np.float64)
            if self._labels_from_probabilities and not _has_ties(probabilities):
                return Prediction(labels=probabilities.argmax(axis=1), probabilities=probabilities)
        labels = np.searchsorted(self._own_classes, self._estimator.predict(matrix))
        return Prediction(labels=labels, probabilities=probabilities)

    def _use_one_thread(self) -> None:
        # n_jobs was chosen for fitting; in a small container it starts a pool of threads for each request.
        jobs = [
            name
            for name, value in self._estimator.get_params().items()
            if name.rpartition("__")[2] == "n_jobs" and value is not None
        ]
        if jobs:
            self._estimator.set_params(**dict.fromkeys(jobs, 1))


def _has_ties(probabilities: Matrix) -> bool:
    if probabilities.shape[1] == 2:
        return bool((probabilities[:, 0] == probabilities[:, 1]).any())
    greatest = probabilities.max(axis=1, keepdims=True)
    return bool(((probabilities == greatest).sum(axis=1) != 1).any())


def _final_class(estimator: object) -> str:
    steps: object = getattr(estimator, "steps", None)
    last = steps[-1][1] if isinstance(steps, list) and steps else estimator
    return type(last).__name__
