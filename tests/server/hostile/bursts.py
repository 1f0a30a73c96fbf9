"""Many hostile connections at once: what they send, how they leave, and what they may be answered."""

import random
import re
import socket
from contextlib import ExitStack

from .attack import Attack
from .bodies import Body, hostile_body
from .framing_attacks import FRAMING_ATTACKS
from .head_attacks import HEAD_ATTACKS
from .honest import INFER, LIVE, PREDICT, V1, post
from .json_attacks import JSON_ATTACKS
from .reference import requests_in
from .streams import damaged, hostile_stream
from .tensor_attacks import TENSOR_ATTACKS
from .wire import answers_in, connect, received_until_end, reset

LARGEST = 64 * 1024
"""Bytes of one stream: what a socket takes without being read from."""

ATTACKS: tuple[Attack, ...] = tuple(
    attack for attack in (*FRAMING_ATTACKS, *HEAD_ATTACKS, *JSON_ATTACKS, *TENSOR_ATTACKS) if len(attack.sent) < LARGEST
)
CODES = frozenset({200, 400, 404, 405, 408, 413, 414, 415, 417, 422, 429, 431, 501, 505})
"""What may be answered to anybody: never 500, and 503 only while the server starts or ends."""

_FRESH_ID = re.compile(r"([0-9a-f]{12}-[0-9a-f]+)?")
_PATHS = {"/infer": INFER, "/predict": PREDICT, ":predict": V1}


def stream_of(rng: random.Random) -> bytes:
    """One connection's bytes: an attack of the tables or generated, often damaged once more."""
    match rng.randint(0, 3):
        case 0:
            stream = rng.choice(ATTACKS).sent
        case 1:
            stream = hostile_stream(rng)
        case _:
            stream = b"".join(_request(hostile_body(rng)) for _ in range(rng.choice((1, 1, 3)))) + LIVE
    return damaged(rng, stream) if rng.random() < 0.3 else stream


def _request(body: Body) -> bytes:
    fields = [name + b": " + value for name, value in body.headers.items()]
    return post(_PATHS[body.route], body.content, *fields)


def burst(port: int, streams: list[bytes], rng: random.Random) -> None:
    """All streams at once, each over its own connection. Raises AssertionError for an answer that must not be."""
    with ExitStack() as stack:
        connections = [(stack.enter_context(connect(port)), stream) for stream in streams]
        sent = [_send(connection, stream) for connection, stream in connections]
        for (connection, stream), is_whole in zip(connections, sent, strict=True):
            if not is_whole or rng.random() < 0.2:
                reset(connection)
            elif rng.random() < 0.8:
                connection.shutdown(socket.SHUT_WR)
                _judge(stream, received_until_end(connection))


def _send(connection: socket.socket, stream: bytes) -> bool:
    try:
        connection.sendall(stream)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _judge(stream: bytes, received: bytes) -> None:
    seen = requests_in(stream)
    heads = [index for index, request in enumerate(seen) if request.method == "HEAD"]
    answers = answers_in(received, heads=heads, head_refused=b"HEAD " in stream)
    codes = {answer.status for answer in answers}
    assert codes <= CODES, f"{codes - CODES} to {stream!r}"
    assert len(answers) <= len(seen) + 1, f"{len(answers)} answers to {stream!r}"
    for answer in answers:
        own = answer.request_id
        assert _FRESH_ID.fullmatch(own) or own.encode() in stream, f"{own} was never sent: {stream!r}"
