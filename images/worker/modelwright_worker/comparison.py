"""Whether a new model is better than the champion, or was only lucky with the rows: two tests on the same rows.

The paired bootstrap draws the rows anew, each with both models' answers, and looks how the gain in the metric spreads.
It is read in both of its ways, and the more doubtful one counts. Its interval must lie above no gain; it is corrected
for bias and accelerated (BCa; Efron 1987, Journal of the American Statistical Association 82, 171-185), because gains
are skewed: a model may be a little better on most rows and far worse on a few. The acceleration is a sixth of the
skewness of the gains drawn, which for a mean is what the jackknife gives. And when the gains drawn are centred at none,
so much of a gain must be rare (Hall and Wilson 1991, Biometrics 47, 757-762).

Random swaps toss for each row which of the two models gave which answer. If the new model is no better because the two
differ by chance alone, this test's level is exact for any number of rows (for metrics by the order of scores nearly so,
because each model's scores are brought to ranks first); the bootstrap's is asymptotic.

The new model is better when both say so: the p-value is the larger of the two. So one that is no better passes at most
in the share of runs that the confidence leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from modelwright_contract.metrics import LOWER_IS_BETTER
from modelwright_contract.tasks import TaskKind
from modelwright_worker.metrics import Judged, NotApplicable, Reals
from modelwright_worker.weighted import Weighted, weighted

RESAMPLES, FEWEST = 2000, 1000
"""Of each test; the fewer where there are very many rows."""
MAX_DRAWS = 200_000_000
MAX_ROWS, LEAST_ROWS = 200_000, 5_000
"""Of more rows so many are chosen by chance for the tests, which keeps their level, and their time bounded.

An area under a curve for each of many classes takes as many times as long, so there it is fewer.
"""
_CHUNK = 1 << 13
"""Weights at a time, few enough to stay in the processor's cache."""
_ROUNDING = 1e-9
"""Figures that differ by less than this part of themselves are equal."""
_BY_ORDER = frozenset({"roc_auc", "average_precision"})
"""Metrics for which only the order of a model's own scores counts, not their scale."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric of both models on the same rows.

    `gain` is how much better the challenger is, whichever side is better; with the given confidence it is at least
    `gain_at_least`, where that can be told. `p_value` is the probability of so much evidence if it were no better.
    """

    challenger: float
    champion: float
    gain: float
    gain_at_least: float | None
    p_value: float


