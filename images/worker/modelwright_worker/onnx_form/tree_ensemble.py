"""One TreeEnsemble operation for all trees of a model, in float64.

https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html: nodes and leaves are numbered apart, over all trees.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.onnx_bounds import MAX_DEPTH
from modelwright_worker.onnx_form.graph import GraphWriter, NotConvertible
from modelwright_worker.onnx_form.trees import LEAF, Splits, Tree

MAX_NODES = 4_000_000
"""Nodes and leaves of all trees: some 100 MB of file, and ten times that while it is written."""


def add_trees(graph: GraphWriter, rows: str, trees: Iterable[Tree], outputs: int, output: str | None = None) -> str:
    """The sums of the trees' leaves, [rows, outputs], each summed in the order of the trees. Raises NotConvertible."""
    nodes, leaves = _Columns(), _Columns()
    roots: list[int] = []
    for tree in trees:
        splits = tree.splits
        if nodes.count + leaves.count + len(splits.left) > MAX_NODES:
            raise NotConvertible(f"its trees have more than {MAX_NODES:,} nodes")
        if splits.is_leaf[0]:
            tree = _split_root(tree)
            splits = tree.splits
        _require_depth(splits)
        roots.append(nodes.count)
        inner, leaf = np.flatnonzero(~splits.is_leaf), np.flatnonzero(splits.is_leaf)
        numbers = np.empty(len(splits.left), dtype=np.int64)
        numbers[inner] = nodes.count + np.arange(len(inner))
        numbers[leaf] = leaves.count + np.arange(len(leaf))
        left, right = splits.left[inner], splits.right[inner]
        nodes.append(
            featureids=splits.feature[inner],
            splits=splits.threshold[inner],
            missing_value_tracks_true=splits.missing_left[inner].astype(np.int64),
            truenodeids=numbers[left],
            trueleafs=splits.is_leaf[left].astype(np.int64),
            falsenodeids=numbers[right],
            falseleafs=splits.is_leaf[right].astype(np.int64),
        )
        leaves.append(targetids=tree.output[leaf], weights=tree.weight[leaf])
    return graph.add(
        "TreeEnsemble",
        rows,
        domain="ai.onnx.ml",
        output=output,
        aggregate_function=1,
        n_targets=outputs,
        nodes_modes=np.zeros(nodes.count, dtype=np.uint8),
        post_transform=0,
        tree_roots=np.array(roots, dtype=np.int64),
        **nodes.named("nodes"),
        **leaves.named("leaf"),
    )


class _Columns:
    """Arrays by name that grow together."""

    def __init__(self) -> None:
        self.count = 0
        self._parts: dict[str, list[NDArray[np.generic]]] = {}

    def append(self, **parts: NDArray[np.int64] | NDArray[np.float64]) -> None:
        for name, part in parts.items():
            self._parts.setdefault(name, []).append(part)
        self.count += len(next(iter(parts.values())))

    def named(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        return {f"{prefix}_{name}": np.concatenate(parts) for name, parts in self._parts.items()}


def _split_root(tree: Tree) -> Tree:
    """A tree that is one leaf, as a split between two of it: a root is a node."""
    nothing = np.zeros(3, dtype=np.int64)
    splits = Splits(np.array([1, LEAF, LEAF]), np.array([2, LEAF, LEAF]), nothing, np.zeros(3), nothing != 0)
    return Tree(splits, np.repeat(tree.output, 3), np.repeat(tree.weight, 3))


def _require_depth(splits: Splits) -> None:
    level, depth = np.zeros(1, dtype=np.int64), 0
    while len(level):
        depth += 1
        if depth > MAX_DEPTH:
            raise NotConvertible(f"a tree is deeper than {MAX_DEPTH}")
        inner = level[~splits.is_leaf[level]]
        level = np.concatenate([splits.left[inner], splits.right[inner]])
