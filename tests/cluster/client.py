"""A user of a served model who keeps one connection and asks again and again, whatever happens behind the Service."""

import http.client
import json
import threading
import time
from collections import Counter
from typing import Self

from .flights import Row, features

PAUSE_S = 0.02


class Client:
    """Asks from its start to its end; `answers` counts good answers by model version, `failures` are sentences."""

    def __init__(self, address: str, flight: Row, model: str = "flights") -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._host = address.removeprefix("http://")
        self._path = f"/v2/models/{model}/predict"
        self._body = json.dumps({"rows": [features(flight)]})
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(15)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=5)
        while not self._ended.wait(PAUSE_S):
            try:
                # The connection is opened anew only after an answer that said so.
                connection.request("POST", self._path, self._body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                document = answer.read()
                if answer.status == 200:
                    self.answers[json.loads(document)["model_version"]] += 1
                else:
                    self.failures.append(f"{time.time():.2f}: {answer.status} {document[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{time.time():.2f}: {type(error).__name__}: {error}")
                connection.close()
        connection.close()
