"""Gradient boosting: the trees' sums in float64 with the first guess in them, and the loss's link after them.

Classic boosting casts rows to float32 as forests do; the histogram-based one compares in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn._loss.link import IdentityLink, LogLink
from sklearn._loss.loss import ExponentialLoss, HalfBinomialLoss, HalfMultinomialLoss
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from modelwright_contract.onnx_session import VALUE
from modelwright_worker.onnx_form.forests import as_float32
from modelwright_worker.onnx_form.graph import GraphWriter, NotConvertible
from modelwright_worker.onnx_form.scores import add_labels_and_probabilities, two_scores
from modelwright_worker.onnx_form.tree_ensemble import add_trees
from modelwright_worker.onnx_form.trees import (
    Fitted,
    Splits,
    Tree,
    single_output,
    splits_of_predictor,
    splits_of_tree,
)

CLASSIC = (GradientBoostingClassifier, GradientBoostingRegressor)
HISTOGRAM = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def add_classic(graph: GraphWriter, rows: str, model: Fitted) -> None:
    """The graph's outputs for a GradientBoosting…. Raises NotConvertible."""
    # The exponential loss's probability is the logistic function of twice the score; doubling is exact in each step.
    factor = 2.0 if isinstance(model._loss, ExponentialLoss) else 1.0
    stages = [
        [(splits_of_tree(tree.tree_), factor * (model.learning_rate * tree.tree_.value[:, 0, 0])) for tree in stage]
        for stage in model.estimators_
    ]
    guess = factor * _first_guess(model)
    output = VALUE if isinstance(model, GradientBoostingRegressor) else None
    sums = add_trees(graph, as_float32(graph, rows), _guessed(stages, guess), len(guess), output)
    if len(guess) > 1:
        add_labels_and_probabilities(graph, sums)
    elif output is None:
        # Here scikit-learn gives a score of exactly 0 to the second class.
        add_labels_and_probabilities(graph, two_scores(graph, sums), ties_to_last=True)


def add_histogram(graph: GraphWriter, rows: str, model: Fitted) -> None:
    """The graph's outputs for a HistGradientBoosting…. Raises NotConvertible."""
    if getattr(model, "is_categorical_", None) is not None:
        raise NotConvertible("it splits columns by category")
    stages = [
        [(splits_of_predictor(tree.nodes), tree.nodes["value"].astype(np.float64)) for tree in stage]
        for stage in model._predictors
    ]
    guess = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    loss = model._loss
    output = VALUE if isinstance(model, HistGradientBoostingRegressor) and type(loss.link) is IdentityLink else None
    sums = add_trees(graph, rows, _guessed(stages, guess), len(guess), output)
    if isinstance(loss, HalfBinomialLoss):
        add_labels_and_probabilities(graph, two_scores(graph, sums))
    elif isinstance(loss, HalfMultinomialLoss):
        add_labels_and_probabilities(graph, sums)
    elif type(loss.link) is LogLink:
        graph.add("Exp", sums, output=VALUE)
    elif output is None:
        raise NotConvertible(f"its loss {type(loss).__name__} has no ONNX form here")


def splits_of(model: Fitted) -> list[Splits]:
    """All its trees."""
    if isinstance(model, CLASSIC):
        return [splits_of_tree(tree.tree_) for stage in model.estimators_ for tree in stage]
    return [splits_of_predictor(tree.nodes) for stage in model._predictors for tree in stage]


def _first_guess(model: Fitted) -> NDArray[np.float64]:
    if model.init_ != "zero" and type(model.init_) not in (DummyClassifier, DummyRegressor):
        raise NotConvertible(f"its first guess is a {type(model.init_).__name__}")
    row = np.zeros((1, model.n_features_in_), dtype=np.float32)
    return np.asarray(model._raw_predict_init(row), dtype=np.float64).reshape(-1)


def _guessed(stages: list[list[tuple[Splits, NDArray[np.float64]]]], guess: NDArray[np.float64]) -> Iterator[Tree]:
    """The trees in order. scikit-learn's sum begins with the first guess: it is added to the first trees' leaves."""
    for number, stage in enumerate(stages):
        for output, (splits, weight) in enumerate(stage):
            yield single_output(splits, output, guess[output] + weight if number == 0 else weight)
