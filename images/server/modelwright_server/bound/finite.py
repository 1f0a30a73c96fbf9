"""Whether numbers are finite, and small enough for float32: at the cost of one product in the usual case.

A sum of squares below infinity has no infinite and no missing term. Where it is not, each number is looked at.
"""

from __future__ import annotations

import math

import numpy as np

from modelwright_server.prediction import Matrix

MAX_FLOAT32 = float(np.finfo(np.float32).max)
_SMALL_SQUARES = MAX_FLOAT32**2 / 2


def all_finite(matrix: Matrix) -> bool:
    """No NaN and no infinity."""
    flat = matrix.reshape(-1)
    return bool(flat.dot(flat) < math.inf) or bool(np.isfinite(matrix).all())


def none_infinite(matrix: Matrix) -> bool:
    """No infinity; NaN may be there."""
    flat = matrix.reshape(-1)
    return bool(flat.dot(flat) < math.inf) or not np.isinf(matrix).any()


def all_fit_float32(matrix: Matrix) -> bool:
    """No NaN, and nothing that is infinite in float32."""
    flat = matrix.reshape(-1)
    return bool(flat.dot(flat) < _SMALL_SQUARES) or bool((np.abs(matrix) <= MAX_FLOAT32).all())


def none_exceeds_float32(matrix: Matrix) -> bool:
    """Nothing that is infinite in float32; NaN may be there."""
    return not (np.abs(matrix) > MAX_FLOAT32).any()
