"""The keyed work queue: every key at most once in line and once in flight, failures backed off, all seen again.

`Line` is the queue as a plain value over a given clock, which hypothesis holds against a model. `WorkQueue` runs it
on the event loop: it starts a pass the moment a key may have one, so an event reaches its reconciler without delay.
"""

import asyncio
import heapq
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Pace:
    """The queue's times, in seconds."""

    first_retry_s: float = 0.5
    longest_retry_s: float = 300.0
    resync_s: float = 600.0
    """After a good pass a key is looked at again within this time, at the earliest after three quarters of it."""


class Line(Generic[K]):
    """Which key may run now, and when the next one may. First come, first served.

    A key that is added while in flight runs once more afterwards. A delay is forgotten when its key runs.
    """

    def __init__(self, pace: Pace, jitter: Callable[[], float] = random.random) -> None:
        self._pace = pace
        self._jitter = jitter
        self._ready: dict[K, float] = {}
        self._flying: dict[K, float] = {}
        self._dirty: set[K] = set()
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._pushes = 0
        self._failures: dict[K, int] = {}

    def add(self, key: K, now: float) -> None:
        """The key shall run as soon as it may."""
        if key in self._flying:
            self._dirty.add(key)
        elif key not in self._ready:
            self._ready[key] = now

    def add_at(self, key: K, due: float) -> None:
        """The key shall run at `due` or, where that is known already, earlier."""
        known = self._due.get(key)
        if known is None or due < known:
            self._due[key] = due
            self._pushes += 1
            heapq.heappush(self._heap, (due, self._pushes, key))
            if len(self._heap) > 2 * len(self._due) + 64:
                self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
                heapq.heapify(self._heap)

    def take(self, now: float) -> tuple[K, float] | None:
        """The next key and how long it waited; it is in flight until `finish`."""
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key, due)
        for key in self._ready:
            since = self._ready.pop(key)
            self._due.pop(key, None)
            self._flying[key] = now
            return key, now - since
        return None

    def finish(self, key: K, now: float, after_s: float | None = None) -> None:
        """A good pass ended; the key runs again after `after_s`, or when it is time to look at everything again."""
        self._failures.pop(key, None)
        resync_s = self._pace.resync_s * (1 - self._jitter() / 4)
        self._land(key, now, resync_s if after_s is None else min(after_s, resync_s))

    def fail(self, key: K, now: float) -> float:
        """A pass failed; the key runs again after the returned seconds: doubled each time, with full jitter."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        ceiling_s = min(self._pace.longest_retry_s, self._pace.first_retry_s * 2.0 ** min(failures, 32))
        delay_s = ceiling_s * self._jitter()
        self._land(key, now, delay_s)
        return delay_s

    def drop(self, key: K, now: float) -> None:
        """The key's object is gone: forget it, unless it was added meanwhile."""
        self._failures.pop(key, None)
        del self._flying[key]
        self._due.pop(key, None)
        self._again(key, now)

    def next_due(self) -> float | None:
        """When the earliest delayed key may run."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    @property
    def depth(self) -> int:
        """How many keys wait to run now."""
        return len(self._ready)

    @property
    def flying(self) -> int:
        """How many keys are in flight."""
        return len(self._flying)

    def longest_flight(self, now: float) -> float:
        """For how many seconds the slowest pass has been under way."""
        return max((now - since for since in self._flying.values()), default=0.0)

    def _land(self, key: K, now: float, delay_s: float) -> None:
        del self._flying[key]
        self.add_at(key, now + delay_s)
        self._again(key, now)

    def _again(self, key: K, now: float) -> None:
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key, now)


@dataclass(frozen=True, slots=True)
class Done:
    """A good pass; `after_s` asks for another one."""

    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """A pass that could not do all it wanted, and has said so; it is tried again with backoff."""


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such object any more."""


Outcome = Done | Retry | Gone


@dataclass(slots=True)
class Observer(Generic[K]):
    """Who is told of depth, waits and failures; by default nobody."""

    waited: Callable[[float], None] = lambda _: None
    depth: Callable[[int], None] = lambda _: None
    failed: Callable[[K, BaseException], None] = field(default=lambda *_: None)


class WorkQueue(Generic[K]):
    """Runs `process` for every added key, at most `workers` at a time and never two for one key.

    An exception of `process` never ends anything but its own pass.
    """

    def __init__(
        self,
        process: Callable[[K], Awaitable[Outcome]],
        workers: int = 16,
        pace: Pace | None = None,
        observer: Observer[K] | None = None,
        stuck_after_s: float = 300.0,
    ) -> None:
        self._process = process
        self._workers = workers
        self._line: Line[K] = Line(pace or Pace())
        self._observer = observer or Observer()
        self._stuck_after_s = stuck_after_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat = float("-inf")
        self._heart: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to run what was added and what will be."""
        self._loop = asyncio.get_running_loop()
        self._heartbeat(self._loop)
        self._pump()

    async def stop(self, grace_s: float = 10.0) -> None:
        """Starts no further pass, waits for those under way, and cancels what is left after `grace_s`."""
        self._loop = None
        for timer in (self._timer, self._heart):
            if timer is not None:
                timer.cancel()
        if self._tasks:
            _, slow = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    def add(self, key: K) -> None:
        """The key shall run as soon as it may; before `start` it only gets in line."""
        self._line.add(key, self._now())
        self._pump()

    @property
    def depth(self) -> int:
        """How many keys wait to run now."""
        return self._line.depth

    def idle(self) -> bool:
        """Whether nothing waits to run now and nothing is in flight."""
        return self._line.depth == 0 and self._line.flying == 0

    def healthy(self) -> bool:
        """Whether the queue runs, its heart has beaten lately, and no pass hangs."""
        if self._loop is None:
            return False
        now = self._loop.time()
        return now - self._beat < 10.0 and self._line.longest_flight(now) < self._stuck_after_s

    def _now(self) -> float:
        return (self._loop or asyncio.get_running_loop()).time()

    def _heartbeat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beat = loop.time()
        self._heart = loop.call_later(1.0, self._heartbeat, loop)
        self._pump()

    def _pump(self) -> None:
        loop = self._loop
        if loop is None:
            return
        while len(self._tasks) < self._workers and (taken := self._line.take(loop.time())) is not None:
            key, waited_s = taken
            self._observer.waited(waited_s)
            task = loop.create_task(self._run(key))
            self._tasks.add(task)
            task.add_done_callback(self._landed)
        self._observer.depth(self._line.depth)
        due = self._line.next_due()
        if self._timer is not None and (due is None or self._timer.when() != due):
            self._timer.cancel()
            self._timer = None
        if due is not None and self._timer is None and len(self._tasks) < self._workers:
            self._timer = loop.call_at(due, self._rang)

    def _rang(self) -> None:
        self._timer = None
        self._pump()

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._pump()

    async def _run(self, key: K) -> None:
        try:
            outcome = await self._process(key)
        except Exception as error:  # noqa: BLE001 - one pass must never end the queue
            self._observer.failed(key, error)
            outcome = Retry()
        except BaseException:
            self._line.fail(key, self._now())
            raise
        match outcome:
            case Done(after_s):
                self._line.finish(key, self._now(), after_s)
            case Retry():
                self._line.fail(key, self._now())
            case Gone():
                self._line.drop(key, self._now())
