"""The border between the HTTP side, which is up at once, and the model side, which NumPy and scikit-learn make late."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from modelwright_server.http_message import Request, Response


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decoded prediction request: its number of rows, and what predicts and encodes them (raises Problem)."""

    rows: int
    run: Callable[[], Response]


class Endpoint(Protocol):
    """One loaded and warmed-up model."""

    name: str
    version: str

    def documents(self) -> Mapping[str, bytes]:
        """The JSON answered to GET, by path."""

    def predictions(self) -> Mapping[str, Callable[[Request], Prepared]]:
        """What decodes a POST, by path; may be called on any thread; raises Problem."""

    def route_of(self, path: str) -> str:
        """The short name of a path for the metrics: infer, predict, ready or metadata."""

    def seconds_for(self, rows: int) -> float:
        """How long predicting so many rows will take, as measured at warm-up."""

    def settle_in_thread(self) -> None:
        """Configure the calling thread for predictions; once on each thread that predicts."""
