"""The HTTP parser and the decoders under generated input: nothing escapes, and nothing is read that isn't there.

MODELWRIGHT_TEST_FULL=1 makes it a million inputs; `hack/fuzz` searches on by coverage.
"""

import os
import random
import re
from itertools import accumulate, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelwright_server import http_connection
from modelwright_server.loading import load
from modelwright_server.settings import Settings

from .hostile.attack import Attack
from .hostile.bodies import TOKENS as JSON_TOKENS
from .hostile.bodies import Body, hostile_body
from .hostile.decoding import Decoding
from .hostile.framing_attacks import FRAMING_ATTACKS
from .hostile.head_attacks import HEAD_ATTACKS
from .hostile.honest import NAME
from .hostile.in_process import Peer, When
from .hostile.properties import does_not_depend_on_pieces, executes_all, executes_only_what_is_there
from .hostile.streams import TOKENS, hostile_stream, split, valid_stream
from .model_directories import ModelDirectory

FULL = bool(os.environ.get("MODELWRIGHT_TEST_FULL"))
STREAMS = 500_000 if FULL else 10_000
BODIES = 500_000 if FULL else 10_000
EXAMPLES = 20_000 if FULL else 300
SHORT = [attack for attack in (*FRAMING_ATTACKS, *HEAD_ATTACKS) if len(attack.sent) < 1500]
HYPOTHESIS = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in SHORT])
def test_an_attack_in_two_pieces_is_the_same_attack(attack: Attack) -> None:
    stream = attack.sent
    peer = Peer()
    whole = peer.outcome([stream])
    executes_only_what_is_there(stream, whole)
    ends_of_heads = [end.end() for end in re.finditer(rb"\r\n\r\n", stream)]
    # A head that came alone may be known the second time.
    for cut in (*range(1, len(stream)), *ends_of_heads):
        does_not_depend_on_pieces(stream, whole, peer, [stream[:cut], stream[cut:]])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("parsed_at_once", [40, http_connection.PIECE_BYTES])
def test_generated_streams(monkeypatch: pytest.MonkeyPatch, parsed_at_once: int) -> None:
    monkeypatch.setattr(http_connection, "PIECE_BYTES", parsed_at_once)
    # These two remember heads of all streams before.
    peers = (Peer(), Peer(When.LATER))
    for number in range(parsed_at_once, parsed_at_once + STREAMS // 2):
        rng = random.Random(number)
        is_valid = rng.random() < 0.2
        stream = valid_stream(rng) if is_valid else hostile_stream(rng)
        whole = Peer(rng.choice((When.AT_ONCE, When.LATER))).outcome([stream])
        executes_only_what_is_there(stream, whole)
        if is_valid:
            executes_all(stream, whole)
        does_not_depend_on_pieces(stream, whole, peers[number % 2], [stream])
        does_not_depend_on_pieces(stream, whole, peers[number // 2 % 2], split(rng, stream))


@HYPOTHESIS
@given(parts=st.lists(st.sampled_from(TOKENS) | st.binary(max_size=4), max_size=20), sizes=st.lists(st.integers(1, 30)))
def test_any_stream_in_any_pieces(parts: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(parts)
    whole = Peer().outcome([stream])
    executes_only_what_is_there(stream, whole)
    cuts = [cut for cut in accumulate(sizes) if cut < len(stream)]
    pieces = [stream[begin:end] for begin, end in pairwise([0, *cuts, len(stream)]) if begin < end]
    does_not_depend_on_pieces(stream, whole, Peer(When.LATER), pieces)


@pytest.fixture(scope="module")
def decoding(band: ModelDirectory) -> Decoding:
    """The decoders of a loaded model."""
    environment = {"MODELWRIGHT_MODEL_DIR": str(band.path), "MODELWRIGHT_MODEL_NAME": NAME}
    return Decoding(load(Settings.from_environment(environment)))


@pytest.mark.timeout(3600)
def test_generated_bodies(decoding: Decoding) -> None:
    for number in range(BODIES):
        decoding.is_sound(hostile_body(random.Random(number)))


@HYPOTHESIS
@given(
    route=st.sampled_from(("/infer", "/predict", ":predict")),
    headers=st.sampled_from(({}, {b"content-type": b"text/csv"}, {b"inference-header-content-length": b"9"})),
    parts=st.lists(st.sampled_from(JSON_TOKENS) | st.binary(max_size=4), max_size=30),
)
def test_any_body(decoding: Decoding, route: str, headers: dict[bytes, bytes], parts: list[bytes]) -> None:
    decoding.is_sound(Body(route, headers, b"".join(parts)))
