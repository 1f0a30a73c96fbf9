"""Whether a model is asked other things than it was trained on: from the counts of a window to a verdict.

A column has drifted in a window when chance does not explain the difference to the training profile, and the difference
is also beyond the user's own limit. Chance is answered over all columns together, so that a window in which nothing has
drifted is wrong in at most LEVEL of all cases, however many columns there are. With many rows any difference is beyond
chance, also one that nobody minds: that is what the limit is for. And it has drifted for good when it has in two of the
last three windows, so that an odd hour is none.

Source: Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57
(1995).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from modelwright.analysis.two_samples import difference

LEVEL = 0.002
"""Of all windows in which nothing has drifted, the share in which some column is found to have.

So low because all windows are held against one profile: where that has few rows, its own chance is in each of them.
"""
WINDOWS = 3
"""How many windows a verdict looks at."""
REPEATED = 2
"""In how many of them a column must have drifted."""

Counts = Mapping[str, Sequence[int]]
"""By column, how many rows fell into each of its bins."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One column in one window. `p_value` is adjusted (Benjamini-Hochberg): at most LEVEL is beyond chance."""

    column: str
    effect: float
    p_value: float
    drifted: bool


def findings(profile: Counts, window: Counts, min_effect: float) -> tuple[Finding, ...]:
    """What each column that both have shows, the strongest first.

    Raises ValueError where a column has other bins in the window than in the profile.
    """
    names = [name for name in profile if name in window]
    found = [difference(profile[name], window[name]) for name in names]
    adjusted = benjamini_hochberg([one.p_value for one in found])
    weighed = (
        Finding(name, one.effect, p_value, p_value <= LEVEL and one.effect > min_effect)
        for name, one, p_value in zip(names, found, adjusted, strict=True)
    )
    return tuple(sorted(weighed, key=lambda one: (not one.drifted, -one.effect, one.column)))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the same order: those of at most x have a false discovery rate of at most x."""
    adjusted = [1.0] * len(p_values)
    least = 1.0
    ranks = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in reversed(list(enumerate(ranks, start=1))):
        least = min(least, p_values[index] * len(p_values) / rank)
        adjusted[index] = least
    return adjusted


def lasting(windows: Sequence[Collection[str]]) -> tuple[str, ...]:
    """Of the columns that drifted in each window, the newest window last: those that did in REPEATED of the last."""
    often = Counter(name for names in windows[-WINDOWS:] for name in set(names))
    return tuple(sorted(name for name, times in often.items() if times >= REPEATED))


def remembered(drifted: Iterable[str], before: Sequence[Collection[str]], most: int) -> tuple[str, ...]:
    """At most `most` of the columns that drifted in a window, given the strongest first.

    Those that also drifted in a window before come first: where more have drifted than are remembered, windows must
    remember the same ones for a verdict.
    """
    known = {name for names in before[1 - WINDOWS :] for name in names}
    return tuple(sorted(drifted, key=lambda name: name not in known)[:most])
