"""The work queue: nothing added is lost, nothing runs twice at once, nobody waits for ever."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelwright.queue import Done, Gone, Line, Observer, Outcome, Pace, Retry, WorkQueue

KEYS = st.sampled_from("abcde")
PACE = Pace(first_retry_s=1.0, longest_retry_s=60.0, resync_s=600.0)


class LineAgainstModel(RuleBasedStateMachine):
    """`Line` beside the plainest account of what it owes: who must run, who flies, who comes back when."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.line: Line[str] = Line(PACE, jitter=lambda: 0.5)
        self.owed: list[str] = []
        self.flying: dict[str, bool] = {}
        self.due: dict[str, float] = {}
        self.failures: Counter[str] = Counter()

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.line.add(key, self.now)
        if key in self.flying:
            self.flying[key] = True
        elif key not in self.owed:
            self.owed.append(key)

    @rule(key=KEYS, delay=st.floats(0.5, 900))
    def add_later(self, key: str, delay: float) -> None:
        self.line.add_at(key, self.now + delay)
        self._later(key, self.now + delay)

    @rule(seconds=st.floats(0.1, 700))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        for key, due in sorted(self.due.items(), key=lambda item: item[1]):
            if due <= self.now:
                del self.due[key]
                if key in self.flying:
                    self.flying[key] = True
                elif key not in self.owed:
                    self.owed.append(key)
        taken = self.line.take(self.now)
        if taken is None:
            assert not self.owed, "somebody is owed a pass and nobody got one"
            return
        key, waited = taken
        assert key not in self.flying, "two passes for one key"
        assert key == self.owed.pop(0), "not first come, first served"
        assert waited >= 0
        self.due.pop(key, None)
        self.flying[key] = False

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), after=st.none() | st.floats(0.5, 900))
    def finish(self, data: st.DataObject, after: float | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.flying)))
        self.line.finish(key, self.now, after)
        self.failures.pop(key, None)
        resync = PACE.resync_s * (1 - 0.5 / 4)
        self._land(key, self.now + (resync if after is None else min(after, resync)))

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.flying)))
        delay = self.line.fail(key, self.now)
        assert delay == min(PACE.longest_retry_s, PACE.first_retry_s * 2 ** self.failures[key]) * 0.5
        self.failures[key] += 1
        self._land(key, self.now + delay)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.flying)))
        self.line.drop(key, self.now)
        self.failures.pop(key, None)
        self.due.pop(key, None)
        self._land(key, None)

    def _land(self, key: str, due: float | None) -> None:
        dirty = self.flying.pop(key)
        if due is not None:
            self._later(key, due)
        if dirty:
            self.owed.append(key)

    def _later(self, key: str, due: float) -> None:
        """The earliest wins; of two at the same time, the one that was said first."""
        if due < self.due.get(key, float("inf")):
            self.due.pop(key, None)
            self.due[key] = due

    @invariant()
    def counts_agree(self) -> None:
        assert self.line.depth == len(self.owed)
        assert self.line.flying == len(self.flying)
        assert self.line.next_due() == min(self.due.values(), default=None)

    def teardown(self) -> None:
        """In the end, with every pass ended and enough time, every key that is owed a pass gets it."""
        for key in list(self.flying):
            self.line.finish(key, self.now)
            self._land(key, self.now + PACE.resync_s)
        wanted = set(self.owed) | set(self.due)
        self.now += 1000
        got: set[str] = set()
        while (taken := self.line.take(self.now)) is not None:
            got.add(taken[0])
        assert wanted <= got


TestLine = LineAgainstModel.TestCase
TestLine.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def test_full_jitter_spreads_retries_over_the_whole_of_a_doubling_time() -> None:
    draws = iter([0.0, 1.0, 0.25, 1.0])
    line: Line[str] = Line(Pace(first_retry_s=1.0, longest_retry_s=3.0), jitter=lambda: next(draws))
    delays = []
    for now in range(0, 400, 100):
        line.add("a", float(now))
        line.take(float(now))
        delays.append(line.fail("a", float(now)))
    assert delays == [0.0, 2.0, 0.75, 3.0]


def test_a_heap_of_superseded_delays_does_not_grow() -> None:
    line: Line[int] = Line(Pace(), jitter=lambda: 0.0)
    for now in range(10_000):
        line.add(now % 10, float(now) / 1000)
        assert line.take(float(now) / 1000) is not None
        line.finish(now % 10, float(now) / 1000)
    assert len(line._heap) < 200


