"""A decoded prediction request: what the model is to be asked, and how its answer is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from modelwright_server.prediction import Matrix, Prediction

T = TypeVar("T")


@dataclass(slots=True)
class Work(Generic[T]):
    """`matrix` is float64 [rows, features], C-contiguous; `encode` turns the answers for these rows into a reply."""

    rows: int
    matrix: Matrix
    encode: Callable[[Prediction], T]
