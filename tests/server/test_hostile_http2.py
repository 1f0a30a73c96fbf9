"""Clients of the gRPC port that break HTTP/2 or gRPC: each is told so, and nobody else notices."""

import random
import time
from collections.abc import Iterator

import pytest

from .model_directories import ModelDirectory
from .processes import Server
from .raw_http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INFER,
    LIVE,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WATCH,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    RawConnection,
    call,
    field,
    frame,
    frames_of,
    head,
    message,
    opening,
    settings,
    statuses,
)

PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR = 1, 3, 5, 6
REFUSED_STREAM, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 7, 9, 11
INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, RESOURCE_EXHAUSTED, UNIMPLEMENTED = 3, 4, 5, 8, 12
MAX_STREAMS = 256


@pytest.fixture(scope="module")
def victim(late: ModelDirectory) -> Iterator[Server]:
    """A server with small limits; every test must leave it alive."""
    with Server(
        late.path,
        grpc_port="0",
        model_name="late",
        model_version="v7",
        max_body_bytes="200000",
        max_head_bytes="4096",
        max_buffer_bytes="1000000",
        head_timeout_seconds="0.6",
        body_timeout_seconds="0.6",
        idle_timeout_seconds="1.5",
    ) as running:
        yield running
        assert len(running.workers()) == 1
        assert not [line for line in running.log if line.get("level") == "error"]


@pytest.fixture(autouse=True)
def nobody_else_notices(victim: Server) -> Iterator[None]:
    """Another client, connected before each test, is answered after it, and so is a new one."""
    with RawConnection(victim.grpc_port) as before:
        before.until(SETTINGS, flags=ACK)
        yield
        with RawConnection(victim.grpc_port) as after:
            for connection in (before, after):
                connection.send(call(LIVE, b""))
                assert statuses([connection.until(HEADERS, 1, END_STREAM)]) == [0]


def short(kind: int, flags: int, stream: int) -> bytes:
    return frame(kind, flags, stream, b"\0")


ENDS_THE_CONNECTION = {
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 20, PROTOCOL_ERROR),
    "no SETTINGS first": (PREFACE + frame(PING, 0, 0, b"12345678"), PROTOCOL_ERROR),
    "an oversized frame": (frame(DATA, 0, 1, b"x" * 16_385), FRAME_SIZE_ERROR),
    "data on stream 0": (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    "data on an idle stream": (frame(DATA, 0, 5, b"x"), PROTOCOL_ERROR),
    "padding that is longer than its frame": (opening() + frame(DATA, PADDED, 1, b"\x09abc"), PROTOCOL_ERROR),
    "padding in an empty frame": (opening() + frame(DATA, PADDED, 1), PROTOCOL_ERROR),
    "headers on stream 0": (opening(0), PROTOCOL_ERROR),
    "headers on a server's stream": (opening(2), PROTOCOL_ERROR),
    "a lower stream": (call(LIVE, b"", 5) + opening(3), STREAM_CLOSED),
    "headers shorter than their priority": (short(HEADERS, END_HEADERS | WITH_PRIORITY, 1), FRAME_SIZE_ERROR),
    "a broken header block": (frame(HEADERS, END_HEADERS, 1, b"\x80"), COMPRESSION_ERROR),
    "a header list over the limit": (opening(fields={b"x": b"v" * 5000}), COMPRESSION_ERROR),
    "an interrupted header block": (frame(HEADERS, 0, 1, head()) + frame(PING, 0, 0, b"12345678"), PROTOCOL_ERROR),
    "a header block that goes on elsewhere": (
        frame(HEADERS, 0, 1, head()) + frame(CONTINUATION, END_HEADERS, 3),
        PROTOCOL_ERROR,
    ),
    "a continuation of nothing": (frame(CONTINUATION, END_HEADERS, 1, head()), PROTOCOL_ERROR),
    "a header block without end": (
        frame(HEADERS, 0, 1, head()) + frame(CONTINUATION, 0, 1, field(b"x", b"v" * 500)) * 10,
        ENHANCE_YOUR_CALM,
    ),
    "a flood of empty continuations": (
        frame(HEADERS, 0, 1, head()) + frame(CONTINUATION, 0, 1) * 20_000,
        ENHANCE_YOUR_CALM,
    ),
    "a push": (frame(PUSH_PROMISE, END_HEADERS, 1, head()), PROTOCOL_ERROR),
    "a priority of the connection": (frame(PRIORITY, 0, 0, b"\0\0\0\0\0"), PROTOCOL_ERROR),
    "a reset of an idle stream": (frame(RST_STREAM, 0, 1, b"\0\0\0\0"), PROTOCOL_ERROR),
    "a reset of stream 0": (frame(RST_STREAM, 0, 0, b"\0\0\0\0"), PROTOCOL_ERROR),
    "a short reset": (opening() + short(RST_STREAM, 0, 1), FRAME_SIZE_ERROR),
    "settings of a stream": (frame(SETTINGS, 0, 1), PROTOCOL_ERROR),
    "settings with a broken length": (short(SETTINGS, 0, 0), FRAME_SIZE_ERROR),
    "an acknowledgement with settings": (frame(SETTINGS, ACK, 0, b"\0\3\0\0\0\0"), FRAME_SIZE_ERROR),
    "ENABLE_PUSH 2": (settings({2: 2}), PROTOCOL_ERROR),
    "INITIAL_WINDOW_SIZE 2^31": (settings({4: 2**31}), FLOW_CONTROL_ERROR),
    "MAX_FRAME_SIZE 1": (settings({5: 1}), PROTOCOL_ERROR),
    "a ping on a stream": (frame(PING, 0, 1, b"12345678"), PROTOCOL_ERROR),
    "a short ping": (short(PING, 0, 0), FRAME_SIZE_ERROR),
    "a GOAWAY on a stream": (frame(GOAWAY, 0, 1, b"\0" * 8), PROTOCOL_ERROR),
    "a window that grows by nothing": (frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), PROTOCOL_ERROR),
    "a window of an idle stream": (frame(WINDOW_UPDATE, 0, 7, b"\0\0\0\1"), PROTOCOL_ERROR),
    "a window over the limit": (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), FLOW_CONTROL_ERROR),
    "first windows over the limit": (
        opening() + frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\x00\x00") + settings({4: 2**31 - 1}),
        FLOW_CONTROL_ERROR,
    ),
    "a flood of pings": (frame(PING, ACK, 0, b"12345678") * 20_000, ENHANCE_YOUR_CALM),
    "a flood of settings": (settings() * 20_000, ENHANCE_YOUR_CALM),
    "a flood of empty data": (opening() + frame(DATA, 0, 1) * 20_000, ENHANCE_YOUR_CALM),
    "a flood of unknown frames": (frame(200, 0, 0) * 20_000, ENHANCE_YOUR_CALM),
}


