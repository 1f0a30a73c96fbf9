"""Frames of HTTP/2 (RFC 9113, sections 4, 6 and 7): their numbers, and those that the server sends."""

from __future__ import annotations

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
HEAD = struct.Struct(">HBBBL")
"""Length (upper 16 bits, lower 8), type, flags, stream."""

MAX_FRAME_BYTES = 16_384
"""The largest payload taken: HTTP/2's initial value, which we leave as it is."""

STREAM_WINDOW = 1 << 20
"""What a client may send of one call before it is given more; it is given more when half of it is used."""

LARGEST_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535
STREAM_BITS = 2**31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

_OF_THE_CONNECTION = frozenset({SETTINGS, PING, GOAWAY})
_OF_A_STREAM = frozenset({PRIORITY, RST_STREAM})
_SIZES = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
PRIORITY_BYTES = _SIZES[PRIORITY]
"""Also at the start of HEADERS with a priority."""

END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

_SETTING = struct.Struct(">HL")
_LONG = struct.Struct(">L")


class Setting(IntEnum):
    """Settings that are read or sent (section 6.5.2)."""

    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


_BOUNDS = {
    Setting.ENABLE_PUSH: (0, 1, ErrorCode.PROTOCOL_ERROR),
    Setting.INITIAL_WINDOW_SIZE: (0, LARGEST_WINDOW, ErrorCode.FLOW_CONTROL_ERROR),
    Setting.MAX_FRAME_SIZE: (MAX_FRAME_BYTES, 2**24 - 1, ErrorCode.PROTOCOL_ERROR),
}


class ConnectionFault(Exception):
    """The client broke the protocol in a way that ends its connection."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class StreamFault(Exception):
    """The client broke the protocol in a way that ends one stream."""

    def __init__(self, stream: int, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.stream = stream
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame; the payload is at most what the client takes."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join([_SETTING.pack(*item) for item in values.items()]))


def settings_of(payload: bytes) -> dict[int, int]:
    """What a SETTINGS frame says, each value in its bounds. Raises ConnectionFault."""
    if len(payload) % _SETTING.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a SETTINGS frame has a broken length")
    values: dict[int, int] = dict(_SETTING.iter_unpack(payload))
    for setting, (low, high, code) in _BOUNDS.items():
        if not low <= values.get(setting, low) <= high:
            raise ConnectionFault(code, f"{setting.name} is {values[setting]}")
    return values


def window_update(stream: int, size_bytes: int) -> bytes:
    """A WINDOW_UPDATE frame; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream, _LONG.pack(size_bytes))


def reset(stream: int, code: ErrorCode) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, _LONG.pack(code))


def go_away(last_stream: int, code: ErrorCode, text: str = "") -> bytes:
    """A GOAWAY frame: no stream above `last_stream` was or will be looked at."""
    return frame(GOAWAY, 0, 0, _LONG.pack(last_stream) + _LONG.pack(code) + text.encode()[:256])


def check_form(kind: int, stream: int, size: int) -> None:
    """Hold a frame that carries no part of a call against its form. Raises ConnectionFault or StreamFault."""
    if kind == PUSH_PROMISE:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a client can't push")
    if (kind in _OF_THE_CONNECTION and stream) or (kind in _OF_A_STREAM and not stream):
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"a frame of type {kind} has no place on stream {stream}")
    if size != _SIZES.get(kind, size):
        text = f"a frame of type {kind} has {size} bytes, must have {_SIZES[kind]}"
        if kind == PRIORITY:
            raise StreamFault(stream, ErrorCode.FRAME_SIZE_ERROR, text)
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, text)


def increment_of(stream: int, payload: bytes) -> int:
    """By how much WINDOW_UPDATE makes a window grow. Raises ConnectionFault or StreamFault."""
    value: int = _LONG.unpack(payload)[0] & LARGEST_WINDOW
    if value:
        return value
    if stream:
        raise StreamFault(stream, ErrorCode.PROTOCOL_ERROR, "a window grows by nothing")
    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a window grows by nothing")


def unpadded(payload: bytes, flags: int) -> bytes:
    """The payload of DATA or HEADERS without its padding. Raises ConnectionFault."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the padding is longer than the frame")
    return payload[1 : len(payload) - payload[0]]
