"""What is searched: how bytes become input, what is held against it, and where the search begins."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hostile.bodies import CSV_HEADERS, JSON_HEADERS, LENGTH, Body, hostile_body
from hostile.bodies import TOKENS as JSON_WORDS
from hostile.decoding import Decoding
from hostile.framing_attacks import FRAMING_ATTACKS
from hostile.grpc_in_process import GrpcPeer, is_sound
from hostile.head_attacks import HEAD_ATTACKS
from hostile.honest import NAME
from hostile.http2_streams import TOKENS as HTTP2_WORDS
from hostile.http2_streams import hostile_stream as hostile_frames
from hostile.http2_streams import opened_in
from hostile.in_process import Peer, When
from hostile.properties import does_not_depend_on_pieces, executes_only_what_is_there
from hostile.streams import TOKENS as HTTP_WORDS
from hostile.streams import split
from model_directories import flights, score, write_model
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelwright_server.loading import load
from modelwright_server.model_endpoint import ModelEndpoint
from modelwright_server.settings import Settings

LONGEST_SEED = 2000
LONGEST_WORD = 64
SEEDS = 500
_ROUTES = tuple(
    (route, headers) for route in ("/predict", "/infer", ":predict") for headers in (JSON_HEADERS, CSV_HEADERS)
)


@dataclass(frozen=True)
class Target:
    """`check` raises for input that breaks a property; `words` are what input is made of."""

    check: Callable[[bytes], None]
    seeds: Iterable[bytes]
    words: Iterable[bytes]


def target_named(name: str) -> Target:
    """http, bodies or grpc."""
    match name:
        case "http":
            attacks = (attack.sent for attack in (*FRAMING_ATTACKS, *HEAD_ATTACKS))
            return Target(_http, [sent for sent in attacks if len(sent) < LONGEST_SEED], _short(HTTP_WORDS))
        case "bodies":
            return Target(_body, map(_bytes_of, map(hostile_body, _rngs())), _short(JSON_WORDS))
        case "grpc":
            return Target(_grpc, map(hostile_frames, _rngs()), _short(HTTP2_WORDS))
        case _:
            raise ValueError(name)


def _http(stream: bytes) -> None:
    whole = Peer().outcome([stream])
    executes_only_what_is_there(stream, whole)
    rng = random.Random(stream)
    does_not_depend_on_pieces(stream, whole, _peer(rng.choice((When.AT_ONCE, When.LATER))), split(rng, stream))


def _body(data: bytes) -> None:
    if data:
        decoding().is_sound(_body_of(data))


def _grpc(stream: bytes) -> None:
    peer = _grpc_peer()
    whole = peer.outcome([stream])
    is_sound(whole, opened_in(stream))
    assert peer.outcome(split(random.Random(stream), stream)).is_like(whole)


def _body_of(data: bytes) -> Body:
    """The first byte names route and media type, and whether binary data begins where the second says."""
    route, headers = _ROUTES[data[0] % len(_ROUTES)]
    if data[0] & 0x80 and len(data) > 1:
        return Body("/infer", {LENGTH: b"%d" % data[1]}, data[2:])
    return Body(route, headers, data[1:])


def _bytes_of(body: Body) -> bytes:
    if LENGTH in body.headers:
        length = body.headers[LENGTH]
        return (
            bytes((0x80, min(255, int(length)) if length.isdigit() and len(length) < LONGEST_WORD else 0))
            + body.content
        )
    return bytes((_ROUTES.index((body.route, body.headers)),)) + body.content


def _short(words: Iterable[bytes]) -> list[bytes]:
    return [word for word in words if 0 < len(word) <= LONGEST_WORD]


def _rngs() -> Iterable[random.Random]:
    return map(random.Random, range(SEEDS))


@cache
def _peer(when: When) -> Peer:
    # It remembers the heads of all input before.
    return Peer(when)


@cache
def decoding() -> Decoding:
    """The decoders of a small model."""
    return Decoding(_endpoint())


@cache
def _grpc_peer() -> GrpcPeer:
    return GrpcPeer(_endpoint())


@cache
def _endpoint() -> ModelEndpoint:
    rows = [row for row in flights(100) if None not in row.values()]
    with tempfile.TemporaryDirectory() as directory:
        estimator = make_pipeline(StandardScaler(), LogisticRegression())
        write_model(Path(directory), estimator, [score(row) > 1.5 for row in rows], rows)
        environment = {"MODELWRIGHT_MODEL_DIR": directory, "MODELWRIGHT_MODEL_NAME": NAME}
        return load(Settings.from_environment(environment))
