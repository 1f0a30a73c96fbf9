"""Which requests are predicted together, and that each is answered exactly once whatever the model does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from modelwright_server import batcher as batcher_module
from modelwright_server.batcher import Batcher, BatchLimits
from modelwright_server.board import Board, Field, Figure
from modelwright_server.counters import Counters
from modelwright_server.prediction import Matrix, Prediction
from modelwright_server.problems import Problem
from modelwright_server.work import Work
from modelwright_server.worker_thread import WorkerThread

POISON, UNFIT = -1.0, -2.0
Answer = list[float] | Problem


@dataclass
class Model:
    """Answers each row with its first value; raises on POISON, refuses UNFIT, and can be held up."""

    task: str = "regression"
    classes: tuple[str, ...] = ()
    calls: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)

    def predict(self, matrix: Matrix) -> Prediction:
        self.gate.wait(10)
        self.calls.append(len(matrix))
        self.threads.add(threading.get_ident())
        if (matrix[:, 0] == POISON).any():
            raise ArithmeticError("poison\nand more")
        if (matrix[:, 0] == UNFIT).any():
            raise Problem("unfit", status=422)
        return Prediction(values=matrix[:, 0].copy())


class Endpoint:
    """The batcher's view of a model."""

    name = version = "x"

    def __init__(self, model: Model, seconds: float) -> None:
        self.predictor = model
        self._seconds = seconds

    def seconds_for(self, rows: int) -> float:
        return self._seconds


class Bench:
    """A batcher with its surroundings."""

    def __init__(self, *, seconds: float = 0.0, held: bool = False, **limits: float) -> None:
        self.model = Model()
        if not held:
            self.model.gate.set()
        self.board = Board(1)
        self.answers: dict[object, list[Answer]] = {}
        self._told = asyncio.Condition()
        self._tasks: set[asyncio.Future[None]] = set()
        loop = asyncio.get_running_loop()
        counters = Counters(self.board.slots[0], 5.0)
        self.batcher = Batcher(
            loop,
            Endpoint(self.model, seconds),  # type: ignore[arg-type]
            WorkerThread(loop),
            counters,
            BatchLimits(**limits),  # type: ignore[arg-type]
        )

    def send(self, key: object, *values: float, done: Callable[[Answer], None] | None = None) -> None:
        def keep(answer: Answer) -> None:
            self.answers.setdefault(key, []).append(answer)
            tasks.add(task := asyncio.ensure_future(self._tell()))
            task.add_done_callback(tasks.discard)

        tasks = self._tasks
        matrix = np.array(values).reshape(-1, 1)
        self.batcher.submit(Work(len(matrix), matrix, _values), done or keep)

    async def _tell(self) -> None:
        async with self._told:
            self._told.notify_all()

    async def answered(self, number: int) -> None:
        async with asyncio.timeout(10), self._told:
            await self._told.wait_for(lambda: len(self.answers) >= number)


def _values(prediction: Prediction) -> list[float]:
    assert prediction.values is not None
    return list(map(float, prediction.values))


async def test_what_comes_in_one_turn_is_one_call_and_each_gets_its_own_rows() -> None:
    bench = Bench()
    bench.send("a", 1.0)
    bench.send("b", 2.0, 3.0)
    bench.send("c", 4.0)
    await bench.answered(3)
    assert bench.model.calls == [4]
    assert bench.answers == {"a": [[1.0]], "b": [[2.0, 3.0]], "c": [[4.0]]}


