"""Metrics of one model under many weightings of the same rows at once: what comparing two models by resampling needs.

A weighting gives each row how often it counts, so a bootstrap sample is a weighting by whole numbers. The values are
those of `metrics.py` on the rows so repeated (the tests hold them together); where one has none, it is NaN. What can be
prepared once, such as the order of scores, is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from modelwright_contract.vectors import Array
from modelwright_worker.metrics import Judged, Reals, probability_of, require_two_classes, score_of

Weighted: TypeAlias = Callable[[Reals], Reals]
"""(weightings, rows) → (weightings,)."""

_LEAST = float(np.finfo(np.float64).eps)
"""scikit-learn's bound for logarithms and divisions."""


def weighted(task: Literal["classification", "regression"], name: str, judged: Judged) -> Weighted:
    """The metric, ready for weightings of the rows. Raises NotApplicable where the model has none."""
    table = _CLASSIFICATION if task == "classification" else _REGRESSION
    return table[name](judged)


def _ratio(above: Reals, below: Reals) -> Reals:
    share: Reals = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
    return share


def _mean(values: Array, counted: NDArray[np.bool_] | None = None) -> Weighted:
    """The mean of a value of each row, over all rows or those that count."""
    use = np.ones(len(values)) if counted is None else counted.astype(np.float64)
    parts = np.column_stack([np.where(use > 0, values, 0.0), use])

    def run(weights: Reals) -> Reals:
        sums = weights @ parts
        return _ratio(sums[:, 0], sums[:, 1])

    return run


def _known(judged: Judged) -> NDArray[np.bool_]:
    return np.asarray(judged.truth < judged.classes)


def _accuracy(judged: Judged) -> Weighted:
    return _mean(judged.truth == judged.predicted)


def _false_positive_rate(judged: Judged) -> Weighted:
    require_two_classes(judged)
    return _mean(judged.predicted == 1, judged.truth != 1)


def _brier(judged: Judged) -> Weighted:
    require_two_classes(judged)
    return _mean((probability_of(judged)[:, 1] - (judged.truth == 1)) ** 2, _known(judged))


def _log_loss(judged: Judged) -> Weighted:
    known, rows = _known(judged), np.arange(len(judged.truth))
    said = probability_of(judged)[rows, np.where(known, judged.truth, 0)]
    return _mean(-np.log(np.clip(said, _LEAST, 1 - _LEAST)), known)


class _Tally(NamedTuple):
    """Rows of each class that were said rightly, said, and true: (weightings,), or (weightings, classes)."""

    right: Reals
    said: Reals
    true: Reals

    def precision(self) -> Reals:
        return self._share(self.right, self.said)

    def recall(self) -> Reals:
        return self._share(self.right, self.true)

    def f1(self) -> Reals:
        return self._share(2 * self.right, self.said + self.true)

    @staticmethod
    def _share(above: Reals, below: Reals) -> Reals:
        share: Reals = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return share


def _of_classes(figure: Callable[[_Tally], Reals]) -> Callable[[Judged], Weighted]:
    """For two classes the second one's figure; for more the mean over those that occur."""

    def prepare(judged: Judged) -> Weighted:
        if judged.classes == 2:
            truth, said = judged.truth == 1, judged.predicted == 1
            parts = np.column_stack([truth & said, said, truth]).astype(np.float64)
            return lambda weights: figure(_Tally(*(weights @ parts).T))
        count = _counter(judged, np.ones(len(judged.truth), dtype=np.bool_))

        def many(weights: Reals) -> Reals:
            tally = count(weights)
            occurs = tally.said + tally.true > 0
            return _ratio(np.where(occurs, figure(tally), 0.0).sum(axis=1), occurs.sum(axis=1))

        return many

    return prepare


def _balanced_accuracy(judged: Judged) -> Weighted:
    count = _counter(judged, _known(judged))

    def run(weights: Reals) -> Reals:
        tally = count(weights)
        return _ratio(tally.recall().sum(axis=1), (tally.true > 0).sum(axis=1))

    return run


def _counter(judged: Judged, counted: NDArray[np.bool_]) -> Callable[[Reals], _Tally]:
    """Counts by class and weighting, with one more class for labels that are none."""
    rows, shape = np.arange(len(judged.truth)), (len(judged.truth), judged.classes + 1)

    def table(codes: Array, use: NDArray[np.bool_]) -> csr_matrix:
        return csr_matrix((use.astype(np.float64), (rows, codes.astype(np.int64))), shape=shape)

    right = table(judged.truth, counted & (judged.truth == judged.predicted))
    said, true = table(judged.predicted, counted), table(judged.truth, counted)
    return lambda weights: _Tally(weights @ right, weights @ said, weights @ true)


