"""Flow control and time on one HTTP/2 connection, without a socket: what a client that reads slowly can cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from modelwright_server import http2_frames as http2
from modelwright_server.grpc_call import Call, Method
from modelwright_server.http2_connection import CONNECTION_WINDOW, MAX_STREAMS, Connection
from modelwright_server.settings import HttpLimits

from .raw_http2 import (
    DATA,
    END_STREAM,
    GOAWAY,
    PING,
    PREFACE,
    RST_STREAM,
    WINDOW_UPDATE,
    Frame,
    call,
    frame,
    frames_of,
    message,
    opening,
    settings,
    statuses,
)

ECHO, LATER, LARGE = "/test/Echo", "/test/Later", "/test/Large"
LARGE_BYTES = 200_000
LIMITS = HttpLimits(body_bytes=4 << 20, buffer_bytes=5 << 20)


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.ended = ""
        self.reading = "going on"

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = "closed"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def pause_reading(self) -> None:
        self.reading = "paused"

    def resume_reading(self) -> None:
        self.reading = "going on"


class Room:
    """Counts what is held."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.held_bytes = 0

    def hold(self, size_bytes: int) -> bool:
        if self.held_bytes + size_bytes > self.size_bytes:
            return False
        self.held_bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
        assert self.held_bytes >= 0


class Server:
    """As much of `GrpcServer` as a connection needs, with a clock that stands until it is told."""

    def __init__(self) -> None:
        self.limits = LIMITS
        self.room = Room(LIMITS.buffer_bytes)
        self.loop = asyncio.get_running_loop()
        self.time = 100.0
        self.connections: set[Connection] = set()
        self.later: list[Callable[[], None]] = []
        self.counted: list[tuple[str, int]] = []
        self.methods = {
            ECHO: Method(lambda call, message: call.respond(message), "grpc"),
            LARGE: Method(lambda call, _: call.respond(b"x" * LARGE_BYTES), "grpc"),
            LATER: Method(lambda call, message: self.later.append(lambda: call.respond(message)), "grpc"),
        }

    def now(self) -> float:
        return self.time

    def admits(self, _authorization: bytes | None) -> bool:
        return True

    def count(self, route: str, code: int) -> None:
        self.counted.append((route, code))


class Client:
    """The client's side of one connection."""

    def __init__(self, server: Server, values: dict[int, int] | None = None) -> None:
        self.server = server
        self.transport = Transport()
        self.connection = Connection(server)  # type: ignore[arg-type]  # as much of it as is needed
        self.connection.connection_made(self.transport)
        self.connection.data_received(PREFACE + settings(values))

    async def send(self, *chunks: bytes) -> list[Frame]:
        """Hand bytes over, and return what is answered in the same turn of the event loop."""
        await self.answers()
        for chunk in chunks:
            self.connection.data_received(chunk)
        return await self.answers()

    async def answers(self) -> list[Frame]:
        """What was answered since the last look."""
        await asyncio.sleep(0)
        frames = list(frames_of(bytes(self.transport.written)))
        self.transport.written.clear()
        return frames

    async def after(self, seconds: float) -> list[Frame]:
        """What is answered when the clock looks after so many seconds."""
        self.server.time += seconds
        self.connection.check_deadlines(self.server.time)
        return await self.answers()


@pytest.fixture
async def server() -> Server:
    return Server()


def data_bytes(frames: list[Frame], stream: int = 1) -> int:
    return sum(len(each.payload) for each in frames if each.kind == DATA and each.stream == stream)


def window_update(stream: int, size_bytes: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, size_bytes.to_bytes(4, "big"))


async def test_an_answer_goes_out_as_the_windows_allow(server: Server) -> None:
    client = Client(server, {4: 50_000})
    first = await client.send(call(LARGE, b""))
    assert data_bytes(first) == 50_000
    assert statuses(first) == []
    assert server.room.held_bytes == LARGE_BYTES + 5 - 50_000
    assert data_bytes(await client.send(window_update(1, 10_000))) == 10_000
    assert data_bytes(await client.send(window_update(1, 1_000_000))) == 5_535, "the connection's window is 65,535"
    rest = await client.send(window_update(0, 1_000_000))
    assert data_bytes(rest) == LARGE_BYTES + 5 - 65_535
    assert statuses(rest) == [0]
    assert all(len(each.payload) <= http2.MAX_FRAME_BYTES for each in rest)
    assert server.room.held_bytes == 0


async def test_a_smaller_first_window_holds_for_open_calls_too(server: Server) -> None:
    client = Client(server, {4: 50_000})
    await client.send(call(LARGE, b""))
    assert data_bytes(await client.send(settings({4: 40_000}), window_update(1, 10_000))) == 0
    assert data_bytes(await client.send(window_update(1, 1))) == 1
    assert data_bytes(await client.send(settings({4: 40_100}))) == 100


async def test_no_window_holds_up_one_call_and_not_the_others(server: Server) -> None:
    client = Client(server, {4: 0})
    await client.send(window_update(0, 1_000_000), call(ECHO, b"a"))
    assert statuses(await client.send(settings({4: 1000}), call(ECHO, b"b", 3))) == [0, 0]


async def test_a_client_that_gives_no_window_is_dropped(server: Server) -> None:
    client = Client(server, {4: 0})
    await client.send(call(ECHO, b"a"))
    await client.after(29)
    assert client.transport.ended == ""
    await client.send(frame(PING, 0, 0, b"12345678"))
    await client.after(2)
    assert client.transport.ended == "aborted"
    client.connection.connection_lost(None)
    assert server.room.held_bytes == 0


