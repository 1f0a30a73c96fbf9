"""Bounds of tree nodes: scikit-learn follows indices unchecked, so a forged archive could read anywhere.

Children must lie inside the array and behind their parent (so that every walk ends), features inside the matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAF = -1
_STAGED = ("Forest", "GradientBoosting", "ExtraTrees")


class BoundsError(ValueError):
    """A tree whose nodes point outside."""


def check_bounds(model: object) -> None:
    """Check every tree reachable from a model. Raises BoundsError."""
    for found in _reachable(model):
        state = vars(found)
        if "tree_" in state:
            _check_tree(state["tree_"], _width(found))
        if "_predictors" in state:
            _check_predictors(found)
        elif "estimators_" in state and _is_staged(found):
            width = _width(found)
            for member in np.asarray(state["estimators_"], dtype=object).ravel():
                if _width(member) != width or "tree_" not in vars(member):
                    raise BoundsError("a tree of a forest takes another number of features than the forest")


def _is_staged(found: object) -> bool:
    return any(word in type(found).__name__ for word in _STAGED)


def _width(found: object) -> int:
    width = getattr(found, "n_features_in_", None)
    if isinstance(width, int | np.integer) and width > 0:
        return int(width)
    raise BoundsError(f"{type(found).__name__} doesn't say how many features it takes")


def _reachable(model: object) -> Iterator[object]:
    seen: set[int] = set()
    stack: list[object] = [model]
    while stack:
        item = stack.pop()
        if id(item) in seen or item is None or isinstance(item, str | int | float | bytes):
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list | tuple | set):
            stack.extend(item)
        elif isinstance(item, np.ndarray):
            if item.dtype == object:
                stack.extend(item.ravel().tolist())
        elif not isinstance(item, type) and hasattr(item, "__dict__"):
            stack.extend(vars(item).values())
            yield item


def _check_links(left: NDArray[Any], right: NDArray[Any], inner: NDArray[np.bool_]) -> None:
    count = len(left)
    own = np.arange(count)[inner]
    for child in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        if ((child <= own) | (child >= count)).any():
            raise BoundsError("a node's child lies outside its tree")


def _check_tree(tree: Any, width: int) -> None:
    if tree.n_features != width or tree.node_count < 1 or len(tree.children_left) != tree.node_count:
        raise BoundsError("a tree takes another number of features than its estimator, or has no nodes")
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != _LEAF
    _check_links(left, right, inner)
    if (right[~inner] != _LEAF).any():
        raise BoundsError("a leaf has a child")
    if ((feature[inner] < 0) | (feature[inner] >= width)).any():
        raise BoundsError("a node reads a feature outside the matrix")


def _check_predictors(model: Any) -> None:
    width = _width(model)
    categorical = model._bin_mapper.is_categorical_ if hasattr(model._bin_mapper, "is_categorical_") else None
    per_iteration = model.n_trees_per_iteration_
    for stage in model._predictors:
        if len(stage) != per_iteration:
            raise BoundsError("an iteration has another number of trees than the model says")
        for predictor in stage:
            nodes = predictor.nodes
            if nodes.ndim != 1 or len(nodes) < 1:
                raise BoundsError("a tree has no nodes")
            inner = nodes["is_leaf"] == 0
            _check_links(nodes["left"], nodes["right"], inner)
            feature = nodes["feature_idx"].astype(np.int64)[inner]
            if ((feature < 0) | (feature >= width)).any():
                raise BoundsError("a node reads a feature outside the matrix")
            split = inner & (nodes["is_categorical"] != 0)
            if not split.any():
                continue
            bitsets = predictor.raw_left_cat_bitsets
            if bitsets.ndim != 2 or bitsets.shape[1] != 8 or (nodes["bitset_idx"][split] >= len(bitsets)).any():
                raise BoundsError("a node reads a set of categories that is not there")
            if categorical is None or not categorical[nodes["feature_idx"][split]].all():
                raise BoundsError("a node splits a feature by category that has none")
