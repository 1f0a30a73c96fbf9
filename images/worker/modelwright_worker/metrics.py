"""Metrics of a model on a split, by the names scikit-learn's users know."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import sklearn.metrics as measures
from numpy.typing import NDArray

from modelwright_contract.vectors import Array
from modelwright_worker.failures import Told

Reals: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows of a split with what was true and what the model said.

    Classification: `truth` and `predicted` are positions among the classes; a label that the train split does not have
    is `classes`. `probability` is (rows, classes) or None; `score` is (rows,) for two classes, larger for the second.
    Regression: `truth` and `predicted` are values and `classes` is 0.
    """

    truth: Array
    predicted: Array
    classes: int
    probability: Reals | None = None
    score: Reals | None = None

    def of_rows(self, rows: NDArray[np.int64]) -> Judged:
        """The same for these rows."""
        probability = None if self.probability is None else self.probability[rows]
        score = None if self.score is None else self.score[rows]
        return Judged(self.truth[rows], self.predicted[rows], self.classes, probability, score)


class NotApplicable(ValueError):
    """A metric that this model or split has no value for; the message says why."""


Metric: TypeAlias = Callable[[Judged], float]


def _known(judged: Judged) -> NDArray[np.bool_]:
    return np.asarray(judged.truth < judged.classes)


def _both(judged: Judged) -> None:
    if len(np.unique(judged.truth)) < 2:
        raise NotApplicable("the split holds rows of one class only")


def require_two_classes(judged: Judged) -> None:
    """Raises NotApplicable for more than two classes."""
    if judged.classes != 2:
        raise NotApplicable("it needs two classes")


def probability_of(judged: Judged) -> Reals:
    """The probabilities. Raises NotApplicable where the model gives none."""
    if judged.probability is None:
        raise NotApplicable("the model gives no probabilities")
    return judged.probability


def score_of(judged: Judged) -> Reals:
    """The score for the second of two classes. Raises NotApplicable where the model gives none."""
    if judged.score is None:
        raise NotApplicable("the model gives neither probabilities nor scores")
    return judged.score


def _averaged(measure: Callable[..., float]) -> Metric:
    def run(judged: Judged) -> float:
        if judged.classes == 2:
            return measure(judged.truth == 1, judged.predicted == 1, zero_division=0.0)
        return measure(judged.truth, judged.predicted, average="macro", zero_division=0.0)

    return run


def _roc_auc(judged: Judged) -> float:
    _both(judged)
    known = _known(judged)
    if judged.classes == 2:
        return float(measures.roc_auc_score(judged.truth[known], score_of(judged)[known]))
    probability = probability_of(judged)
    labels = np.arange(judged.classes)
    if len(np.unique(judged.truth[known])) != judged.classes:
        raise NotApplicable("the split lacks a class that the train split has")
    return float(measures.roc_auc_score(judged.truth[known], probability[known], multi_class="ovr", labels=labels))


def _log_loss(judged: Judged) -> float:
    known, probability = _known(judged), probability_of(judged)
    return float(measures.log_loss(judged.truth[known], probability[known], labels=np.arange(judged.classes)))


def _average_precision(judged: Judged) -> float:
    require_two_classes(judged)
    known, score = _known(judged), score_of(judged)
    _both(judged)
    return float(measures.average_precision_score(judged.truth[known], score[known]))


def _false_positive_rate(judged: Judged) -> float:
    require_two_classes(judged)
    negative = judged.truth != 1
    if not negative.any():
        raise NotApplicable("the split holds no rows of the first class")
    return float(np.mean(judged.predicted[negative] == 1))


def _brier(judged: Judged) -> float:
    require_two_classes(judged)
    known, probability = _known(judged), probability_of(judged)
    return float(np.mean((probability[known, 1] - (judged.truth[known] == 1)) ** 2))


def _balanced_accuracy(judged: Judged) -> float:
    known = _known(judged)
    return float(
        measures.recall_score(
            judged.truth[known],
            judged.predicted[known],
            labels=np.unique(judged.truth[known]),
            average="macro",
            zero_division=0.0,
        )
    )


def _r2(judged: Judged) -> float:
    if len(judged.truth) < 2:
        raise NotApplicable("it needs two rows or more")
    return float(measures.r2_score(judged.truth, judged.predicted))


CLASSIFICATION: dict[str, Metric] = {
    "accuracy": lambda judged: float(np.mean(judged.truth == judged.predicted)),
    "balanced_accuracy": _balanced_accuracy,
    "f1": _averaged(measures.f1_score),
    "precision": _averaged(measures.precision_score),
    "recall": _averaged(measures.recall_score),
    "false_positive_rate": _false_positive_rate,
    "roc_auc": _roc_auc,
    "log_loss": _log_loss,
    "average_precision": _average_precision,
    "brier": _brier,
}
REGRESSION: dict[str, Metric] = {
    "mse": lambda judged: float(measures.mean_squared_error(judged.truth, judged.predicted)),
    "rmse": lambda judged: float(measures.root_mean_squared_error(judged.truth, judged.predicted)),
    "mae": lambda judged: float(measures.mean_absolute_error(judged.truth, judged.predicted)),
    "median_absolute_error": lambda judged: float(measures.median_absolute_error(judged.truth, judged.predicted)),
    "r2": _r2,
    "mape": lambda judged: float(measures.mean_absolute_percentage_error(judged.truth, judged.predicted)),
    "max_error": lambda judged: float(measures.max_error(judged.truth, judged.predicted)),
}


def _table(task: Literal["classification", "regression"]) -> dict[str, Metric]:
    return CLASSIFICATION if task == "classification" else REGRESSION


def require_known(task: Literal["classification", "regression"], names: Iterable[str]) -> None:
    """Raises Told for a metric that this task does not have."""
    table = _table(task)
    for name in names:
        if name not in table:
            close = difflib.get_close_matches(name, table, n=2)
            instead = f"did you mean {' or '.join(close)}?" if close else f"write one of {', '.join(table)}"
            raise Told("MetricNotApplicable", f"{name} is no metric of a {task}: {instead}", retry=False)


def value_of(task: Literal["classification", "regression"], name: str, judged: Judged) -> float:
    """A metric's value. Raises NotApplicable where it has none."""
    if not len(judged.truth):
        raise NotApplicable("the split has no rows")
    value = _table(task)[name](judged)
    if not math.isfinite(value):
        raise NotApplicable("its value is not finite")
    return value


def evaluate(
    task: Literal["classification", "regression"], judged: Judged, names: Sequence[str], required: frozenset[str]
) -> dict[str, float]:
    """Values by name; one that has none is left out, unless it is required. Raises Told: MetricNotApplicable."""
    out: dict[str, float] = {}
    for name in names:
        try:
            out[name] = value_of(task, name, judged)
        except NotApplicable as error:
            if name in required:
                message = f"{name} has no value on the test split: {error}"
                raise Told("MetricNotApplicable", message, retry=False) from error
    return out


def figure(value: float) -> str:
    """Six significant digits."""
    return f"{value:.6g}"
