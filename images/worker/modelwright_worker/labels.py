"""Targets as scikit-learn takes them: labels or values, with the classes of the train split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.vectors import Array, Vector
from modelwright_worker.failures import Told

MAX_CLASSES = 1000
Class = str | int | bool


def present(target: Vector, rows: int) -> NDArray[np.bool_]:
    """The rows whose target is not missing."""
    return np.ones(rows, dtype=np.bool_) if target.missing is None else ~target.missing


def to_array(target: Vector, task: Literal["classification", "regression"]) -> Array:
    """Labels (bool, int64 or text) or values (float64) of rows that are present. Raises Told."""
    if task == "regression":
        if target.type in ("string", "timestamp"):
            message = f"the target is {target.type}, a regression needs numbers: write task: classification"
            raise Told("EstimatorFailed", message, retry=False)
        return target.as_float()
    match target.type:
        case "boolean" | "integer":
            return np.asarray(target.values)
        case "string":
            return np.array(target.values.tolist(), dtype=np.str_)
        case "number" if np.all(target.values == np.rint(target.values)):
            return target.values.astype(np.int64)
        case other:
            message = (
                f"the target is {'a number with fractions' if other == 'number' else other}, a classification needs "
                "text, integers or booleans: write task: regression, or an expression such as arr_delay > 15"
            )
            raise Told("EstimatorFailed", message, retry=False)


@dataclass(frozen=True, slots=True)
class Classes:
    """The labels of the train split, sorted."""

    values: Array

    @classmethod
    def of(cls, labels: Array) -> Classes:
        """Raises Told when there is one class only, or far too many."""
        values = np.unique(labels)
        if len(values) == 1:
            only = str(values[0]).lower() if values.dtype == np.bool_ else str(values[0])
            message = (
                f"all {len(labels)} rows of the train split have the target {only}: a classification needs two: "
                "correct the target's expression, or give rows of another class"
            )
            raise Told("TargetSingleClass", message, retry=False)
        if len(values) > MAX_CLASSES:
            message = f"the target has {len(values)} classes, at most {MAX_CLASSES} are taken: write task: regression?"
            raise Told("EstimatorFailed", message, retry=False)
        return cls(values)

    def codes(self, labels: Array) -> NDArray[np.int64]:
        """Positions among the classes; a label that the train split doesn't have gets the number of classes."""
        at = np.minimum(np.searchsorted(self.values, labels), len(self.values) - 1)
        return np.where(self.values[at] == labels, at, len(self.values)).astype(np.int64)

    def to_list(self) -> tuple[Class, ...]:
        """As they stand in manifests."""
        return tuple(self.values.tolist())
