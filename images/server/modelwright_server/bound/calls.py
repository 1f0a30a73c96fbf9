"""What a pre-bound call promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from modelwright_server.prediction import Matrix, Prediction

Step: TypeAlias = Callable[[Matrix], Matrix | None]
"""A transformer: a new matrix, or the same; never writes to the one it is given. None as for `Call`."""

Call: TypeAlias = Callable[[Matrix], Prediction | None]
"""Rows to answers, in arrays of their own. None: these rows are for scikit-learn, which may refuse them."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A pre-bound call, and to what of scikit-learn's its answers are equal, bit for bit.

    `row_by_row` False: to the answers for the same rows in the same batch.
    `row_by_row` True: to the answer for each row alone. scikit-learn multiplies a batch by the coefficients in one
    product of matrices, which BLAS rounds differently from one size of the batch to another (in the last bits); here
    each row is multiplied by itself, so that a row gets the same answer in whatever batch it comes.
    """

    call: Call
    row_by_row: bool = False


class NotBindable(Exception):
    """The text says why a model has no pre-bound call."""
