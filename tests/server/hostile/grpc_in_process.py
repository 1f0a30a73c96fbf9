"""The server's side of one gRPC connection without a socket: bytes in, frames out, in as many pieces as one likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from modelwright_server.board import Board
from modelwright_server.counters import Counters
from modelwright_server.endpoint import Endpoint
from modelwright_server.grpc_server import GrpcServer
from modelwright_server.http2_connection import Connection
from modelwright_server.http_message import Request, Response, error
from modelwright_server.model_endpoint import ModelEndpoint
from modelwright_server.problems import Problem
from modelwright_server.settings import HttpLimits
from modelwright_server.work import Work

from .http2 import END_STREAM, GOAWAY, HEADERS, Frame, frames_in
from .in_process import Pipe, Turns

LIMITS = HttpLimits(body_bytes=3000, head_bytes=2000, buffer_bytes=20_000)


@dataclass(frozen=True)
class GrpcOutcome:
    """What came of one stream of bytes: all frames of the server, and whether it ended the connection."""

    frames: list[Frame]
    rest: bytes
    """An answer in HTTP/1.1, to what is no HTTP/2."""
    ended: bool

    def is_like(self, other: GrpcOutcome) -> bool:
        """Whether all that matters is the same: HTTP/1.1 is answered in its own words only if it comes in one piece."""
        return self == other or (bool(self.rest or other.rest) and self.ended and other.ended)


class _AtOnce:
    """An application that predicts without a batch."""

    def __init__(self, endpoint: ModelEndpoint) -> None:
        self.endpoint: Endpoint = endpoint
        self.counters = Counters(Board(1).slots[0], 5.0)
        self.ready = True

    def admits(self, authorization: bytes | None) -> bool:
        return authorization != b"Bearer wrong"

    def predict(
        self,
        request: Request,
        decoder: Callable[[Request], Work[Response]],
        route: str,
        reply: Callable[[Response], None],
        *,
        inline: bool,
    ) -> None:
        try:
            work = decoder(request)
            with np.errstate(all="ignore"):
                response = work.encode(self.endpoint.predictor.predict(work.matrix))
        except Problem as problem:
            response = error(problem.status, problem.sentence)
        reply(response)


class _Room:
    """The bytes that are held."""

    def __init__(self) -> None:
        self.held_bytes = 0

    def hold(self, size_bytes: int) -> bool:
        if self.held_bytes + size_bytes > LIMITS.buffer_bytes:
            return False
        self.held_bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
        assert self.held_bytes >= 0, "more was released than held"


class GrpcPeer:
    """One server; each stream of bytes is sent over a new connection to it."""

    def __init__(self, endpoint: ModelEndpoint) -> None:
        self._loop = Turns()
        self._room = _Room()
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self._loop)
        try:
            self._server = GrpcServer(_AtOnce(endpoint), LIMITS, self._room)
        finally:
            asyncio._set_running_loop(before)

    def outcome(self, pieces: Iterable[bytes]) -> GrpcOutcome:
        """Send the pieces in turn, then the end. Raises AssertionError where something is left of the connection."""
        connection, pipe = Connection(self._server), Pipe()
        connection.connection_made(pipe)
        for piece in pieces:
            connection.data_received(piece)
            while self._loop.turn():
                pass
        ended = pipe.ended
        connection.check_deadlines(self._loop.now + 1)
        pipe.lost = True
        connection.connection_lost(None)
        while self._loop.turn():
            pass
        assert self._room.held_bytes == 0, f"{self._room.held_bytes} bytes are still held"
        assert not self._server.connections
        frames, rest = frames_in(bytes(pipe.written))
        assert not rest or rest.startswith(b"HTTP/1.1 505 "), f"half a frame: {rest!r}"
        return GrpcOutcome(frames, rest, ended)


def is_sound(outcome: GrpcOutcome, opened: set[int]) -> None:
    """The server answers no call that wasn't opened, each at most once, and says why it ends a connection."""
    streams = {frame.stream for frame in outcome.frames if frame.stream}
    assert streams <= opened, f"streams {streams - opened} were never opened"
    heads = [frame.stream for frame in outcome.frames if frame.kind == HEADERS and frame.flags & END_STREAM]
    assert len(heads) == len(set(heads)), "a call ended twice"
    if outcome.ended and not outcome.rest:
        assert outcome.frames[-1].kind == GOAWAY, "ended without a word"


def answers_all(outcome: GrpcOutcome, calls: set[int]) -> None:
    """Each of these calls has got an answer, and the connection goes on."""
    ended = {frame.stream for frame in outcome.frames if frame.kind == HEADERS and frame.flags & END_STREAM}
    assert ended >= calls, f"no answer to {calls - ended}"
    assert not outcome.ended
