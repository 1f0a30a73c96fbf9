"""A decoded prediction request: what the model is to be asked, and how its answer is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from modelwright_server.prediction import Matrix, Prediction

T = TypeVar("T")


@dataclass(slots=True)
class Work(Generic[T]):
    """`matrix` is float64 [rows, features], C-contiguous; `encode` turns the answers for these rows into a reply.

    `encode_row` does the same from the label and the probabilities of a single row: in a batch of many requests that is
    quicker than a part of the arrays for each. None where there is more than one row, or the answer's form is another.
    """

    rows: int
    matrix: Matrix
    encode: Callable[[Prediction], T]
    encode_row: Callable[[int, list[float]], T] | None = None
