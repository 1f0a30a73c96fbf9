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


class NotApplicable(ValueError):
    """A metric that this model or split has no value for; the message says why."""


Metric: TypeAlias = Callable[[Judged], float]


def _known(judged: Judged) -> NDArray[np.bool_]:
    return np.asarray(judged.truth < judged.classes)


def _both(judged: Judged) -> None:
    if len(np.unique(judged.truth)) < 2:
        raise NotApplicable("the split holds rows of one class only")


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
        if judged.score is None:
            raise NotApplicable("the model gives neither probabilities nor scores")
        return float(measures.roc_auc_score(judged.truth[known], judged.score[known]))
    if judged.probability is None:
        raise NotApplicable("the model gives no probabilities")
    labels = np.arange(judged.classes)
    if len(np.unique(judged.truth[known])) != judged.classes:
        raise NotApplicable("the split lacks a class that the train split has")
    return float(
        measures.roc_auc_score(judged.truth[known], judged.probability[known], multi_class="ovr", labels=labels)
    )


def _log_loss(judged: Judged) -> float:
    if judged.probability is None:
        raise NotApplicable("the model gives no probabilities")
    known = _known(judged)
    return float(measures.log_loss(judged.truth[known], judged.probability[known], labels=np.arange(judged.classes)))


def _average_precision(judged: Judged) -> float:
    if judged.classes != 2 or judged.score is None:
        raise NotApplicable("it needs two classes, and a model that gives probabilities or scores")
    _both(judged)
    known = _known(judged)
    return float(measures.average_precision_score(judged.truth[known], judged.score[known]))


def _brier(judged: Judged) -> float:
    if judged.classes != 2 or judged.probability is None:
        raise NotApplicable("it needs two classes, and a model that gives probabilities")
    known = _known(judged)
    return float(np.mean((judged.probability[known, 1] - (judged.truth[known] == 1)) ** 2))


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


def evaluate(
    task: Literal["classification", "regression"], judged: Judged, names: Sequence[str], required: frozenset[str]
) -> dict[str, float]:
    """Values by name; one that has none is left out, unless it is required. Raises Told: MetricNotApplicable."""
    out: dict[str, float] = {}
    for name in names:
        reason = "the split has no rows"
        if len(judged.truth):
            try:
                value = _table(task)[name](judged)
                if math.isfinite(value):
                    out[name] = value
                    continue
                reason = "its value is not finite"
            except NotApplicable as error:
                reason = str(error)
        if name in required:
            raise Told("MetricNotApplicable", f"{name} has no value on the test split: {reason}", retry=False)
    return out


def figure(value: float) -> str:
    """Six significant digits."""
    return f"{value:.6g}"
