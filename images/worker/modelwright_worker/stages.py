"""Where a step's time goes: named stages, for the log and the full result, never for anything digested."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """Seconds by stage; a stage that is entered twice is summed."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what runs inside."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - begin

    def seconds(self) -> dict[str, float]:
        """Seconds by stage, and `total` since the process was started, to the millisecond."""
        total = {"total": time.perf_counter() - self._started_s}
        return {name: round(value, 3) for name, value in {**self._seconds, **total}.items()}
