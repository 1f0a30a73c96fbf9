"""Users of the served model: they ask about flight after flight, keep their connections, and try nothing twice."""

import csv
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

COLUMNS = ("month", "time_hour", "hour", "minute", "carrier", "origin", "dest", "distance")
WHOLE = frozenset({"month", "hour", "minute", "distance"})
ONE_IN = 8
"""Of the flights in the file, so many are asked about."""
Flight = dict[str, int | str]


@dataclass(frozen=True)
class Year:
    """Flights of both halves of the year, as a client sends them."""

    first: Sequence[Flight]
    second: Sequence[Flight]

    @classmethod
    def of(cls, flights: Path) -> "Year":
        """From flights.csv."""
        halves: tuple[list[Flight], list[Flight]] = ([], [])
        with flights.open(newline="") as file:
            for number, row in enumerate(csv.DictReader(file)):
                if number % ONE_IN == 0:
                    flight: Flight = {name: int(row[name]) if name in WHOLE else row[name] for name in COLUMNS}
                    halves[int(row["month"]) > 6].append(flight)
        return cls(*halves)


class Users:
    """They ask `rate` times a second from its start to its end, about flights of `ask_about`."""

    def __init__(self, address: str, model: str, flights: Sequence[Flight], clients: int = 4, rate: float = 80) -> None:
        self.ask_about = flights
        self.answers: Counter[str] = Counter()
        """By the version that gave them."""
        self.failures: list[str] = []
        self._host = urlsplit(address).netloc
        self._path = f"/v2/models/{model}/predict"
        self._pause_s = clients / rate
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(15)

    def _ask(self, seed: int) -> None:
        source, connection = random.Random(seed), http.client.HTTPConnection(self._host, timeout=10)
        while not self._ended.wait(self._pause_s):
            body = json.dumps([source.choice(self.ask_about)])
            try:
                # It is opened anew only after an answer that said so.
                connection.request("POST", self._path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                document = answer.read()
                if answer.status == 200:
                    self.answers[json.loads(document)["model_version"]] += 1
                else:
                    self.failures.append(f"{time.strftime('%X')}: {answer.status} {document[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{time.strftime('%X')}: {type(error).__name__}: {error}")
                connection.close()
        connection.close()
