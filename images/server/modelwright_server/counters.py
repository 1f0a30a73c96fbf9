"""What one process counts: written into its slot of the board, on the event loop's thread only."""

from __future__ import annotations

from bisect import bisect_left
from time import monotonic

import numpy as np

from modelwright_server.board import (
    BATCH_SIZES,
    BATCH_SIZES_AT,
    CLASSES,
    CLASSES_AT,
    CODE_INDEX,
    CODES,
    CODES_AT,
    LATENCY_AT,
    ROUTE_INDEX,
    WINDOWS,
    Field,
    Figure,
    Slot,
)
from modelwright_server.latency import BOUNDS_S
from modelwright_server.prediction import Prediction

SAMPLED_ROWS_PER_S = 1000.0
"""Above about so many rows a second the classes of whole batches are left uncounted."""

_OTHER_CODE = CODE_INDEX[500]
# As plain numbers: reading a member of an enumeration takes as long as the count itself.
_REQUESTS, _SECONDS, _ERRORS = int(Figure.REQUESTS), int(Figure.SECONDS), int(Figure.ERRORS)
_REJECTIONS, _REFUSALS = int(Figure.REJECTED), int(Figure.REFUSED)
_SERVER_ERROR, _NOT_OFFERED, _REJECTED, _CLIENT_ERROR = 500, 501, 429, 400


class Counters:
    """The open window, the ring of closed ones, and the totals of what has left the ring.

    A window's id is the whole number of window lengths since CLOCK_MONOTONIC's zero, so the processes of a Pod agree on
    it. A window is written only while the clock stands in it: one with an id below the clock's is closed for good.
    """

    def __init__(self, slot: Slot, window_s: float) -> None:
        self._slot = slot
        self._values = slot.values
        self._window_s = window_s
        self._closes_at = 0.0
        self._window = slot.window(0)
        self._allowance = SAMPLED_ROWS_PER_S * window_s
        self._repair()

    def request(self, route: str, code: int) -> None:
        """A request of `route` was answered with the HTTP status `code`."""
        self._values[CODES_AT + ROUTE_INDEX[route] * len(CODES) + CODE_INDEX.get(code, _OTHER_CODE)] += 1.0

    def prediction(self, code: int, seconds: float, now: float | None = None) -> None:
        """A prediction request was answered with `code`, `seconds` after its last byte; `now` is `monotonic()`."""
        if now is None:
            now = monotonic()
        if now >= self._closes_at:
            self._open(now)
        window = self._window
        window[_REQUESTS] += 1.0
        window[_SECONDS] += seconds
        window[LATENCY_AT + bisect_left(BOUNDS_S, seconds)] += 1.0
        if code >= _CLIENT_ERROR:
            if code >= _SERVER_ERROR and code != _NOT_OFFERED:
                window[_ERRORS] += 1.0
            elif code == _REJECTED:
                window[_REJECTIONS] += 1.0
            else:
                window[_REFUSALS] += 1.0

    def batch(self, rows: int, seconds: float, prediction: Prediction) -> None:
        """The model was called once for `rows` rows, which took `seconds`."""
        now = monotonic()
        if now >= self._closes_at:
            self._open(now)
        window = self._window
        window[Figure.BATCHES] += 1.0
        window[Figure.ROWS] += rows
        window[Figure.MODEL_SECONDS] += seconds
        window[BATCH_SIZES_AT + min((rows - 1).bit_length(), BATCH_SIZES - 1)] += 1.0
        labels = prediction.labels
        if labels is not None and window[Figure.SAMPLED_ROWS] < self._allowance:
            window[Figure.SAMPLED_ROWS] += rows
            if rows == 1:
                window[CLASSES_AT + min(int(labels[0]), CLASSES - 1)] += 1.0
            else:
                for label, number in enumerate(np.bincount(labels).tolist()):
                    window[CLASSES_AT + min(label, CLASSES - 1)] += number

    def set(self, field: Field, value: float) -> None:
        """Write a single figure."""
        self._values[field] = value

    def tick(self) -> None:
        """Sign of life; also closes the window of a process that has nothing to do."""
        now = monotonic()
        self._values[Field.HEARTBEAT_AT] = now
        if now >= self._closes_at:
            self._open(now)

    def _open(self, now: float) -> None:
        number = int(now // self._window_s)
        window = self._slot.window(number % WINDOWS)
        if window[Figure.ID] != number:
            self._fold(window)
            window[Figure.ID] = number
            window[Figure.OPENED_AT] = now
        self._window = window
        self._closes_at = (number + 1) * self._window_s

    def _fold(self, window: memoryview[float]) -> None:
        self._values[Field.FOLDS] += 1.0
        figures = np.asarray(window)
        np.asarray(self._slot.totals())[:] += figures
        figures[:] = 0.0
        self._values[Field.FOLDS] += 1.0

    def _repair(self) -> None:
        """A process that died while it folded left the mark of it; and nothing of what it did is under way any more."""
        if self._values[Field.FOLDS] % 2:
            self._values[Field.FOLDS] += 1.0
        for field in (Field.BUSY_SINCE, Field.IN_FLIGHT, Field.QUEUED, Field.CONNECTIONS, Field.BODY_BYTES):
            self._values[field] = 0.0


class NoCounters(Counters):
    """Counts no windows: what the benchmark compares with to tell what they cost."""

    def prediction(self, code: int, seconds: float, now: float | None = None) -> None:
        """Nothing."""

    def batch(self, rows: int, seconds: float, prediction: Prediction) -> None:
        """Nothing."""
