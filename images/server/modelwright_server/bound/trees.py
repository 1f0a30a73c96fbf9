"""Decision trees, random forests and extra trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from sklearn import ensemble, tree
from sklearn.utils import get_tags

from modelwright_server.bound.calls import Bound, NotBindable
from modelwright_server.bound.finite import all_fit_float32, none_exceeds_float32
from modelwright_server.bound.leaves import Leaves, Rows32, Tree, rows_at_once, sum_over_trees
from modelwright_server.prediction import Matrix, Prediction

Binder = Callable[[object, int], Bound]
_Sums = Callable[[Rows32, bool], Matrix]


class _CompiledTree(Tree, Protocol):
    value: NDArray[np.float64]
    """[nodes, outputs, classes]"""

    def predict(self, rows: Rows32) -> Matrix:
        """The values of each row's leaf, for one output."""


class _DecisionTree(Protocol):
    tree_: _CompiledTree


class _Forest(Protocol):
    estimators_: Sequence[_DecisionTree]


def _classifier(model: object, features: int) -> Bound:
    mean, takes_missing = _mean_values(model, features)

    def call(matrix: Matrix) -> Prediction | None:
        missing = not all_fit_float32(matrix)
        if missing and not (takes_missing and none_exceeds_float32(matrix)):
            return None
        probabilities = mean(matrix.astype(np.float32), missing)
        return Prediction(probabilities.argmax(axis=1), probabilities)

    return Bound(call)


def _regressor(model: object, features: int) -> Bound:
    mean, takes_missing = _mean_values(model, features)

    def call(matrix: Matrix) -> Prediction | None:
        missing = not all_fit_float32(matrix)
        if missing and not (takes_missing and none_exceeds_float32(matrix)):
            return None
        return Prediction(values=mean(matrix.astype(np.float32), missing)[:, 0])

    return Bound(call)


def _mean_values(model: object, features: int) -> tuple[_Sums, bool]:
    """What computes the mean of the trees' values [rows, classes or 1], and whether rows may miss some."""
    if hasattr(model, "tree_"):
        only = cast(_DecisionTree, model)
        _check(only.tree_, model, features)
        return lambda rows, _: only.tree_.predict(rows), bool(get_tags(model).input_tags.allow_nan)
    members = cast(_Forest, model).estimators_
    trees = [member.tree_ for member in members]
    for each in trees:
        _check(each, model, features)
    leaves = Leaves(trees, features)
    values = np.concatenate([each.value[:, 0, :] for each in trees])
    at_once = rows_at_once(len(trees) * values.shape[1])

    def mean(rows: Rows32, missing: bool) -> Matrix:
        if len(rows) > at_once:
            parts = range(0, len(rows), at_once)
            return np.concatenate([mean(rows[begin : begin + at_once], missing) for begin in parts])
        total = sum_over_trees(values.take(leaves.of(rows, missing=missing), axis=0))
        total /= len(trees)
        return total

    return mean, bool(get_tags(members[0]).input_tags.allow_nan)


def _check(compiled: _CompiledTree, model: object, features: int) -> None:
    classes = len(getattr(model, "classes_", (0,)))
    if compiled.n_features != features or compiled.value.shape[1:] != (1, classes):
        raise NotBindable("a tree answers something else than its model")


BINDERS: Mapping[type, Binder] = {
    **dict.fromkeys(
        (
            tree.DecisionTreeClassifier,
            tree.ExtraTreeClassifier,
            ensemble.ExtraTreesClassifier,
            ensemble.RandomForestClassifier,
        ),
        _classifier,
    ),
    **dict.fromkeys(
        (
            tree.DecisionTreeRegressor,
            tree.ExtraTreeRegressor,
            ensemble.ExtraTreesRegressor,
            ensemble.RandomForestRegressor,
        ),
        _regressor,
    ),
}
