"""gRPC's own HTTP/2 under generated input: nothing escapes, nothing is left, and pieces make no difference.

MODELWRIGHT_TEST_FULL=1 makes it many more inputs; `hack/fuzz grpc` searches on by coverage.
"""

import os
import random

import pytest

from modelwright_server.loading import load
from modelwright_server.model_endpoint import ModelEndpoint
from modelwright_server.settings import Settings

from .hostile.grpc_in_process import GrpcPeer, answers_all, is_sound
from .hostile.honest import NAME
from .hostile.http2_streams import honest_stream, hostile_stream, opened_in
from .hostile.streams import split
from .model_directories import ModelDirectory

STREAMS = 300_000 if os.environ.get("MODELWRIGHT_TEST_FULL") else 4000


@pytest.fixture(scope="module")
def endpoint(band: ModelDirectory) -> ModelEndpoint:
    """A loaded model."""
    environment = {"MODELWRIGHT_MODEL_DIR": str(band.path), "MODELWRIGHT_MODEL_NAME": NAME}
    return load(Settings.from_environment(environment))


@pytest.mark.timeout(3600)
def test_generated_streams(endpoint: ModelEndpoint) -> None:
    peer = GrpcPeer(endpoint)
    for number in range(STREAMS):
        rng = random.Random(number)
        calls: set[int] = set()
        if rng.random() < 0.2:
            stream, calls = honest_stream(rng)
        else:
            stream = hostile_stream(rng)
        whole = peer.outcome([stream])
        if calls:
            answers_all(whole, calls)
        is_sound(whole, opened_in(stream))
        pieces = split(rng, stream)
        other = peer.outcome(pieces)
        assert other.is_like(whole), f"{whole} in one piece, {other} in {pieces}"
