"""Steps before the model that scale or fill in columns: the same float64 operations in the same order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from modelwright_worker.onnx_form.graph import GraphWriter, Matrix, NotConvertible
from modelwright_worker.onnx_form.trees import Fitted


@dataclass(frozen=True, slots=True)
class Scaling:
    """Adds a fitted step to a graph; and, for the proof, leads its results back to rows that give about these."""

    add: Callable[[GraphWriter, str, Fitted], str]
    back: Callable[[Fitted, Matrix], Matrix]


def _standard(graph: GraphWriter, rows: str, step: Fitted) -> str:
    if step.with_mean:
        rows = graph.add("Sub", rows, graph.constant(step.mean_))
    return graph.add("Div", rows, graph.constant(step.scale_)) if step.with_std else rows


def _robust(graph: GraphWriter, rows: str, step: Fitted) -> str:
    if step.with_centering:
        rows = graph.add("Sub", rows, graph.constant(step.center_))
    return graph.add("Div", rows, graph.constant(step.scale_)) if step.with_scaling else rows


def _min_max(graph: GraphWriter, rows: str, step: Fitted) -> str:
    rows = graph.add("Add", graph.add("Mul", rows, graph.constant(step.scale_)), graph.constant(step.min_))
    return _clipped(graph, rows, *step.feature_range) if step.clip else rows


def _max_abs(graph: GraphWriter, rows: str, step: Fitted) -> str:
    rows = graph.add("Div", rows, graph.constant(step.scale_))
    return _clipped(graph, rows, -1.0, 1.0) if getattr(step, "clip", False) else rows


def _imputer(graph: GraphWriter, rows: str, step: Fitted) -> str:
    if not (isinstance(step.missing_values, float) and np.isnan(step.missing_values)):
        raise NotConvertible(f"SimpleImputer with missing_values={step.missing_values!r} has no ONNX form here")
    if step.add_indicator or np.isnan(step.statistics_.astype(np.float64)).any():
        raise NotConvertible("SimpleImputer adds or drops columns")
    return graph.add("Where", graph.add("IsNaN", rows), graph.constant(step.statistics_), rows)


def _clipped(graph: GraphWriter, rows: str, low: float, high: float) -> str:
    return graph.add("Clip", rows, graph.constant(np.array(low)), graph.constant(np.array(high)))


def _inverse(step: Fitted, results: Matrix) -> Matrix:
    return np.asarray(step.inverse_transform(results), dtype=np.float64)


def _same(_step: Fitted, results: Matrix) -> Matrix:
    return results


SCALINGS: dict[type, Scaling] = {
    StandardScaler: Scaling(_standard, _inverse),
    RobustScaler: Scaling(_robust, _inverse),
    MinMaxScaler: Scaling(_min_max, _inverse),
    MaxAbsScaler: Scaling(_max_abs, _inverse),
    SimpleImputer: Scaling(_imputer, _same),
}
"""By the step's class."""
