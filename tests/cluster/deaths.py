"""The operator is killed again and again at moments that nobody chose, while a test goes on."""

import random
import threading
import time
from typing import Self

from . import operator_process
from .api_server import ApiServer
from .place import eventually


class Deaths:
    """`number` of them from its start on, spread by chance over about `over_s` seconds; ends with the last one."""

    def __init__(self, api: ApiServer, number: int, over_s: float, seed: int) -> None:
        self.at: list[float] = []
        """The monotonic clock at each."""
        self._api = api
        self._number = number
        self._mean_s = over_s / number
        self._source = random.Random(seed)
        self._restarts = operator_process.restarts(api)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deaths", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(150)

    def until_the_last(self, timeout_s: float) -> None:
        """Waits for it; every one of them must have cost the operator's container its life."""
        self._thread.join(timeout_s)
        assert len(self.at) == self._number, f"only {len(self.at)} of {self._number} came in time"
        eventually(
            lambda: operator_process.restarts(self._api) - self._restarts >= self._number, "restart after each death"
        )

    def _run(self) -> None:
        while len(self.at) < self._number:
            if self._ended.wait(self._source.uniform(0.2 * self._mean_s, 1.8 * self._mean_s)):
                return
            operator_process.kill(self._api)
            self.at.append(time.monotonic())
