"""A fitted scikit-learn estimator or pipeline behind one typed call."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
import sklearn
from numpy.typing import NDArray

from modelwright_server.bound.binding import bind
from modelwright_server.bound.calls import Call, NotBindable
from modelwright_server.bound.finite import all_fit_float32
from modelwright_server.bound.proof import difference
from modelwright_server.logs import fields
from modelwright_server.prediction import Class, Matrix, Prediction, Task
from modelwright_server.problems import ModelUnusable, Problem

LOGGER = logging.getLogger(__name__)


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
        "QuadraticDiscriminantAnalysis",
        "RandomForestClassifier",
    }
)


class Predictor:
    """One fitted estimator; implements `prediction.Predictor`. Its answers are scikit-learn's own.

    After `bind`, models that have a proven pre-bound call are asked by it, to the same answers (`bound.calls.Bound`
    says what the same is). Several threads may predict at the same time.
    """

    platform = "modelwright_sklearn"

    def __init__(self, estimator: object, task: Task, classes: Sequence[Class]) -> None:
        """Raises ModelUnusable when estimator, task and classes don't belong together."""
        self.task: Task = task
        self.classes: tuple[Class, ...] = tuple(classes)
        self._estimator = cast(Estimator, estimator)
        self._classifier: _ProbabilisticClassifier | None = None
        self._labels_from_probabilities = False
        self._own_classes: NDArray[np.generic] = np.empty(0)
        self._bound: Call | None = None
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

    @property
    def is_bound(self) -> bool:
        """Whether a pre-bound call answers."""
        return self._bound is not None

    def bind(self, rows: Matrix) -> None:
        """Have a pre-bound call answer from now on, if there is one and it answers like scikit-learn.

        Once, at load. `rows` are some rows that the model takes, like the golden ones: the call is held against
        scikit-learn on them and on rows made of them (`bound.proof`). Raises nothing: the log says why there is none.
        """
        try:
            bound = bind(self._estimator)
            reason = difference(bound, self._ask, rows)
        except NotBindable as why:
            reason = str(why)
        except Exception:
            # Compiled parts that are not public may change in any way with the version of scikit-learn.
            LOGGER.exception("no pre-bound call: this version of scikit-learn is asked the ordinary way")
            return
        else:
            if reason is None:
                self._bound = bound.call
                LOGGER.info("pre-bound call", extra=fields(model=_final_class(self._estimator)))
                return
        LOGGER.info("no pre-bound call", extra=fields(model=_final_class(self._estimator), reason=reason))

    def predict(self, matrix: Matrix) -> Prediction:
        """Predict n rows. Raises Problem when the model takes no missing or no huge values and there are some."""
        if self._bound is not None:
            prediction = self._bound(matrix)
            if prediction is not None:
                return prediction
        return self._ask(matrix)

    @staticmethod
    def settle_in_thread() -> None:
        """scikit-learn's configuration is a thread's own: leave out its checks of parameters, which never change."""
        sklearn.set_config(skip_parameter_validation=True)

    def _ask(self, matrix: Matrix) -> Prediction:
        try:
            return self._answer(matrix)
        except ValueError as refusal:
            if all_fit_float32(matrix):
                raise
            text = str(refusal).strip().splitlines()[0]
            if np.isnan(matrix).any():
                raise Problem(f"the model takes no missing values, and the rows have some: {text}") from refusal
            raise Problem(f"the model takes no numbers as large as some in the rows: {text}") from refusal

    def _answer(self, matrix: Matrix) -> Prediction:
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
