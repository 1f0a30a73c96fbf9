"""Values into bins: the same code where a model is trained and where it is served, for whole matrices at once.

Imports NumPy and the standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.profile import Column, Ranges, Values

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]

CHUNK_VALUES = 8192
"""So many values at a time: what is computed on the way stays in the processor's caches."""


class Binning:
    """The bins of several columns of a matrix, numbered on through all columns in their order.

    A value lies in exactly one bin of its column. NaN is missing, in the column's last bin. In a column of values, what
    is no code of a bin is in the bin for all others.
    """

    def __init__(self, columns: Sequence[Column], places: Sequence[int]) -> None:
        """`places[i]` is where in the matrix `columns[i]` stands."""
        sizes = np.array([len(column.counts) for column in columns], dtype=np.intp)
        begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
        self.size = int(begins[-1])
        """Bins of all columns."""
        by_range = [index for index, column in enumerate(columns) if isinstance(column.bins, Ranges)]
        by_value = [index for index, column in enumerate(columns) if isinstance(column.bins, Values)]
        self._width = len(columns)
        self._ranges = _Ranges([columns[i] for i in by_range], [places[i] for i in by_range], begins[by_range])
        self._values = _Values([columns[i] for i in by_value], [places[i] for i in by_value], begins[by_value])
        self._order = np.argsort([*by_range, *by_value]) if by_range and by_value else None

    def count(self, matrix: Matrix) -> NDArray[np.int64]:
        """How many rows fall into each bin, column after column; int64 (size,)."""
        rows = max(1, CHUNK_VALUES // max(1, self._width))
        found = self._counted(matrix[:rows])
        for begin in range(rows, len(matrix), rows):
            found += self._counted(matrix[begin : begin + rows])
        return found

    def bins(self, matrix: Matrix) -> Places:
        """The number of each value's bin; (rows, columns) in the order of the columns."""
        bins = np.concatenate([self._ranges.bins(matrix), self._values.bins(matrix)], axis=1)
        return bins if self._order is None else bins[:, self._order]

    def _counted(self, matrix: Matrix) -> NDArray[np.int64]:
        parts = [part.bins(matrix).ravel() for part in (self._ranges, self._values) if part.any]
        flat = parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0, dtype=np.intp)])
        return np.bincount(flat, minlength=self.size).astype(np.int64, copy=False)


def answers_matrix(
    names: Sequence[str],
    labels: NDArray[np.intp] | None,
    probabilities: Matrix | None,
    values: NDArray[np.float64] | None,
) -> Matrix:
    """Answers as columns that can be binned, those of `profile.OUTPUTS` that are named; what isn't answered is missing.

    `labels` are positions among the classes, `probabilities` (rows, classes).
    """
    answered = {
        "label": labels,
        "probability": None if probabilities is None else probabilities.max(axis=1, initial=0.0),
        "prediction": values,
    }
    rows = max(len(column) for column in answered.values() if column is not None)
    matrix = np.full((rows, len(names)), np.nan)
    for place, name in enumerate(names):
        column = answered[name]
        if column is not None:
            matrix[:, place] = column
    return matrix


class _Ranges:
    """Columns of ranges: the number of edges that a value reaches is its bin."""

    def __init__(self, columns: Sequence[Column], places: Sequence[int], begins: Places) -> None:
        edges = [column.bins.edges for column in columns if isinstance(column.bins, Ranges)]
        # Nothing reaches NaN. Edges first, columns last: the sum over edges then runs over whole rows of memory.
        self._edges = np.full((max(map(len, edges), default=0), 1, len(edges)), np.nan)
        for index, found in enumerate(edges):
            self._edges[: len(found), 0, index] = found
        self._missing = begins + [len(found) + 1 for found in edges] if edges else begins
        self._begins = begins
        self._columns = _index(places)
        self.any = bool(edges)

    def bins(self, matrix: Matrix) -> Places:
        """As `Binning.bins`."""
        values = matrix[:, self._columns]
        reached = np.greater_equal(values, self._edges)
        found: Places = np.add.reduce(reached.view(np.uint8), axis=0, dtype=np.uint8) + self._begins
        missing = np.isnan(values)
        if missing.any():
            found = np.where(missing, self._missing, found)
        return found


class _Values:
    """Columns of values: a table says each code's bin, and behind the codes those of all others and of the missing."""

    def __init__(self, columns: Sequence[Column], places: Sequence[int], begins: Places) -> None:
        bins = [column.bins for column in columns if isinstance(column.bins, Values)]
        self._codes = 1 + max((code for each in bins for code in each.codes), default=-1)
        self._table = np.empty((len(bins), self._codes + 2), dtype=np.intp)
        for row, (each, begin) in enumerate(zip(bins, begins, strict=True)):
            self._table[row] = begin + len(each.codes)
            self._table[row, list(each.codes)] = begin + np.arange(len(each.codes))
            self._table[row, -1] = begin + len(each.codes) + 1
        self._rows = np.arange(len(bins))
        self._columns = _index(places)
        self.any = bool(bins)

    def bins(self, matrix: Matrix) -> Places:
        """As `Binning.bins`."""
        values = matrix[:, self._columns]
        others, missing = self._codes, self._codes + 1
        known = (values >= 0.0) & (values < others)
        codes = np.where(known, values, others).astype(np.intp)
        # A client that sends the model's own matrix may send anything.
        codes[known & (codes != values)] = others
        codes[np.isnan(values)] = missing
        return self._table[self._rows, codes]


def _index(places: Sequence[int]) -> slice | Places:
    """Positions in the form that NumPy is fastest with."""
    if places and list(places) == list(range(places[0], places[-1] + 1)):
        return slice(places[0], places[-1] + 1)
    return np.array(places, dtype=np.intp)
