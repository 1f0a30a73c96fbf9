"""A server whose model does what the first row's distance says: it raises, kills its process, hangs, or keeps memory.

Run as a program, in place of `modelwright-server`.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from modelwright_server import supervisor
from modelwright_server.__main__ import main

if TYPE_CHECKING:
    # The supervisor switches the threads of NumPy's libraries off before it is imported.
    from modelwright_server.endpoint import Endpoint
    from modelwright_server.prediction import Matrix, Prediction, Predictor
    from modelwright_server.settings import Settings

RAISE, KILL, HANG, KEEP = 111111.0, 222222.0, 333333.0, 444444.0
KEPT_BYTES = 64 * 1024 * 1024
_DISTANCE = 1


class MisbehavingPredictor:
    """Implements `prediction.Predictor`."""

    def __init__(self, honest: Predictor) -> None:
        self.task, self.classes = honest.task, honest.classes
        self._honest = honest
        self._kept: list[bytes] = []

    def predict(self, matrix: Matrix) -> Prediction:
        """What the honest predictor says, if it comes to that."""
        match float(matrix[0, _DISTANCE]):
            case x if x == RAISE:
                raise RuntimeError("the model does not feel like it")
            case x if x == KILL:
                os.kill(os.getpid(), signal.SIGSEGV)
            case x if x == HANG:
                time.sleep(3600)
            case x if x == KEEP:
                self._kept.append(b"\1" * KEPT_BYTES)
            case _:
                pass
        return self._honest.predict(matrix)


honest_load = supervisor.load


def load_and_spoil(settings: Settings) -> Endpoint | str:
    """Stands in for `supervisor.load`."""
    endpoint = honest_load(settings)
    if not isinstance(endpoint, str):
        endpoint.predictor = MisbehavingPredictor(endpoint.predictor)
    return endpoint


if __name__ == "__main__":
    supervisor.load = load_and_spoil
    main()
