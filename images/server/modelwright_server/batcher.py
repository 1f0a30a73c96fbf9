"""Micro-batching: what waits for the model at the same turn of the event loop is predicted in one call.

When the model is idle a request waits for nothing but the rest of its turn, in which other connections' requests are
read; while the model is busy, what arrives is the next batch. With `delay_s` a batch that is not full waits so much
longer. A quick batch is predicted at once, a long one on the worker thread, so that connections are read meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import TypeVar, cast

import numpy as np

from modelwright_server.board import Field
from modelwright_server.counters import Counters
from modelwright_server.endpoint import Endpoint
from modelwright_server.prediction import Matrix, Prediction
from modelwright_server.problems import Problem
from modelwright_server.work import Work
from modelwright_server.worker_thread import WorkerThread

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")
INLINE_S = 0.005
"""A batch that takes longer is predicted on the worker thread."""

_TOO_MANY = "too many predictions are waiting; ask again in a second"
_TOO_OLD = "the prediction waited too long for its turn; ask again in a second"
_FAILED = 500
_REJECTED = 429


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Rows of one model call, seconds that a batch waits to be filled, and bounds of what waits: number and age."""

    rows: int = 1024
    delay_s: float = 0.0
    waiting: int = 1024
    age_s: float = 10.0


class Batcher:
    """Calls one endpoint's model. All methods are called on the event loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: Endpoint,
        worker: WorkerThread,
        counters: Counters,
        limits: BatchLimits,
    ) -> None:
        self._loop = loop
        self._endpoint = endpoint
        self._worker = worker
        self._counters = counters
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._scheduled = False
        self._busy = False
        self._rows = 0
        self._timer: asyncio.TimerHandle | None = None
        self._answered: Callable[[Matrix, Prediction], None] | None = None

    def observed_by(self, answered: Callable[[Matrix, Prediction], None]) -> None:
        """Have `answered` see the rows and answers of each call of the model, on its thread; it must raise nothing."""
        self._answered = answered

    @property
    def waiting(self) -> int:
        """Predictions that wait for the model."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether the model has nothing to do."""
        return not (self._waiting or self._busy or self._scheduled)

    def submit(self, work: Work[T], done: Callable[[T | Problem], None]) -> None:
        """Have `work` predicted; `done` is called exactly once, later, with its reply or what went wrong."""
        if len(self._waiting) >= self._limits.waiting:
            self._loop.call_soon(done, Problem(_TOO_MANY, status=_REJECTED))
            return
        self._waiting.append(_Waiting(work, done, monotonic()))
        if self._limits.delay_s:
            self._wait_to_be_filled(work.rows)
        elif not self._scheduled and not self._busy:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _wait_to_be_filled(self, rows: int) -> None:
        self._rows += rows
        if self._rows >= self._limits.rows and self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(0, self._turn)
        elif not self._scheduled and not self._busy:
            self._scheduled = True
            self._timer = self._loop.call_later(self._limits.delay_s, self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._rows, self._timer = 0, None
        if self._busy:
            return
        batch, rows = self._take()
        if batch:
            self._busy = True
            self._counters.set(Field.BUSY_SINCE, monotonic())
            if self._endpoint.seconds_for(rows) <= INLINE_S:
                self._finish(batch, self._predict(batch))
            else:
                self._worker.put(lambda: self._predict(batch), lambda outcome: self._finish(batch, outcome))

    def refuse_late(self) -> None:
        """Refuse those that waited too long; to be called now and then, because a call of the model may take long."""
        oldest = monotonic() - self._limits.age_s
        while self._waiting and self._waiting[0].since < oldest:
            _tell(self._waiting.popleft(), Problem(_TOO_OLD, status=_REJECTED))

    def _take(self) -> tuple[list[_Waiting], int]:
        """The oldest that fit into one call, of those that did not wait too long."""
        self.refuse_late()
        waiting, limits = self._waiting, self._limits
        batch: list[_Waiting] = []
        rows = 0
        while waiting:
            first = waiting[0]
            if batch and (first.part is not batch[0].part or rows + first.work.rows > limits.rows):
                break
            batch.append(waiting.popleft())
            rows += first.work.rows
        return batch, rows

    def _predict(self, batch: list[_Waiting]) -> _Outcome:
        """Runs on the loop's thread or on the worker thread; raises nothing."""
        began = perf_counter()
        try:
            matrices = [waiting.work.matrix for waiting in batch]
            matrix = matrices[0] if len(matrices) == 1 else np.concatenate(matrices)
            prediction = self._endpoint.predictor.predict(matrix)
        except Problem as problem:
            return _Outcome(problem, perf_counter() - began)
        except Exception as failure:
            # Whatever a model raises ends the requests that it was called for, never the process.
            LOGGER.exception("the model failed")
            return _Outcome(model_failure(failure), perf_counter() - began)
        outcome = _Outcome(prediction, perf_counter() - began)
        if self._answered is not None:
            self._answered(matrix, prediction)
        return outcome

    def _finish(self, batch: list[_Waiting], outcome: _Outcome) -> None:
        self._busy = False
        self._counters.set(Field.BUSY_SINCE, 0.0)
        result = outcome.result
        if isinstance(result, Prediction):
            self._counters.batch(sum([waiting.work.rows for waiting in batch]), outcome.seconds, result)
            _deliver(batch, result)
        elif len(batch) == 1:
            _tell(batch[0], result)
        else:
            # One request's rows may be to blame: the halves are asked again, each for itself, before what came later.
            half = len(batch) // 2
            for part in (batch[half:], batch[:half]):
                mark = object()
                for waiting in reversed(part):
                    waiting.part = mark
                    self._waiting.appendleft(waiting)
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)


class _Waiting:
    """One request's work on its way through the model; what has another `part` must not be asked together with it."""

    __slots__ = ("done", "part", "since", "work")

    def __init__(self, work: Work[T], done: Callable[[T | Problem], None], since: float) -> None:
        self.work = cast("Work[object]", work)
        self.done = cast("Callable[[object], None]", done)
        self.since = since
        self.part: object = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: Prediction | Problem
    seconds: float


def _deliver(batch: list[_Waiting], prediction: Prediction) -> None:
    labels, probabilities = _row_by_row(batch, prediction)
    begin = 0
    for waiting in batch:
        work = waiting.work
        end = begin + work.rows
        reply: object
        try:
            if labels and work.encode_row is not None:
                reply = work.encode_row(labels[begin], probabilities[begin])
            else:
                reply = work.encode(prediction if len(batch) == 1 else prediction.part(begin, end))
        except Exception as failure:
            LOGGER.exception("an answer could not be written")
            reply = model_failure(failure)
        begin = end
        _tell(waiting, reply)


def _row_by_row(batch: list[_Waiting], prediction: Prediction) -> tuple[list[int], list[list[float]]]:
    """Labels and probabilities as lists, where there are both and the first of the batch wants them so."""
    if prediction.labels is None or prediction.probabilities is None or batch[0].work.encode_row is None:
        return [], []
    return prediction.labels.tolist(), prediction.probabilities.tolist()


def _tell(waiting: _Waiting, reply: object) -> None:
    try:
        waiting.done(reply)
    except Exception:
        # One client that went away must never keep the others of its batch from their answers.
        LOGGER.exception("an answer could not be handed over")


def model_failure(failure: Exception) -> Problem:
    """What a client is told when the model, or what stands around it, raises what nobody meant it to."""
    text = str(failure).strip().partition("\n")[0][:512]
    return Problem(f"the model failed on these rows: {type(failure).__name__}: {text}", status=_FAILED)
