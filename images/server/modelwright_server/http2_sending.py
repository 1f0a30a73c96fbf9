"""The writing half of an HTTP/2 connection: frames go out as the client's windows and its reading allow.

Only DATA waits for windows (RFC 9113, section 5.2). What waits is counted against the room that all connections of the
process have together, so a client that gives no window, or doesn't read, can't make the server hold more than that.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Protocol

from modelwright_server.http2_frames import (
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEAD,
    HEADERS,
    LARGEST_WINDOW,
    MAX_FRAME_BYTES,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    frame,
)


class Room(Protocol):
    """Bytes that all connections of a process may hold."""

    def hold(self, size_bytes: int) -> bool:
        """Take room; False when there is none."""

    def release(self, size_bytes: int) -> None:
        """Give room back."""


class NoRoom(Exception):
    """An answer can't wait for its client: too much waits already."""


class Stream:
    """What one stream has yet to send: DATA from `unsent[sent_bytes:]`, then `trailers`, which end it."""

    __slots__ = ("id", "send_window", "sent_bytes", "trailers", "unsent")

    def __init__(self, stream: int, send_window: int) -> None:
        self.id = stream
        self.send_window = send_window
        self.unsent = b""
        self.sent_bytes = 0
        self.trailers: bytes | None = None

    def all_sent(self) -> None:
        """Called once all has been handed to the transport, the end of the stream too."""


class Sending:
    """Writes the frames of one connection."""

    def __init__(
        self,
        transport: asyncio.Transport,
        room: Room,
        call_soon: Callable[[Callable[[], None]], object],
        now: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._room = room
        self._call_soon = call_soon
        self._now = now
        self._outgoing: list[bytes] = []
        self._window = DEFAULT_WINDOW
        self._paused = self._closed = False
        self._blocked: dict[int, Stream] = {}
        self.stream_window = DEFAULT_WINDOW
        """What each new stream may send before the client gives it more."""
        self.stuck_since = math.inf
        """Since when something waits and nothing of it could be sent, on the clock of `now`."""

    def write(self, frames: bytes) -> None:
        """Frames that wait for no window. What is written in one turn of the event loop goes out together."""
        if not self._outgoing:
            self._call_soon(self.flush)
        self._outgoing.append(frames)

    def close(self) -> None:
        """Let out what was written, and nothing more."""
        self.flush()
        self._closed = True
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def flush(self) -> None:
        """Let out at once what was written."""
        if self._outgoing and not (self._closed or self._transport.is_closing()):
            frames, self._outgoing = b"".join(self._outgoing), []
            self._transport.write(frames)

    def answer(self, stream: Stream, headers: bytes, data: bytes, trailers: bytes) -> None:
        """A whole response: header block, data and trailer block. Raises NoRoom."""
        size, number = len(data), stream.id
        if size <= MAX_FRAME_BYTES and size <= self._window and size <= stream.send_window and not self._paused:
            # What nearly every answer is.
            self._window -= size
            self.write(
                b"%b%b%b%b%b%b"
                % (
                    HEAD.pack(len(headers) >> 8, len(headers) & 0xFF, HEADERS, END_HEADERS, number),
                    headers,
                    HEAD.pack(size >> 8, size & 0xFF, DATA, 0, number),
                    data,
                    HEAD.pack(0, len(trailers), HEADERS, END_HEADERS | END_STREAM, number),
                    trailers,
                )
            )
            stream.all_sent()
            return
        self.headers(stream, headers)
        self.data(stream, data)
        self.end(stream, trailers)

    def headers(self, stream: Stream, block: bytes) -> None:
        """The header block of a response."""
        self.write(frame(HEADERS, END_HEADERS, stream.id, block))

    def data(self, stream: Stream, data: bytes) -> None:
        """More data of a stream. Raises NoRoom, and forgets what waited, when it can't go out and can't wait."""
        stream.unsent = stream.unsent[stream.sent_bytes :] + data
        stream.sent_bytes = 0
        if self._room.hold(len(data)):
            self._pump(stream)
        else:
            self.forget(stream, len(data))
            raise NoRoom

    def end(self, stream: Stream, trailers: bytes) -> None:
        """The block that ends the stream, after all its data."""
        stream.trailers = trailers
        self._pump(stream)

    def forget(self, stream: Stream, not_held_bytes: int = 0) -> None:
        """Send nothing more of a stream."""
        if stream.unsent:
            self._room.release(len(stream.unsent) - stream.sent_bytes - not_held_bytes)
            stream.unsent = b""
            stream.sent_bytes = 0
            self._blocked.pop(stream.id, None)
            self._progressed()

    def window_grew(self, size_bytes: int) -> None:
        """The client takes more on the whole connection. Raises ConnectionFault."""
        self._window += size_bytes
        if self._window > LARGEST_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is too large")
        self._pump_blocked()

    def stream_window_grew(self, stream: Stream, size_bytes: int) -> None:
        """The client takes more on one stream. Raises StreamFault."""
        stream.send_window += size_bytes
        if stream.send_window > LARGEST_WINDOW:
            raise StreamFault(stream.id, ErrorCode.FLOW_CONTROL_ERROR, "the stream's window is too large")
        if stream.id in self._blocked:
            self._pump(stream)

    def first_window_changed(self, size_bytes: int, streams: Iterable[Stream]) -> None:
        """The first window of every stream changed, also of those that are open. Raises ConnectionFault."""
        change = size_bytes - self.stream_window
        self.stream_window = size_bytes
        for stream in streams:
            stream.send_window += change
            if stream.send_window > LARGEST_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is too large")
        self._pump_blocked()

    def pause(self) -> None:
        """The client doesn't read what was written."""
        self._paused = True
        self.stuck_since = min(self.stuck_since, self._now())

    def resume(self) -> None:
        """The client reads again."""
        self._paused = False
        self._progressed()
        self._pump_blocked()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _pump_blocked(self) -> None:
        for stream in list(self._blocked.values()):
            if self._window <= 0 or self._paused:
                return
            self._pump(stream)

    def _pump(self, stream: Stream) -> None:
        """Send what may be sent of a stream; what remains waits."""
        unsent, begin, size = stream.unsent, stream.sent_bytes, len(stream.unsent)
        at = begin
        while at < size and not self._paused:
            part = min(size - at, self._window, stream.send_window, MAX_FRAME_BYTES)
            if part <= 0:
                break
            self._window -= part
            stream.send_window -= part
            self.write(frame(DATA, 0, stream.id, unsent[at : at + part]))
            # At once, for the transport to say when it has enough.
            self.flush()
            at += part
        stream.sent_bytes = at
        self._room.release(at - begin)
        if at < size:
            self._blocked[stream.id] = stream
            self.stuck_since = self._now() if at > begin else min(self.stuck_since, self._now())
            return
        if self._blocked.pop(stream.id, None) is not None:
            self._progressed()
        if stream.trailers is not None:
            self.write(frame(HEADERS, END_HEADERS | END_STREAM, stream.id, stream.trailers))
            stream.all_sent()

    def _progressed(self) -> None:
        self.stuck_since = self._now() if self._blocked or self._paused else math.inf
