"""The border between the HTTP side and the model side."""

from collections.abc import Callable, Mapping
from typing import Protocol

from modelwright_server.answers import Answers
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.http_message import Request, Response
from modelwright_server.prediction import Predictor
from modelwright_server.profile_bins import ProfileBins
from modelwright_server.work import Work


class Endpoint(Protocol):
    """One loaded and warmed-up model."""

    name: str
    version: str
    matrix: FeatureMatrix
    answers: Answers
    profile: ProfileBins | None

    @property
    def predictor(self) -> Predictor:
        """What computes the answers."""

    def documents(self) -> Mapping[str, Response]:
        """What is answered to GET, by path."""

    def decoders(self) -> Mapping[str, Callable[[Request], Work[Response]]]:
        """What reads a POST, by path; may be called on any thread; raises Problem."""

    def route_of(self, path: str) -> str:
        """The name of a path for the counters: one of board.ROUTES."""

    def seconds_for(self, rows: int) -> float:
        """How long predicting so many rows will take, as measured at warm-up."""

    def settle_in_thread(self) -> None:
        """Configure the calling thread for predictions; once on each thread that predicts."""
