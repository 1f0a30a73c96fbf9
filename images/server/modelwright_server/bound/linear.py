"""Linear models: one product a row, the intercept, and scikit-learn's own function from scores to probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn import linear_model, svm

from modelwright_server.bound.calls import Bound, NotBindable
from modelwright_server.bound.finite import all_finite
from modelwright_server.prediction import Matrix, Prediction

Binder = Callable[[object, int], Bound]


class _Linear(Protocol):
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64] | float
    classes_: NDArray[np.generic]


def _logistic(model: object, features: int) -> Bound:
    return Bound(_two_classes(model, features) if _is_binary(model) else _many_classes(model, features), True)


def _two_classes(model: object, features: int) -> Callable[[Matrix], Prediction | None]:
    scores_of = _scores(model, features)

    def call(matrix: Matrix) -> Prediction | None:
        if not all_finite(matrix):
            return None
        scores = scores_of(matrix)[:, 0]
        probabilities = np.empty((len(matrix), 2))
        expit(scores, out=probabilities[:, 1])
        np.subtract(1, probabilities[:, 1], out=probabilities[:, 0])
        return Prediction((scores > 0).astype(np.intp), probabilities)

    return call


def _many_classes(model: object, features: int) -> Callable[[Matrix], Prediction | None]:
    scores_of = _scores(model, features)

    def call(matrix: Matrix) -> Prediction | None:
        if not all_finite(matrix):
            return None
        scores = scores_of(matrix)
        labels = scores.argmax(axis=1)
        # The softmax of sklearn.utils.extmath.
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return Prediction(labels, scores)

    return call


def _labels_only(model: object, features: int) -> Bound:
    if hasattr(model, "predict_proba"):
        raise NotBindable(f"probabilities of a {type(model).__name__} are asked for as ever")
    scores_of = _scores(model, features)
    binary = _is_binary(model)

    def call(matrix: Matrix) -> Prediction | None:
        if not all_finite(matrix):
            return None
        scores = scores_of(matrix)
        return Prediction((scores[:, 0] > 0).astype(np.intp) if binary else scores.argmax(axis=1))

    return Bound(call, row_by_row=True)


def _regression(model: object, features: int) -> Bound:
    fitted = cast(_Linear, model)
    coefficients, intercept = fitted.coef_, np.asarray(fitted.intercept_, dtype=np.float64)
    if coefficients.shape != (features,) or coefficients.dtype != np.float64 or intercept.size != 1:
        raise NotBindable("the coefficients are not one float64 a feature")
    intercept = intercept.reshape(())

    def call(matrix: Matrix) -> Prediction | None:
        if not all_finite(matrix):
            return None
        values = np.matmul(matrix[:, None, :], coefficients)[:, 0]
        values += intercept
        return Prediction(values=values)

    return Bound(call, row_by_row=True)


def _is_binary(model: object) -> bool:
    return len(cast(_Linear, model).classes_) == 2


def _scores(model: object, features: int) -> Callable[[Matrix], Matrix]:
    fitted = cast(_Linear, model)
    outputs = 1 if _is_binary(model) else len(fitted.classes_)
    intercept = np.asarray(fitted.intercept_, dtype=np.float64)
    coefficients = np.atleast_2d(fitted.coef_)
    if coefficients.shape != (outputs, features) or coefficients.dtype != np.float64:
        raise NotBindable("the coefficients are not one row of float64 a class")
    if intercept.shape not in ((), (outputs,)):
        raise NotBindable("the intercepts are not one a class")
    coefficients = coefficients.T

    def scores_of(matrix: Matrix) -> Matrix:
        # As a stack of matrices with one row each: NumPy multiplies them one after another, each like a single row.
        scores: Matrix = np.matmul(matrix[:, None, :], coefficients)[:, 0]
        scores += intercept
        return scores

    return scores_of


BINDERS: Mapping[type, Binder] = {
    linear_model.LogisticRegression: _logistic,
    **dict.fromkeys(
        (linear_model.Perceptron, linear_model.RidgeClassifier, linear_model.SGDClassifier, svm.LinearSVC), _labels_only
    ),
    **dict.fromkeys(
        (
            linear_model.ARDRegression,
            linear_model.BayesianRidge,
            linear_model.ElasticNet,
            linear_model.ElasticNetCV,
            linear_model.HuberRegressor,
            linear_model.Lars,
            linear_model.Lasso,
            linear_model.LassoCV,
            linear_model.LassoLars,
            linear_model.LinearRegression,
            linear_model.OrthogonalMatchingPursuit,
            linear_model.QuantileRegressor,
            linear_model.Ridge,
            linear_model.SGDRegressor,
            linear_model.TheilSenRegressor,
            svm.LinearSVR,
        ),
        _regression,
    ),
}
