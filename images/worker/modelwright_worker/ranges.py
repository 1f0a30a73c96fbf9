"""Where the edges of a column's bins lie: about ten bins with equally many rows, from the values alone.

An edge lies half-way between two neighbouring values, so that a value which is rounded on its way to the server (to
float32, or to the digits of a JSON writer) falls into the same bin.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.profile import Ranges

BINS = 10
MAX_ALONE = 12
"""A column with at most so many distinct values has a bin for each, and one below and above them all."""

_MARGIN = 2.0**-20
"""Around a column's only value, relative to it: more than what float32 rounds away."""

Floats = NDArray[np.float64]


def ranges_of(values: Floats) -> Ranges:
    """The bins for a column of these values; what is not finite plays no part."""
    distinct, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if not len(distinct):
        return Ranges(())
    if len(distinct) > MAX_ALONE:
        return Ranges(tuple(_between(float(distinct[cut]), float(distinct[cut + 1])) for cut in _cuts(counts)))
    alone: list[float] = distinct.tolist()
    below, above = _outside(alone)
    edges = [below, *(_between(low, high) for low, high in pairwise(alone)), above]
    return Ranges(tuple(edge for edge in edges if math.isfinite(edge)))


def _cuts(counts: NDArray[np.intp]) -> list[int]:
    """After which of the distinct values a bin ends.

    A value that has a tenth of the rows has a bin of its own; the values between two such ones are divided evenly.
    """
    ends = np.cumsum(counts)
    share = float(ends[-1]) / BINS
    frequent = np.flatnonzero(counts >= share).tolist()
    cuts = {cut for value in frequent for cut in (value - 1, value)}
    for begin, end in zip([0, *(value + 1 for value in frequent)], [*frequent, len(counts)], strict=True):
        if begin < end:
            before = ends[begin] - counts[begin]
            rows = ends[end - 1] - before
            parts = max(1, round(float(rows) / share))
            wanted = before + rows * np.arange(1, parts) / parts
            cuts.update((begin + np.searchsorted(ends[begin:end], wanted)).tolist())
    return sorted(cut for cut in cuts if 0 <= cut < len(counts) - 1)


def _between(low: float, high: float) -> float:
    """Above `low`, at most `high`."""
    middle = low / 2 + high / 2
    return middle if low < middle <= high else high


def _outside(distinct: Sequence[float]) -> tuple[float, float]:
    """Edges around all values, as far from them as the first two and the last two are from each other, halved.

    Beyond all floats there is none.
    """
    first, last = distinct[0], distinct[-1]
    if len(distinct) == 1:
        margin = max(abs(first) * _MARGIN, sys.float_info.min)
        return first - margin, first + margin
    above = last + (last - distinct[-2]) / 2
    return first - (distinct[1] - first) / 2, max(above, math.nextafter(last, math.inf))