@pytest.mark.parametrize("name", ENDS_THE_CONNECTION)
def test_the_connection_ends(victim: Server, name: str) -> None:
    sent, code = ENDS_THE_CONNECTION[name]
    begin = sent if sent.startswith((PREFACE, b"\x16")) else PREFACE + settings() + sent
    with RawConnection(victim.grpc_port, begin) as connection:
        goodbye = [each for each in connection.rest() if each.kind == GOAWAY]
        assert [each.code for each in goodbye] == [code]
        assert goodbye[0].text


ENDS_THE_STREAM = {
    "a head without a path": (frame(HEADERS, END_HEADERS, 1, field(b":method", b"POST")), PROTOCOL_ERROR),
    "an empty path": (opening(path=""), PROTOCOL_ERROR),
    "an unknown pseudo-header field": (frame(HEADERS, END_HEADERS, 1, head() + field(b":x", b"")), PROTOCOL_ERROR),
    "a response's pseudo-header field": (
        frame(HEADERS, END_HEADERS, 1, field(b":status", b"200") + head()),
        PROTOCOL_ERROR,
    ),
    "a capital letter": (opening(fields={b"X-A": b"1"}), PROTOCOL_ERROR),
    "an empty name": (opening(fields={b"": b"1"}), PROTOCOL_ERROR),
    "Connection": (opening(fields={b"connection": b"close"}), PROTOCOL_ERROR),
    "te: gzip": (opening(fields={b"te": b"gzip"}), PROTOCOL_ERROR),
    "headers amid the data": (opening() + opening(), PROTOCOL_ERROR),
    "a stream's window over the limit": (
        opening() + frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"),
        FLOW_CONTROL_ERROR,
    ),
    "a stream's window that grows by nothing": (opening() + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0"), PROTOCOL_ERROR),
    "a priority of a wrong length": (opening() + short(PRIORITY, 0, 1), FRAME_SIZE_ERROR),
    "data after the end": (call(WATCH, b"") + frame(DATA, 0, 1, b"x"), STREAM_CLOSED),
}


@pytest.mark.parametrize("name", ENDS_THE_STREAM)
def test_the_stream_ends_and_no_other(victim: Server, name: str) -> None:
    sent, code = ENDS_THE_STREAM[name]
    with RawConnection(victim.grpc_port) as connection:
        connection.send(sent, call(LIVE, b"", 3))
        assert connection.until(RST_STREAM, 1).code == code
        assert statuses([connection.until(HEADERS, 3, END_STREAM)]) == [0]


REFUSED_CALLS = {
    "an unknown method": (call("/inference.GRPCInferenceService/Modelinfer", b""), UNIMPLEMENTED),
    "a path that is no UTF-8": (opening(path=b"/\xff\xfe/\xff"), UNIMPLEMENTED),
    "a long path": (opening(path="/" + "x" * 3000), UNIMPLEMENTED),
    "an unknown compression": (opening(fields={b"grpc-encoding": b"br"}), UNIMPLEMENTED),
    "a message that is no protobuf": (call(INFER, b"\xff" * 50), INVALID_ARGUMENT),
    "no message": (opening() + frame(DATA, END_STREAM, 1), INVALID_ARGUMENT),
    "no data at all": (frame(HEADERS, END_HEADERS | END_STREAM, 1, head()), INVALID_ARGUMENT),
    "half a prefix": (opening() + frame(DATA, END_STREAM, 1, b"\0\0"), INVALID_ARGUMENT),
    "half a message": (opening() + frame(DATA, END_STREAM, 1, message(b"12345")[:-1]), INVALID_ARGUMENT),
    "trailers in place of the message": (
        opening() + frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"x", b"y")),
        INVALID_ARGUMENT,
    ),
    "two messages": (opening() + frame(DATA, END_STREAM, 1, message(b"") * 2), UNIMPLEMENTED),
    "a malformed prefix": (opening() + frame(DATA, END_STREAM, 1, message(b"", packed=2)), INVALID_ARGUMENT),
    "packed without saying how": (opening() + frame(DATA, END_STREAM, 1, message(b"x", packed=1)), INVALID_ARGUMENT),
    "gzip that isn't": (
        opening(fields={b"grpc-encoding": b"gzip"}) + frame(DATA, END_STREAM, 1, message(b"x" * 50, packed=1)),
        INVALID_ARGUMENT,
    ),
    "a length of 4 GiB": (opening() + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"), RESOURCE_EXHAUSTED),
    "a message over the limit": (opening() + frame(DATA, 0, 1, b"\0\0\x03\x0d\x41"), RESOURCE_EXHAUSTED),
    "metadata that is no text": (
        opening(fields={b"x-a": b"\xff\xfe\0"}) + frame(DATA, END_STREAM, 1),
        INVALID_ARGUMENT,
    ),
    "a service that isn't here": (call("/grpc.health.v1.Health/Check", b"\x0a\x01x"), NOT_FOUND),
    "health that isn't asked": (call("/grpc.health.v1.Health/Check", b"\x0a\xff"), INVALID_ARGUMENT),
    "two watches in one": (
        opening(path=WATCH) + frame(DATA, END_STREAM, 1, message(b"") * 2),
        UNIMPLEMENTED,
    ),
    "reflection that isn't asked": (
        call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b"\x0a\xff"),
        INVALID_ARGUMENT,
    ),
    "a head and nothing more": (opening(), DEADLINE_EXCEEDED),
    "a body that stops": (opening() + frame(DATA, 0, 1, message(b"12345")[:-1]), DEADLINE_EXCEEDED),
    "a deadline that passes": (opening(fields={b"grpc-timeout": b"1m"}), DEADLINE_EXCEEDED),
}


