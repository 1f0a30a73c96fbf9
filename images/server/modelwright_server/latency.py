"""Bounds of the latency histograms: fine enough for a quantile, with Prometheus' round numbers among them."""

from itertools import pairwise

ROUND_BOUNDS_S = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Bounds of the Prometheus histogram, in seconds."""

STEPS = 8
"""Fine buckets between two round bounds: a quantile read off them is off by at most 13 %."""


def _fine_bounds() -> tuple[float, ...]:
    bounds = [ROUND_BOUNDS_S[0]]
    for low, high in pairwise(ROUND_BOUNDS_S):
        bounds += [low * (high / low) ** (step / STEPS) for step in range(1, STEPS)] + [high]
    return tuple(bounds)


BOUNDS_S = _fine_bounds()
"""Upper bounds, in seconds, of the fine buckets; what is above the last one is counted in one bucket more."""

BUCKETS = len(BOUNDS_S) + 1
"""A duration is counted in the bucket `bisect_left(BOUNDS_S, seconds)`."""
