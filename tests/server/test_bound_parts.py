"""The parts of pre-bound calls: trees made anew, ranks, and the proof."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree._tree import NODE_DTYPE

from modelwright_server.bound.calls import Bound, NotBindable
from modelwright_server.bound.leaves import Leaves, tree_of
from modelwright_server.bound.proof import difference
from modelwright_server.bound.ranks import Ranks
from modelwright_server.prediction import Prediction
from modelwright_server.problems import Problem

from .fitted_models import Drawn, Matrix


@pytest.mark.parametrize(
    ("child", "feature"), [(0, 0), (3, 0), (-2, 0), (1, 2), (1, -2)], ids=["loop", "far", "before", "wide", "leaf's"]
)
def test_a_node_that_points_outside_makes_no_tree(child: int, feature: int) -> None:
    nodes = np.zeros(3, dtype=NODE_DTYPE)
    nodes["left_child"], nodes["right_child"] = [child, -1, -1], [2, -1, -1]
    nodes["feature"] = [feature, -2, -2]
    with pytest.raises(NotBindable, match="points outside"):
        tree_of(nodes, np.zeros(3), 2)
    with pytest.raises(NotBindable, match="points outside"):
        tree_of(nodes[:0], np.zeros(0), 2)


def test_leaves_are_numbered_through_all_trees() -> None:
    drawn = Drawn(2, features=2, classes=2, coarse=False)
    forest = RandomForestRegressor(3, random_state=0).fit(drawn.matrix(), drawn.targets())
    rows = drawn.matrix().astype(np.float32)
    found = Leaves([member.tree_ for member in forest.estimators_], 2).of(rows, missing=False)
    starts = np.cumsum([0, *(member.tree_.node_count for member in forest.estimators_[:-1])])
    assert (found.T - starts == forest.apply(rows)).all()


@given(
    st.lists(st.floats(allow_nan=False), max_size=20),
    st.lists(st.floats(), min_size=1, max_size=5),
    st.sampled_from([1, 3000]),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_ranks_compare_as_their_values_do(thresholds: list[float], values: list[float], times: int) -> None:
    cuts = np.array(thresholds)
    ranks = Ranks([cuts, np.empty(0)])
    matrix = np.array([[value, value] for value in [*values, *thresholds]] * times)
    ranked = ranks.of(matrix, missing=True)
    assert ranked.dtype == np.float32
    assert (np.isnan(ranked) == np.isnan(matrix)).all()
    places = ranks.places(0, cuts)
    assert ((ranked[:, :1] <= places) == (matrix[:, :1] <= cuts)).all()


ROWS = Drawn(5, features=2, classes=2, coarse=False).matrix(20)


def above_zero(rows: Matrix) -> Prediction:
    if not np.isfinite(rows).all():
        raise Problem("no missing values")
    return Prediction((rows[:, 0] > 0).astype(np.intp), rows - 1)


def test_proof_of_an_honest_call() -> None:
    def call(rows: Matrix) -> Prediction | None:
        return above_zero(rows) if np.isfinite(rows).all() else None

    assert difference(Bound(call), above_zero, ROWS) is None
    assert difference(Bound(call, row_by_row=True), above_zero, ROWS) is None


@pytest.mark.parametrize("row_by_row", [False, True])
@pytest.mark.parametrize(
    ("call", "told"),
    [
        pytest.param(lambda _: None, "it answers no golden row", id="never"),
        pytest.param(
            lambda rows: Prediction((rows[:, 0] >= 0).astype(np.intp), rows - 1), "otherwise than", id="a tie"
        ),
        pytest.param(
            lambda rows: Prediction((rows[:, 0] > 0).astype(np.intp), (rows - 1) * (1 + 2**-52)),
            "otherwise",
            id="a bit",
        ),
        pytest.param(lambda rows: Prediction((rows[:, 0] > 0).astype(np.intp)), "otherwise", id="no probabilities"),
        pytest.param(
            lambda rows: Prediction((rows[:, 0] > 0).astype(np.intp), rows - 1), "refuses", id="what is refused"
        ),
    ],
)
def test_proof_of_a_call_that_differs(call: Callable[[Matrix], Prediction | None], told: str, row_by_row: bool) -> None:
    said = difference(Bound(call, row_by_row), above_zero, ROWS)
    assert said is not None
    assert told in said