@pytest.mark.parametrize("name", REFUSED_CALLS)
def test_the_call_is_refused(victim: Server, name: str) -> None:
    sent, status = REFUSED_CALLS[name]
    with RawConnection(victim.grpc_port) as connection:
        connection.send(sent, call(LIVE, b"", 3))
        answered = [connection.until(HEADERS, flags=END_STREAM) for _ in range(2)]
        assert {each.stream: statuses([each]) for each in answered} == {1: [status], 3: [0]}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({b":method": b"GET"}, b"405", id="GET"),
        pytest.param({b"content-type": b"application/json"}, b"415", id="JSON"),
    ],
)
def test_what_is_no_grpc_is_told_so_by_http(victim: Server, fields: dict[bytes, bytes], status: bytes) -> None:
    with RawConnection(victim.grpc_port) as connection:
        connection.send(opening(fields=fields))
        assert status in connection.until(HEADERS, 1, END_STREAM).payload


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"POST /v2 HTTP/1.0\r\n\r\n"])
def test_http_1_is_told_where_it_is(victim: Server, sent: bytes) -> None:
    with RawConnection(victim.grpc_port, sent) as connection:
        answer = (connection.rest() and b"") or connection.received
    assert b"HTTP/1.1 505 " in answer
    assert b"REST has a port of its own" in answer


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(PREFACE[:5], id="half a preface"),
        pytest.param(PREFACE, id="a preface alone"),
        pytest.param(PREFACE + settings() + frame(HEADERS, 0, 1, head()), id="half a head"),
    ],
)
def test_who_begins_and_stops_is_dropped(victim: Server, begin: bytes) -> None:
    with RawConnection(victim.grpc_port, begin) as connection:
        began = time.monotonic()
        connection.rest()
        assert 0.5 < time.monotonic() - began < 5


