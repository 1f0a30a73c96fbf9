"""scikit-learn's fitted trees as arrays, and as trees whose every leaf adds one weight to one output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Fitted: TypeAlias = Any
"""scikit-learn ships no types."""

LEAF = -1


@dataclass(frozen=True, slots=True)
class Splits:
    """A binary tree by node, the root first and parents before their children.

    A row goes to `left` where its feature is at most `threshold`, or missing and `missing_left`; else to `right`. Both
    are -1 at a leaf.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        """Whether each node is one."""
        return np.equal(self.left, LEAF)

    def parents(self) -> NDArray[np.int64]:
        """Each node's parent, -1 for the root."""
        parents = np.full(len(self.left), LEAF)
        inner = np.flatnonzero(~self.is_leaf)
        parents[self.left[inner]] = inner
        parents[self.right[inner]] = inner
        return parents


@dataclass(frozen=True, slots=True)
class Tree:
    """Splits, and for each leaf among its nodes the output that it adds to and what it adds."""

    splits: Splits
    output: NDArray[np.int64]
    weight: NDArray[np.float64]


def splits_of_tree(tree: Fitted) -> Splits:
    """Of a decision tree's `tree_`."""
    return Splits(
        tree.children_left.astype(np.int64),
        tree.children_right.astype(np.int64),
        tree.feature.astype(np.int64),
        tree.threshold.astype(np.float64),
        tree.missing_go_to_left.astype(np.bool_),
    )


def splits_of_predictor(nodes: NDArray[np.void]) -> Splits:
    """Of one tree of histogram-based gradient boosting, whose splits are all numeric."""
    leaf = nodes["is_leaf"] != 0
    return Splits(
        np.where(leaf, LEAF, nodes["left"].astype(np.int64)),
        np.where(leaf, LEAF, nodes["right"].astype(np.int64)),
        nodes["feature_idx"].astype(np.int64),
        nodes["num_threshold"].astype(np.float64),
        nodes["missing_go_to_left"] != 0,
    )


def single_output(splits: Splits, output: int, weight: NDArray[np.float64]) -> Tree:
    """A tree all of whose leaves add to one output."""
    return Tree(splits, np.full(len(weight), output), weight)


def several_outputs(splits: Splits, values: NDArray[np.float64]) -> Iterator[Tree]:
    """A tree whose leaves have a value for each output ([nodes, outputs]), as trees of one output a leaf.

    The first tree adds each leaf's first value that is not 0, the second one the next, as long as a leaf has one more;
    branches under which no leaf has are cut off. So fully grown classification trees, whose leaves hold one class,
    stay one tree; and each output sums the same values in the same order.
    """
    leaf = splits.is_leaf
    order = np.argsort(values == 0, axis=1, kind="stable")
    count = (values != 0).sum(axis=1)
    for rank in range(max(1, int(count[leaf].max()))):
        output = np.where(rank < count, order[:, rank], 0)
        weight = np.where(rank < count, np.take_along_axis(values, output[:, None], axis=1)[:, 0], 0.0)
        tree = Tree(splits, output, weight)
        yield tree if rank == 0 else _cut(tree, leaf & (rank < count))


def _cut(tree: Tree, wanted: NDArray[np.bool_]) -> Tree:
    """The tree without what leads to no wanted leaf: a branch's end adds nothing."""
    splits = tree.splits
    parents = splits.parents()
    kept = wanted.copy()
    level = np.flatnonzero(wanted)
    while len(level):
        level = np.unique(parents[level])
        level = level[level != LEAF]
        kept[level] = True
    # The children of what is kept stay as ends.
    inner = kept & ~splits.is_leaf
    stays = np.zeros(len(kept), dtype=np.bool_)
    stays[0] = True
    stays[splits.left[inner]] = stays[splits.right[inner]] = True
    number = np.cumsum(stays) - 1
    cut = Splits(
        np.where(inner, number[splits.left], LEAF)[stays],
        np.where(inner, number[splits.right], LEAF)[stays],
        splits.feature[stays],
        splits.threshold[stays],
        splits.missing_left[stays],
    )
    return Tree(cut, np.where(wanted, tree.output, 0)[stays], np.where(wanted, tree.weight, 0.0)[stays])
