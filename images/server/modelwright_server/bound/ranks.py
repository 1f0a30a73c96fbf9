"""float64 features as float32 numbers that compare with a tree's thresholds alike.

A feature takes the number of thresholds below it, and each threshold takes its own place among them. Then
`value <= threshold` exactly where `rank of value <= place of threshold`, also for infinities; both are small integers,
which float32 holds exactly. So trees over float64 are walked by scikit-learn's trees over float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modelwright_server.bound.calls import NotBindable
from modelwright_server.prediction import Matrix

_MOST = 1 << 24
"""From here on float32 doesn't hold each integer."""

_COMPARED_AT_ONCE = 1 << 14
"""So many comparisons of all values with all thresholds cost less than to search each feature's by itself."""


class Ranks:
    """The thresholds of each feature."""

    def __init__(self, thresholds: Sequence[NDArray[np.float64]]) -> None:
        """`thresholds`: of each feature, in any order, none of them NaN."""
        self._places = [np.unique(each) for each in thresholds]
        most = max((len(each) for each in self._places), default=0)
        if most >= _MOST:
            raise NotBindable("a feature has more thresholds than float32 can count")
        self._searched = [(feature, each) for feature, each in enumerate(self._places) if len(each)]
        # Filled up with infinity, which is below nothing.
        self._table = np.full((len(thresholds), most), np.inf)
        for feature, each in enumerate(self._places):
            self._table[feature, : len(each)] = each

    def places(self, feature: int, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The place of each of a feature's thresholds."""
        return self._places[feature].searchsorted(thresholds).astype(np.float64)

    def of(self, matrix: Matrix, *, missing: bool) -> NDArray[np.float32]:
        """The rank of each value; NaN, which may be there if `missing`, stays."""
        if len(matrix) * self._table.size <= _COMPARED_AT_ONCE:
            ranks: NDArray[np.float32] = np.less(self._table, matrix[:, :, None]).sum(axis=2, dtype=np.float32)
        else:
            ranks = np.zeros(matrix.shape, dtype=np.float32)
            for feature, places in self._searched:
                ranks[:, feature] = places.searchsorted(matrix[:, feature])
        if missing:
            ranks[np.isnan(matrix)] = np.nan
        return ranks
