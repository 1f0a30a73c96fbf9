"""The one thread that does what would hold up the event loop: loading the model, and predictions over many rows."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")


class WorkerThread:
    """Runs jobs one after another, at most `capacity` of them waiting or running.

    A daemon thread: a prediction that never ends doesn't keep the process from ending.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, capacity: int) -> None:
        self._loop = loop
        self._capacity = capacity
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.pending = 0
        threading.Thread(target=self._work, name="modelwright-worker", daemon=True).start()

    def submit(self, job: Callable[[], _T], done: Callable[[_T], None]) -> bool:
        """Run `job` on the thread and then `done` with its value on the event loop; False when the queue is full.

        Call on the event loop's thread. `job` must raise nothing.
        """
        if self.pending >= self._capacity:
            return False
        self.pending += 1

        def finish(value: _T) -> None:
            self.pending -= 1
            done(value)

        self._jobs.put(lambda: self._hand_back(finish, job()))
        return True

    def _hand_back(self, finish: Callable[[_T], None], value: _T) -> None:
        # A closed loop raises RuntimeError: the process is ending and nobody waits for this value.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(finish, value)

    def _work(self) -> None:
        while True:
            self._jobs.get()()
