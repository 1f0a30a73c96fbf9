"""Steps before the model: scalers and the imputer as arithmetic, in scikit-learn's order of operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from modelwright_server.bound.calls import NotBindable, Step
from modelwright_server.bound.finite import all_finite, none_infinite
from modelwright_server.prediction import Matrix

Vector = NDArray[np.float64]


class _Scaler(Protocol):
    mean_: Vector
    center_: Vector
    min_: Vector
    scale_: Vector
    with_mean: bool
    with_std: bool
    with_centering: bool
    with_scaling: bool
    clip: bool
    feature_range: tuple[float, float]


class _Imputer(Protocol):
    statistics_: NDArray[np.generic]
    _fill_dtype: np.dtype[np.float64]
    missing_values: object
    add_indicator: bool


def step_of(transformer: object, features: int) -> Step:
    """What `transformer.transform` computes for `features` columns. Raises NotBindable."""
    build = _STEPS.get(type(transformer))
    if build is None:
        raise NotBindable(f"a {type(transformer).__name__} is asked as ever")
    return build(transformer, features)


def _standard(transformer: object, features: int) -> Step:
    scaler = cast(_Scaler, transformer)
    operations: list[tuple[np.ufunc, Vector]] = []
    if scaler.with_mean:
        operations.append((np.subtract, scaler.mean_))
    if scaler.with_std:
        operations.append((np.divide, scaler.scale_))
    return _arithmetic(operations, features)


def _robust(transformer: object, features: int) -> Step:
    scaler = cast(_Scaler, transformer)
    operations: list[tuple[np.ufunc, Vector]] = []
    if scaler.with_centering:
        operations.append((np.subtract, scaler.center_))
    if scaler.with_scaling:
        operations.append((np.divide, scaler.scale_))
    return _arithmetic(operations, features)


def _min_max(transformer: object, features: int) -> Step:
    scaler = cast(_Scaler, transformer)
    limits = scaler.feature_range if scaler.clip else None
    return _arithmetic([(np.multiply, scaler.scale_), (np.add, scaler.min_)], features, limits)


def _max_abs(transformer: object, features: int) -> Step:
    scaler = cast(_Scaler, transformer)
    return _arithmetic([(np.divide, scaler.scale_)], features, (-1.0, 1.0) if scaler.clip else None)


def _arithmetic(
    operations: Sequence[tuple[np.ufunc, Vector]], features: int, limits: tuple[float, float] | None = None
) -> Step:
    for _, operand in operations:
        _expect(operand, features)
    lowest, highest = np.asarray(limits or (0.0, 0.0), dtype=np.float64)

    def step(matrix: Matrix) -> Matrix | None:
        if not none_infinite(matrix):
            return None
        out: Matrix | None = None
        for operate, operand in operations:
            out = operate(matrix if out is None else out, operand, out=out)
        if limits is None:
            return matrix if out is None else out
        return np.clip(matrix if out is None else out, lowest, highest, out=out)

    return step


def _imputer(transformer: object, features: int) -> Step:
    imputer = cast(_Imputer, transformer)
    statistics = np.asarray(imputer.statistics_, dtype=imputer._fill_dtype)
    missing = imputer.missing_values
    if imputer.add_indicator or not isinstance(missing, float) or not math.isnan(missing):
        raise NotBindable("a SimpleImputer that does more than to fill in missing values is asked as ever")
    _expect(statistics, features)

    def step(matrix: Matrix) -> Matrix | None:
        if all_finite(matrix):
            return matrix
        return np.where(np.isnan(matrix), statistics, matrix) if none_infinite(matrix) else None

    return step


def _expect(vector: Vector, features: int) -> None:
    if vector.shape != (features,) or vector.dtype != np.float64 or not np.isfinite(vector).all():
        raise NotBindable(f"a step before the model holds no {features} finite numbers")


_STEPS: Mapping[type, Callable[[object, int], Step]] = {
    MaxAbsScaler: _max_abs,
    MinMaxScaler: _min_max,
    RobustScaler: _robust,
    SimpleImputer: _imputer,
    StandardScaler: _standard,
}
