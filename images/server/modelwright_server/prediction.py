"""What a model answers, and what is asked of whatever computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]
"""Rows × features, or rows × classes."""

Task = Literal["classification", "regression"]
Class: TypeAlias = str | int | float | bool


@dataclass(slots=True)
class Prediction:
    """Answers for n rows: `labels` are indices into the classes and `probabilities` [n, classes], or `values` [n]."""

    labels: NDArray[np.intp] | None = None
    probabilities: Matrix | None = None
    values: Matrix | None = None

    def part(self, begin: int, end: int) -> Prediction:
        """The answers for rows `begin` to before `end`, without a copy."""
        return Prediction(
            None if self.labels is None else self.labels[begin:end],
            None if self.probabilities is None else self.probabilities[begin:end],
            None if self.values is None else self.values[begin:end],
        )


class Predictor(Protocol):
    """One loaded model. The same row gets the same label in whatever batch it comes."""

    task: Task
    classes: tuple[Class, ...]

    def predict(self, matrix: Matrix) -> Prediction:
        """Predict n rows of a C-contiguous matrix. Raises Problem when the model can't take these rows."""
