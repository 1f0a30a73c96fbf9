"""Asking the stable model what it would have said, for a sample of what the canary answered, when nobody waits."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from modelwright_server.answer_labels import AnswerUnreadable, agree, labels_of
from modelwright_server.batcher import Batcher
from modelwright_server.http_message import Response
from modelwright_server.problems import Problem
from modelwright_server.work import Work

MAX_WAITING = 64
"""More than so many are not kept: what is too much is left out, whatever was answered."""

MAX_AGE_S = 5.0
EVERY_S = 0.005
"""At most so often one is predicted."""


class Told(Protocol):
    """Who wants to know."""

    def __call__(self, *, agreed: bool) -> None:
        """Both sides predicted a sample."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row that the canary answered with `label`. `told` is called with whether the stable model agrees."""

    route: str
    work: Work[Response]
    label: object
    told: Told


class Comparisons:
    """Predicts samples one by one, each only when the model is idle. All on the event loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, batcher: Batcher, *, regression: bool) -> None:
        self._loop = loop
        self._batcher = batcher
        self._regression = regression
        self._waiting: deque[tuple[float, Sample]] = deque()
        self._scheduled = False

    def add(self, route: str, work: Work[Response], row: int, label: object, told: Told) -> None:
        """Compare one row of `work`: one alone counts as much in a request of many rows as in one of few."""
        if len(self._waiting) >= MAX_WAITING:
            return
        alone = Work(1, work.matrix[row : row + 1].copy(), work.encode)
        self._waiting.append((self._loop.time(), Sample(route, alone, label, told)))
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_later(EVERY_S, self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        oldest = self._loop.time() - MAX_AGE_S
        while self._waiting and self._waiting[0][0] < oldest:
            self._waiting.popleft()
        if self._waiting and self._batcher.idle:
            _, sample = self._waiting.popleft()
            self._batcher.submit(sample.work, lambda answer: self._judge(sample, answer))
        self._schedule()

    def _judge(self, sample: Sample, answer: Response | Problem) -> None:
        if isinstance(answer, Problem) or answer.status != _OK:
            return
        try:
            labels = labels_of(sample.route, dict(answer.headers), answer.body, 1)
        except AnswerUnreadable:
            return
        if labels:
            sample.told(agreed=agree(sample.label, labels[0], regression=self._regression))


_OK = 200
