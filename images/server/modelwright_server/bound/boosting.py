"""Gradient boosting, by histograms and classic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from sklearn import dummy, ensemble
from sklearn.ensemble._gradient_boosting import predict_stages
from sklearn.tree._tree import NODE_DTYPE

from modelwright_server.bound.calls import Bound, NotBindable
from modelwright_server.bound.finite import all_finite, all_fit_float32
from modelwright_server.bound.leaves import LEAF, Leaves, Nodes, Tree, rows_at_once, sum_over_trees, tree_of
from modelwright_server.bound.ranks import Ranks
from modelwright_server.prediction import Matrix, Prediction

Binder = Callable[[object, int], Bound]


class _Link(Protocol):
    def inverse(self, raw: Matrix) -> Matrix:
        """From raw sums to values."""


class _Loss(Protocol):
    link: _Link

    def predict_proba(self, raw: Matrix) -> Matrix:
        """From raw sums to probabilities."""


class _Predictor(Protocol):
    nodes: Nodes
    """PREDICTOR_RECORD_DTYPE"""


class _HistGradientBoosting(Protocol):
    _predictors: Sequence[Sequence[_Predictor]]
    _baseline_prediction: Matrix
    _preprocessor: object
    _loss: _Loss
    n_trees_per_iteration_: int


class _StagedTree(Protocol):
    tree_: Tree


class _GradientBoosting(Protocol):
    estimators_: NDArray[np.object_]
    init_: object
    learning_rate: float
    n_trees_per_iteration_: int
    _loss: _Loss

    def _raw_predict_init(self, rows: NDArray[np.float32]) -> Matrix: ...


def _histogram_classifier(model: object, features: int) -> Bound:
    loss = cast(_HistGradientBoosting, model)._loss
    raw_of = _histogram_sums(cast(_HistGradientBoosting, model), features)

    def call(matrix: Matrix) -> Prediction | None:
        raw = raw_of(matrix)
        if len(raw) == 1:
            return Prediction((raw[0] > 0).astype(np.intp), loss.predict_proba(raw[0]))
        return Prediction(raw.argmax(axis=0), np.ascontiguousarray(loss.predict_proba(raw.T)))

    return Bound(call)


def _histogram_regressor(model: object, features: int) -> Bound:
    inverse = cast(_HistGradientBoosting, model)._loss.link.inverse
    raw_of = _histogram_sums(cast(_HistGradientBoosting, model), features)

    def call(matrix: Matrix) -> Prediction | None:
        return Prediction(values=inverse(raw_of(matrix)[0]))

    return Bound(call)


def _histogram_sums(model: _HistGradientBoosting, features: int) -> Callable[[Matrix], Matrix]:
    """What computes the raw sums [outputs, rows]."""
    nodes = [predictor.nodes for stage in model._predictors for predictor in stage]
    if model._preprocessor is not None or any(each["is_categorical"].any() for each in nodes):
        raise NotBindable("boosting that splits by category is asked as ever")
    inner = [each["is_leaf"] == 0 for each in nodes]
    split_on = np.concatenate([each["feature_idx"][mask] for each, mask in zip(nodes, inner, strict=True)])
    thresholds = np.concatenate([each["num_threshold"][mask] for each, mask in zip(nodes, inner, strict=True)])
    ranks = Ranks([thresholds[split_on == feature] for feature in range(features)])
    trees = [_ranked(each, mask, ranks, features) for each, mask in zip(nodes, inner, strict=True)]
    leaves = Leaves(trees, features)
    values = np.concatenate([each["value"] for each in nodes])
    outputs = model.n_trees_per_iteration_
    at_once = rows_at_once(len(trees))
    baseline = np.zeros((outputs, 1)) + model._baseline_prediction.reshape(outputs, 1)

    def sums(matrix: Matrix) -> Matrix:
        if len(matrix) > at_once:
            parts = range(0, len(matrix), at_once)
            return np.concatenate([sums(matrix[begin : begin + at_once]) for begin in parts], axis=1)
        missing = not all_finite(matrix)
        found = leaves.of(ranks.of(matrix, missing=missing), missing=missing)
        terms = values.take(found).reshape(-1, outputs, len(matrix))
        terms[0] += baseline
        return sum_over_trees(terms)

    return sums


def _ranked(nodes: Nodes, inner: NDArray[np.bool_], ranks: Ranks, features: int) -> Tree:
    """The same tree over ranks."""
    out = np.zeros(len(nodes), dtype=NODE_DTYPE)
    for child, side in (("left_child", "left"), ("right_child", "right")):
        out[child] = LEAF
        out[child][inner] = nodes[side][inner]
    out["feature"] = nodes["feature_idx"]
    out["missing_go_to_left"] = nodes["missing_go_to_left"]
    for feature in np.unique(nodes["feature_idx"][inner]).tolist():
        here = inner & (nodes["feature_idx"] == feature)
        out["threshold"][here] = ranks.places(feature, nodes["num_threshold"][here])
    return tree_of(out, np.zeros(len(nodes)), features)


def _classic_classifier(model: object, features: int) -> Bound:
    loss = cast(_GradientBoosting, model)._loss
    raw_of = _classic_sums(cast(_GradientBoosting, model), features)

    def call(matrix: Matrix) -> Prediction | None:
        if not all_fit_float32(matrix):
            return None
        raw = raw_of(matrix)
        if raw.shape[1] == 1:
            scores = raw.reshape(-1)
            return Prediction((scores >= 0).astype(np.intp), loss.predict_proba(scores))
        return Prediction(raw.argmax(axis=1), np.ascontiguousarray(loss.predict_proba(raw)))

    return Bound(call)


def _classic_regressor(model: object, features: int) -> Bound:
    raw_of = _classic_sums(cast(_GradientBoosting, model), features)

    def call(matrix: Matrix) -> Prediction | None:
        return Prediction(values=raw_of(matrix)[:, 0]) if all_fit_float32(matrix) else None

    return Bound(call)


def _classic_sums(model: _GradientBoosting, features: int) -> Callable[[Matrix], Matrix]:
    """What computes the raw sums [rows, outputs]."""
    outputs, rate, trees = model.n_trees_per_iteration_, model.learning_rate, model.estimators_
    if model.init_ != "zero" and type(model.init_) not in (dummy.DummyClassifier, dummy.DummyRegressor):
        raise NotBindable("boosting that begins with another model's predictions is asked as ever")
    for member in trees.ravel().tolist():
        if cast(_StagedTree, member).tree_.n_features != features:
            raise NotBindable("a tree takes another number of features than its model")
    start = model._raw_predict_init(np.zeros((1, features), dtype=np.float32)).reshape(outputs)

    def sums(matrix: Matrix) -> Matrix:
        raw = np.empty((len(matrix), outputs))
        raw[:] = start
        predict_stages(trees, matrix.astype(np.float32), rate, raw)
        return raw

    return sums


BINDERS: Mapping[type, Binder] = {
    ensemble.GradientBoostingClassifier: _classic_classifier,
    ensemble.GradientBoostingRegressor: _classic_regressor,
    ensemble.HistGradientBoostingClassifier: _histogram_classifier,
    ensemble.HistGradientBoostingRegressor: _histogram_regressor,
}
