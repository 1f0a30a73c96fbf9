"""Trees at random, asked on rows that lie exactly on their thresholds and beside them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from modelwright_contract.onnx_session import OnnxModel
from modelwright_worker.onnx_form.adversary import around
from modelwright_worker.onnx_form.convert import convert, splits_of
from modelwright_worker.onnx_form.graph import Matrix
from modelwright_worker.onnx_form.trees import Splits, several_outputs, splits_of_tree

LAST_BITS = 1e-14


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of OpenMP wait for each other busily; on a machine with other work that takes all the time."""
    with threadpool_limits(1):
        yield


def test_values_around_a_threshold() -> None:
    threshold = 0.1
    values = around(np.array([threshold]))
    singles = values.astype(np.float32).astype(np.float64)
    assert {np.nextafter(threshold, 0), threshold, np.nextafter(threshold, 1)} <= set(values.tolist())
    # On both sides of where float32 changes sides, one float64 apart.
    at = int(np.flatnonzero((singles[:-1] <= threshold) & (singles[1:] > threshold))[0])
    assert values[at + 1] == np.nextafter(values[at], 1)
    assert around(np.array([np.inf])).tolist() == around(np.zeros(1)).tolist()


models = st.sampled_from(
    [
        (RandomForestClassifier, "classes"),
        (ExtraTreesClassifier, "classes"),
        (DecisionTreeClassifier, "classes"),
        (RandomForestRegressor, "values"),
        (GradientBoostingClassifier, "classes"),
        (GradientBoostingRegressor, "values"),
        (HistGradientBoostingClassifier, "classes"),
        (HistGradientBoostingRegressor, "values"),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    choice=models,
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1.0, 0.1, 1e-30, 1e30, 1 / 3, 2.0**-149]),
    classes=st.integers(2, 4),
    members=st.integers(1, 12),
    leaf=st.integers(1, 5),
)
def test_any_trees_on_any_thresholds(
    choice: tuple[type, str], seed: int, scale: float, classes: int, members: int, leaf: int
) -> None:
    """Columns of few values, so that thresholds lie between neighbours; then rows exactly on and beside them."""
    kind, task = choice
    random = np.random.default_rng(seed)
    count, width = int(random.integers(30, 90)), int(random.integers(1, 5))
    grid = random.integers(-4, 5, size=(count, width)) * scale
    rows: Matrix = np.where(random.random(grid.shape) < 0.3, np.nextafter(grid.astype(np.float32), np.float32(1)), grid)
    targets = np.arange(count) % classes if task == "classes" else random.normal(size=count) * 100
    model = kind(min_samples_leaf=leaf, random_state=seed)
    for name in ("n_estimators", "max_iter"):
        if name in model.get_params():
            model.set_params(**{name: members})
    model.fit(rows, random.permutation(targets))
    form = OnnxModel(convert(model), width, classes if task == "classes" else 0)
    asked = _on_thresholds(splits_of(model), rows, random)
    labels, probabilities, values = form.answer(asked)
    if task == "classes":
        assert labels is not None
        assert probabilities is not None
        assert (model.classes_[labels] == model.predict(asked)).all()
        assert np.abs(probabilities - model.predict_proba(asked)).max() <= LAST_BITS
    else:
        assert values is not None
        assert (values == model.predict(asked)).all()


def _on_thresholds(trees: list[Splits], rows: Matrix, random: np.random.Generator) -> Matrix:
    made = rows[random.integers(len(rows), size=400)].astype(np.float64)
    for feature in range(rows.shape[1]):
        own = np.concatenate([tree.threshold[~tree.is_leaf & (tree.feature == feature)] for tree in trees])
        if len(own):
            values = random.choice(around(own), size=400)
            made[:, feature] = np.where(random.random(400) < 0.7, values, made[:, feature])
    return made[(np.abs(made) <= np.finfo(np.float32).max).all(axis=1)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 6), leaf=st.integers(1, 8))
def test_trees_of_one_class_a_leaf_sum_to_those_of_several(seed: int, classes: int, leaf: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(60, 2))
    model = DecisionTreeClassifier(min_samples_leaf=leaf, random_state=seed)
    model.fit(rows, np.arange(60) % classes)
    splits = splits_of_tree(model.tree_)
    sums = np.zeros((60, classes))
    for tree in several_outputs(splits, model.tree_.value[:, 0, :]):
        at = np.zeros(60, dtype=np.int64)
        while not tree.splits.is_leaf[at].all():
            node = tree.splits
            below = rows.astype(np.float32)[np.arange(60), node.feature[at]] <= node.threshold[at]
            at = np.where(node.is_leaf[at], at, np.where(below, node.left[at], node.right[at]))
        sums[np.arange(60), tree.output[at]] += tree.weight[at]
    assert (sums == model.predict_proba(rows)).all()
