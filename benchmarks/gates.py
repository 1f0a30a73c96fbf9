#!/usr/bin/env python3
"""How often a gate against a champion is wrong: a simulation with the worker's own code.

In a world where the new model is no better, a gate with confidence 0.95 should let it pass in at most 5 % of all
trainings, whatever the metric and however few the test rows. Where it is better, the gate should see it. Beside it
stands the naive gate: the new model passes if its figure on the test split is better, which a model that is no better
does in half of all trainings.

    benchmarks/gates.py [--quick] [--seed N] [--json FILE]

Needs the worker's libraries; takes about twenty-five minutes on two processors, with --quick under two.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Literal

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "images" / "worker"), str(ROOT / "images" / "contract")]

from modelwright_worker.comparison import compare
from modelwright_worker.gates import passes
from modelwright_worker.metrics import Judged

Random = np.random.Generator
TRAININGS, QUICK = 2000, 100


@dataclass(frozen=True)
class World:
    """What is true of two models: `better` is the challenger's lead in what its answers know, 0 is no better.

    `shape` is how they differ: `alike` by chance alone; `seldom` (errors of a regression) the challenger is a little
    better on 19 of 20 rows and far worse on the last, which comes to the same; `scaled` its scores have another scale.
    """

    metric: str
    rows: int
    better: float = 0.0
    shape: Literal["alike", "seldom", "scaled"] = "alike"
    confidence: str = "0.95"


@dataclass(frozen=True)
class Figure:
    """Of `trainings` in this world, the share that each gate let pass; `wanted` is what ours should be."""

    metric: str
    rows: int
    shape: str
    better: float
    confidence: str
    trainings: int
    passed: float
    interval: tuple[float, float]
    naive: float
    wanted: str
    holds: bool


def measure(world: World, trainings: int, seed: int) -> Figure:
    """Judges as many pairs of models of this world; the same seed gives the same figure."""
    rng = np.random.default_rng(seed)
    task = "regression" if world.metric in ("rmse", "mae", "r2", "median_absolute_error") else "classification"
    models = _regressions if task == "regression" else _classifications
    passed, naive = 0, 0
    for training in range(trainings):
        champion, challenger = models(world, rng)
        found = compare(
            task, world.metric, champion, challenger, confidence=float(world.confidence), seed=seed + training
        )
        passed += passes(found, world.confidence)
        naive += found.gain > 0
    level = 1 - float(world.confidence)
    # Among so many worlds one or two lie outside their 95 % interval by chance, so a miss needs more than that.
    surely_above = wilson(passed / trainings, trainings, z=3.29)[0] > level
    return Figure(
        world.metric,
        world.rows,
        world.shape,
        world.better,
        world.confidence,
        trainings,
        passed / trainings,
        wilson(passed / trainings, trainings),
        naive / trainings,
        f"<= {level:.2g}" if world.better == 0 else "-",
        holds=bool(world.better) or not surely_above,
    )


def _classifications(world: World, rng: Random) -> tuple[Judged, Judged]:
    """Three in ten rows are positive. Both models see the same signal, each through noise of its own."""
    truth = (rng.random(world.rows) < 0.3).astype(np.int64)
    signal = 2.0 * truth + rng.standard_normal(world.rows)
    champion = signal + 0.7 * rng.standard_normal(world.rows)
    challenger = signal + 0.7 * (1 - world.better) * rng.standard_normal(world.rows)
    return _judged(truth, champion), _judged(truth, challenger, stretch=3.0 if world.shape == "scaled" else 1.0)


def _judged(truth: np.ndarray, signal: np.ndarray, stretch: float = 1.0) -> Judged:
    second = 1 / (1 + np.exp(-stretch * (signal - 1.2)))
    return Judged(truth, (second > 0.5).astype(np.int64), 2, np.column_stack([1 - second, second]), second)


def _regressions(world: World, rng: Random) -> tuple[Judged, Judged]:
    """Errors of both have a part in common, as those of models of the same data have."""
    truth = rng.gamma(2.0, 1.0, world.rows)
    common = rng.standard_normal(world.rows) * 0.5
    champion = 0.05 + np.abs(common + rng.standard_normal(world.rows))
    challenger = 0.05 + np.abs(common + (1 - world.better) * rng.standard_normal(world.rows))
    if world.shape == "seldom":
        challenger = champion + np.where(rng.random(world.rows) < 0.05, 0.95, -0.05)
    return Judged(truth, truth + champion, 0), Judged(truth, truth + challenger, 0)


def wilson(share: float, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return middle - half, middle + half


WORLDS = (
    *(World(metric, rows) for metric in ("accuracy", "log_loss", "rmse", "roc_auc") for rows in (100, 500)),
    World("accuracy", 2000),
    *(World(metric, 500) for metric in ("f1", "false_positive_rate", "average_precision", "median_absolute_error")),
    *(World("mae", rows, shape="seldom") for rows in (200, 1000)),
    World("roc_auc", 500, shape="scaled"),
    *(World("brier", 500, confidence=confidence) for confidence in ("0.9", "0.99")),
    *(World(metric, rows, better) for metric, better in (("accuracy", 0.5), ("rmse", 0.1)) for rows in (500, 2000)),
    *(World(metric, 500, 0.5) for metric in ("roc_auc", "log_loss")),
)


def main() -> int:
    """Prints a table; 1 when a figure that must hold does not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} trainings of each world instead of {TRAININGS}")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    trainings = QUICK if options.quick else TRAININGS
    print(f"{'metric':22} {'rows':>5} {'difference':10} {'lead':>5} {'passed':>7}  {'95 %':13} {'naive':>6}  wanted")
    figures = []
    with ProcessPoolExecutor() as pool:
        seeds = [options.seed * 1_000_003 + 10_007 * number for number in range(len(WORLDS))]
        for one in pool.map(measure, WORLDS, [trainings] * len(WORLDS), seeds):
            figures.append(one)
            interval = f"{one.interval[0]:.3f}-{one.interval[1]:.3f}"
            print(
                f"{one.metric:22} {one.rows:5} {one.shape:10} {one.better:5.0%} {one.passed:7.4f}  {interval:13} "
                f"{one.naive:6.3f}  {one.wanted}{'' if one.holds else '  MISSED'}",
                flush=True,
            )
    null = [one for one in figures if one.better == 0 and one.confidence == "0.95"]
    share = sum(one.passed for one in null) / len(null)
    print(f"all {len(null)} worlds without a lead at confidence 0.95: {share:.4f}, wanted <= 0.05")
    if options.json:
        document = {"seed": options.seed, "figures": [asdict(one) for one in figures]}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(one.holds for one in figures) and share <= 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