def test_a_silent_client_is_asked_and_one_that_answers_stays(victim: Server) -> None:
    with RawConnection(victim.grpc_port) as connection:
        for _ in range(2):
            ping = connection.until(PING)
            assert not ping.flags & ACK
            connection.send(frame(PING, ACK, 0, ping.payload))
        connection.send(call(LIVE, b""))
        assert statuses([connection.until(HEADERS, 1, END_STREAM)]) == [0]


def test_pings_are_answered_amid_a_call(victim: Server) -> None:
    with RawConnection(victim.grpc_port) as connection:
        connection.send(opening(path=LIVE), frame(PING, 0, 0, b"12345678"))
        assert connection.until(PING, flags=ACK).payload == b"12345678"
        connection.send(frame(DATA, PADDED | END_STREAM, 1, b"\x03" + message(b"") + b"pad"))
        assert statuses([connection.until(HEADERS, 1, END_STREAM)]) == [0]


def test_a_head_in_pieces_and_a_body_in_single_bytes(victim: Server) -> None:
    block = head(LIVE)
    sent = frame(HEADERS, WITH_PRIORITY, 1, b"\0\0\0\0\x10" + block[:9]) + frame(CONTINUATION, 0, 1, block[9:60])
    sent += frame(CONTINUATION, END_HEADERS, 1, block[60:])
    sent += b"".join(frame(DATA, 0, 1, bytes((octet,))) for octet in message(b"")) + frame(DATA, END_STREAM, 1)
    with RawConnection(victim.grpc_port) as connection:
        for octet in sent:
            connection.send(bytes((octet,)))
        assert statuses([connection.until(HEADERS, 1, END_STREAM)]) == [0]


def test_calls_beyond_the_limit_are_refused_and_the_others_answered(victim: Server) -> None:
    with RawConnection(victim.grpc_port) as connection:
        streams = range(1, 2 * MAX_STREAMS + 2, 2)
        connection.send(*(opening(stream, LIVE) for stream in streams))
        assert connection.until(RST_STREAM, streams[-1]).code == REFUSED_STREAM
        connection.send(*(frame(DATA, END_STREAM, stream, message(b"")) for stream in streams[:-1]))
        assert statuses([connection.until(HEADERS, streams[-2], END_STREAM)]) == [0]


def test_opening_and_resetting_without_end_ends_the_connection(victim: Server) -> None:
    with RawConnection(victim.grpc_port) as connection:
        for first in range(1, 40_001, 2000):
            pairs = (
                opening(stream, LIVE) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
                for stream in range(first, first + 2000, 2)
            )
            connection.send(*pairs)
        goodbye = [each for each in connection.rest() if each.kind == GOAWAY]
    assert [each.code for each in goodbye] == [ENHANCE_YOUR_CALM]


def test_bodies_of_many_calls_have_one_bound(victim: Server) -> None:
    """200,000 bytes a call are allowed, 1,000,000 in all: the calls above that are told to come again."""
    with RawConnection(victim.grpc_port) as connection:
        part = b"\0\0\x03\x0d\x40" + b"x" * 16_000
        told: list[int] = []
        for stream in range(1, 21, 2):
            connection.send(opening(stream), frame(DATA, 0, stream, part))
            connection.send(*(frame(DATA, 0, stream, b"x" * 16_000) for _ in range(10)))
        while len(told) < 10:
            told += statuses([connection.until(HEADERS, flags=END_STREAM)])
    assert told.count(RESOURCE_EXHAUSTED) >= 4
    assert told.count(DEADLINE_EXCEEDED) >= 4


def test_damaged_conversations(victim: Server) -> None:
    """Honest bytes, each time damaged somewhere, cut, or doubled."""
    generator = random.Random(5)
    honest = settings({4: 70_000}) + call(LIVE, b"") + call(INFER, b"\x0a\x04late", 3) + call(WATCH, b"", 5)
    honest += frame(WINDOW_UPDATE, 0, 0, b"\0\0\1\0") + frame(PING, 0, 0, b"12345678")
    for _ in range(300):
        damaged = bytearray(honest)
        for _ in range(generator.randrange(1, 6)):
            at = generator.randrange(len(damaged))
            match generator.randrange(4):
                case 0:
                    damaged[at] = generator.randrange(256)
                case 1:
                    del damaged[at : at + generator.randrange(1, 20)]
                case 2:
                    damaged[at:at] = generator.randbytes(generator.randrange(1, 20))
                case _:
                    damaged[at:at] = damaged[at : at + 30]
        with RawConnection(victim.grpc_port, PREFACE + bytes(damaged)) as connection:
            assert list(frames_of(connection.socket.recv(65536)))
