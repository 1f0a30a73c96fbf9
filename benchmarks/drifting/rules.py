"""Ours and the rules of thumb: from the training rows and a window to the columns that are said to have drifted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log

import numpy as np
from benchmarks.drifting.streams import LEVELS, NAMES, Matrix
from scipy import stats

from modelwright.analysis.drift import findings
from modelwright_contract.binning import Binning
from modelwright_contract.profile import Column, Values, by_name
from modelwright_worker.ranges import ranges_of

MIN_EFFECT = 0.1
MAX_PSI = 0.1
MIN_P_VALUE = 0.05
_EMPTY = 1e-4
"""As everybody who computes a PSI does, a bin without rows is taken to have this share."""

Names = frozenset[str]
Counts = Mapping[str, Sequence[int]]
"""By column, rows in each of its bins."""


class Profile:
    """The training profile, made and counted by the code that the worker and the server run."""

    def __init__(self, rows: Matrix) -> None:
        self._columns = [self._column(place, name, rows) for place, name in enumerate(NAMES)]
        self._binning = Binning(self._columns, range(len(NAMES)))
        self.counts = self.count(rows)

    def count(self, rows: Matrix) -> Counts:
        """How many rows fall into each bin, by column."""
        return dict(by_name(self._columns, self._binning.count(rows).tolist()))

    @staticmethod
    def _column(place: int, name: str, rows: Matrix) -> Column:
        if name not in LEVELS:
            bins = ranges_of(rows[:, place])
            return Column(name, "number", bins, (0,) * (bins.number + 1))
        # As many values have a bin of their own as the worker gives them.
        codes = tuple(range(min(LEVELS[name], 30)))
        return Column(name, "string", Values(codes, tuple(str(code) for code in codes)), (0,) * (len(codes) + 2))


def ours(profile: Counts, window: Counts) -> Names:
    """Chi-square with Benjamini-Hochberg, and an effect beyond the limit."""
    return frozenset(one.column for one in findings(profile, window, MIN_EFFECT) if one.drifted)


def population_stability(profile: Counts, window: Counts) -> Names:
    """PSI above 0.1 in the same bins."""
    return frozenset(name for name in profile if _psi(profile[name], window[name]) > MAX_PSI)


def kolmogorov_smirnov(train: Matrix) -> Callable[[Matrix], Names]:
    """p < 0.05 for a column of numbers; of categories it says nothing."""
    numbers = [place for place, name in enumerate(NAMES) if name not in LEVELS]
    known = {place: np.sort(train[~np.isnan(train[:, place]), place]) for place in numbers}

    def judge(window: Matrix) -> Names:
        found = set()
        for place in numbers:
            values = window[~np.isnan(window[:, place]), place]
            if len(values) and stats.ks_2samp(known[place], values, method="asymp").pvalue < MIN_P_VALUE:
                found.add(NAMES[place])
        return frozenset(found)

    return judge


def _psi(first: Sequence[int], second: Sequence[int]) -> float:
    """The population stability index."""
    total, here_all, there_all = 0.0, sum(first), sum(second)
    for here, there in zip(first, second, strict=True):
        if here or there:
            a, b = max(here / here_all, _EMPTY), max(there / there_all, _EMPTY)
            total += (b - a) * log(b / a)
    return total
