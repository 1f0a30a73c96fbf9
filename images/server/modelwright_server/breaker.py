"""A breaker: when too much failed in a row nothing is tried for a while, and then one thing."""

from __future__ import annotations

FAILURES = 5
"""So many in a row open it."""

REST = 20
"""How long nothing is tried before one trial decides, as a multiple of what the last failure took."""

SHORTEST_S, LONGEST_S = 0.1, 1.0
"""Its bounds. A failure that comes at once costs nobody much, and each trial is evidence."""


class Breaker:
    """Times are of any one clock, in seconds. Each attempt that is let through is told how it ended, by its ticket."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_until: float | None = None
        self._trial_under_way = False
        self._ticket = 0

    def admit(self, now: float) -> int | None:
        """A ticket for one attempt, or None while nothing may be tried."""
        if self._open_until is not None:
            if now < self._open_until or self._trial_under_way:
                return None
            self._trial_under_way = True
        return self._ticket

    def succeeded(self, ticket: int) -> None:
        """It went well: what failed before is forgotten."""
        if ticket == self._ticket:
            self._failures, self._open_until, self._trial_under_way = 0, None, False

    def failed(self, ticket: int, now: float, took_s: float) -> bool:
        """It failed after `took_s`; True when that opened the breaker, False also when a trial keeps it open."""
        if ticket != self._ticket:
            # Let through before the breaker opened: what is tried now decides.
            return False
        self._failures += 1
        if self._failures < FAILURES:
            return False
        opened = self._open_until is None
        self._open_until = now + min(LONGEST_S, max(SHORTEST_S, REST * took_s))
        self._trial_under_way = False
        self._ticket += 1
        return opened

    def left_open(self, ticket: int) -> None:
        """It says neither."""
        if ticket == self._ticket:
            self._trial_under_way = False
