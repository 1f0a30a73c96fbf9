"""The board: memory that the processes of one Pod share, where each writes what it does and any of them reads it all.

Made before the first fork. Every process has a slot of its own and is the only writer of it, so nothing is locked; a
process that takes the place of a dead one goes on counting in the same slot, so no count is lost. Everything is a
float64: counts are exact up to 2**53, and an aligned store is never seen half done.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from enum import IntEnum

from modelwright_server.feature_board import FeatureBoard
from modelwright_server.latency import BUCKETS

ROUTES = ("infer", "predict", "v1", "grpc", "metadata", "health", "other", "unread")
"""Kinds of requests."""

CODES = (*(200, 400, 401, 404, 405, 408, 411, 413, 415, 417, 422, 429, 431, 500, 501, 503, 504, 505),)
"""HTTP status codes that are answered; an answer over gRPC is counted under the code that HTTP would have had."""

WINDOWS = 32
"""Windows that are kept: the open one and the closed ones before it."""

CLASSES = 64
"""Classes whose answers are counted one by one; later ones are counted together in the last place."""


class Field(IntEnum):
    """Single figures of a slot. Times are CLOCK_MONOTONIC in seconds, which all processes of a machine share."""

    PID = 0
    """The process that writes here; 0 when there is none."""
    STARTED_AT = 1
    HEARTBEAT_AT = 2
    """When its event loop last came round."""
    BUSY_SINCE = 3
    """When the model call that is under way began; 0 when none is."""
    READY = 4
    """1 from when it accepts requests until it drains."""
    IN_FLIGHT = 5
    """Requests read and not yet answered."""
    QUEUED = 6
    """Predictions that wait for the model."""
    CONNECTIONS = 7
    BODY_BYTES = 8
    """Bytes of request bodies that it holds."""
    ENDED = 9
    """How often the slot's process was replaced because it ended by itself (this and the next two: the supervisor)."""
    STOOD_STILL = 10
    """How often because it, or a call of its model, stood still."""
    TOO_LARGE = 11
    """How often because its memory grew beyond its share."""
    GENERATION = 12
    """Generation of the routing configuration that it applies."""
    LOG_DROPPED = 13
    """Access log lines that were not written because there were too many."""
    FOLDS = 14
    """Goes up by one before figures that belong together are changed, such as a window that is folded into the totals,
    and by one after: odd while it is being done."""


ROUTE_INDEX = {route: index for index, route in enumerate(ROUTES)}
CODE_INDEX = {code: index for index, code in enumerate(CODES)}


class Figure(IntEnum):
    """Single figures of a window; all but ID and OPENED_AT only grow while it is open."""

    ID = 0
    """Whole number of window lengths since CLOCK_MONOTONIC's zero; 0 when the place was never used."""
    OPENED_AT = 1
    REQUESTS = 2
    """Prediction requests answered, whatever the answer."""
    ERRORS = 3
    """Of them, those that the server owes: code 500 and above, but 501, with which a client asks for too much."""
    REFUSED = 4
    """Of them, those that the client must put right: code 400 to 499 but 429, and 501."""
    REJECTED = 5
    """Of them, those refused with 429 because too much was waiting."""
    ROWS = 6
    """Rows predicted."""
    BATCHES = 7
    """Calls of the model."""
    MODEL_SECONDS = 8
    """Seconds spent in them."""
    SECONDS = 9
    """Sum of the requests' durations."""
    SAMPLED_ROWS = 10
    """Rows of which the answers were counted in CLASSES."""


_HEAD = len(Field)
CODES_AT = _HEAD
_TOTALS_AT = CODES_AT + len(ROUTES) * len(CODES)
LATENCY_AT = len(Figure)
CLASSES_AT = LATENCY_AT + BUCKETS
BATCH_SIZES_AT = CLASSES_AT + CLASSES
BATCH_SIZES = 12
"""Batches by rows: 1, 2, 3-4, 5-8, … and the last place for all above."""
WINDOW_SIZE = BATCH_SIZES_AT + BATCH_SIZES
"""Figures of one window; the totals have the same form."""
SIDE_SIZE = 4 + BUCKETS
"""Figures of the canary's requests, or of stable's; see `routing_counts`."""
ROUTING_SIZE = 4 + 2 * SIDE_SIZE
_ROUTING_AT = _TOTALS_AT + WINDOW_SIZE * (1 + WINDOWS)
SLOT_SIZE = _ROUTING_AT + 2 * ROUTING_SIZE
_BYTES = 8


class Slot:
    """One process's part of the board. `values` is its raw memory, for the few places where a call would cost."""

    def __init__(self, values: memoryview[float]) -> None:
        self.values = values

    def get(self, field: Field) -> float:
        """A single figure."""
        value: float = self.values[field]
        return value

    def set(self, field: Field, value: float) -> None:
        """Write a single figure; only the slot's own process does, and the supervisor where the field says so."""
        self.values[field] = value

    def counted(self, route: int, code: int) -> float:
        """How many requests of ROUTES[route] were answered with CODES[code]."""
        value: float = self.values[CODES_AT + route * len(CODES) + code]
        return value

    def copy(self) -> Slot:
        """The figures as they stood at one moment, in memory of the caller's own."""
        for _ in range(100):
            folds = self.values[Field.FOLDS]
            copied = memoryview(bytearray(self.values)).cast("d")
            if folds % 2 == 0 and copied[Field.FOLDS] == folds == self.values[Field.FOLDS]:
                return Slot(copied)
        # Its process died while it folded; what takes its place puts that right.
        return Slot(memoryview(bytearray(self.values)).cast("d"))

    def totals(self) -> memoryview[float]:
        """The figures of all windows that have left the ring, in a window's form."""
        return self.values[_TOTALS_AT : _TOTALS_AT + WINDOW_SIZE]

    def window(self, index: int) -> memoryview[float]:
        """The figures of the ring's place `index`."""
        begin = _TOTALS_AT + WINDOW_SIZE * (1 + index)
        return self.values[begin : begin + WINDOW_SIZE]

    def windows(self) -> Iterator[memoryview[float]]:
        """All places of the ring, in no order."""
        return (self.window(index) for index in range(WINDOWS))

    def routing(self) -> memoryview[float]:
        """What was counted of canary and stable since the Pod began; see `routing_counts`."""
        return self.values[_ROUTING_AT : _ROUTING_AT + ROUTING_SIZE]

    def routing_before(self) -> memoryview[float]:
        """The same as it stood when the process applied its present generation of the routing."""
        return self.values[_ROUTING_AT + ROUTING_SIZE : SLOT_SIZE]


class Board:
    """Shared memory for `slots` processes; processes that are forked from its maker see the same memory."""

    def __init__(self, slots: int, window_s: float = 5.0) -> None:
        self.window_s = window_s
        self._memory = mmap.mmap(-1, (slots * SLOT_SIZE + 1) * _BYTES)
        values = memoryview(self._memory).cast("d")
        self._draining = values[slots * SLOT_SIZE :]
        self.slots = [Slot(values[index * SLOT_SIZE : (index + 1) * SLOT_SIZE]) for index in range(slots)]
        self.features = FeatureBoard(slots)
        """What is counted in the bins of the training profile; its slots stand as these."""

    @property
    def draining(self) -> bool:
        """Whether the Pod was told to end."""
        return self._draining[0] == 1.0

    def drain(self) -> None:
        """Say so (the supervisor does)."""
        self._draining[0] = 1.0
