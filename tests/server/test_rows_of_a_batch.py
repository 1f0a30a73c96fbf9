"""In a batch of many requests each gets its own rows, whether it is answered from lists or from parts of arrays."""

from __future__ import annotations

import asyncio
from functools import partial

import numpy as np
import orjson
import pytest

from modelwright_contract.manifests import TensorSpec
from modelwright_server.answers import Answers
from modelwright_server.batcher import Batcher, BatchLimits
from modelwright_server.board import Board
from modelwright_server.counters import Counters
from modelwright_server.http_message import Response
from modelwright_server.prediction import Matrix, Prediction
from modelwright_server.problems import Problem
from modelwright_server.work import Work
from modelwright_server.worker_thread import WorkerThread

OUTPUTS = (TensorSpec("label", "BYTES", (-1,)), TensorSpec("probability", "FP64", (-1, 2)))


class Endpoint:
    """A classifier whose probability is the row itself."""

    name = version = "x"

    @property
    def predictor(self) -> Endpoint:
        return self

    def predict(self, matrix: Matrix) -> Prediction:
        second = matrix[:, 0]
        return Prediction((second > 0.5).astype(np.intp), np.column_stack((1 - second, second)))

    def seconds_for(self, _rows: int) -> float:
        return 0.0


@pytest.mark.parametrize("sizes", [[1, 1, 1], [1, 3, 1], [2, 1, 1], [1], [4], [3, 2]])
def test_each_gets_its_own(sizes: list[int]) -> None:
    answers = Answers("m", "1", OUTPUTS, ("no", "yes"))
    told: dict[int, Response | Problem] = {}

    all_told = asyncio.Event()

    def tell(number: int, reply: Response | Problem) -> None:
        told[number] = reply
        if len(told) == len(sizes):
            all_told.set()

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        worker = WorkerThread(loop)
        batcher = Batcher(loop, Endpoint(), worker, Counters(Board(1).slots[0], 5.0), BatchLimits())  # type: ignore[arg-type]
        begin = 0
        for number, rows in enumerate(sizes):
            matrix = np.arange(begin, begin + rows, dtype=np.float64).reshape(rows, 1) / 10
            by_row = answers.all_tensors_of_row if rows == 1 else None
            batcher.submit(Work(rows, matrix, answers.all_tensors, by_row), partial(tell, number))
            begin += rows
        await asyncio.wait_for(all_told.wait(), 10)

    asyncio.run(ask())
    begin = 0
    for number, rows in enumerate(sizes):
        reply = told[number]
        assert isinstance(reply, Response)
        outputs = {output["name"]: output for output in orjson.loads(reply.body)["outputs"]}
        expected = [at / 10 for at in range(begin, begin + rows)]
        assert np.reshape(outputs["probability"]["data"], (rows, 2))[:, 1].tolist() == expected
        assert outputs["label"]["data"] == ["yes" if value > 0.5 else "no" for value in expected]
        assert reply.rows == rows
        begin += rows
