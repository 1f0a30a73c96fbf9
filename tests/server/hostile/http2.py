"""The client's side of HTTP/2 and gRPC by hand: frames that no library would send, and the server's read back."""

import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .wire import TIMEOUT_S, connect

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, WITH_PRIORITY = 4, 8, 32
LARGEST_FRAME = 16384

INFER_METHOD = b"/inference.GRPCInferenceService/ModelInfer"
_HEAD = struct.Struct(">HBBBI")
_MARK = b"hostile?"
_STATUS = b"\x0bgrpc-status"


@dataclass(frozen=True)
class Frame:
    """One frame from the server."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", length: int | None = None) -> bytes:
    """One frame; `length` lies about the payload's."""
    size = len(payload) if length is None else length
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


OPEN = PREFACE + settings()
"""How an honest client begins."""


def field(name: bytes, value: bytes) -> bytes:
    """A header field, literal and not indexed."""
    return b"\x00" + _text(name) + _text(value)


def _text(text: bytes) -> bytes:
    return number(len(text), 7) + text


def number(value: int, bits: int, first: int = 0) -> bytes:
    """An integer of HPACK with so many bits in its first octet, whose other bits are those of `first`."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((first | value,))
    octets = [first | limit]
    value -= limit
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*octets, value))


def fields(
    *extra: tuple[bytes, bytes],
    path: bytes = INFER_METHOD,
    method: bytes = b"POST",
    media_type: bytes = b"application/grpc",
) -> bytes:
    """The header block of a call."""
    own = [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"a")]
    rest = [(b"content-type", media_type), (b"te", b"trailers")]
    return b"".join(field(*each) for each in (*own, *rest, *extra))


def headers(block: bytes, stream: int = 1, flags: int = END_HEADERS) -> bytes:
    """A HEADERS frame."""
    return frame(HEADERS, flags, stream, block)


def message(content: bytes, packed: int = 0, length: int | None = None) -> bytes:
    """A gRPC message with its prefix, which may lie."""
    return struct.pack(">BI", packed, len(content) if length is None else length) + content


def data(content: bytes, stream: int = 1, *, ends: bool = True) -> bytes:
    """Content in as many DATA frames as it takes."""
    pieces = [content[at : at + LARGEST_FRAME] for at in range(0, len(content), LARGEST_FRAME)] or [b""]
    last = len(pieces) - 1
    return b"".join(
        frame(DATA, END_STREAM if ends and index == last else 0, stream, piece) for index, piece in enumerate(pieces)
    )


def call(content: bytes, *extra: tuple[bytes, bytes], stream: int = 1, path: bytes = INFER_METHOD) -> bytes:
    """A whole call: its head and its only message."""
    return headers(fields(*extra, path=path), stream) + data(message(content), stream)


@dataclass(frozen=True)
class Heard:
    """What the server said until it closed, or had acknowledged a last ping and ended the awaited streams."""

    frames: list[Frame]
    ended: bool
    rest: bytes = b""
    """Bytes that are no frame: an answer in HTTP/1.1."""

    def outcome(self, stream: int = 1) -> str:
        """How a stream ended: its grpc-status, `reset N`, `http N`, or nothing."""
        for each in self.frames:
            if each.stream != stream:
                continue
            if each.kind == RST_STREAM and each.payload[3]:
                return f"reset {each.payload[3]}"
            if each.kind == HEADERS and _STATUS in each.payload:
                at = each.payload.index(_STATUS) + len(_STATUS)
                return each.payload[at + 1 : at + 1 + each.payload[at]].decode()
            if each.kind == HEADERS and each.flags & END_STREAM:
                return "http " + each.payload.rpartition(b":status")[2][1:4].decode()
        return ""

    def body(self, stream: int = 1) -> bytes:
        """The only message that was answered."""
        return b"".join(each.payload for each in self.frames if (each.kind, each.stream) == (DATA, stream))[5:]

    def error_code(self) -> int | None:
        """The code of the server's GOAWAY."""
        codes = [each.payload[7] for each in self.frames if each.kind == GOAWAY]
        return codes[-1] if codes else None


def talk(port: int, sent: bytes, awaited: Sequence[int] = (), timeout_s: float = TIMEOUT_S) -> Heard:
    """Send bytes and then a ping; hear the server out until it is done with the awaited streams and the ping."""
    with connect(port, timeout_s) as connection:
        deadline = time.monotonic() + timeout_s
        received = bytearray()
        unsent = memoryview(sent + frame(PING, payload=_MARK))
        while time.monotonic() < deadline:
            frames, rest = frames_in(received)
            if not unsent and _is_done(frames, awaited):
                return Heard(frames, ended=False)
            events = select.POLLIN | (select.POLLOUT if unsent else 0)
            ready = _ready(connection, events)
            if ready & ~select.POLLOUT:
                part = _received(connection)
                if not part:
                    return Heard(frames, ended=True, rest=rest)
                received += part
            if ready & select.POLLOUT and unsent:
                unsent = unsent[_sent(connection, unsent) :]
        raise AssertionError(f"no end within {timeout_s:g} s: {frames_in(received)[0][-5:]}")


def _ready(connection: socket.socket, events: int) -> int:
    poller = select.poll()
    poller.register(connection, events)
    ready = poller.poll(100)
    return ready[0][1] if ready else 0


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 18)
    except ConnectionResetError:
        return b""


def _sent(connection: socket.socket, unsent: memoryview) -> int:
    try:
        return connection.send(unsent[: 1 << 16], socket.MSG_DONTWAIT)
    except (BrokenPipeError, ConnectionResetError):
        # It has closed: what it said before that is still to be read.
        return len(unsent)


def _is_done(frames: Sequence[Frame], awaited: Sequence[int]) -> bool:
    acknowledged = any((each.kind, each.flags, each.payload) == (PING, ACK, _MARK) for each in frames)
    over = {
        each.stream
        for each in frames
        if each.kind == RST_STREAM or (each.kind in (HEADERS, DATA) and each.flags & END_STREAM)
    }
    return acknowledged and over.issuperset(awaited)


def frames_in(received: bytes | bytearray) -> tuple[list[Frame], bytes]:
    """Whole frames, and what is left."""
    if received.startswith(b"HTTP/1.1 "):
        return [], bytes(received)
    frames: list[Frame] = []
    at = 0
    while len(received) - at >= _HEAD.size:
        high, low, kind, flags, stream = _HEAD.unpack_from(received, at)
        end = at + _HEAD.size + (high << 8 | low)
        if end > len(received):
            break
        frames.append(Frame(kind, flags, stream, bytes(received[at + _HEAD.size : end])))
        at = end
    return frames, bytes(received[at:])
