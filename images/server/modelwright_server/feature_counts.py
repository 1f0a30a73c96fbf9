"""What one process is asked and answers, counted in the bins of the training profile.

What is counted is the model's matrix: every request has one, whichever way its rows came, and the model sees nothing
else.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from time import monotonic

import numpy as np

from modelwright_server.feature_board import BINS_AT, CHANGES, ROWS
from modelwright_server.prediction import Matrix, Prediction
from modelwright_server.profile_bins import ProfileBins

LOGGER = logging.getLogger(__name__)

COUNTED_ROWS_PER_S = 1000.0
"""Above about so many rows a second whole batches are left uncounted."""

_SMOOTH_S = 5.0
_LOOK_EVERY_S = 0.25


class Thinning:
    """Which batches are counted, where there are too many.

    By lot: every batch of a moment has the same chance, large or small, first or last, so every row has. The chance
    follows from the rows of the last seconds, never from the batch itself.
    """

    def __init__(self, rows_per_s: float = COUNTED_ROWS_PER_S, draw: Callable[[], float] = random.random) -> None:
        """`draw` gives numbers from 0 to below 1."""
        self._wanted_per_s = rows_per_s
        self._draw = draw
        self._chance = 1.0
        self._rate = 0.0
        self._known = 0.0
        self._rows = 0
        self._since = -math.inf

    def takes(self, rows: int, now: float) -> bool:
        """Whether a batch of so many rows is counted; `now` is CLOCK_MONOTONIC in seconds."""
        taken = self._chance >= 1.0 or self._draw() < self._chance
        self._rows += rows
        if now - self._since >= _LOOK_EVERY_S:
            self._look(now)
        return taken

    def _look(self, now: float) -> None:
        seconds = now - self._since
        if seconds < math.inf:
            weight = 1.0 - math.exp(-seconds / _SMOOTH_S)
            self._rate += weight * (self._rows / seconds - self._rate)
            # What was before the first look is unknown, not nothing.
            self._known += weight * (1.0 - self._known)
            self._chance = min(1.0, self._wanted_per_s * self._known / self._rate) if self._rate else 1.0
        self._rows = 0
        self._since = now


class FeatureCounts:
    """Writes into one slot of the feature board; only the thread that calls the model does, one call at a time."""

    def __init__(self, bins: ProfileBins, cells: memoryview[int], thinning: Thinning | None = None) -> None:
        self._bins = bins
        self._cells = cells
        self._counts = np.asarray(cells)[BINS_AT : BINS_AT + bins.size]
        self._thinning = thinning or Thinning()
        self._failed = False
        # A process that died while it added a batch left the mark of it.
        cells[CHANGES] += cells[CHANGES] % 2

    def answered(self, matrix: Matrix, prediction: Prediction) -> None:
        """The model was called once. Raises nothing."""
        if self._failed or not self._thinning.takes(len(matrix), monotonic()):
            return
        try:
            counts = self._bins.count(matrix, prediction)
        except Exception:
            # What is counted is for those who watch the model; no answer may be lost for it.
            LOGGER.exception("features are counted no longer")
            self._failed = True
            return
        cells = self._cells
        cells[CHANGES] += 1
        cells[ROWS] += len(matrix)
        self._counts += counts
        cells[CHANGES] += 1
