"""Example requests and answers, made from golden rows, and what they teach about missing values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelwright_contract.canonical import Json
from modelwright_server.answers import Answers
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.prediction import Matrix, Prediction, Predictor
from modelwright_server.problems import Problem
from modelwright_server.signature import Signature

ROWS = 2
"""Rows of an example."""

_COLUMNS = 256
"""Models that read more columns are not asked column by column what may be missing."""


@dataclass(frozen=True, slots=True)
class Example:
    """The JSON document of a request and the bytes of its answer."""

    request: Json
    answer: bytes


@dataclass(frozen=True, slots=True)
class Examples:
    """One example for each route that predicts."""

    predict: Example
    infer: Example
    v1: Example


def examples_of(
    signature: Signature, rows: Sequence[Mapping[str, Json]], prediction: Prediction, answers: Answers
) -> Examples:
    """Examples of the first rows, whose answers are the first of `prediction`."""
    some = [{name: row[name] for name in signature.columns} for row in rows[:ROWS]]
    answered = prediction.part(0, len(some))
    tensors: list[Json] = [
        {
            "name": tensor.name,
            "shape": [len(some)],
            "datatype": tensor.datatype,
            "data": [row[tensor.name] for row in some],
        }
        for tensor in signature.inputs
    ]
    return Examples(
        predict=Example(some, answers.objects(answered).body),
        infer=Example({"inputs": tensors}, answers.all_tensors(answered).body),
        v1=Example({"instances": some}, answers.values(answered).body),
    )


def takes_missing(predictor: Predictor, matrix: Matrix) -> bool:
    """Whether the model answers a row without values."""
    try:
        predictor.predict(np.full((1, matrix.shape[1]), np.nan))
    except (Problem, ValueError):
        return False
    return True


def nullable_columns(matrix: FeatureMatrix, row: Mapping[str, Json], *, missing: bool) -> frozenset[str]:
    """The columns that may be missing in a request: all where the model takes `missing` values, else those that the
    feature contract fills. Tried on `row`."""
    if missing:
        return frozenset(matrix.columns)
    if len(matrix.columns) > _COLUMNS:
        return frozenset()
    tried = [{**row, name: None} for name in matrix.columns]
    rows = np.isfinite(matrix.of_columns(matrix.columns_of(tried)))
    return frozenset(name for name, row in zip(matrix.columns, rows, strict=True) if row.all())
