"""What a model was trained on and what it is asked, drawn by chance: twenty features of the kinds that tables have.

NumPy only, so that a peer in an environment of its own draws the very same rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Random = np.random.Generator

NORMAL = 11
"""So many features are normal; `normal-0` is the one that drifts."""
LEVELS = {"flag": 2, "carrier": 8, "airport": 40}
"""Categories and how many there are, the k-th with a frequency of 1 / k; a matrix has their codes."""
NAMES = (
    *(f"normal-{number}" for number in range(NORMAL)),
    "income", "waiting", "uniform", "children", "rain", "constant",
    *LEVELS,
)  # fmt: skip
DRIFTING = "normal-0"
MISSING = 0.05
"""Of `rain`, the share that is missing."""


@dataclass(frozen=True)
class World:
    """What is true. All windows of a run are alike; `shift` is in standard deviations of `normal-0`.

    `new` and `missing` are shares of a window's rows: of `carrier` of a kind that was not in the training data, and
    without `normal-0`. `alike` rows of a request are one row. `pods` servers share the requests, and the last of them
    is the only one that gets what drifts.
    """

    name: str
    rows: int
    windows: int = 3
    train_rows: int = 10_000
    shift: float = 0.0
    new: float = 0.0
    missing: float = 0.0
    alike: int = 1
    pods: int = 1


def random_of(seed: int, world: World, run: int) -> Random:
    """The chance of one run: the same for everybody who asks."""
    return np.random.default_rng([seed, *world.name.encode(), world.rows, run])


def train(world: World, rng: Random) -> Matrix:
    """The rows that the model was trained on; (rows, features)."""
    return _rows(world.train_rows, rng)


def window(world: World, rng: Random) -> Matrix:
    """The rows of one window; (rows, features)."""
    found = np.repeat(_rows(world.rows // world.alike, rng), world.alike, axis=0)
    first = len(found) - len(found) // world.pods
    drifting, carrier = NAMES.index(DRIFTING), NAMES.index("carrier")
    found[first:, drifting] += world.shift
    if world.missing:
        found[rng.random(len(found)) < world.missing, drifting] = np.nan
    if world.new:
        found[rng.random(len(found)) < world.new, carrier] = LEVELS["carrier"]
    return found


def _rows(number: int, rng: Random) -> Matrix:
    rain = np.where(rng.random(number) < 0.7, 0.0, rng.exponential(4.0, number))
    rain[rng.random(number) < MISSING] = np.nan
    columns = [
        rng.standard_normal((number, NORMAL)),
        np.exp(rng.standard_normal((number, 1))),
        rng.exponential(1.0, (number, 1)),
        rng.random((number, 1)),
        rng.poisson(1.5, (number, 1)),
        rain[:, None],
        np.full((number, 1), 7.0),
    ]
    for levels in LEVELS.values():
        shares = 1.0 / np.arange(1, levels + 1)
        bounds = np.cumsum(shares / shares.sum())
        columns.append(np.minimum(np.searchsorted(bounds, rng.random(number)), levels - 1)[:, None])
    return np.concatenate(columns, axis=1)
