"""Rows on which a careless conversion fails: at and beside every threshold, extremes, and missing values.

All of it is drawn with a seed and bounded, so that a proof costs about the same for any model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.onnx_session import LARGEST_FLOAT32, LARGEST_FLOAT64, Taken
from modelwright_worker.onnx_form.graph import Matrix
from modelwright_worker.onnx_form.trees import LEAF, Splits

_FLOAT32 = np.finfo(np.float32)
_EXTREMES = np.array(
    [
        0.0,
        -0.0,
        *(
            sign * size
            for sign in (1.0, -1.0)
            for size in (
                float(np.finfo(np.float64).smallest_subnormal),
                float(_FLOAT32.smallest_subnormal),
                float(_FLOAT32.tiny),
                float(_FLOAT32.max),
                LARGEST_FLOAT32,
                float(np.nextafter(LARGEST_FLOAT32, np.inf)),
                1e300,
                LARGEST_FLOAT64,
                np.inf,
            )
        ),
    ]
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows and what they are, for a sentence."""

    name: str
    matrix: Matrix


def around(thresholds: Matrix) -> Matrix:
    """Thresholds, their neighbours in float64 and float32, and where rounding to float32 changes sides.

    An infinite one sets missing values apart from all others: 0 stands for it. Sorted, each value once.
    """
    thresholds = np.where(np.isfinite(thresholds), thresholds, 0.0)
    below, above = _singles(thresholds)
    # Exact: a float64 has room for one more bit than two neighbours of float32 differ in.
    centres = np.concatenate([thresholds, below, above, below / 2 + above / 2])
    values = np.concatenate([centres, np.nextafter(centres, -np.inf), np.nextafter(centres, np.inf)])
    return np.unique(values[np.isfinite(values)])


def hard_rows(
    trees: Sequence[Splits],
    rows: Matrix,
    inner: Matrix,
    back: Callable[[Matrix], Matrix],
    taken: Taken,
    budget: int,
    random: np.random.Generator,
) -> list[Rows]:
    """About `budget` rows for a model of these trees (none for a linear one).

    `rows` are real ones, at least one, of which hard ones are made; `inner` is what the steps before the model make of
    them, and `back` leads such a matrix to rows again.
    """
    plain, inner = _finite(rows), _finite(inner)
    extremes = _EXTREMES[np.abs(_EXTREMES) <= taken.largest]
    found: list[Rows] = []
    if trees:
        at_nodes = _at_nodes(trees, inner, budget // 2, random)
        of_thresholds = _of_thresholds(trees, inner, budget // 4, random)
        found.append(Rows("a row at a threshold", _finite(back(at_nodes))))
        found.append(Rows("a row of thresholds", _finite(back(of_thresholds))))
        found.append(Rows("a row of extremes", _sprinkled(plain, extremes, budget // 8, random)))
    else:
        # Where several terms of a sum are huge, their order decides what is left of it.
        finite = extremes[np.isfinite(extremes)]
        found.append(Rows("a row with an extreme", _one_replaced(plain, finite, budget // 8, random)))
    if taken.missing:
        base = np.concatenate([plain, *(part.matrix for part in found)])
        found.append(Rows("a row with missing values", _sprinkled(base, np.array([np.nan]), budget // 8, random)))
    return found


def _finite(matrix: Matrix) -> Matrix:
    """Missing values as 0, infinite ones as the greatest number."""
    return np.nan_to_num(matrix, nan=0.0)


def _at_nodes(trees: Sequence[Splits], rows: Matrix, count: int, random: np.random.Generator) -> Matrix:
    """Rows that reach a node and have there each of the values around its threshold; of all nodes, or a sample."""
    numbers = np.repeat(np.arange(len(trees)), [len(tree.left) for tree in trees])
    nodes = np.concatenate([np.arange(len(tree.left)) for tree in trees])
    inner = np.concatenate([~tree.is_leaf for tree in trees])
    numbers, nodes = numbers[inner], nodes[inner]
    parents: dict[int, NDArray[np.int64]] = {}
    found = [rows[:1]]
    total = 0
    for place in random.permutation(len(nodes)):
        number, node = int(numbers[place]), int(nodes[place])
        tree = trees[number]
        if number not in parents:
            parents[number] = tree.parents()
        row = _led_to(tree, parents[number], node, rows[random.integers(len(rows))].copy())
        values = around(tree.threshold[node : node + 1])
        these = np.repeat(row[None], len(values), axis=0)
        these[:, tree.feature[node]] = values
        found.append(these)
        total += len(these)
        if total >= count:
            break
    return np.concatenate(found)


def _led_to(tree: Splits, parents: NDArray[np.int64], node: int, row: Matrix) -> Matrix:
    """The row changed as little as it takes to reach the node (or nearly, where only missing values would)."""
    path = [node]
    while parents[path[-1]] != LEAF:
        path.append(int(parents[path[-1]]))
    for above, below in zip(path[:0:-1], path[-2::-1], strict=True):
        feature = tree.feature[above]
        if not np.isfinite(tree.threshold[above]):
            continue
        lower, upper = _singles(tree.threshold[above : above + 1])
        row[feature] = min(row[feature], lower[0]) if tree.left[above] == below else max(row[feature], upper[0])
    return row


def _singles(thresholds: Matrix) -> tuple[Matrix, Matrix]:
    """The greatest numbers of float32 that are at most the thresholds, and the next ones."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
        below = np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)
        return below.astype(np.float64), np.nextafter(below, np.float32(np.inf)).astype(np.float64)


def _of_thresholds(trees: Sequence[Splits], rows: Matrix, most: int, random: np.random.Generator) -> Matrix:
    """Rows all of whose features lie around thresholds: every value around every one, unless these are too many."""
    features = np.concatenate([tree.feature[~tree.is_leaf] for tree in trees])
    thresholds = np.concatenate([tree.threshold[~tree.is_leaf] for tree in trees])
    made = rows[random.integers(len(rows), size=most)]
    used = 0
    for feature in np.unique(features):
        own = np.unique(thresholds[features == feature])
        if len(own) > most:
            own = random.choice(own, most, replace=False)
        values = random.permutation(around(own))
        used = max(used, len(values))
        made[:, feature] = np.resize(values, most)
    return made[: max(1, used)]


def _sprinkled(rows: Matrix, values: Matrix, count: int, random: np.random.Generator) -> Matrix:
    """Copies of rows in which a random share of the numbers is replaced."""
    made = rows[random.integers(len(rows), size=count)]
    share = random.random((count, 1))
    return np.where(random.random(made.shape) < share, random.choice(values, size=made.shape), made)


def _one_replaced(rows: Matrix, values: Matrix, count: int, random: np.random.Generator) -> Matrix:
    """Copies of rows in each of which one number is replaced."""
    made = rows[random.integers(len(rows), size=count)]
    made[np.arange(count), random.integers(rows.shape[1], size=count)] = random.choice(values, size=count)
    return made
