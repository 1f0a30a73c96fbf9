"""The two ways to give a canary its share, and the figures that a judge gets by each."""

import asyncio
import time
from typing import Protocol

from benchmarks.exposure.pair import CANARY, Pair
from benchmarks.exposure.users import Users

from modelwright.analysis.verdict import Span
from modelwright.live_sums import Sums

_FIRST = 2
"""The routing generation that gives the canary its share; the first one has none."""


class Way(Protocol):
    """One way."""

    def begin(self, weight: float) -> None:
        """The canary gets its share."""

    async def look(self) -> tuple[Span, int]:
        """What both did since then, and how often stable stopped forwarding by itself."""

    def end(self) -> None:
        """The canary loses its share."""


class Forwarding:
    """Stable's server forwards, as the operator tells it, and counts."""

    def __init__(self, pair: Pair, slow_s: float, deadline_s: float) -> None:
        self._pair = pair
        self._slow_s = slow_s
        self._deadline_s = deadline_s
        self._sums = Sums()

    def begin(self, weight: float) -> None:
        """See Way."""
        told = {
            "url": f"http://127.0.0.1:{self._pair.canary.port}",
            "version": CANARY,
            "weight": str(weight),
            "deadlineSeconds": self._deadline_s,
            "stickyHeader": None,
            "compare": "0",
            "slowSeconds": self._slow_s,
        }
        self._pair.route(_FIRST, told)

    async def look(self) -> tuple[Span, int]:
        """See Way."""
        live = await asyncio.to_thread(self._pair.live)
        self._sums = self._sums.after(_FIRST, {"stable": live.routing})
        counts = self._sums.counts()
        return counts.span(), counts.breaker_opened

    def end(self) -> None:
        """See Way."""
        self._pair.route(_FIRST + 1)


class Split:
    """Users come to the canary by themselves, and what they see is counted."""

    def __init__(self, users: Users, slow_s: float) -> None:
        self._users = users
        self._slow_s = slow_s
        self._since = 0.0

    def begin(self, weight: float) -> None:
        """See Way."""
        self._since, self._users.weight = time.monotonic(), weight

    async def look(self) -> tuple[Span, int]:
        """See Way."""
        return Span(*self._users.sides(self._since, self._slow_s)), 0

    def end(self) -> None:
        """See Way."""
        self._users.weight = 0.0
