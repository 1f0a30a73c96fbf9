"""Two samples in the same bins: held against SciPy where it says the same, and against exact sums."""

from __future__ import annotations

from itertools import product
from math import comb, prod, sqrt
from random import Random
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modelwright.analysis.two_samples import MIN_EXPECTED, chi_square_tail, difference

Counts = list[int]


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 31, 64])
@pytest.mark.parametrize("statistic", [1e-9, 0.3, 1.0, 7.7, 50.0, 333.3, 1400.0])
def test_the_tail_is_scipys(degrees: int, statistic: float) -> None:
    assert chi_square_tail(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-11, abs=0)


@pytest.mark.parametrize("statistic", [0.0, -1.0])
def test_no_difference_is_certain_to_be_reached(statistic: float) -> None:
    assert chi_square_tail(statistic, 3) == 1.0


@pytest.mark.parametrize("statistic", [1e4, 1e12, 1e300])
def test_beyond_what_a_float_holds_the_tail_is_nothing(statistic: float) -> None:
    assert chi_square_tail(statistic, 9) == pytest.approx(0.0, abs=1e-300)


@pytest.mark.parametrize(
    ("profile", "window"),
    [
        pytest.param([100, 200, 300], [30, 20, 10], id="another order of shares"),
        pytest.param([10_000] * 10, [9, 12, 8, 11, 10, 10, 7, 13, 9, 11], id="ten bins, a hundred rows"),
        pytest.param([50, 50], [5_000, 5_100], id="a small profile"),
    ],
)
def test_where_every_bin_has_enough_it_is_pearsons_test(profile: Counts, window: Counts) -> None:
    expected = stats.chi2_contingency([profile, window], correction=False).pvalue
    assert difference(profile, window).p_value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("profile", "window"),
    [
        pytest.param([10_000, 0], [480, 20], id="never seen before"),
        pytest.param([10_000, 3], [499, 1], id="one of a rare kind"),
        pytest.param([10_000, 30], [500, 0], id="a rare kind that did not come"),
        pytest.param([90, 10], [1_000_000, 200], id="a rare kind of a small profile"),
        pytest.param([1_000_000, 0], [100, 1], id="one row of a kind that a million had not"),
    ],
)
def test_what_is_too_rare_for_chi_square_is_tested_exactly(profile: Counts, window: Counts) -> None:
    total, drawn, hits = sum(profile) + sum(window), sum(window), profile[1] + window[1]
    law = stats.hypergeom(total, hits, drawn)
    expected = min(1.0, 2 * min(law.sf(window[1] - 1), law.cdf(window[1])))
    assert difference(profile, window).p_value == pytest.approx(expected, rel=1e-6)


def test_a_rare_kind_beside_ordinary_bins_is_neither_lost_nor_counted_twice() -> None:
    profile, window = [5_000, 5_000, 0], [240, 240, 20]
    alone = difference([10_000, 0], [480, 20]).p_value
    assert difference(profile, window).p_value == pytest.approx(2 * alone, rel=1e-6)


@pytest.mark.parametrize(
    ("profile", "window"),
    [
        pytest.param([], [], id="no bins"),
        pytest.param([0, 0], [0, 0], id="nobody anywhere"),
        pytest.param([10, 20], [0, 0], id="no rows"),
        pytest.param([0, 0], [10, 20], id="no profile"),
        pytest.param([1000, 0, 0], [500, 0, 0], id="a constant that stays"),
        pytest.param([2, 1], [1, 2], id="too few to say anything"),
    ],
)
def test_where_nothing_can_differ_nothing_does(profile: Counts, window: Counts) -> None:
    found = difference(profile, window)
    assert (found.p_value, found.effect) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("profile", "window"),
    [
        pytest.param([0, 10_000, 0, 0], [0, 0, 500, 0], id="a constant that is another one now"),
        pytest.param([0, 10_000, 0, 0], [500, 0, 0, 0], id="a constant that is a lesser one now"),
        pytest.param([0, 10_000, 0, 0], [0, 0, 0, 500], id="a constant that is missing now"),
        pytest.param([5_000, 5_000, 0, 0], [0, 0, 0, 100], id="all are missing"),
    ],
)
def test_what_changed_altogether_is_found_and_as_different_as_can_be(profile: Counts, window: Counts) -> None:
    found = difference(profile, window)
    assert found.p_value < 1e-9
    assert found.effect == pytest.approx(2.0, abs=0.05)


