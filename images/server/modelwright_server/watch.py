"""What to make of the signs that a process gives: whether it answers, whether it must be replaced, and when."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from modelwright_server.board import Field, Slot

FRESH_S = 3.0
"""An event loop that did not come round for so long doesn't answer now, though it may again."""

PAUSED_S = 1.0
"""An observer that was itself away for so long (a suspended machine, a frozen container) begins to count anew."""

MEMORY_REST_S = 60.0
"""A place's processes are replaced for their memory at most so often."""

_DELAYS_S = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Before a process is started in place of one that ended, by how often all places had one end without any answer."""

FORGIVEN_S = 600.0
"""Ends longer ago than this are no burst."""


class Trouble(enum.Enum):
    """Why a process is replaced; the value completes the sentence "it was replaced because …"."""

    ENDED = "it ended"
    LOOP_STANDS = "its event loop stood still"
    CALL_STANDS = "a call of the model took too long"
    TOO_LARGE = "it used more memory than its share"


@dataclass(frozen=True, slots=True)
class Signs:
    """What is seen of a process. Times are CLOCK_MONOTONIC in seconds; `memory_bytes` is its own memory, if known."""

    started_at: float
    heartbeat_at: float
    busy_since: float
    ready: bool
    memory_bytes: int | None = None

    @classmethod
    def of(cls, slot: Slot, memory_bytes: int | None = None) -> Signs:
        """The signs in a process's slot."""
        return cls(
            started_at=slot.get(Field.STARTED_AT),
            heartbeat_at=slot.get(Field.HEARTBEAT_AT),
            busy_since=slot.get(Field.BUSY_SINCE),
            ready=slot.get(Field.READY) == 1.0,
            memory_bytes=memory_bytes,
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a process may stand still, and how much memory may be its own (None: any)."""

    hang_s: float
    memory_bytes: int | None = None


def trouble_of(signs: Signs, bounds: Bounds, now: float, watched_since: float) -> Trouble | None:
    """Why the process must be replaced, or None. Nothing counts from before `watched_since`."""
    # While the model is called the event loop may have to wait for it.
    began = signs.busy_since or max(signs.heartbeat_at, signs.started_at)
    if now - max(began, watched_since) > bounds.hang_s:
        return Trouble.CALL_STANDS if signs.busy_since else Trouble.LOOP_STANDS
    if not signs.ready or bounds.memory_bytes is None or signs.memory_bytes is None:
        return None
    return Trouble.TOO_LARGE if signs.memory_bytes > bounds.memory_bytes else None


def answers(signs: Signs, hang_s: float, now: float) -> bool:
    """Whether requests to this process are answered: it said so, and it is alive or busy with its model."""
    if not signs.ready:
        return False
    if signs.busy_since:
        return now - signs.busy_since <= hang_s
    return now - signs.heartbeat_at <= min(FRESH_S, hang_s / 2)


@dataclass(frozen=True, slots=True)
class Ends:
    """How many processes ended in a row without any answer in between, and what had been answered by then."""

    in_a_row: int = 0
    answered: float = 0.0
    at: float = 0.0

    def and_another(self, answered: float, now: float) -> Ends:
        """One more ended when all processes together had answered so many requests."""
        forgiven = answered > self.answered or now - self.at > FORGIVEN_S
        return Ends(1 if forgiven else self.in_a_row + 1, answered, now)

    def delay_s(self, places: int) -> float | None:
        """How long to wait before another is started in one of so many places; None when it is time to give up."""
        rounds = (self.in_a_row - 1) // places
        return _DELAYS_S[rounds] if rounds < len(_DELAYS_S) else None
