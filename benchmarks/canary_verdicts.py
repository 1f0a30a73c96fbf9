#!/usr/bin/env python3
"""How often the canary's judge is wrong: a simulation with the operator's own code.

A rollout has 5 steps (10, 20, 30, 40, 50 % of the traffic) of 6 looks each. An equal canary should pass whatever the
load; a worse one should be found. Beside it stands the rule of fixed thresholds: after each look the canary's figure of
that look is held against a limit, and a few failed looks reject it (Argo Rollouts' successCondition and failureLimit).

    benchmarks/canary_verdicts.py [--quick] [--seed N] [--json FILE]

Needs NumPy; takes about two minutes, with --quick twenty seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import exp, log, sqrt
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "operator"))

from modelwright.analysis.verdict import Limits, Side, Span, judge

WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5)
LOOKS_A_STEP = 6
MAX_FALSE, MIN_POWER = 0.01, 0.9
MEDIAN_S, SIGMA = 0.005, 0.5
"""Latency: log-normal, as served models have it; at sigma 0.5 the 99th percentile is 3.2 times the median."""
Z99 = 2.3263478740408408
CEILING, FAILED_LOOKS = 0.015, 3
"""The rule of fixed thresholds: at most 1.5 % errors a look, a p99 at most 10 % above stable's, 3 failed looks."""

Random = np.random.Generator


@dataclass(frozen=True)
class World:
    """What is true: rates of errors, how much slower the canary is, and its share of other answers."""

    name: str
    canary_requests: int
    stable_errors: float = 0.01
    canary_errors: float = 0.01
    slower: float = 1.0
    disagreement: float = 0.02


@dataclass(frozen=True)
class Figure:
    """Of `rollouts` in this world, the share that each rule rejected; `wanted` is what it should be."""

    world: str
    canary_requests: int
    rollouts: int
    rejected: float
    interval: tuple[float, float]
    fixed_thresholds: float
    median_requests: float
    wanted: str
    holds: bool


def rollout(world: World, rng: Random) -> tuple[int, bool]:
    """One rollout: canary requests at our rejection (0: it passed), and whether fixed thresholds reject it."""
    per_look = world.canary_requests / (sum(WEIGHTS) * LOOKS_A_STEP)
    limits = Limits(max_error_rate=0.01, min_agreement=0.95)
    bound = MEDIAN_S * exp(SIGMA * Z99)
    spans: list[Span] = []
    rejected_at, failed = 0, 0
    for weight in WEIGHTS:
        total = Span(Side(), Side())
        for _ in range(LOOKS_A_STEP):
            requests = int(rng.poisson(per_look))
            canary = int(rng.binomial(requests, weight))
            look, fails = _look(world, canary, requests - canary, bound, rng)
            failed += fails
            total = _added(total, look)
            verdict = judge([*spans, total], limits)
            if not rejected_at and verdict.rejected is not None:
                rejected_at = verdict.requests
        spans.append(total)
    return rejected_at, failed >= FAILED_LOOKS


def _look(world: World, canary: int, stable: int, bound: float, rng: Random) -> tuple[Span, bool]:
    theirs = rng.lognormal(log(MEDIAN_S * world.slower), SIGMA, canary)
    ours = rng.lognormal(log(MEDIAN_S), SIGMA, stable)
    compared = canary // 10
    span = Span(
        Side(canary, int(rng.binomial(canary, world.canary_errors)), int((theirs > bound).sum())),
        Side(stable, int(rng.binomial(stable, world.stable_errors)), int((ours > bound).sum())),
        compared,
        int(rng.binomial(compared, 1 - world.disagreement)),
    )
    if not canary or not stable:
        return span, False
    slower = float(np.quantile(theirs, 0.99)) > 1.1 * float(np.quantile(ours, 0.99))
    return span, span.canary.errors / canary > CEILING or slower


def _added(one: Span, other: Span) -> Span:
    return Span(
        *(
            Side(a.requests + b.requests, a.errors + b.errors, a.slow + b.slow)
            for a, b in ((one.canary, other.canary), (one.stable, other.stable))
        ),
        one.compared + other.compared,
        one.agreed + other.agreed,
    )


def measure(world: World, rollouts: int, wanted: str, holds: Callable[[float, float], bool], rng: Random) -> Figure:
    """`holds` is given the lower and the upper end of the 95 % interval of our share."""
    outcomes = [rollout(world, rng) for _ in range(rollouts)]
    found = [requests for requests, _ in outcomes if requests]
    share = len(found) / rollouts
    low, high = wilson(share, rollouts)
    return Figure(
        world.name,
        world.canary_requests,
        rollouts,
        share,
        (low, high),
        sum(fixed for _, fixed in outcomes) / rollouts,
        float(np.median(found)) if found else 0.0,
        wanted,
        holds(low, high),
    )


def wilson(share: float, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return middle - half, middle + half


def main() -> int:
    """Prints a table; 1 when a figure that must hold does not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rollouts: twenty seconds")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    many, some = (400, 200) if options.quick else (4000, 1500)

    def equal(low: float, _high: float) -> bool:
        return low <= MAX_FALSE

    def found(_low: float, high: float) -> bool:
        return high >= MIN_POWER

    figures = [
        *(measure(World("equal", n), many, "<= 0.01", equal, rng) for n in (500, 5_000, 20_000)),
        measure(World("equal, 0.1 % errors", 5_000, 0.001, 0.001), many, "<= 0.01", equal, rng),
        measure(World("errors 1 % -> 2 %", 5_000, 0.01, 0.02), some, ">= 0.9", found, rng),
        measure(World("p99 20 % slower", 10_000, slower=1.2), some, ">= 0.9", found, rng),
        measure(World("8 % other answers", 5_000, disagreement=0.08), some, "-", lambda *_: True, rng),
        measure(World("every answer 500", 500, canary_errors=1.0), some, ">= 0.9", found, rng),
    ]
    print(f"{'world':24} {'requests':>9} {'rejected':>9}  {'95 %':15} {'fixed rule':>10} {'median at':>10}  wanted")
    for one in figures:
        interval = f"{one.interval[0]:.4f}-{one.interval[1]:.4f}"
        print(
            f"{one.world:24} {one.canary_requests:9} {one.rejected:9.4f}  {interval:15} {one.fixed_thresholds:10.4f} "
            f"{one.median_requests:10.0f}  {one.wanted}{'' if one.holds else '  MISSED'}"
        )
    if options.json:
        document = {"seed": options.seed, "figures": [asdict(one) for one in figures]}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(one.holds for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
