"""In which leaf of each tree a row ends: all trees of an ensemble in one compiled call.

scikit-learn calls its compiled traversal once a tree, and the calls cost far more than the walks. Two ways around:

- **joined**: all trees become one. Above their roots stand nodes that split on one feature more, the tree's number, so
  that the rows, repeated once a tree with its number, are walked by one call. Quickest for few rows.
- **staged**: gradient boosting's compiled sum over trees (`predict_stages`) is given copies of the trees whose values
  are the leaves' numbers, each with a column of its own to add to. Quickest for many rows; knows no missing values.

Both copy the nodes; where these are many, or rows many and with missing values, each tree is called **by itself**.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble._gradient_boosting import predict_stages
from sklearn.tree._tree import NODE_DTYPE
from sklearn.tree._tree import Tree as CompiledTree

from modelwright_server.bound.calls import NotBindable

Rows32: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.intp]
Nodes: TypeAlias = NDArray[np.void]

_VALUES_AT_ONCE = 1 << 19
_FEWEST_ROWS_AT_ONCE = 64

_JOINED_ROWS = 4
_JOINED_ROWS_WITH_MISSING = 32
_MAX_COPIED_NODES = 1 << 19
"""Of 64 bytes each, copied twice."""

LEAF = -1
"""Instead of a leaf's children."""


class Tree(Protocol):
    """A compiled tree of scikit-learn."""

    n_features: int

    def apply(self, rows: Rows32) -> Numbers:
        """The number of the leaf of each row."""

    def __getstate__(self) -> dict[str, NDArray[np.void]]:
        """`nodes` among other things."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """What `predict_stages` takes a tree from."""

    tree_: Tree


class Leaves:
    """The leaves of an ensemble's trees, numbered from 0 through all trees, in their order."""

    def __init__(self, trees: Sequence[Tree], features: int) -> None:
        """Raises NotBindable."""
        nodes = [tree.__getstate__()["nodes"] for tree in trees]
        for each in nodes:
            _expect_sound(each, features)
        counts = np.array([len(each) for each in nodes], dtype=np.intp)
        self._apply = [tree.apply for tree in trees]
        self._trees, self._features = len(trees), features
        self._starts: Numbers = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.intp)
        self._start_of_each = self._starts[:, None]
        self._numbers = np.arange(self._trees, dtype=np.float32)[:, None]
        self._copied = bool(counts.sum() <= _MAX_COPIED_NODES)
        if self._copied:
            self._joined = _joined(nodes, self._starts, features)
            self._staged = _staged(nodes, self._starts, features)

    def of(self, rows: Rows32, *, missing: bool) -> Numbers:
        """Leaves [trees, rows] of C-contiguous rows with `features` columns; `missing`: NaN may be among them."""
        count = len(rows)
        if self._copied and count <= (_JOINED_ROWS_WITH_MISSING if missing else _JOINED_ROWS):
            repeated = np.empty((self._trees, count, self._features + 1), dtype=np.float32)
            repeated[:, :, :-1] = rows
            repeated[:, :, -1] = self._numbers
            found = self._joined.apply(repeated.reshape(self._trees * count, -1))
            found -= self._trees - 1
            return found.reshape(self._trees, count)
        if self._copied and not missing:
            sums = np.zeros((self._trees, count))
            predict_stages(self._staged, rows, 1.0, sums.T)
            return sums.astype(np.intp)
        found = np.empty((self._trees, count), dtype=np.intp)
        for number, apply in enumerate(self._apply):
            found[number] = apply(rows)
        found += self._start_of_each
        return found


def tree_of(nodes: Nodes, values: NDArray[np.float64], features: int) -> Tree:
    """A compiled tree of nodes (NODE_DTYPE) with one value each. Raises NotBindable."""
    _expect_sound(nodes, features)
    made = CompiledTree(features, np.array([1], dtype=np.intp), 1)
    made.__setstate__({"max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": values.reshape(-1, 1, 1)})
    tree: Tree = made
    return tree


def rows_at_once(values_per_row: int) -> int:
    """So many rows that their leaves' values take some megabytes, however many rows are asked."""
    return max(_FEWEST_ROWS_AT_ONCE, _VALUES_AT_ONCE // values_per_row)


def sum_over_trees(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis, one after another, as scikit-learn adds tree after tree."""
    if values[0].size == 1:
        # What NumPy's `add.reduce` finds side by side in memory, it adds in pairs.
        last: NDArray[np.float64] = np.add.accumulate(values, axis=0)[-1]
        return last
    total: NDArray[np.float64] = np.add.reduce(values, axis=0)
    return total


def _expect_sound(nodes: Nodes, features: int) -> None:
    # A compiled walk follows what stands here unchecked: a mistake would not raise, it would end the process.
    own = np.arange(len(nodes))
    left, right = nodes["left_child"], nodes["right_child"]
    inner = left != LEAF
    inside = (own < left) & (own < right) & (left < len(nodes)) & (right < len(nodes))
    inside &= (nodes["feature"] >= 0) & (nodes["feature"] < features)
    if not len(nodes) or not inside[inner].all():
        raise NotBindable("a node points outside of its tree")


def _joined(nodes: Sequence[Nodes], starts: Numbers, features: int) -> Tree:
    first = len(nodes) - 1
    joined = np.zeros(first + sum(len(each) for each in nodes), dtype=NODE_DTYPE)
    for each, start in zip(nodes, starts, strict=True):
        part = joined[first + start : first + start + len(each)]
        part[:] = each
        for child in ("left_child", "right_child"):
            part[child][part[child] != LEAF] += first + start
    free = iter(range(first))

    def choose(begin: int, end: int) -> int:
        """The node above the roots of the trees `begin` to before `end`."""
        if end - begin == 1:
            return first + int(starts[begin])
        own, middle = next(free), (begin + end) // 2
        joined[own]["feature"], joined[own]["threshold"] = features, middle - 0.5
        joined[own]["left_child"], joined[own]["right_child"] = choose(begin, middle), choose(middle, end)
        return own

    choose(0, len(nodes))
    return tree_of(joined, np.zeros(len(joined)), features + 1)


def _staged(nodes: Sequence[Nodes], starts: Numbers, features: int) -> NDArray[np.object_]:
    staged = np.empty((1, len(nodes)), dtype=object)
    for number, (each, start) in enumerate(zip(nodes, starts, strict=True)):
        leaves = np.arange(start, start + len(each), dtype=np.float64)
        staged[0, number] = _Holder(tree_of(each, leaves, features))
    return staged
