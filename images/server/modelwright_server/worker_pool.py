"""The worker processes as the supervisor keeps them: one for each place, and what is done when one is in trouble.

A place is a listening socket. A process that ends or stands still is replaced at once, in its own slot of the board;
one that has grown too large goes on until the process that relieves it is ready, and then drains its connections.
"""

from __future__ import annotations

import logging
import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from modelwright_server.board import Board, Field, Slot
from modelwright_server.children import Child, describe
from modelwright_server.logs import fields
from modelwright_server.memory import own_bytes
from modelwright_server.pod_figures import answered
from modelwright_server.watch import MEMORY_REST_S, Bounds, Ends, Signs, Trouble, trouble_of

LOGGER = logging.getLogger(__name__)

SPARE_SLOTS = 1
"""Slots beside one for each place: for a process that is relieved while it drains."""

MEMORY_EVERY_S = 2.0
"""How often the processes' memory is looked at."""

_FORK_AGAIN_S = 1.0
_OF_A_LIVING_PROCESS = (
    *(Field.PID, Field.READY, Field.BUSY_SINCE, Field.IN_FLIGHT, Field.QUEUED, Field.CONNECTIONS, Field.BODY_BYTES),
)
_COUNTED = {
    Trouble.ENDED: Field.ENDED,
    Trouble.LOOP_STANDS: Field.STOOD_STILL,
    Trouble.CALL_STANDS: Field.STOOD_STILL,
    Trouble.TOO_LARGE: Field.TOO_LARGE,
}


class CrashLoop(Exception):
    """Processes end again and again without being of use; the text is the sentence that says so."""


@dataclass(slots=True, eq=False)
class _Process:
    """A worker process. `relieves` drains when this one is ready; `must_end_at` is set once it drains itself."""

    place: int
    slot: Slot
    child: Child
    relieves: _Process | None = None
    must_end_at: float | None = None
    trouble: Trouble = Trouble.ENDED


class WorkerPool:
    """Times are CLOCK_MONOTONIC in seconds. `board` has SPARE_SLOTS slots more than there are `places`."""

    def __init__(
        self,
        board: Board,
        places: int,
        start: Callable[[int, Slot], Child],
        bounds: Bounds,
        grace_s: float,
    ) -> None:
        """`start` forks a process for a place and a slot; a drain takes at most `grace_s`."""
        self._board = board
        self._places = places
        self._start_process = start
        self._bounds = bounds
        self._grace_s = grace_s
        self._free = list(reversed(board.slots))
        self._due = dict.fromkeys(range(places), 0.0)
        self._rested_at = dict.fromkeys(range(places), -math.inf)
        self._memory_at = 0.0
        self._processes: dict[int, _Process] = {}
        self._ends = Ends()

    def __bool__(self) -> bool:
        """Whether any process is alive."""
        return bool(self._processes)

    @property
    def complete(self) -> bool:
        """Whether each place has a process that is ready."""
        return not self._due and all(process.slot.get(Field.READY) for process in self._processes.values())

    def watch(self, now: float, watched_since: float) -> None:
        """Start what is due, and look after each process. Nothing it failed to do before `watched_since` counts."""
        for place, at in list(self._due.items()):
            if now >= at:
                del self._due[place]
                self._start(place, now)
        weigh = now - self._memory_at >= MEMORY_EVERY_S
        if weigh:
            self._memory_at = now
        for process in list(self._processes.values()):
            self._look_after(process, now, watched_since, weigh=weigh)

    def ended(self, pid: int, status: int, now: float) -> bool:
        """A child ended with a wait status; False when it is none of these processes. Raises CrashLoop."""
        process = self._processes.pop(pid, None)
        if process is None:
            return False
        how = describe(status, process.child.last_words())
        if process.trouble is Trouble.ENDED and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            how += ", which the kernel sends when the container's memory is used up"
        for field in _OF_A_LIVING_PROCESS:
            process.slot.set(field, 0.0)
        self._free.append(process.slot)
        if process.must_end_at is not None:
            LOGGER.info("worker drained", extra=fields(pid=pid, place=process.place))
            return True
        LOGGER.error(
            "worker replaced", extra=fields(pid=pid, place=process.place, reason=process.trouble.value, ended=how)
        )
        self._count(process.slot, process.trouble)
        self._ends = self._ends.and_another(answered(self._board.slots), now)
        delay_s = self._ends.delay_s(self._places)
        if delay_s is None:
            raise CrashLoop(
                f"the server's worker processes ended {self._ends.in_a_row} times in a row without having answered a "
                f"request; the last time {process.trouble.value} ({how})"
            )
        others = [other for other in self._processes.values() if other.place == process.place]
        for other in others:
            other.relieves = None
        if not any(other.must_end_at is None for other in others):
            self._due[process.place] = now + delay_s
        return True

    def drain(self, now: float) -> None:
        """Let all processes finish what they have, and start none any more."""
        self._due.clear()
        for process in self._processes.values():
            self._retire(process, now)

    def _start(self, place: int, now: float, relieves: _Process | None = None) -> None:
        slot = self._free.pop()
        slot.set(Field.STARTED_AT, now)
        slot.set(Field.HEARTBEAT_AT, now)
        try:
            child = self._start_process(place, slot)
        except OSError:
            LOGGER.exception("no process can be started", extra=fields(place=place))
            self._free.append(slot)
            if relieves is None:
                self._due[place] = now + _FORK_AGAIN_S
            return
        self._processes[child.pid] = _Process(place, slot, child, relieves)
        LOGGER.info("worker started", extra=fields(pid=child.pid, place=place))

    def _look_after(self, process: _Process, now: float, watched_since: float, *, weigh: bool) -> None:
        if process.must_end_at is not None:
            if now > process.must_end_at:
                os.kill(process.child.pid, signal.SIGKILL)
            return
        signs = Signs.of(process.slot, own_bytes(process.child.pid, self._bounds.memory_bytes) if weigh else None)
        if process.relieves is not None and signs.ready:
            self._retire(process.relieves, now)
            process.relieves = None
        match trouble_of(signs, self._bounds, now, watched_since):
            case Trouble.LOOP_STANDS | Trouble.CALL_STANDS as trouble:
                process.trouble = trouble
                os.kill(process.child.pid, signal.SIGKILL)
            case Trouble.TOO_LARGE:
                self._relieve(process, now)
            case _:
                pass

    def _relieve(self, process: _Process, now: float) -> None:
        rested = now - self._rested_at[process.place] >= MEMORY_REST_S
        if not self._free or not rested or process.relieves is not None:
            return
        self._rested_at[process.place] = now
        LOGGER.warning(
            "worker relieved",
            extra=fields(pid=process.child.pid, place=process.place, reason=Trouble.TOO_LARGE.value),
        )
        self._count(process.slot, Trouble.TOO_LARGE)
        self._start(process.place, now, relieves=process)

    def _retire(self, process: _Process, now: float) -> None:
        process.must_end_at = now + self._grace_s
        os.kill(process.child.pid, signal.SIGTERM)

    @staticmethod
    def _count(slot: Slot, trouble: Trouble) -> None:
        field = _COUNTED[trouble]
        slot.set(field, slot.get(field) + 1.0)
