"""What one process counts of canary and stable, by generation of the routing: written into its slot of the board."""

from __future__ import annotations

from bisect import bisect_left
from enum import IntEnum

from modelwright_server.board import ROUTING_SIZE, SIDE_SIZE, Field, Slot
from modelwright_server.latency import BOUNDS_S


class Count(IntEnum):
    """Figures of a slot's routing; all only grow."""

    UNREACHABLE = 0
    """Requests in the canary's share for which no connection to it could be made."""
    BREAKER_OPENED = 1
    """How often the canary was left alone because too many of its requests failed in a row."""
    COMPARED = 2
    """Requests that both sides predicted."""
    AGREED = 3
    """Of them, those that both predicted alike."""


class SideCount(IntEnum):
    """Figures of one side. From LATENCY_AT on: requests by `latency.BOUNDS_S`, and those above the last one."""

    REQUESTS = 0
    ERRORS = 1
    SLOW = 2
    SECONDS = 3


LATENCY_AT = len(SideCount)
CANARY_AT = len(Count)
STABLE_AT = CANARY_AT + SIDE_SIZE
assert STABLE_AT + SIDE_SIZE == ROUTING_SIZE

_APPLYING = -1.0
"""Stands in place of a generation while the figures of the one before are put aside."""


class RoutingCounts:
    """Counts on the event loop's thread.

    What was counted before the present generation is kept beside as `before`, so that the totals go on while the
    generation's own figures begin at 0. A process that takes another's slot goes on where that one stopped.
    """

    def __init__(self, slot: Slot) -> None:
        self._values = slot.values
        self._counts = slot.routing()
        self._before = slot.routing_before()

    def apply(self, generation: int) -> None:
        """From now on count for this generation."""
        values = self._values
        if values[Field.GENERATION] == generation:
            return
        values[Field.FOLDS] += 1.0
        # A process that dies here leaves a generation that no other applies: it is begun again.
        values[Field.GENERATION] = _APPLYING
        self._before[:] = self._counts
        values[Field.GENERATION] = generation
        values[Field.FOLDS] += 1.0

    def canary(self, seconds: float, *, error: bool, slow: bool) -> None:
        """The canary answered, or was given up, after so many seconds."""
        self._side(CANARY_AT, seconds, error=error, slow=slow)

    def stable(self, seconds: float, *, error: bool, slow: bool) -> None:
        """The stable model answered by its own turn."""
        self._side(STABLE_AT, seconds, error=error, slow=slow)

    def unreachable(self) -> None:
        """No connection to the canary could be made."""
        self._counts[Count.UNREACHABLE] += 1.0

    def breaker_opened(self) -> None:
        """From now on the canary is left alone for a while."""
        self._counts[Count.BREAKER_OPENED] += 1.0

    def compared(self, *, agreed: bool) -> None:
        """Both sides predicted one request."""
        values = self._values
        values[Field.FOLDS] += 1.0
        self._counts[Count.COMPARED] += 1.0
        if agreed:
            self._counts[Count.AGREED] += 1.0
        values[Field.FOLDS] += 1.0

    def _side(self, begin: int, seconds: float, *, error: bool, slow: bool) -> None:
        values, counts = self._values, self._counts
        # Whoever reads them sees all of these or none.
        values[Field.FOLDS] += 1.0
        counts[begin + SideCount.REQUESTS] += 1.0
        counts[begin + SideCount.SECONDS] += seconds
        counts[begin + LATENCY_AT + bisect_left(BOUNDS_S, seconds)] += 1.0
        if error:
            counts[begin + SideCount.ERRORS] += 1.0
        if slow:
            counts[begin + SideCount.SLOW] += 1.0
        values[Field.FOLDS] += 1.0
