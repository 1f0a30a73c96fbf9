"""Small fitted estimators, rows that are hard for them, and what scikit-learn itself says."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Estimator: TypeAlias = Any
"""scikit-learn ships no types."""
Matrix: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """A random table: `coarse` has few distinct values, so that rows hit thresholds and votes are tied."""

    seed: int
    features: int
    classes: int
    coarse: bool
    holes: bool = False

    def matrix(self, rows: int = 90) -> Matrix:
        """The features."""
        rng = np.random.default_rng(self.seed)
        shape = (rows, self.features)
        matrix: Matrix = rng.integers(-2, 3, shape).astype(np.float64) if self.coarse else rng.normal(0, 3, shape)
        if self.holes:
            matrix[rng.random(shape) < 0.2] = np.nan
        return matrix

    def labels(self, names: NDArray[np.generic], rows: int = 90) -> NDArray[np.generic]:
        """Classes that have something to do with the features; every one of the first `classes` names occurs."""
        rng = np.random.default_rng(self.seed + 1)
        score = np.nan_to_num(self.matrix(rows)).sum(axis=1) + rng.normal(0, 1, rows)
        chosen = np.searchsorted(np.quantile(score, np.linspace(0, 1, self.classes + 1)[1:-1]), score)
        chosen[: self.classes] = range(self.classes)
        found: NDArray[np.generic] = names[chosen]
        return found

    def targets(self, rows: int = 90) -> Matrix:
        """Values that have something to do with the features."""
        rng = np.random.default_rng(self.seed + 2)
        targets: Matrix = np.nan_to_num(self.matrix(rows)).sum(axis=1) + rng.normal(0, 1, rows)
        return targets


def hard_rows(estimator: Estimator, known: Matrix, seed: int) -> Matrix:
    """Known rows, mixed with exact thresholds and their neighbours in float64 and float32, ±0, and the extremes."""
    rng = np.random.default_rng(seed)
    rows = rng.permuted(known, axis=0)
    # A split by nothing but what is missing has an infinite threshold.
    thresholds = np.array([0.0, *filter(math.isfinite, thresholds_of(estimator))])
    near = np.concatenate(
        [
            thresholds,
            np.nextafter(thresholds, np.inf),
            np.nextafter(thresholds, -np.inf),
            thresholds.astype(np.float32).astype(np.float64),
            np.nextafter(thresholds.astype(np.float32), np.float32(np.inf)).astype(np.float64),
            [0.0, -0.0, 5e-324, -1e-310, 1e30, -1e30, 1e-40],
        ]
    )
    where = rng.random(rows.shape) < 0.4
    rows[where] = rng.choice(near, where.sum())
    return rows


def thresholds_of(estimator: Estimator) -> Iterator[float]:
    """Of all trees of an estimator, or of a pipeline's last."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if hasattr(last, "_predictors"):
        for stage in last._predictors:
            for predictor in stage:
                yield from predictor.nodes["num_threshold"][predictor.nodes["is_leaf"] == 0].tolist()
    elif hasattr(last, "tree_"):
        yield from last.tree_.threshold.tolist()
    elif hasattr(last, "estimators_"):
        for member in np.asarray(last.estimators_, dtype=object).ravel():
            yield from member.tree_.threshold.tolist()


@dataclass(frozen=True)
class Said:
    """What scikit-learn's own methods return, or that they refuse."""

    predicted: NDArray[np.generic]
    probabilities: Matrix | None


def scikit_learn_says(estimator: Estimator, rows: Matrix, *, row_by_row: bool = False) -> Said | None:
    """None: it refuses these rows."""
    if row_by_row:
        alone = [scikit_learn_says(estimator, rows[at : at + 1]) for at in range(len(rows))]
        answered = [each for each in alone if each is not None]
        if len(answered) != len(alone):
            return None
        given = [each.probabilities for each in answered if each.probabilities is not None]
        return Said(np.concatenate([each.predicted for each in answered]), np.concatenate(given) if given else None)
    try:
        predicted = estimator.predict(rows)
        probabilities = estimator.predict_proba(rows) if hasattr(estimator, "predict_proba") else None
    except ValueError:
        return None
    return Said(predicted, probabilities)
