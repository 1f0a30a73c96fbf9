"""The application of one worker process without sockets: what is read where, and what holds up what."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter

import numpy as np

from modelwright_server.access_log import AccessLog
from modelwright_server.app import INLINE_BODY_BYTES, App
from modelwright_server.batcher import BatchLimits
from modelwright_server.board import Board
from modelwright_server.counters import Counters
from modelwright_server.http_message import Head, Request, Response
from modelwright_server.prediction import Matrix, Prediction
from modelwright_server.work import Work

LARGE = b" " * (INLINE_BODY_BYTES + 1)


class Endpoint:
    """A model that answers with the number of rows it was asked for at once, and a reader that can be held up."""

    name = version = "x"
    task, classes = "regression", ()

    def __init__(self) -> None:
        self.predictor = self
        self.gate = threading.Event()
        self.read = 0

    def documents(self) -> Mapping[str, Response]:
        return {}

    def decoders(self) -> Mapping[str, Callable[[Request], Work[Response]]]:
        return {"/held": partial(self._decode, gate=self.gate), "/free": self._decode}

    def route_of(self, path: str) -> str:
        return "infer"

    def seconds_for(self, rows: int) -> float:
        # Long enough for a thread.
        return 1.0

    def settle_in_thread(self) -> None:
        """Nothing."""

    def predict(self, matrix: Matrix) -> Prediction:
        return Prediction(values=np.full(len(matrix), float(len(matrix))))

    def _decode(self, request: Request, gate: threading.Event | None = None) -> Work[Response]:
        if gate is not None:
            assert gate.wait(10)
        self.read += 1
        return Work(1, np.zeros((1, 1)), lambda _: Response(200, b"%d" % len(request.body)))


class Bench:
    """An application and its endpoint."""

    def __init__(self, **limits: float) -> None:
        self.endpoint = Endpoint()
        loop = asyncio.get_running_loop()
        counters = Counters(Board(1).slots[0], 5.0)
        self.app = App(loop, self.endpoint, counters, AccessLog(0), BatchLimits(**limits))  # type: ignore[arg-type]

    def ask(self, path: str, body: bytes, *, received_s: float | None = None) -> asyncio.Future[Response]:
        """The answer that will come to a request."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        head = Head("POST", path, {}, keep_alive=True, http_1_0=False)
        self.app.handle(Request(head, body, b"1", received_s or perf_counter()), answer.set_result)
        return answer


async def test_reading_a_large_body_holds_up_no_prediction() -> None:
    bench = Bench()
    held = bench.ask("/held", LARGE)
    async with asyncio.timeout(5):
        assert (await bench.ask("/free", b"")).status == 200
    assert not held.done()
    bench.endpoint.gate.set()
    async with asyncio.timeout(5):
        assert (await held).body == b"%d" % len(LARGE)


async def test_a_large_body_that_waited_too_long_for_its_turn_is_not_read() -> None:
    bench = Bench(age_s=5.0)
    async with asyncio.timeout(5):
        late = await bench.ask("/free", LARGE, received_s=perf_counter() - 6)
        assert (late.status, dict(late.headers)[b"retry-after"]) == (429, b"1")
        assert bench.endpoint.read == 0
        assert (await bench.ask("/free", LARGE, received_s=perf_counter() - 4)).status == 200
    assert bench.app.in_flight == 0
