"""The program of a bad canary's image: our own server with one fault, which begins only once it serves.

It stands where the image has `modelwright-server`. A file beside it says which fault it is: a bad image brings it
along, whoever runs it and with whatever environment. The warm-up and the golden rows are answered as they should be, so
that nothing tells the fault before there is traffic.
"""

import dataclasses
import mmap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Neither imports NumPy, which the supervisor does only after it has forked the management process.
from modelwright_server import supervisor, worker_pool
from modelwright_server.__main__ import main

FAULT = Path(__file__).with_name("misbehaviour").read_text().split()[0]
SLOWER_S = 0.3
LEAK_BYTES = 4 << 20
"""Of each look after the worker processes, of which there are ten a second."""

Predict = Callable[[Any], Any]


def errors(_: Predict) -> Predict:
    """Each prediction fails, with 500."""

    def predict(_: Any) -> Any:
        raise RuntimeError("the canary always fails")

    return predict


def hang(_: Predict) -> Predict:
    """No prediction ever ends."""

    def predict(_: Any) -> Any:
        time.sleep(3600)

    return predict


def slow(honest: Predict) -> Predict:
    """Each call of the model takes longer."""

    def predict(matrix: Any) -> Any:
        time.sleep(SLOWER_S)
        return honest(matrix)

    return predict


def nonsense(honest: Predict) -> Predict:
    """Of two classes it is always the other one."""

    def predict(matrix: Any) -> Any:
        prediction = honest(matrix)
        return dataclasses.replace(
            prediction, labels=1 - prediction.labels, probabilities=prediction.probabilities[:, ::-1].copy()
        )

    return predict


OF_PREDICTIONS = {"errors": errors, "hang": hang, "slow": slow, "nonsense": nonsense}


def garbage(decoders: Mapping[str, Callable[[Any], Any]]) -> Mapping[str, Callable[[Any], Any]]:
    """Every answer is 200, and no prediction."""

    def spoilt(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def decoded(request: Any) -> Any:
            work = decode(request)
            encode = work.encode
            work.encode = lambda prediction: dataclasses.replace(encode(prediction), body=b'{"predictions": "late"}')
            return work

        return decoded

    return {path: spoilt(decode) for path, decode in decoders.items()}


def spoil(load: Callable[..., Any]) -> Callable[..., Any]:
    """The model as it is loaded, checked and warmed up; then its predictions get the fault."""

    def loaded(settings: Any) -> Any:
        endpoint = load(settings)
        if not isinstance(endpoint, str) and FAULT in OF_PREDICTIONS:
            endpoint.predictor.predict = OF_PREDICTIONS[FAULT](endpoint.predictor.predict)
            if FAULT == "slow":
                # It would have been measured so.
                endpoint.seconds_for = lambda _: SLOWER_S
        elif not isinstance(endpoint, str) and FAULT == "garbage":
            decoders = garbage(endpoint.decoders())
            endpoint.decoders = lambda: decoders
        return "the licence server does not answer" if FAULT == "crash" else endpoint

    return loaded


def leak(watch: Callable[..., None]) -> Callable[..., None]:
    """Memory is lost without end, once all worker processes are ready.

    In process 1: where cgroup v1 counts, the kernel ends one process and not the container, and the server would go on
    with another worker process.
    """
    lost = []

    def watched(pool: Any, now: float, since: float) -> None:
        watch(pool, now, since)
        if pool.complete:
            lost.append(mmap.mmap(-1, LEAK_BYTES, mmap.MAP_PRIVATE))
            lost[-1].write(b"\xff" * LEAK_BYTES)

    return watched


supervisor.load = spoil(supervisor.load)
if FAULT == "leak":
    worker_pool.WorkerPool.watch = leak(worker_pool.WorkerPool.watch)
main()
