"""A pre-bound call held against scikit-learn, once, at load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from modelwright_server.bound.calls import Bound
from modelwright_server.prediction import Matrix, Prediction
from modelwright_server.problems import Problem

_T = TypeVar("_T", bound=np.generic)

_ROWS = 16
_SEED = 20
_FAR = 1e30
"""Beyond every threshold, and still a number in float32."""


def difference(bound: Bound, ordinary: Callable[[Matrix], Prediction], rows: Matrix) -> str | None:
    """Where `bound` answers otherwise than `ordinary` (which may raise Problem), in words; None when nowhere.

    Both are asked for `rows` (the first sixteen), for rows made of them (seeded: jittered, mixed, far outside, with
    missing values) in several sizes of batch, and for rows that scikit-learn may refuse.
    """
    rows = np.ascontiguousarray(rows[:_ROWS], dtype=np.float64)
    with np.errstate(all="ignore"):
        if bound.call(rows) is None:
            return "it answers no golden row"
        return next(filter(None, (_difference(bound, ordinary, *named) for named in _batches(rows))), None)


def _difference(bound: Bound, ordinary: Callable[[Matrix], Prediction], name: str, batch: Matrix) -> str | None:
    got = bound.call(batch)
    if got is None:
        return None
    try:
        want = _row_by_row(ordinary, batch) if bound.row_by_row else ordinary(batch)
    except Problem:
        return f"it answers {name}, which scikit-learn refuses"
    return None if same(got, want) else f"it answers {name} otherwise than scikit-learn"


def same(one: Prediction, other: Prediction) -> bool:
    """Whether two predictions are equal in every bit."""
    return (
        _same(one.labels, other.labels)
        and _same(one.probabilities, other.probabilities)
        and _same(one.values, other.values)
    )


def _batches(rows: Matrix) -> Iterator[tuple[str, Matrix]]:
    rng = np.random.default_rng(_SEED)
    jittered = rows * (1 + 1e-3 * rng.standard_normal(rows.shape))
    mixed = rng.permuted(rows, axis=0)
    far = np.array([0.0, -0.0, 1.0, -1.0, _FAR, -_FAR])[:, None].repeat(rows.shape[1], axis=1)
    yield "golden rows", rows
    yield "rows made of golden rows", np.concatenate([jittered, mixed, far])
    yield "a few rows", mixed[:3]
    yield "one row", rows[:1]
    yield "one row", jittered[:1]
    holes = np.where(rng.random(rows.shape) < 0.2, np.nan, mixed)
    yield "rows with missing values", holes
    yield "a row without any value", np.full_like(rows[:1], np.nan)
    for value in (np.inf, -np.inf, 1e39, -1e300):
        odd = rows[:1].copy()
        odd[0, -1] = value
        yield f"a row with {value}", odd


def _row_by_row(ordinary: Callable[[Matrix], Prediction], batch: Matrix) -> Prediction:
    alone = [ordinary(batch[row : row + 1]) for row in range(len(batch))]
    return Prediction(
        _joined([each.labels for each in alone]),
        _joined([each.probabilities for each in alone]),
        _joined([each.values for each in alone]),
    )


def _joined(parts: list[NDArray[_T] | None]) -> NDArray[_T] | None:
    found = [part for part in parts if part is not None]
    return np.concatenate(found) if found else None


def _same(one: NDArray[np.generic] | None, other: NDArray[np.generic] | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
