"""What is made of measurements: medians, ratios to the best peer, and whether they are as they must be. Pure."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.servers.contenders import OURS
from benchmarks.servers.race import Measurement
from benchmarks.servers.targets import CELLS, COLUMNS, ECHO_SHARE, LOGISTIC, MANY, RATIOS, SKLEARN, Cell, Target

ECHO = "echo"


@dataclass(frozen=True)
class Verdict:
    """A figure with its spread over the rounds, beside what must and should be; `versus` is what it is relative to.

    Without a target it is only told.
    """

    what: str
    part: str
    value: float
    low: float
    high: float
    target: Target | None
    bound: Literal["at least", "at most"]
    versus: str
    sound: bool = True

    @property
    def meets_must(self) -> bool:
        """Whether it is good enough."""
        return self.sound and (self.target is None or self._meets(self.target.must))

    @property
    def meets_aim(self) -> bool:
        """Whether it is as good as it should be."""
        aim = None if self.target is None else self.target.aim
        return self.meets_must and (aim is None or self._meets(aim))

    def _meets(self, bound: float) -> bool:
        return self.value >= bound if self.bound == "at least" else self.value <= bound


@dataclass(frozen=True)
class Series:
    """One contender's measurements under one load, by round."""

    server: str
    configuration: str
    form: str
    measurements: tuple[Measurement, ...]

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.server}, {self.configuration}"

    @property
    def sound(self) -> bool:
        """Whether every request of every round got the right answer."""
        return all(one.sound for one in self.measurements)

    @property
    def per_second(self) -> float:
        """Median of the rounds."""
        return statistics.median(one.per_second for one in self.measurements)

    @property
    def p99_ms(self) -> float:
        """Median of the rounds."""
        return statistics.median(one.p99_ms for one in self.measurements)

    @property
    def spread(self) -> float:
        """Distance of the fastest from the slowest round, as a share of the median."""
        rates = [one.per_second for one in self.measurements]
        return (max(rates) - min(rates)) / self.per_second if self.per_second else math.inf


def series(measurements: Iterable[Measurement]) -> list[Series]:
    """Measurements of one load, put together by contender."""
    found: dict[tuple[str, str, str], list[Measurement]] = {}
    for one in measurements:
        found.setdefault((one.server, one.configuration, one.form), []).append(one)
    return [Series(*key, tuple(sorted(ones, key=lambda one: one.round))) for key, ones in found.items()]


def under(measurements: Iterable[Measurement], model: str, cell: Cell) -> list[Series]:
    """All contenders' measurements of a model in a cell."""
    asked = (cell.rows, cell.connections)
    return series(
        one
        for one in measurements
        if one.question.model == model and (one.question.rows, one.question.connections) == asked
    )


def best_peer(found: Iterable[Series]) -> Series | None:
    """The fastest configuration of any peer, of those that answered everything rightly."""
    peers = [one for one in found if one.server not in (OURS, ECHO) and one.sound]
    return max(peers, key=lambda one: one.per_second, default=None)


def ratios(measurements: Sequence[Measurement]) -> list[Verdict]:
    """Our throughput over the best peer's, for each cell and column that was measured."""
    verdicts = []
    for cell in CELLS:
        for column in COLUMNS:
            found = under(measurements, column.model, cell)
            ours = next((one for one in found if one.server == OURS and one.form == column.form), None)
            peer = best_peer(found)
            if ours is not None and peer is not None:
                target = RATIOS[cell, column]
                verdicts.append(_relative(cell.title, column.title, ours, peer, target))
    return verdicts


def echo_shares(measurements: Sequence[Measurement]) -> list[Verdict]:
    """Our throughput on logistic regression over what only echoes; bounds hold for our own stack's echo."""
    found = under(measurements, LOGISTIC, MANY)
    ours = next((one for one in found if one.server == OURS and one.form == SKLEARN), None)
    if ours is None:
        return []
    bounds = {"own": ECHO_SHARE, "bare": None}
    echoes = [one for one in found if one.server == ECHO]
    return [
        _relative("share of the echo limit", one.configuration, ours, one, bounds[one.configuration]) for one in echoes
    ]


def _relative(what: str, part: str, ours: Series, other: Series, target: Target | None) -> Verdict:
    by_round = [
        one.per_second / against.per_second
        for one, against in zip(ours.measurements, other.measurements, strict=True)
        if against.per_second
    ]
    return Verdict(
        what,
        part,
        ours.per_second / other.per_second,
        min(by_round),
        max(by_round),
        target,
        "at least",
        other.name,
        ours.sound,
    )


def interval_of_median(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of the median that hold with at least this confidence, whatever the distribution (order statistics).

    With fewer than six values no such bounds exist at 95 %: the outermost values are returned.
    """
    ordered, n = sorted(values), len(values)
    depth = 0
    for rank in range(1, n // 2 + 1):
        # The chance that fewer than `rank` of n values lie below the median, or fewer than `rank` above it.
        if 2 * sum(math.comb(n, k) for k in range(rank)) / 2**n > 1 - confidence:
            break
        depth = rank - 1
    return ordered[depth], ordered[n - 1 - depth]


def slope(values: Sequence[tuple[float, float]]) -> float:
    """The slope of y over x by least squares; 0 with fewer than two points."""
    return statistics.linear_regression(*zip(*values, strict=True)).slope if len(values) > 1 else 0.0
