"""When a column has drifted: beyond chance, beyond the limit, and in two of three windows."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from scipy import stats

from modelwright.analysis.drift import LEVEL, benjamini_hochberg, findings, lasting, remembered

TEN = [1000] * 10


@pytest.mark.parametrize("seed", range(5))
def test_adjusted_p_values_are_scipys(seed: int) -> None:
    draw = Random(seed)
    p_values = [draw.random() ** draw.choice((1, 8)) for _ in range(1 + 7 * seed)]
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values).tolist())


def test_nothing_is_adjusted_to_nothing() -> None:
    assert benjamini_hochberg([]) == []
    assert findings({}, {}, 0.1) == ()


def test_what_differs_is_found_and_comes_first() -> None:
    profile = {"calm": TEN, "moved": TEN}
    window = {"calm": [50] * 10, "moved": [20, 25, 30, 40, 45, 55, 60, 70, 75, 80]}
    first, second = findings(profile, window, 0.1)
    assert (first.column, first.drifted) == ("moved", True)
    assert first.effect > 0.3
    assert first.p_value <= LEVEL
    assert (second.column, second.drifted, second.effect) == ("calm", False, 0.0)


def test_with_many_rows_a_trifle_is_beyond_chance_but_not_beyond_the_limit() -> None:
    profile, window = {"x": [100_000] * 2}, {"x": [51_500, 48_500]}
    (found,) = findings(profile, window, 0.1)
    assert found.p_value < 1e-9
    assert not found.drifted
    assert findings(profile, window, 0.01)[0].drifted


def test_with_few_rows_a_great_effect_may_be_chance() -> None:
    (found,) = findings({"x": TEN}, {"x": [6, 14, 8, 12, 16, 6, 8, 12, 10, 8]}, 0.1)
    assert found.effect > 0.1
    assert not found.drifted


def test_a_column_has_more_to_prove_among_many() -> None:
    window = [35, 37, 42, 45, 49, 51, 54, 58, 62, 67]
    alone = findings({"x": TEN}, {"x": window}, 0.1)[0].p_value
    others = {f"c{number}": TEN for number in range(19)}
    among = findings({"x": TEN, **others}, {"x": window, **{name: [50] * 10 for name in others}}, 0.1)[0].p_value
    assert among == pytest.approx(20 * alone)


def test_columns_that_only_one_side_has_are_left_out() -> None:
    assert [one.column for one in findings({"a": TEN, "b": TEN}, {"b": TEN, "c": TEN}, 0.1)] == ["b"]


@pytest.mark.parametrize(
    ("windows", "found"),
    [
        pytest.param([], (), id="no window"),
        pytest.param([{"a"}], (), id="one window"),
        pytest.param([{"a"}, {"a"}], ("a",), id="two in a row"),
        pytest.param([{"a"}, set(), {"a"}], ("a",), id="two of three"),
        pytest.param([{"a"}, {"b"}, {"c"}], (), id="another one each time"),
        pytest.param([{"a"}, {"a"}, set(), set()], (), id="long ago"),
        pytest.param([{"a", "b"}, {"b", "a"}, {"b"}], ("a", "b"), id="several"),
        pytest.param([["a", "a"]], (), id="one window that names it twice"),
    ],
)
def test_what_has_drifted_for_good(windows: list[set[str]], found: tuple[str, ...]) -> None:
    assert lasting(windows) == found


def test_where_all_drift_windows_remember_the_same_ones() -> None:
    """A hundred columns drift alike, so that their order is chance's; only five are remembered."""
    draw, names = Random(3), [f"c{number}" for number in range(100)]
    windows: list[tuple[str, ...]] = []
    for _ in range(2):
        draw.shuffle(names)
        windows.append(remembered(names, windows, 5))
    assert lasting(windows) == tuple(sorted(windows[0]))


def test_the_strongest_are_remembered_where_none_was_before() -> None:
    assert remembered(["c", "a", "b"], [("x",)], 2) == ("c", "a")
    assert remembered([], [("x",)], 2) == ()


def in_windows(shift: float, windows: int, rng: np.random.Generator) -> bool:
    """Whether 20 normal columns, of which one is shifted so many sigma, drift over windows of 500 rows."""
    edges = stats.norm.ppf(np.arange(1, 10) / 10)
    calm, moved = (np.diff(stats.norm.cdf(edges - by), prepend=0.0, append=1.0) for by in (0.0, shift))
    profile = {str(name): rng.multinomial(10_000, calm).tolist() for name in range(20)}
    found: list[tuple[str, ...]] = []
    for _ in range(windows):
        window = {name: rng.multinomial(500, moved if name == "0" else calm).tolist() for name in profile}
        drifted = (one.column for one in findings(profile, window, 0.1) if one.drifted)
        found.append(remembered(drifted, found, 10))
        if lasting(found):
            return True
    return False


def test_in_a_small_simulation_a_drift_is_seen_and_none_is_not() -> None:
    """benchmarks/drift.py has the large one."""
    rng = np.random.default_rng(5)
    assert not any(in_windows(0.0, 20, rng) for _ in range(30))
    assert sum(in_windows(0.3, 3, rng) for _ in range(200)) >= 190