async def test_a_client_that_takes_a_little_now_and_then_is_not(server: Server) -> None:
    client = Client(server, {4: 0})
    await client.send(call(ECHO, b"abcdefgh"))
    for _ in range(8):
        await client.after(29)
        await client.send(window_update(1, 1))
    assert client.transport.ended == ""


async def test_answers_that_nobody_reads_have_a_bound(server: Server) -> None:
    client = Client(server, {4: 0})
    answers = await client.send(*(call(LARGE, b"", stream) for stream in range(1, 101, 2)))
    assert statuses(answers) == [8] * (50 - LIMITS.buffer_bytes // (LARGE_BYTES + 5))
    assert server.room.held_bytes <= LIMITS.buffer_bytes
    assert await client.send(*(frame(RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in range(1, 101, 2))) == []
    assert server.room.held_bytes == 0


async def test_a_client_that_does_not_read_is_not_read_and_then_dropped(server: Server) -> None:
    client = Client(server)
    client.connection.pause_writing()
    assert client.transport.reading == "paused"
    answers = await client.send(call(ECHO, b"a"))
    assert data_bytes(answers) == 0
    client.connection.resume_writing()
    assert statuses(await client.answers()) == [0]
    assert client.transport.reading == "going on"
    client.connection.pause_writing()
    await client.after(31)
    assert client.transport.ended == "aborted"


async def test_a_long_message_is_given_windows_as_it_comes(server: Server) -> None:
    client = Client(server)
    content = bytes(3_000_000)
    sent = message(content)
    answers = await client.send(
        opening(path=ECHO),
        *(frame(DATA, 0, 1, sent[at : at + 16_000]) for at in range(0, len(sent), 16_000)),
        frame(DATA, END_STREAM, 1),
    )
    given = dict.fromkeys((0, 1), 0)
    for each in answers:
        if each.kind == WINDOW_UPDATE:
            given[each.stream] += int.from_bytes(each.payload, "big")
    assert given[1] + http2.STREAM_WINDOW > len(sent)
    assert given[0] + CONNECTION_WINDOW > len(sent)
    assert data_bytes(answers) == 65_535


async def test_calls_whose_client_left_count_until_the_model_is_done(server: Server) -> None:
    client = Client(server)
    streams = range(1, 2 * MAX_STREAMS, 2)
    await client.send(*(call(LATER, b"", stream) for stream in streams))
    await client.send(*(frame(RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in streams))
    refused = await client.send(call(ECHO, b"", 1001))
    assert [each.code for each in refused if each.kind == RST_STREAM] == [http2.ErrorCode.REFUSED_STREAM]
    for answer in server.later:
        answer()
    assert statuses(await client.send(call(ECHO, b"", 1003))) == [0]


async def test_what_the_model_was_given_is_held_until_it_is_done_even_if_the_client_left(server: Server) -> None:
    client = Client(server)
    sent = message(bytes(20_000))
    await client.send(opening(path=LATER), frame(DATA, 0, 1, sent[:16_000]), frame(DATA, END_STREAM, 1, sent[16_000:]))
    held = server.room.held_bytes
    assert held == len(sent)
    await client.send(frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))
    assert server.room.held_bytes == held
    server.later[0]()
    assert server.room.held_bytes == 0


async def test_a_deadline_is_told_and_the_late_answer_dropped(server: Server) -> None:
    client = Client(server)
    await client.send(call(LATER, b"", fields={b"grpc-timeout": b"2S"}))
    assert statuses(await client.after(1.9)) == []
    assert statuses(await client.after(0.2)) == [4]
    server.later[0]()
    assert await client.answers() == []
    assert server.counted == [("grpc", 504)]


async def test_a_silent_client_is_asked_and_then_dropped(server: Server) -> None:
    client = Client(server)
    await client.answers()
    assert [each.kind for each in await client.after(LIMITS.idle_timeout_s + 1)] == [PING]
    assert await client.after(LIMITS.write_timeout_s - 2) == []
    assert client.transport.ended == ""
    await client.after(2)
    assert client.transport.ended == "aborted"


async def test_a_drain_loses_no_call(server: Server) -> None:
    """What the client opened before it read GOAWAY is answered; then nothing more is taken and the connection ends."""
    client = Client(server)
    await client.send(call(LATER, b"", 1))
    client.connection.leave()
    first = await client.answers()
    assert [(each.kind, each.payload[:4]) for each in first] == [(GOAWAY, b"\x7f\xff\xff\xff"), (PING, b"drai")]
    assert statuses(await client.send(call(ECHO, b"", 3))) == [0]
    last = await client.send(call(LATER, b"", 5) + frame(PING, 1, 0, first[1].payload))
    assert [(each.kind, each.payload[:4]) for each in last] == [(GOAWAY, b"\0\0\0\x05")]
    assert await client.send(call(ECHO, b"", 7)) == []
    server.later[0]()
    assert client.transport.ended == ""
    server.later[1]()
    assert statuses(await client.answers()) == [0, 0]
    assert client.transport.ended == "closed"


async def test_who_is_gone_is_answered_nothing(server: Server) -> None:
    client = Client(server)
    await client.send(call(LATER, b""))
    client.connection.connection_lost(None)
    server.later[0]()
    assert await client.answers() == []
    assert server.connections == set()


async def test_a_method_that_fails_ends_its_call(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def fails(_call: Call, _message: bytes) -> None:
        raise RuntimeError("not today")

    server.methods[ECHO] = Method(fails, "grpc")
    client = Client(server)
    answers = await client.send(call(ECHO, b""))
    assert statuses(answers) == [13]
    assert "RuntimeError: not today" in answers[-1].text
    assert "a call failed" in caplog.text