class Passes:
    """Records passes; `hold` keeps them in flight."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.began: list[str] = []
        self.flying: Counter[str] = Counter()
        self.most = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.outcome = outcome or Done()

    async def __call__(self, key: str) -> Outcome:
        self.began.append(key)
        self.flying[key] += 1
        assert self.flying[key] == 1
        self.most = max(self.most, sum(self.flying.values()))
        await asyncio.sleep(0)
        await self.hold.wait()
        self.flying[key] -= 1
        return self.outcome


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if holds():
                return
            await asyncio.sleep(0.001)


async def test_an_added_key_runs_at_once() -> None:
    passes = Passes()
    queue: WorkQueue[str] = WorkQueue(passes)
    queue.start()
    queue.add("a")
    await asyncio.sleep(0)
    assert passes.began == ["a"]
    await queue.stop()


async def test_many_adds_are_one_pass_and_adds_in_flight_are_one_more() -> None:
    passes = Passes()
    queue: WorkQueue[str] = WorkQueue(passes)
    for _ in range(5):
        queue.add("a")
    passes.hold.clear()
    queue.start()
    await asyncio.sleep(0.01)
    for _ in range(5):
        queue.add("a")
    await asyncio.sleep(0.01)
    assert passes.began == ["a"]
    passes.hold.set()
    await until(queue.idle)
    assert passes.began == ["a", "a"]
    await queue.stop()


async def test_workers_are_bounded_and_all_are_served() -> None:
    passes = Passes()
    queue: WorkQueue[str] = WorkQueue(passes, workers=3)
    queue.start()
    keys = [f"k{number}" for number in range(50)]
    for key in keys:
        queue.add(key)
    await until(queue.idle)
    assert passes.most == 3
    assert passes.began == keys
    await queue.stop()


async def test_an_exception_is_told_and_tried_again_and_ends_nothing() -> None:
    failed: list[tuple[str, BaseException]] = []
    good = Passes()

    async def process(key: str) -> Outcome:
        if key == "bad" and len(failed) < 3:
            raise ValueError("no")
        return await good(key)

    observer: Observer[str] = Observer(failed=lambda key, error: failed.append((key, error)))
    queue: WorkQueue[str] = WorkQueue(process, pace=Pace(first_retry_s=0.01), observer=observer)
    queue.start()
    queue.add("bad")
    queue.add("good")
    await until(lambda: "bad" in good.began)
    assert [key for key, _ in failed] == ["bad"] * 3
    assert good.began[0] == "good"
    assert queue.healthy()
    await queue.stop()


@pytest.mark.parametrize(
    ("outcome", "pace", "again"),
    [
        pytest.param(Done(after_s=0.01), Pace(), True, id="a pass that asks for another gets it"),
        pytest.param(Done(), Pace(resync_s=0.01), True, id="everything is looked at again"),
        pytest.param(Retry(), Pace(first_retry_s=0.01), True, id="a pass that failed is tried again"),
        pytest.param(Done(), Pace(), False, id="a good pass rests"),
        pytest.param(Gone(), Pace(resync_s=0.01), False, id="what is gone is forgotten"),
    ],
)
async def test_what_comes_after_a_pass(outcome: Outcome, pace: Pace, again: bool) -> None:
    passes = Passes(outcome)
    queue: WorkQueue[str] = WorkQueue(passes, pace=pace)
    queue.start()
    queue.add("a")
    await asyncio.sleep(0.1)
    assert (len(passes.began) > 1) == again
    await queue.stop()


async def test_stop_lets_a_pass_end_and_starts_no_other() -> None:
    passes = Passes()
    queue: WorkQueue[str] = WorkQueue(passes, workers=1)
    passes.hold.clear()
    queue.start()
    queue.add("a")
    queue.add("b")
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_later(0.05, passes.hold.set)
    await queue.stop()
    assert passes.began == ["a"]
    assert passes.flying["a"] == 0


async def test_a_pass_that_hangs_is_unhealthy_and_does_not_keep_stop_waiting() -> None:
    passes = Passes()
    queue: WorkQueue[str] = WorkQueue(passes, stuck_after_s=0.02)
    passes.hold.clear()
    assert not queue.healthy()
    queue.start()
    assert queue.healthy()
    queue.add("a")
    await asyncio.sleep(0.05)
    assert not queue.healthy()
    await queue.stop(grace_s=0.05)
    assert queue.idle()
