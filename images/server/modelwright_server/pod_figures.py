"""What the worker processes of a Pod have counted together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelwright_server.board import (
    BATCH_SIZES,
    BATCH_SIZES_AT,
    CLASSES,
    CLASSES_AT,
    CODES,
    LATENCY_AT,
    ROUTES,
    WINDOW_SIZE,
    WINDOWS,
    Board,
    Field,
    Figure,
    Slot,
)
from modelwright_server.feature_board import FeatureFigures
from modelwright_server.latency import BUCKETS
from modelwright_server.routing_figures import RoutingFigures, routing_figures
from modelwright_server.watch import Signs, answers

SETTLE_S = 1.0
"""A window is told so long after it closed, when a process that read the clock before has long written."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over processes, of one window or of all time, in the form of a board's window."""

    values: Sequence[float]

    def get(self, figure: Figure) -> float:
        """A single figure; ID and OPENED_AT mean nothing here."""
        return self.values[figure]

    @property
    def latency(self) -> Sequence[float]:
        """Requests by `latency.BOUNDS_S`, and those above the last one."""
        return self.values[LATENCY_AT : LATENCY_AT + BUCKETS]

    @property
    def classes(self) -> Sequence[float]:
        """Sampled rows by predicted class."""
        return self.values[CLASSES_AT : CLASSES_AT + CLASSES]

    @property
    def batch_sizes(self) -> Sequence[float]:
        """Calls of the model by rows: 1, 2, 3-4, 5-8, …, and all above."""
        return self.values[BATCH_SIZES_AT : BATCH_SIZES_AT + BATCH_SIZES]


class PodFigures:
    """The board's figures as they stand at `now` (CLOCK_MONOTONIC, seconds), summed over processes."""

    def __init__(self, board: Board, hang_s: float, now: float) -> None:
        self.draining = board.draining
        self.window_s = board.window_s
        self.open_window = int(now // board.window_s)
        self._now = now
        self._features = board.features
        self._slots = [slot.copy() for slot in board.slots if slot.get(Field.STARTED_AT)]
        self._alive = [slot for slot in self._slots if slot.get(Field.PID)]
        self.processes = len(self._alive)
        self._answering = [slot for slot in self._alive if answers(Signs.of(slot), hang_s, now)]
        self.answering = len(self._answering)

    @property
    def ready(self) -> bool:
        """Whether requests to this Pod are answered and wanted."""
        return self.answering > 0 and not self.draining

    def sum(self, field: Field) -> float:
        """A single figure over all processes, also those that ended: for what only grows, and is 0 without one."""
        return math.fsum(slot.get(field) for slot in self._slots)

    def requests(self) -> Iterator[tuple[str, int, float]]:
        """Route, code and number of the requests answered so far, where there are any."""
        for route, code in _COUNTED:
            if number := math.fsum(slot.counted(route, code) for slot in self._slots):
                yield ROUTES[route], CODES[code], number

    def routing(self) -> RoutingFigures:
        """What became of the requests that a canary had a share of."""
        return routing_figures(self._answering or self._alive, self._slots)

    def features(self) -> FeatureFigures | None:
        """What was counted in the bins of the training profile; None without one."""
        return self._features.figures()

    def totals(self) -> Figures:
        """Since the Pod began, the open window included."""
        parts = [slot.totals() for slot in self._slots]
        parts += [window for slot in self._slots for window in slot.windows() if window[Figure.ID]]
        return _sum(parts)

    def closed_windows(self) -> Iterator[tuple[int, Figures]]:
        """The closed windows by id, oldest first; those in which no process was there are left out."""
        last = int((self._now - min(SETTLE_S, self.window_s)) // self.window_s) - 1
        found: dict[int, list[memoryview[float]]] = {}
        for slot in self._slots:
            for window in slot.windows():
                number = int(window[Figure.ID])
                if self.open_window - WINDOWS < number <= last:
                    found.setdefault(number, []).append(window)
        for number in sorted(found):
            yield number, _sum(found[number])


def answered(slots: Sequence[Slot]) -> float:
    """Requests of any kind that were answered so far."""
    return math.fsum(slot.counted(route, code) for slot in slots for route, code in _COUNTED)


_COUNTED = [(route, code) for route in range(len(ROUTES)) for code in range(len(CODES))]


def _sum(parts: Sequence[memoryview[float]]) -> Figures:
    if not parts:
        return Figures([0.0] * WINDOW_SIZE)
    return Figures([math.fsum(values) for values in zip(*parts, strict=True)])
