"""From a fitted estimator or pipeline to an ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from onnx import TensorProto
from sklearn.pipeline import Pipeline

from modelwright_contract.onnx_session import LABEL, LARGEST_FLOAT32, LARGEST_FLOAT64, PROBABILITY, VALUE, Taken
from modelwright_worker.onnx_form import boosting, forests, linear
from modelwright_worker.onnx_form.graph import GraphWriter, Matrix, NotConvertible
from modelwright_worker.onnx_form.scaling import SCALINGS
from modelwright_worker.onnx_form.trees import Fitted, Splits

_Add: TypeAlias = Callable[[GraphWriter, str, Fitted], None]
_MODELS: dict[type, _Add] = {
    **dict.fromkeys(forests.CLASSIFIERS, forests.add_classifier),
    **dict.fromkeys(forests.REGRESSORS, forests.add_regressor),
    **dict.fromkeys(boosting.CLASSIC, boosting.add_classic),
    **dict.fromkeys(boosting.HISTOGRAM, boosting.add_histogram),
    **dict.fromkeys(linear.CLASSIFIERS, linear.add_classifier),
    **dict.fromkeys(linear.REGRESSORS, linear.add_regressor),
    **dict.fromkeys(linear.GENERALIZED, linear.add_regressor),
}
_OUTPUTS = {LABEL: TensorProto.INT64, PROBABILITY: TensorProto.DOUBLE, VALUE: TensorProto.DOUBLE}


def convert(estimator: object) -> bytes:
    """The ONNX file of a fitted estimator; the same model gives the same bytes. Raises NotConvertible.

    It takes `features` [rows, features] in float64, and gives `label` (positions among the classes) with `probability`
    where the model has them, or `prediction` [rows, 1].
    """
    steps, model = taken_apart(estimator)
    add = _MODELS.get(type(model))
    if add is None:
        raise NotConvertible(f"{type(model).__name__} has no ONNX form here")
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) < 2:
        raise NotConvertible("it knows one class only")
    graph = GraphWriter()
    rows = "features"
    for step in steps:
        rows = SCALINGS[type(step)].add(graph, rows, step)
    add(graph, rows, model)
    width = int((steps[0] if steps else model).n_features_in_)
    missing = _takes(estimator, np.full((1, width), np.nan))
    # The steps before a model take what is finite; what they make of it is not looked at again.
    taken = Taken(missing, LARGEST_FLOAT64 if steps else largest_taken(model))
    outputs = [name for name in _OUTPUTS if name in graph.outputs]
    return graph.file(width, {name: _OUTPUTS[name] for name in outputs}, taken)


def taken_apart(estimator: Fitted) -> tuple[list[Fitted], Fitted]:
    """The steps before the model, and the model. Raises NotConvertible."""
    if type(estimator) is not Pipeline:
        return [], estimator
    *before, model = [step for _, step in estimator.steps]
    steps = [step for step in before if step is not None and step != "passthrough"]
    for step in steps:
        if type(step) not in SCALINGS:
            raise NotConvertible(f"the step {type(step).__name__} has no ONNX form here")
    return steps, model


def splits_of(model: Fitted) -> list[Splits]:
    """All trees of a model that has some."""
    if type(model) in (*forests.CLASSIFIERS, *forests.REGRESSORS):
        return forests.splits_of(model)
    if type(model) in (*boosting.CLASSIC, *boosting.HISTOGRAM):
        return boosting.splits_of(model)
    return []


def largest_taken(model: Fitted) -> float:
    """How large numbers may be for scikit-learn to take them."""
    for size in (np.inf, LARGEST_FLOAT64):
        if _takes(model, np.full((1, model.n_features_in_), size)):
            return size
    return LARGEST_FLOAT32


def _takes(estimator: Fitted, rows: Matrix) -> bool:
    """Whether scikit-learn itself takes such rows."""
    with np.errstate(all="ignore"):
        try:
            estimator.predict(rows)
        except ValueError:
            return False
    return True
