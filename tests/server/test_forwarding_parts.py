"""Forwarding within one event loop: whose fault a late answer is, and that comparing holds up nobody."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from time import perf_counter

import numpy as np
import pytest

from modelwright_server import comparison
from modelwright_server.access_log import AccessLog
from modelwright_server.app import App
from modelwright_server.batcher import BatchLimits
from modelwright_server.board import Board, Field
from modelwright_server.comparison import MAX_WAITING, Comparisons
from modelwright_server.counters import Counters
from modelwright_server.forwarding import INLINE_BODY_BYTES, Forwarding
from modelwright_server.http_message import Head, Request, Response
from modelwright_server.pod_figures import PodFigures
from modelwright_server.prediction import Matrix, Prediction
from modelwright_server.routing import Canary, Origin, Routing
from modelwright_server.routing_counts import RoutingCounts
from modelwright_server.routing_figures import routing_document
from modelwright_server.work import Work

from .canaries import CANARY, FakeCanary, on_uvloop

PATH = "/v2/models/x/predict"


class Endpoint:
    """A regression that answers 1 for each row, on the worker thread, which can be held up."""

    name, version = "x", "stable"
    task, classes = "regression", ()

    def __init__(self) -> None:
        self.predictor = self
        self.free = threading.Event()
        self.free.set()
        self.calls: list[int] = []

    def documents(self) -> Mapping[str, Response]:
        return {}

    def decoders(self) -> Mapping[str, Callable[[Request], Work[Response]]]:
        return {PATH: self._decode}

    def route_of(self, path: str) -> str:
        return "predict"

    def seconds_for(self, rows: int) -> float:
        return 1.0

    def settle_in_thread(self) -> None:
        """Nothing."""

    def predict(self, matrix: Matrix) -> Prediction:
        assert self.free.wait(10)
        self.calls.append(len(matrix))
        return Prediction(values=np.ones(len(matrix)))

    def _decode(self, request: Request) -> Work[Response]:
        rows = len(json.loads(request.body))
        return Work(rows, np.zeros((rows, 1)), _encode)


def _encode(prediction: Prediction) -> Response:
    assert prediction.values is not None
    body = json.dumps({"predictions": [{"prediction": value} for value in prediction.values.tolist()]})
    return Response(200, body.encode())


class Bench:
    """An application that forwards all it gets to `canary`."""

    def __init__(self, canary: FakeCanary, deadline_s: float = 10.0, compare: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        self.endpoint = Endpoint()
        self._board = Board(1)
        slot = self._board.slots[0]
        slot.set(Field.STARTED_AT, 1.0)
        slot.set(Field.PID, 1.0)
        self.app = App(loop, self.endpoint, Counters(slot, 5.0), AccessLog(0), BatchLimits())  # type: ignore[arg-type]
        forwarding = Forwarding(
            loop,
            self.endpoint,
            self.app.batcher,
            self.app.reader,
            RoutingCounts(slot),
            None,  # type: ignore[arg-type]
        )
        origin = Origin("127.0.0.1", canary.port, tls=False)
        forwarding.apply(Routing(1, Canary(origin, CANARY, 1.0, deadline_s, compare=compare)))
        self.app.forwarder = forwarding

    def ask(self, rows: int = 1) -> asyncio.Future[Response]:
        """The answer that will come to a request for so many rows."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        head = Head("POST", PATH, {}, keep_alive=True, http_1_0=False)
        body = json.dumps(list(range(rows))).encode()
        self.app.handle(Request(head, body, b"r", perf_counter()), answer.set_result)
        return answer

    def routing(self) -> dict[str, object]:
        """What is counted."""
        return routing_document(PodFigures(self._board, 30.0, time.monotonic()).routing())


@contextmanager
def pair_of_sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """What is written to the second can be read from the first."""
    reading, writing = socket.socketpair()
    with reading, writing:
        yield reading, writing


async def answered(asked: asyncio.Future[Response]) -> str:
    """Who answered."""
    async with asyncio.timeout(10):
        response = await asked
    assert response.status == 200
    return dict(response.headers).get(b"modelwright-version", b"stable").decode()


@on_uvloop
async def test_an_answer_that_came_while_the_event_loop_stood_still_is_no_late_one() -> None:
    with FakeCanary() as canary, pair_of_sockets() as (reading, writing):
        bench = Bench(canary, deadline_s=0.4)
        assert await answered(bench.ask()) == CANARY

        def stand_still() -> None:
            # Where requests are read; the answer arrives meanwhile, and then the time is up.
            asyncio.get_running_loop().remove_reader(reading)
            time.sleep(0.5)

        asyncio.get_running_loop().add_reader(reading, stand_still)
        asked = bench.ask()
        writing.send(b"x")
        assert await answered(asked) == CANARY


async def test_a_large_answer_is_read_on_a_thread() -> None:
    with FakeCanary() as canary:
        bench = Bench(canary)
        read: list[int] = []
        put = bench.app.reader.put

        def noted(job: Callable[[], object], done: Callable[[object], None]) -> None:
            read.append(1)
            put(job, done)

        bench.app.reader.put = noted  # type: ignore[method-assign,assignment]
        assert await answered(bench.ask(10)) == CANARY
        assert not read
        assert await answered(bench.ask(INLINE_BODY_BYTES // 60)) == CANARY
        assert read
        canary.behave = lambda connection, seen: bool(connection.sendall(seen.right_answer().replace(b"}]}", b"}]]")))
        assert await answered(bench.ask(INLINE_BODY_BYTES // 60)) == "stable"


async def test_a_row_is_compared_when_nobody_waits() -> None:
    with FakeCanary(lambda connection, seen: not connection.sendall(seen.right_answer(label=1.0005))) as canary:
        bench = Bench(canary, compare=1.0)
        endpoint, batcher = bench.endpoint, bench.app.batcher
        endpoint.free.clear()
        busy: list[object] = []
        batcher.submit(Work(3, np.zeros((3, 1)), _encode), busy.append)
        assert await answered(bench.ask(5)) == CANARY
        # Another waits too, and is served first.
        batcher.submit(Work(2, np.zeros((2, 1)), _encode), busy.append)
        await asyncio.sleep(10 * comparison.EVERY_S)
        assert (batcher.waiting, bench.routing()["compared"]) == (1, 0)
        endpoint.free.set()
        async with asyncio.timeout(10):
            while bench.routing()["compared"] == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert endpoint.calls == [3, 2, 1]
        assert bench.routing()["agreed"] == 1


async def test_what_waits_to_be_compared_is_bounded_in_number_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeCanary() as canary:
        bench = Bench(canary)
        loop = asyncio.get_running_loop()
        comparisons = Comparisons(loop, bench.app.batcher, regression=True)
        bench.endpoint.free.clear()
        bench.app.batcher.submit(Work(1, np.zeros((1, 1)), _encode), lambda _: None)
        await asyncio.sleep(0)
        told: list[bool] = []

        def note(*, agreed: bool) -> None:
            told.append(agreed)

        add = partial(comparisons.add, "predict", Work(1, np.zeros((1, 1)), _encode), 0, 2.0, note)
        for _ in range(MAX_WAITING + 10):
            add()
        await asyncio.sleep(3 * comparison.EVERY_S)
        bench.endpoint.free.set()
        async with asyncio.timeout(10):
            while len(told) < MAX_WAITING:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await asyncio.sleep(5 * comparison.EVERY_S)
        assert told == [False] * MAX_WAITING
        monkeypatch.setattr(comparison, "MAX_AGE_S", -1.0)
        add()
        await asyncio.sleep(5 * comparison.EVERY_S)
        assert len(told) == MAX_WAITING
