"""Constant load from clients that keep their connections and never ask again: whatever goes wrong is a failure.

A connection is opened anew only after an answer that said `Connection: close`, as HTTP has it.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from .flights import Row, features

TIMEOUT_S = 10.0


@dataclass
class Outcome:
    """What came of the requests: good answers by model version, what went wrong, and each answer's seconds."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    connections: int = 0

    @property
    def requests(self) -> int:
        """All that were sent."""
        return sum(self.answers.values()) + len(self.failures)

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the answers came."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Load:
    """Asks `rate` times a second over `connections` connections from its start to its end.

    Every answer must be 200, be of a known form, and predict for a flight what the model version's first one did. They
    all ask for one flight, or each for the next that `flight` gives.
    """

    def __init__(
        self,
        address: str,
        flight: Row | Callable[[], Row],
        model: str = "flights",
        connections: int = 16,
        rate: float = 400.0,
    ) -> None:
        self.outcome = Outcome()
        host = address.removeprefix("http://")
        head = f"POST /v2/models/{model}/predict HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        self._host = host
        self._head = head.encode()
        self._next: Callable[[], Row] = flight if callable(flight) else lambda: flight
        self._connections = connections
        self._pause_s = connections / rate
        self._expected: dict[tuple[str, bytes], object] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(2 * TIMEOUT_S)

    def until(self, requests: int, timeout_s: float) -> None:
        """Goes on until so many were sent."""
        end = time.monotonic() + timeout_s
        while self.outcome.requests < requests:
            assert time.monotonic() < end, f"only {self.outcome.requests} requests after {timeout_s:.0f} s"
            time.sleep(0.1)

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self._connections)))

    async def _client(self, number: int) -> None:
        next_at = time.monotonic() + self._pause_s * number / self._connections
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._ended.is_set():
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
            next_at = max(next_at + self._pause_s, time.monotonic() - self._pause_s)
            began = time.monotonic()
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    if connection is None:
                        self.outcome.connections += 1
                        connection = await asyncio.open_connection(self._host, 80)
                    stays = await self._ask(*connection)
            except (OSError, TimeoutError, EOFError, ValueError) as error:
                self.outcome.failures.append(f"{time.strftime('%X')} {type(error).__name__}: {error}")
                stays = False
            self.outcome.seconds.append(time.monotonic() - began)
            if not stays and connection is not None:
                connection[1].close()
                connection = None
        if connection is not None:
            connection[1].close()
            with suppress(OSError):
                await connection[1].wait_closed()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection stays open."""
        asked = json.dumps({"rows": [features(self._next())]}).encode()
        writer.write(self._head + b"content-length: %d\r\n\r\n%b" % (len(asked), asked))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        lines = head.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(fields["content-length"]))
        if lines[0].split()[1] != "200":
            raise ValueError(f"{lines[0]}: {body[:200]!r}")
        document = json.loads(body)
        version = document["model_version"]
        if document["predictions"] != self._expected.setdefault((version, asked), document["predictions"]):
            raise ValueError(f"another prediction: {body[:200]!r}")
        self.outcome.answers[version] += 1
        return fields.get("connection") != "close"