def compare(
    task: TaskKind, name: str, champion: Judged, challenger: Judged, *, confidence: float, seed: int
) -> Comparison:
    """Both models' answers for the same rows in the same order; the same seed gives the same figures.

    Raises NotApplicable where either has no value of the metric.
    """
    rows, rng = len(challenger.truth), np.random.default_rng(seed)
    if not rows:
        raise NotApplicable("the split has no rows")
    sign = -1.0 if name in LOWER_IS_BETTER else 1.0
    whole = _Pair(task, name, sign, champion, challenger)
    if not np.isfinite(whole.gain):
        raise NotApplicable("it has no value on these rows")
    tested = whole
    curves = max(1, challenger.classes - 1) if name in _BY_ORDER else 1
    most = min(MAX_ROWS, max(LEAST_ROWS, MAX_ROWS // curves))
    if rows > most:
        chosen = np.sort(rng.choice(rows, most, replace=False))
        tested = _Pair(task, name, sign, champion.of_rows(chosen), challenger.of_rows(chosen))
    by_bootstrap, at_least = tested.bootstrap(confidence, rng)
    return Comparison(whole.ours, whole.theirs, whole.gain, at_least, max(by_bootstrap, tested.swaps(rng)))


class _Pair:
    """Two models on the same rows, and the two tests of them."""

    def __init__(self, task: TaskKind, name: str, sign: float, champion: Judged, challenger: Judged) -> None:
        self._task, self._name, self._sign = task, name, sign
        self._champion, self._challenger = champion, challenger
        self._theirs = _applied(task, name, champion, "the champion")
        self._ours = _applied(task, name, challenger, "the new model")
        self._rows = len(challenger.truth)
        everything = np.ones((1, self._rows))
        self.ours, self.theirs = float(self._ours(everything)[0]), float(self._theirs(everything)[0])
        self.gain = sign * (self.ours - self.theirs) + 0.0
        self._near = _ROUNDING * (abs(self.ours) + abs(self.theirs))

    def bootstrap(self, confidence: float, rng: np.random.Generator) -> tuple[float, float | None]:
        """The p-value of no gain, and the gain's lower bound. A sample without a value speaks against a gain."""
        drawn = np.concatenate(
            [self._sign * (self._ours(weights) - self._theirs(weights)) for weights in _drawn_anew(self._rows, rng)]
        )
        known = drawn[np.isfinite(drawn)]
        if not len(known):
            return 1.0, None
        nothing = _score(np.where(np.isfinite(drawn), drawn, -np.inf), 0.0, self._near)
        bias, skewness = _score(known, self.gain, self._near), _skewness(known)
        by_interval = float(ndtr(_shifted(nothing - bias, skewness / 6) - bias))
        centred = (np.count_nonzero(~(drawn - self.gain < self.gain - self._near)) + 1) / (len(drawn) + 1)
        at = float(ndtr(_shifted(bias + ndtri(1 - confidence), -skewness / 6) + bias))
        return max(by_interval, centred), float(np.quantile(known, at))

    def swaps(self, rng: np.random.Generator) -> float:
        """The p-value of the gain among those that coins give: one for each row says whose answer is whose."""
        measure = weighted(self._task, self._name, _pooled(self._name, self._champion, self._challenger))
        found, tossed = 0, 0
        for size in _chunks(self._rows):
            coins = rng.integers(0, 2, (size, self._rows), dtype=np.int8).astype(np.float64)
            swapped, kept = np.hstack([coins, 1 - coins]), np.hstack([1 - coins, coins])
            gains = self._sign * (measure(swapped) - measure(kept))
            found += int(np.count_nonzero(~(gains < self.gain - self._near)))
            tossed += size
        return (found + 1) / (tossed + 1)


def _applied(task: TaskKind, name: str, judged: Judged, whose: str) -> Weighted:
    try:
        return weighted(task, name, judged)
    except NotApplicable as error:
        raise NotApplicable(f"of {whose}: {error}") from None


def _chunks(rows: int) -> Iterator[int]:
    """How many resamples at a time."""
    left, most = max(FEWEST, min(RESAMPLES, MAX_DRAWS // rows)), max(1, _CHUNK // rows)
    while left:
        yield min(left, most)
        left -= min(left, most)


def _drawn_anew(rows: int, rng: np.random.Generator) -> Iterator[Reals]:
    """How often each row was drawn, in samples of as many rows with replacement."""
    for size in _chunks(rows):
        cells = rng.integers(0, rows, (size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(cells.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def _score(drawn: Reals, limit: float, near: float) -> float:
    """The normal quantile of the share of gains below a limit; those `near` it count half."""
    below = np.count_nonzero(drawn < limit - near)
    equal = np.count_nonzero(np.abs(drawn - limit) <= near)
    return float(ndtri((below + equal / 2 + 0.5) / (len(drawn) + 1)))


def _skewness(drawn: Reals) -> float:
    centred = drawn - drawn.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    return float(np.mean((centred / spread) ** 3)) if spread > 1e-12 * float(np.abs(drawn).max()) else 0.0


def _shifted(score: float, acceleration: float) -> float:
    """score / (1 + acceleration · score), which ends where that turns around."""
    below = 1 + acceleration * score
    return score / below if below > 0 else float(np.copysign(np.inf, score))


def _pooled(name: str, champion: Judged, challenger: Judged) -> Judged:
    """The answers of both, one after the other; scores that only order rows are brought to one scale."""

    def both(part: Callable[[Judged], Reals | None]) -> Reals | None:
        first, second = part(champion), part(challenger)
        if first is None or second is None:
            return None
        if name in _BY_ORDER:
            first, second = (np.apply_along_axis(_ranks, 0, values) for values in (first, second))
        return np.concatenate([first, second])

    return replace(
        challenger,
        truth=np.concatenate([champion.truth, challenger.truth]),
        predicted=np.concatenate([champion.predicted, challenger.predicted]),
        probability=both(lambda judged: judged.probability),
        score=both(lambda judged: judged.score),
    )


def _ranks(values: Reals) -> Reals:
    """Positions in order; equal values share the middle of theirs."""
    _, which, times = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(times) - (times - 1) / 2)[which])