async def test_an_idle_model_is_asked_in_the_same_turn() -> None:
    bench = Bench()
    bench.send("a", 1.0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bench.answers == {"a": [[1.0]]}


async def test_a_delay_fills_the_batch() -> None:
    bench = Bench(delay_s=0.05)
    bench.send("a", 1.0)
    await asyncio.sleep(0.01)
    assert not bench.answers
    bench.send("b", 2.0)
    await bench.answered(2)
    assert bench.model.calls == [2]


async def test_a_full_batch_waits_no_longer() -> None:
    bench = Bench(delay_s=60.0, rows=3)
    for number in range(3):
        bench.send(number, float(number))
    await bench.answered(3)
    assert bench.model.calls == [3]
    bench.send("next", 1.0)
    await asyncio.sleep(0.01)
    assert "next" not in bench.answers


async def test_while_the_model_is_busy_the_next_batch_fills() -> None:
    bench = Bench(seconds=1.0, held=True)
    bench.send("first", 0.0)
    await asyncio.sleep(0.01)
    assert bench.board.slots[0].get(Field.BUSY_SINCE) > 0
    for number in range(5):
        bench.send(number, float(number))
        await asyncio.sleep(0)
    bench.model.gate.set()
    await bench.answered(6)
    assert bench.model.calls == [1, 5]
    assert bench.board.slots[0].get(Field.BUSY_SINCE) == 0
    assert threading.get_ident() not in bench.model.threads


async def test_a_batch_has_no_more_rows_than_allowed_but_one_request_is_never_cut() -> None:
    bench = Bench(rows=3)
    bench.send("wide", 1.0, 2.0, 3.0, 4.0)
    for number in range(4):
        bench.send(number, float(number))
    await bench.answered(5)
    assert bench.model.calls == [4, 3, 1]


async def test_too_many_are_refused_at_once() -> None:
    bench = Bench(seconds=1.0, held=True, waiting=2)
    bench.send("running", 0.0)
    await asyncio.sleep(0.01)
    for name in ("a", "b", "c"):
        bench.send(name, 1.0)
    await bench.answered(1)
    (refusal,) = bench.answers["c"]
    assert isinstance(refusal, Problem)
    assert refusal.status == 429
    bench.model.gate.set()
    await bench.answered(4)
    assert bench.answers["b"] == [[1.0]]


async def test_what_waited_too_long_is_refused_and_never_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(batcher_module, "monotonic", lambda: now[0])
    bench = Bench(seconds=1.0, held=True, age_s=2.0)
    bench.send("running", 0.0)
    await asyncio.sleep(0.01)
    bench.send("old", 1.0)
    now[0] += 3.0
    bench.send("young", 2.0)
    bench.model.gate.set()
    await bench.answered(3)
    (refusal,) = bench.answers["old"]
    assert isinstance(refusal, Problem)
    assert refusal.status == 429
    assert bench.answers["young"] == [[2.0]]
    assert bench.model.calls == [1, 1]


async def test_what_waits_too_long_for_a_busy_model_is_refused_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(batcher_module, "monotonic", lambda: now[0])
    bench = Bench(seconds=1.0, held=True, age_s=2.0)
    bench.send("running", 0.0)
    await asyncio.sleep(0.01)
    bench.send("old", 1.0)
    now[0] += 1.5
    bench.send("young", 2.0)
    now[0] += 1.5
    bench.batcher.refuse_late()
    await bench.answered(1)
    (refusal,) = bench.answers["old"]
    assert isinstance(refusal, Problem)
    assert refusal.status == 429
    bench.model.gate.set()
    await bench.answered(3)
    assert bench.answers["young"] == [[2.0]]


@pytest.mark.parametrize("seconds", [pytest.param(0.0, id="inline"), pytest.param(1.0, id="on the thread")])
async def test_bad_rows_cost_only_the_request_that_brought_them(seconds: float) -> None:
    bench = Bench(seconds=seconds)
    bench.send("good", 1.0)
    bench.send("poison", POISON)
    bench.send("unfit", UNFIT, 5.0)
    bench.send("fine", 2.0, 3.0)
    await bench.answered(4)
    assert bench.answers["good"] == [[1.0]]
    assert bench.answers["fine"] == [[2.0, 3.0]]
    failure, refusal = bench.answers["poison"][0], bench.answers["unfit"][0]
    assert isinstance(failure, Problem)
    assert (failure.status, failure.sentence) == (500, "the model failed on these rows: ArithmeticError: poison")
    assert isinstance(refusal, Problem)
    assert refusal.status == 422
    bench.send("after", 4.0)
    await bench.answered(5)
    assert bench.answers["after"] == [[4.0]]
    assert {len(answers) for answers in bench.answers.values()} == {1}


async def test_bad_rows_among_many_requests_cost_few_calls() -> None:
    bench = Bench()
    for number in range(64):
        bench.send(number, POISON if number == 37 else float(number))
    await bench.answered(64)
    assert [number for number, (answer,) in bench.answers.items() if answer != [number]] == [37]
    # The part with the bad rows is halved again and again.
    assert sorted(bench.model.calls) == [1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64]


async def test_a_client_that_is_gone_does_not_wedge_the_others() -> None:
    bench = Bench()

    def gone(_answer: Answer) -> None:
        raise RuntimeError("the transport is closed")

    bench.send("a", 1.0)
    bench.send("gone", 2.0, done=gone)
    bench.send("b", 3.0)
    await bench.answered(2)
    bench.send("c", 4.0)
    await bench.answered(3)
    assert bench.answers == {"a": [[1.0]], "b": [[3.0]], "c": [[4.0]]}


async def test_calls_are_counted_by_rows() -> None:
    bench = Bench()
    bench.send("a", 1.0)
    bench.send("b", 2.0, 3.0)
    await bench.answered(2)
    slot = bench.board.slots[0]
    assert sum(window[Figure.ROWS] for window in slot.windows()) == 3
    assert sum(window[Figure.BATCHES] for window in slot.windows()) == 1
