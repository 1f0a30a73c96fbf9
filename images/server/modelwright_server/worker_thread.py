"""A thread that does what would hold up the event loop: long predictions, or reading large bodies."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")


class WorkerThread:
    """Runs jobs one after another; starts with the first one.

    A daemon thread: a prediction that never ends doesn't keep the process from ending.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, prepare: Callable[[], None] = lambda: None) -> None:
        """`prepare` runs once, on the thread."""
        self._loop = loop
        self._prepare = prepare
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._started = False
        self.pending = 0

    def put(self, job: Callable[[], _T], done: Callable[[_T], None]) -> None:
        """Run `job` on the thread and then `done` with its value on the event loop; `job` must raise nothing.

        Call on the event loop's thread.
        """
        self.pending += 1
        if not self._started:
            self._started = True
            threading.Thread(target=self._work, name="modelwright-worker", daemon=True).start()

        def finish(value: _T) -> None:
            self.pending -= 1
            done(value)

        self._jobs.put(lambda: self._hand_back(finish, job()))

    def _hand_back(self, finish: Callable[[_T], None], value: _T) -> None:
        # A closed loop raises RuntimeError: the process is ending and nobody waits for this value.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(finish, value)

    def _work(self) -> None:
        self._prepare()
        while True:
            self._jobs.get()()
