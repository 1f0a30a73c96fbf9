"""Requests for what is not measured: readiness and right answers."""

import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.servers.dialects import Json, encoded


class NotAnswered(Exception):
    """No answer, or another status than 200; the text says which."""


def answers(port: int, path: str, documents: Sequence[Json], timeout_s: float = 60) -> list[bytes]:
    """The bodies of the answers to some POSTs over one connection. Raises NotAnswered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    found = []
    try:
        for document in documents:
            connection.request("POST", path, encoded(document), {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                raise NotAnswered(f"status {response.status}: {content[:300].decode(errors='replace')}")
            found.append(content)
    except (OSError, http.client.HTTPException) as problem:
        raise NotAnswered(repr(problem)) from problem
    finally:
        connection.close()
    return found


def answers_to_many(port: int, path: str, documents: Sequence[Json], clients: int = 32) -> list[bytes]:
    """The same, asked by several clients at once: also what a server batches must come apart rightly."""
    with ThreadPoolExecutor(clients) as pool:
        parts = pool.map(lambda start: answers(port, path, documents[start::clients]), range(clients))
        found = list(parts)
    return [found[number % clients][number // clients] for number in range(len(documents))]