class _Ranking:
    """Rows of two classes in the order of a score, lowest first, with equal scores together."""

    def __init__(self, score: Reals, positive: NDArray[np.bool_]) -> None:
        self._order = np.argsort(score, kind="stable")
        ordered = score[self._order]
        self._last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
        self._positive = positive[self._order].astype(np.float64)

    def up_to(self, weights: Reals) -> tuple[Reals, Reals]:
        """Weight of positive and of negative rows up to each score: (weightings, scores)."""
        ordered = np.take(weights, self._order, axis=1)
        positive = np.cumsum(ordered * self._positive, axis=1)
        negative = np.cumsum(ordered, axis=1) - positive
        if len(self._last) == len(self._order):
            return positive, negative
        return np.take(positive, self._last, axis=1), np.take(negative, self._last, axis=1)


def _area(ranking: _Ranking) -> Weighted:
    """Of all pairs of a positive and a negative row, the share whose positive one scores higher; equal counts half."""

    def run(weights: Reals) -> Reals:
        positive, negative = ranking.up_to(weights)
        pairs = positive[:, -1] * negative[:, -1]
        between = (negative[:, 1:] + negative[:, :-1]) / 2
        above = np.einsum("ij,ij->i", np.diff(positive, axis=1), between) + positive[:, 0] * negative[:, 0] / 2
        return _ratio(above, pairs)

    return run


def _roc_auc(judged: Judged) -> Weighted:
    known = np.flatnonzero(_known(judged))
    truth = judged.truth[known]
    if judged.classes == 2:
        binary = _area(_Ranking(score_of(judged)[known], truth == 1))
        return lambda weights: binary(weights[:, known])
    probability = probability_of(judged)[known]
    areas = [_area(_Ranking(probability[:, code], truth == code)) for code in range(judged.classes)]

    def run(weights: Reals) -> Reals:
        kept = weights[:, known]
        return np.asarray(sum(area(kept) for area in areas) / judged.classes)

    return run


def _average_precision(judged: Judged) -> Weighted:
    require_two_classes(judged)
    known = np.flatnonzero(_known(judged))
    ranking = _Ranking(-score_of(judged)[known], judged.truth[known] == 1)

    def run(weights: Reals) -> Reals:
        found, passed = ranking.up_to(weights[:, known])
        taken = found + passed
        precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
        return _ratio(np.einsum("ij,ij->i", np.diff(found, axis=1, prepend=0.0), precision), found[:, -1])

    return run


def _errors(judged: Judged) -> Reals:
    return np.asarray(judged.truth, dtype=np.float64) - judged.predicted


def _mse(judged: Judged) -> Weighted:
    return _mean(_errors(judged) ** 2)


def _rmse(judged: Judged) -> Weighted:
    mse = _mse(judged)
    return lambda weights: np.sqrt(mse(weights))


def _mae(judged: Judged) -> Weighted:
    return _mean(np.abs(_errors(judged)))


def _mape(judged: Judged) -> Weighted:
    return _mean(np.abs(_errors(judged)) / np.maximum(np.abs(judged.truth), _LEAST))


def _median_absolute_error(judged: Judged) -> Weighted:
    errors = np.abs(_errors(judged))
    order = np.argsort(errors, kind="stable")
    ordered = errors[order]

    def run(weights: Reals) -> Reals:
        below = np.cumsum(weights[:, order], axis=1)
        half = below[:, -1:] / 2
        # An even number of rows has two in the middle.
        first = ordered[np.minimum((below < half).sum(axis=1), len(ordered) - 1)]
        second = ordered[np.minimum((below <= half).sum(axis=1), len(ordered) - 1)]
        return np.asarray((first + second) / 2)

    return run


def _r2(judged: Judged) -> Weighted:
    truth = np.asarray(judged.truth, dtype=np.float64)
    centred = truth - truth.mean()
    parts = np.column_stack([_errors(judged) ** 2, centred, centred**2, np.ones(len(truth))])

    def run(weights: Reals) -> Reals:
        errors, sums, squares, rows = (weights @ parts).T
        return 1 - _ratio(errors, squares - _ratio(sums**2, rows))

    return run


_CLASSIFICATION: dict[str, Callable[[Judged], Weighted]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _of_classes(_Tally.precision),
    "recall": _of_classes(_Tally.recall),
    "false_positive_rate": _false_positive_rate,
    "f1": _of_classes(_Tally.f1),
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
}
_REGRESSION: dict[str, Callable[[Judged], Weighted]] = {
    "mse": _mse,
    "rmse": _rmse,
    "mae": _mae,
    "median_absolute_error": _median_absolute_error,
    "r2": _r2,
    "mape": _mape,
}
