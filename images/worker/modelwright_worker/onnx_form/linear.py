"""Linear models: one matrix product in float64.

Rounding differs from one library to another, and within each from one size of batch to another: a row whose score is
0 but for the last bits may get another label. Nothing but a score of exactly 0 is a tie here.
"""

from __future__ import annotations

import numpy as np
from sklearn._loss.link import IdentityLink, LogLink
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    Lars,
    Lasso,
    LassoCV,
    LassoLars,
    LinearRegression,
    LogisticRegression,
    OrthogonalMatchingPursuit,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

from modelwright_contract.onnx_session import VALUE
from modelwright_worker.onnx_form.graph import GraphWriter, NotConvertible
from modelwright_worker.onnx_form.scores import add_labels, add_labels_and_probabilities, two_scores
from modelwright_worker.onnx_form.trees import Fitted

CLASSIFIERS = (LinearSVC, LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier)
REGRESSORS = (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    HuberRegressor,
    Lars,
    Lasso,
    LassoCV,
    LassoLars,
    LinearRegression,
    LinearSVR,
    OrthogonalMatchingPursuit,
    QuantileRegressor,
    Ridge,
    SGDRegressor,
    TheilSenRegressor,
)
GENERALIZED = (GammaRegressor, PoissonRegressor, TweedieRegressor)


def add_classifier(graph: GraphWriter, rows: str, model: Fitted) -> None:
    """The graph's outputs `label` and, where it has them, `probability`. Raises NotConvertible."""
    scores = _product(graph, rows, np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_))
    binary = len(model.classes_) == 2
    if binary:
        # Of rows beyond all measure, too, the label is known: an infinite score is a very large one.
        limit = np.finfo(np.float64).max
        scores = graph.add("Clip", scores, graph.constant(np.array(-limit)), graph.constant(np.array(limit)))
        scores = two_scores(graph, scores)
    if not hasattr(model, "predict_proba"):
        add_labels(graph, scores)
    elif isinstance(model, LogisticRegression) or (model.loss == "log_loss" and binary):
        add_labels_and_probabilities(graph, scores)
    else:
        raise NotConvertible(f"the probabilities of its loss {model.loss} have no ONNX form here")


def add_regressor(graph: GraphWriter, rows: str, model: Fitted) -> None:
    """The graph's output `prediction`. Raises NotConvertible."""
    coefficients, intercepts = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if len(coefficients) != 1:
        raise NotConvertible(f"it has {len(coefficients)} targets")
    link = type(model._base_loss.link) if isinstance(model, GENERALIZED) else IdentityLink
    if link is IdentityLink:
        _product(graph, rows, coefficients, intercepts, VALUE)
    elif link is LogLink:
        graph.add("Exp", _product(graph, rows, coefficients, intercepts), output=VALUE)
    else:
        raise NotConvertible(f"its link {link.__name__} has no ONNX form here")


def _product(graph: GraphWriter, rows: str, coefficients: Fitted, intercepts: Fitted, output: str | None = None) -> str:
    intercepts = np.broadcast_to(intercepts, len(coefficients))
    return graph.add("Gemm", rows, graph.constant(coefficients.T), graph.constant(intercepts), output=output)
