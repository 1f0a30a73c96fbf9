"""Whether two samples are of the same distribution: counts in the same bins, to a p-value and an effect size.

The p-value is the answer to chance, the effect size the answer to trifles. Neither needs more than the standard
library: the operator has no SciPy.

Sources: K. Pearson, Philosophical Magazine 50 (1900), for the statistic; J. Cohen, "Statistical Power Analysis for the
Behavioral Sciences" (2nd ed., 1988), chapter 7, for w; W. Cochran, Biometrics 10 (1954), for the least expected count;
M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 26.4.4 and 26.4.5, for the tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, exp, lgamma, log, sqrt

MIN_EXPECTED = 5.0
"""Below this expected count a bin is not for the chi-square distribution, which is an approximation."""

_NEGLIGIBLE = 1e-17

Cell = tuple[int, int]
"""Counts of one bin, or of several together, in both samples."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`p_value`: how often two samples of one distribution differ at least so. `effect`: bias-corrected Cohen's w."""

    p_value: float = 1.0
    effect: float = 0.0


def difference(first: Sequence[int], second: Sequence[int]) -> Difference:
    """How two samples differ that were counted in the same bins, in the bins' order; 1 and 0 where one is empty.

    Bins with a small expected count are taken together until they can be tested. What is left over then, a category
    that was never seen before or values missing for the first time, has a test of its own, which is exact; so such
    values are neither lost in a large bin nor is one of them a finding. The lesser of both p-values counts, doubled.

    Raises ValueError where the numbers of bins differ.
    """
    cells = [cell for cell in zip(first, second, strict=True) if any(cell)]
    sizes = sum(first), sum(second)
    if not all(sizes):
        return Difference()
    groups, rest = _grouped(cells, sizes)
    p_values = []
    if len(groups) > 1:
        p_values.append(chi_square_tail(_statistic(_joined(groups, rest), sizes), len(groups) - 1))
    if rest is not None and groups:
        p_values.append(_share_differs(rest, sizes))
    p_value = min((1.0, *(len(p_values) * one for one in p_values)))
    return Difference(p_value, _effect(groups if rest is None else [*groups, rest], sizes))


def chi_square_tail(statistic: float, degrees: int) -> float:
    """The chance of at least `statistic` under the chi-square distribution: a finite sum, exact but for rounding."""
    if statistic <= 0:
        return 1.0
    half = statistic / 2
    odd = degrees % 2
    # Of each term the logarithm, because the sum may be far beyond what a float holds and the factor far below.
    powers = (index + odd / 2 for index in range(degrees // 2))
    terms = sum(exp(power * log(half) - half - lgamma(power + 1)) for power in powers)
    return min(1.0, terms + (erfc(sqrt(half)) if odd else 0.0))


def _grouped(cells: Sequence[Cell], sizes: Cell) -> tuple[list[Cell], Cell | None]:
    """Cells that can be tested, and what is left over.

    It depends on the cells' totals only, so that it says nothing of how the samples differ.
    """
    lesser = min(sizes) / sum(sizes)
    groups: list[Cell] = []
    gathered = (0, 0)
    for cell in cells:
        if sum(cell) * lesser >= MIN_EXPECTED:
            groups.append(cell)
            continue
        gathered = _added(gathered, cell)
        if sum(gathered) * lesser >= MIN_EXPECTED:
            groups.append(gathered)
            gathered = (0, 0)
    return groups, gathered if any(gathered) else None


def _joined(groups: Sequence[Cell], rest: Cell | None) -> list[Cell]:
    """All counts, with the rest in the least of the groups."""
    if rest is None:
        return list(groups)
    least, *others = sorted(groups, key=sum)
    return [_added(least, rest), *others]


def _added(one: Cell, other: Cell) -> Cell:
    return one[0] + other[0], one[1] + other[1]


def _statistic(cells: Sequence[Cell], sizes: Cell) -> float:
    """Pearson's chi-square of the table with two rows."""
    first, second = sizes
    return sum((a * second - b * first) ** 2 / (a + b) for a, b in cells) / (first * second)


def _effect(cells: Sequence[Cell], sizes: Cell) -> float:
    """Cohen's w of the second sample's shares against the first's, less what chance alone adds to it.

    What is expected is the mean of both shares, each sample weighing alike, whatever its size; so w has a value where a
    bin is empty in one of them, and 2 is its greatest. The difference of two samples' shares has the variance
    share · (1 - share) · (1/n + 1/m), hence w² is too great by (bins - 1) · (1/n + 1/m) on the average.
    """
    first, second = sizes
    squared = 0.0
    for a, b in cells:
        here, there = a / first, b / second
        squared += 2 * (here - there) ** 2 / (here + there)
    by_chance = (len(cells) - 1) * (1 / first + 1 / second)
    return sqrt(max(0.0, squared - by_chance))


def _share_differs(cell: Cell, sizes: Cell) -> float:
    """The p-value of Fisher's exact test of one cell against all others: of the side that was seen, doubled.

    Seen from the lesser sample, which expects few of them: so the sum has few terms, whatever the numbers are.
    """
    lesser = sizes.index(min(sizes))
    seen, draws, hits = cell[lesser], sizes[lesser], sum(cell)
    rest = sum(sizes) - hits
    term = tail = _hypergeometric(seen, hits, draws, rest)
    if seen * sum(sizes) > hits * draws:
        number = seen
        while term > tail * _NEGLIGIBLE and number < min(hits, draws):
            term *= (hits - number) * (draws - number) / ((number + 1) * (rest - draws + number + 1))
            tail += term
            number += 1
    else:
        for number in range(seen, max(0, draws - rest), -1):
            term *= number * (rest - draws + number) / ((hits - number + 1) * (draws - number + 1))
            tail += term
    return min(1.0, 2 * tail)


def _hypergeometric(number: int, hits: int, draws: int, rest: int) -> float:
    """The chance that `draws` of `hits` + `rest` things have `number` hits."""
    return exp(_choose(hits, number) + _choose(rest, draws - number) - _choose(hits + rest, draws))


def _choose(things: int, taken: int) -> float:
    """Natural logarithm of the binomial coefficient."""
    return lgamma(things + 1) - lgamma(taken + 1) - lgamma(things - taken + 1)
