"""Decision trees and forests: one operation for the trees, one division, one comparison.

scikit-learn casts rows to float32 and compares them with float64 thresholds; so do these graphs, to the bit: each
number is cast to float32 and back, and the thresholds stay what they are. (Where a runtime compares in float32,
thresholds must be rounded down: rounding to nearest lets rows through that scikit-learn sends the other way.) The
leaves are summed in float64, tree by tree, and divided by the number of trees, so that ties are scikit-learn's own.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from modelwright_contract.onnx_session import LABEL, PROBABILITY, VALUE
from modelwright_worker.onnx_form.graph import GraphWriter, NotConvertible
from modelwright_worker.onnx_form.tree_ensemble import add_trees
from modelwright_worker.onnx_form.trees import Fitted, Splits, several_outputs, single_output, splits_of_tree

CLASSIFIERS = (DecisionTreeClassifier, ExtraTreeClassifier, RandomForestClassifier, ExtraTreesClassifier)
REGRESSORS = (DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor)


def add_classifier(graph: GraphWriter, rows: str, model: Fitted) -> None:
    """The graph's outputs `label` and `probability`. Raises NotConvertible."""
    members = _members(model)
    classes = len(model.classes_)
    trees = (
        tree
        for member in members
        for tree in several_outputs(splits_of_tree(member), member.value[:, 0, :classes].astype(np.float64))
    )
    sums = add_trees(graph, as_float32(graph, rows), trees, classes)
    number = graph.constant(np.array([float(len(members))]))
    graph.add("Div", sums, number, output=PROBABILITY)
    graph.add("ArgMax", PROBABILITY, output=LABEL, axis=1, keepdims=0)


def add_regressor(graph: GraphWriter, rows: str, model: Fitted) -> None:
    """The graph's output `prediction`. Raises NotConvertible."""
    members = _members(model)
    trees = (single_output(splits_of_tree(member), 0, member.value[:, 0, 0].astype(np.float64)) for member in members)
    sums = add_trees(graph, as_float32(graph, rows), trees, 1)
    graph.add("Div", sums, graph.constant(np.array([float(len(members))])), output=VALUE)


def splits_of(model: Fitted) -> list[Splits]:
    """All its trees."""
    return [splits_of_tree(member) for member in _members(model)]


def as_float32(graph: GraphWriter, rows: str) -> str:
    """Rows rounded to float32, in float64."""
    rounded = graph.add("Cast", rows, to=TensorProto.FLOAT)
    return graph.add("Cast", rounded, to=TensorProto.DOUBLE)


def _members(model: Fitted) -> list[Fitted]:
    if model.n_outputs_ != 1:
        raise NotConvertible(f"it has {model.n_outputs_} targets")
    return [member.tree_ for member in getattr(model, "estimators_", [model])]
