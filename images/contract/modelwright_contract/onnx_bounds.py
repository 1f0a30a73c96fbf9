"""What an ONNX form may hold: a runtime follows node numbers unchecked, so a forged file could read anywhere.

The operations are those that the worker's converter writes, none of which makes more of a row than it has columns or
the model classes. In a tree ensemble (https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html) each branch must
lead to a leaf that is there, or to a node behind its parent that nothing else leads to: so every walk ends, and the
runtime's own form of the trees is no larger than the file's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.onnx_file import Array, Attribute, Graph, Node, OnnxError

TREE_ENSEMBLE = "ai.onnx.ml.TreeEnsemble"
MAX_DEPTH = 1000
"""Of a tree; runtimes build trees by recursion."""

_OPERATORS = frozenset(
    {
        TREE_ENSEMBLE,
        "Add",
        "ArgMax",
        "Cast",
        "Clip",
        "Div",
        "Exp",
        "Gemm",
        "IsNaN",
        "Mul",
        "Softmax",
        "Sub",
        "Where",
    }
)
_MAX_NODES = 64
_SUM, _NO_TRANSFORM = 1, 0
_AT_MOST = 0
"""The mode of a node that takes its true branch where the feature is less than or equal to its split."""


def check_graph(graph: Graph, width: int, outputs: int) -> None:
    """Check the form of a model that takes `width` features and gives `outputs` numbers a row. Raises OnnxError."""
    if len(graph.nodes) > _MAX_NODES or len(graph.constants) > _MAX_NODES:
        raise OnnxError("an ONNX form with too many operations or constants")
    widest = max(width, outputs, 2)
    for name, values in graph.constants.items():
        if values.ndim > 2 or any(size > widest for size in values.shape):
            raise OnnxError(f"the constant {name[:40]} is larger than the model's rows")
    decisive = 0
    for node in graph.nodes:
        if node.operator not in _OPERATORS:
            raise OnnxError(f"the operation {node.operator[:60]} is not allowed in an ONNX form")
        if node.operator == TREE_ENSEMBLE:
            _check_trees(node, width, outputs)
        # What comes before these has the width of the model's rows; what comes after them, that of its outputs.
        decisive += node.operator in (TREE_ENSEMBLE, "Gemm")
    if decisive > 1:
        raise OnnxError("an ONNX form of more than one model")


def _check_trees(node: Node, width: int, outputs: int) -> None:
    given = dict(node.attributes)
    targets = _integer(given, "n_targets")
    if not 1 <= targets <= outputs:
        raise OnnxError(f"trees with {targets} outputs in a model with {outputs}")
    if _integer(given, "aggregate_function") != _SUM or _integer(given, "post_transform") != _NO_TRANSFORM:
        raise OnnxError("trees whose leaves are not summed")
    nodes, leaves = len(_numbers(given, "nodes_splits", "f")), len(_numbers(given, "leaf_weights", "f"))
    modes = _numbers(given, "nodes_modes", "u")
    if len(modes) != nodes or (modes != _AT_MOST).any():
        raise OnnxError("a node that compares otherwise than by at most")
    _integers(given, "nodes_featureids", nodes, width)
    _integers(given, "nodes_missing_value_tracks_true", nodes, 2)
    _integers(given, "leaf_targetids", leaves, targets)
    true, false = (_branches(given, side, nodes, leaves) for side in ("true", "false"))
    roots = _numbers(given, "tree_roots", "i").astype(np.int64)
    _check_range("tree_roots", roots, nodes)
    if given:
        raise OnnxError(f"the attribute {min(given)[:40]} is not known in an ONNX form")
    if (true.is_leaf & false.is_leaf & (true.to == false.to))[roots].any():
        raise OnnxError("a root that runtimes take for a leaf: both branches are the same one")
    _check_links(roots, true.nodes(), false.nodes())


class _Branches(NamedTuple):
    """Where one branch of each node leads: numbers of leaves or of nodes."""

    to: NDArray[np.int64]
    is_leaf: NDArray[np.bool_]

    def nodes(self) -> NDArray[np.int64]:
        """Numbers of nodes, -1 for a leaf."""
        return np.where(self.is_leaf, _NO_NODE, self.to)


_NO_NODE = -1


def _branches(given: dict[str, Attribute], side: str, nodes: int, leaves: int) -> _Branches:
    is_leaf = _integers(given, f"nodes_{side}leafs", nodes, 2) != 0
    to = _integers(given, f"nodes_{side}nodeids", nodes, max(nodes, leaves))
    if (to[is_leaf] >= leaves).any() or (to[~is_leaf] >= nodes).any() or (to <= np.arange(nodes))[~is_leaf].any():
        raise OnnxError("a branch leads outside its tree")
    return _Branches(to, is_leaf)


def _check_links(roots: NDArray[np.int64], true: NDArray[np.int64], false: NDArray[np.int64]) -> None:
    led_to = np.concatenate([roots, true[true != _NO_NODE], false[false != _NO_NODE]])
    if (np.bincount(led_to) > 1).any():
        raise OnnxError("two branches lead to one node")
    level, depth = roots, 0
    while len(level):
        depth += 1
        if depth > MAX_DEPTH:
            raise OnnxError(f"a tree is deeper than {MAX_DEPTH}")
        below = np.concatenate([true[level], false[level]])
        level = below[below != _NO_NODE]


def _integer(given: dict[str, Attribute], name: str) -> int:
    value = given.pop(name, None)
    if not isinstance(value, int):
        raise OnnxError(f"trees without {name}")
    return value


def _integers(given: dict[str, Attribute], name: str, count: int, below: int) -> NDArray[np.int64]:
    values = _numbers(given, name, "i").astype(np.int64)
    if len(values) != count:
        raise OnnxError(f"{name} has {len(values)} entries, must have {count}")
    _check_range(name, values, below)
    return values


def _numbers(given: dict[str, Attribute], name: str, kind: str) -> Array:
    value = given.pop(name, None)
    if isinstance(value, int) or value is None or value.ndim != 1 or value.dtype.kind != kind:
        raise OnnxError(f"trees without {name}")
    return value


def _check_range(name: str, values: NDArray[np.int64], below: int) -> None:
    if ((values < 0) | (values >= below)).any():
        raise OnnxError(f"{name} must lie between 0 and {below - 1}")
