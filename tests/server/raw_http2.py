"""HTTP/2 by hand: frames as bytes, so that tests can send what no client would."""

import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from .processes import TIMEOUT_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
INFER = "/inference.GRPCInferenceService/ModelInfer"
LIVE = "/inference.GRPCInferenceService/ServerLive"
WATCH = "/grpc.health.v1.Health/Watch"


@dataclass(frozen=True)
class Frame:
    """One frame that came."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[-4:] if self.kind == RST_STREAM else self.payload[4:8], "big")

    @property
    def text(self) -> str:
        """What a GOAWAY says, or the header block, whose fields the server sends unpacked."""
        return (self.payload[8:] if self.kind == GOAWAY else self.payload).decode("latin-1")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def field(name: bytes, value: bytes) -> bytes:
    """A header field that is not indexed."""
    return b"\x00" + _string(name) + _string(value)


def _string(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes((len(text),)) + text
    rest = len(text) - 127
    octets = b"\x7f"
    while rest >= 128:
        octets += bytes((rest % 128 + 128,))
        rest //= 128
    return octets + bytes((rest,)) + text


def head(path: str | bytes = INFER, fields: Mapping[bytes, bytes] | None = None) -> bytes:
    """The header block of a call."""
    wanted = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": path.encode() if isinstance(path, str) else path,
        b":authority": b"test",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
        **(fields or {}),
    }
    return b"".join(field(name, value) for name, value in wanted.items())


def opening(stream: int = 1, path: str | bytes = INFER, fields: Mapping[bytes, bytes] | None = None) -> bytes:
    """A HEADERS frame that opens a call."""
    return frame(HEADERS, END_HEADERS, stream, head(path, fields))


def message(content: bytes, *, packed: int = 0) -> bytes:
    """A message with its prefix."""
    return struct.pack(">BL", packed, len(content)) + content


def call(path: str, content: bytes, stream: int = 1, fields: Mapping[bytes, bytes] | None = None) -> bytes:
    """A whole unary call."""
    return opening(stream, path, fields) + frame(DATA, END_STREAM, stream, message(content))


def settings(values: Mapping[int, int] | None = None) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HL", *item) for item in (values or {}).items()))


def frames_of(data: bytes) -> Iterator[Frame]:
    """The whole frames at the start of `data`."""
    at = 0
    while len(data) - at >= 9:
        end = at + 9 + int.from_bytes(data[at : at + 3], "big")
        if end > len(data):
            return
        yield Frame(data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : at + 9], "big"), data[at + 9 : end])
        at = end


class RawConnection:
    """A connection that has sent its preface; use as a context manager."""

    def __init__(self, port: int, begin: bytes = PREFACE + settings()) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.received = b""
        self.send(begin)

    def send(self, *chunks: bytes) -> None:
        """Send bytes; that the server has closed already is no error."""
        try:
            for chunk in chunks:
                self.socket.sendall(chunk)
        except ConnectionError:
            pass

    def until(self, kind: int, stream: int | None = None, flags: int = 0) -> Frame:
        """The next frame of this kind (on this stream, with these flags); fails when the server closes before it."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            for found in frames_of(self.received):
                self.received = self.received[9 + len(found.payload) :]
                if found.kind == kind and stream in (None, found.stream) and found.flags & flags == flags:
                    return found
            assert time.monotonic() < deadline
            part = self.socket.recv(65536)
            assert part, f"closed before a frame of kind {kind}"
            self.received += part

    def rest(self) -> list[Frame]:
        """All frames until the server closes."""
        try:
            while part := self.socket.recv(65536):
                self.received += part
        except ConnectionError:
            pass
        return list(frames_of(self.received))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def statuses(frames: Iterable[Frame]) -> list[int]:
    """The gRPC statuses in trailers, which the server sends unpacked."""
    found = []
    for each in frames:
        name, _, rest = each.payload.partition(b"grpc-status")
        if each.kind == HEADERS and name != each.payload:
            found.append(int(rest[1 : 1 + rest[0]]))
    return found