def test_other_bins_than_the_profiles_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        difference([1, 2, 3], [1, 2])


def test_the_effect_is_cohens_w_and_has_no_bias() -> None:
    draw = Random(7)
    here, there = [0.25] * 4, [0.31, 0.27, 0.23, 0.19]
    w = sqrt(sum(2 * (a - b) ** 2 / (a + b) for a, b in zip(here, there, strict=True)))
    squares = [difference(_sample(draw, here, 4_000), _sample(draw, there, 1_000)).effect ** 2 for _ in range(400)]
    assert sqrt(sum(squares) / len(squares)) == pytest.approx(w, rel=0.04)


def test_the_effect_of_equal_samples_is_about_none_at_any_size() -> None:
    draw = Random(11)
    for rows in (100, 1_000, 10_000):
        effects = sorted(
            difference(_sample(draw, [0.1] * 10, 10_000), _sample(draw, [0.1] * 10, rows)).effect for _ in range(200)
        )
        assert effects[100] < 1.0 / sqrt(rows)


@pytest.mark.parametrize(("share", "effect"), [(0.005, 0.1), (0.02, 0.2), (0.2, 0.65)])
def test_a_new_value_counts_by_its_share_of_the_rows(share: float, effect: float) -> None:
    rows = 100_000
    new = round(share * rows)
    assert difference([10 * rows, 0], [rows - new, new]).effect == pytest.approx(effect, abs=0.02)


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=40),
    st.lists(st.integers(0, 3000), min_size=40, max_size=40),
)
def test_figures_are_figures_whatever_the_counts(profile: Counts, window: Counts) -> None:
    found = difference(profile, window[: len(profile)])
    assert 0.0 <= found.p_value <= 1.0
    assert 0.0 <= found.effect <= 2.0
    assert difference(profile, profile).effect == 0.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12))
def test_it_does_not_matter_which_of_the_two_came_first(cells: list[tuple[int, int]]) -> None:
    first, second = [a for a, _ in cells], [b for _, b in cells]
    one, other = difference(first, second), difference(second, first)
    assert one.effect == pytest.approx(other.effect)
    if sum(first) != sum(second):
        assert one.p_value == pytest.approx(other.p_value)


def test_the_p_value_is_one_for_every_way_to_share_out_few_rows() -> None:
    """All ways in which 8 rows of the window may fall, weighed by their chance: p <= x in at most x of them."""
    profile, rows, shares = [60, 40, 20], 8, (0.5, 0.3, 0.2)
    chances: list[tuple[float, float]] = []
    for a, b in product(range(rows + 1), repeat=2):
        if a + b <= rows:
            window = [a, b, rows - a - b]
            ways = comb(rows, a) * comb(rows - a, b)
            chance = ways * prod(share**count for share, count in zip(shares, window, strict=True))
            chances.append((difference(profile, window).p_value, chance))
    assert sum(chance for _, chance in chances) == pytest.approx(1)
    for level in (0.05, 0.01):
        assert sum(chance for p_value, chance in chances if p_value <= level) <= 2 * level


def test_figures_that_nobody_counted_cost_no_time() -> None:
    began = perf_counter()
    for window in ([10**15, 10**12], [3, 10**15], [10**15, 0]):
        difference([100, 0], window)
        difference(window, [100, 5])
    assert perf_counter() - began < 1.0


def test_a_bin_is_tested_from_so_many_expected_rows_on() -> None:
    """At the bound one more row moves a bin from the exact test to chi-square; the p-value jumps by little."""
    just, below = (difference([990, 10], [990, 10 - step]).p_value for step in (0, 1))
    assert MIN_EXPECTED == 5.0
    assert just == 1.0
    assert below > 0.5


def _sample(draw: Random, shares: list[float], rows: int) -> Counts:
    counts = [0] * len(shares)
    for bin_ in draw.choices(range(len(shares)), shares, k=rows):
        counts[bin_] += 1
    return counts
