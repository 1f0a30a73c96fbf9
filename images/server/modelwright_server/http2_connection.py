"""HTTP/2 (RFC 9113) on one connection, as much of it as gRPC needs: frames in, calls to the server, answers out.

Why this is written here and not grpc.aio's: the server of grpcio 1.85 ends for all clients when one sends a path that
is not UTF-8 (`AioServer._server_main_loop` decodes it), bounds neither the bytes that it buffers nor the time that a
body takes, and needs ten times as long for a call (docs/serving.md has the figures). A client here costs at most its
share of the bounds below; what breaks the protocol ends its stream or its connection and nothing else.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from modelwright_server import http2_frames as frames
from modelwright_server.grpc_call import Call
from modelwright_server.grpc_head import HeadReader
from modelwright_server.http2_frames import ConnectionFault, ErrorCode, Setting, StreamFault
from modelwright_server.http2_sending import Sending

if TYPE_CHECKING:
    from modelwright_server.grpc_server import GrpcServer

MAX_STREAMS = 256
"""Calls of one connection at a time, those among them whose client went away while the model had them."""

CONNECTION_WINDOW = 4 << 20
"""What a client may send of all its calls before it is given more, which is when half of it is used: so it is never
used up, and what bounds a client is the room that its bodies take.
"""

MAX_IDLE_FRAMES = 2_000
"""Frames in a quarter of a second that carry nothing: pings, resets, settings, windows, empty data. Each answered call
allows for two more."""

MAX_CUT_OFF = 1024
_DRAIN_PING = b"drained?"
_LIVE_PING = b"anybody?"


class Connection(asyncio.Protocol):
    """One client's connection; made by `GrpcServer` for each accepted socket."""

    def __init__(self, server: GrpcServer) -> None:
        self._server = server
        self._limits = server.limits
        self._transport: asyncio.Transport | None = None
        self._sending: Sending | None = None
        self._buffer = b""
        self._begun = False
        self._settled = False
        self._heads = HeadReader(server.limits.head_bytes)
        self._calls: dict[int, Call] = {}
        self._orphans = 0
        self._last_stream = 0
        self._cut_off: set[int] = set()
        self._credit = CONNECTION_WINDOW
        self._block: bytearray | None = None
        self._block_of = (0, False)
        self._idle_frames = 0
        self._heard_at = server.now()
        self._deadline = self._heard_at + server.limits.head_timeout_s
        self._asked = False
        self._leaving = False
        self._left = False
        self._closing = False
        self._handlers: tuple[Callable[[int, int, bytes], None], ...] = (
            self._on_data,
            self._on_headers,
            _ignore,
            self._on_reset,
            self._on_settings,
            _ignore,
            self._on_ping,
            _ignore,
            self._on_window_update,
            self._on_continuation,
        )

    # -- the transport's calls ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what is taken here."""
        self._transport = cast(asyncio.Transport, transport)
        self._sending = Sending(self._transport, self._server.room, self._server.loop.call_soon, self._server.now)
        self._server.connections.add(self)
        settings = {
            Setting.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
            Setting.INITIAL_WINDOW_SIZE: frames.STREAM_WINDOW,
            Setting.MAX_HEADER_LIST_SIZE: self._limits.head_bytes,
        }
        more = CONNECTION_WINDOW - frames.DEFAULT_WINDOW
        self._transport.write(frames.settings(settings) + frames.window_update(0, more))

    def connection_lost(self, _exc: Exception | None) -> None:
        """Nobody waits for what is still being made."""
        self._server.connections.discard(self)
        self._transport = None
        self._closing = True
        for call in list(self._calls.values()):
            self._cancel(call)

    def data_received(self, data: bytes) -> None:
        """Take whole frames; the rest of the last one waits for its end."""
        if self._closing:
            return
        self._heard_at = self._server.now()
        data = self._buffer + data if self._buffer else data
        at = 0
        try:
            if not self._begun:
                at = self._begin(data)
            at = self._read_frames(data, at)
        except ConnectionFault as fault:
            self._fail(fault)
            return
        self._buffer = data[at:]

    def pause_writing(self) -> None:
        """The client reads too slowly: its frames are not taken until it has caught up."""
        self.out.pause()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client caught up."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._heard_at = self._server.now()
        self.out.resume()

    # -- what calls ask of their connection -----------------------------------------------------------------------

    @property
    def out(self) -> Sending:
        """The writing half."""
        assert self._sending is not None, "calls come after the connection was made"
        return self._sending

    def give_window(self, stream: int, size_bytes: int) -> None:
        """Let the client send more on one stream."""
        self.out.write(frames.window_update(stream, size_bytes))

    def ended(self, call: Call) -> None:
        """All of the answer has been handed over. What the client still sends on this stream is thrown away."""
        self._calls.pop(call.id, None)
        self._idle_frames -= 2
        self._orphans += call.working
        if not call.half_closed:
            self._cut(call.id, ErrorCode.NO_ERROR)
        if self._left and not self._calls:
            self._close()

    def orphan_answered(self) -> None:
        """A method is done with a call that was over before."""
        self._orphans -= 1

    # -- the server's calls ---------------------------------------------------------------------------------------

    def check_deadlines(self, now: float) -> None:
        """Called a few times a second: end what has taken too long."""
        transport, limits = self._transport, self._limits
        if transport is None:
            return
        self._idle_frames = 0
        silent_s = now - self._heard_at - limits.idle_timeout_s
        stuck_s = now - self.out.stuck_since
        if now > self._deadline or stuck_s > limits.write_timeout_s or silent_s > limits.write_timeout_s:
            transport.abort()
            return
        if silent_s > 0 and not self._asked:
            # Is anybody there? Whatever comes is a sign of life, this ping's acknowledgement too.
            self.out.write(frames.frame(frames.PING, 0, 0, _LIVE_PING))
        self._asked = silent_s > 0
        for call in list(self._calls.values()):
            call.check_deadline(now)

    def leave(self) -> None:
        """Ask the client to open new calls elsewhere; those that it opens until it has read this are answered."""
        if self._transport is None or self._leaving:
            return
        self._leaving = True
        self._deadline = self._server.now() + self._limits.head_timeout_s
        frame = frames.go_away(frames.STREAM_BITS, ErrorCode.NO_ERROR, "the server is shutting down")
        self.out.write(frame + frames.frame(frames.PING, 0, 0, _DRAIN_PING))

    # -- frames ---------------------------------------------------------------------------------------------------

    def _begin(self, data: bytes) -> int:
        """The client's preface; returns where it ends, or 0 where it isn't whole."""
        begin = data[: len(frames.PREFACE)]
        if not frames.PREFACE.startswith(begin):
            if b"HTTP/1." in data[:8192].partition(b"\n")[0]:
                self.out.write(_NOT_HTTP_1)
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "this is no HTTP/2")
        self._begun = len(begin) == len(frames.PREFACE)
        return len(begin) if self._begun else 0

    def _read_frames(self, data: bytes, at: int) -> int:
        """Handle the whole frames from `at` on and return where they end."""
        size = len(data) if self._begun else 0
        unpack, handlers = frames.HEAD.unpack_from, self._handlers
        while size - at >= frames.HEAD_BYTES:
            high, low, kind, flags, stream = unpack(data, at)
            length = high << 8 | low
            if length > frames.MAX_FRAME_BYTES:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame has {length} bytes")
            begin = at + frames.HEAD_BYTES
            end = begin + length
            if end > size:
                break
            at = end
            if (self._block is not None) != (kind == frames.CONTINUATION):
                raise ConnectionFault(
                    ErrorCode.PROTOCOL_ERROR, "a header block is interrupted, or goes on from nowhere"
                )
            if not self._settled and kind != frames.SETTINGS:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame must be SETTINGS")
            stream &= frames.STREAM_BITS
            try:
                if kind > frames.HEADERS and kind != frames.CONTINUATION:
                    self._count_idle_frame()
                    frames.check_form(kind, stream, length)
                if kind < len(handlers):
                    handlers[kind](flags, stream, data[begin:end])
            except StreamFault as fault:
                self._reset(fault)
        return at

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        size, ends = len(payload), bool(flags & frames.END_STREAM)
        self._credit -= size
        if self._credit < CONNECTION_WINDOW // 2:
            self.out.write(frames.window_update(0, CONNECTION_WINDOW - self._credit))
            self._credit = CONNECTION_WINDOW
        if not size and not ends:
            self._count_idle_frame()
        if flags & frames.PADDED:
            payload = frames.unpadded(payload, flags)
        call = self._calls.get(stream)
        if call is not None and not call.half_closed:
            call.data_received(payload, size, ends=ends)
        elif stream > self._last_stream or not stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"data on stream {stream}, which isn't open")
        else:
            self._count_idle_frame()
            if stream not in self._cut_off:
                raise StreamFault(stream, ErrorCode.STREAM_CLOSED, "data after the end of the stream")
            if ends:
                self._cut_off.discard(stream)

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"a client can't open stream {stream}")
        if flags & frames.PADDED:
            payload = frames.unpadded(payload, flags)
        if flags & frames.WITH_PRIORITY:
            if len(payload) < frames.PRIORITY_BYTES:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a HEADERS frame is too short")
            payload = payload[frames.PRIORITY_BYTES :]
        ends = bool(flags & frames.END_STREAM)
        if flags & frames.END_HEADERS:
            self._take_block(stream, payload, ends)
        else:
            self._block, self._block_of = bytearray(payload), (stream, ends)
            self._deadline = self._server.now() + self._limits.head_timeout_s

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        block, (opened, ends) = self._block, self._block_of
        if block is None or stream != opened:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a header block goes on on another stream")
        block += payload
        if len(block) > self._limits.head_bytes:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"a head is over {self._limits.head_bytes} bytes")
        if flags & frames.END_HEADERS:
            self._block = None
            self._deadline = math.inf
            self._take_block(stream, bytes(block), ends)
        elif not payload:
            self._count_idle_frame()

    def _take_block(self, stream: int, block: bytes, ends: bool) -> None:
        """A whole header block: it opens a call, or is a client's trailers."""
        head = self._heads.head_of(block)
        call = self._calls.get(stream)
        if call is not None:
            if call.half_closed or not ends:
                raise StreamFault(stream, ErrorCode.PROTOCOL_ERROR, "headers in the middle of a stream")
            call.data_received(b"", 0, ends=True)
        elif stream <= self._last_stream:
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, f"headers on stream {stream}, which was closed")
        elif self._left:
            # GOAWAY said that it will not be looked at.
            self._last_stream = stream
            self._cut_off.add(stream)
        else:
            self._last_stream = stream
            if head.malformed:
                raise StreamFault(stream, ErrorCode.PROTOCOL_ERROR, head.malformed)
            if len(self._calls) + self._orphans >= MAX_STREAMS:
                raise StreamFault(stream, ErrorCode.REFUSED_STREAM, "too many calls at a time")
            call = Call(self._server, self, stream, head, self.out.stream_window)
            self._calls[stream] = call
            call.opened(ends=ends)

    def _on_reset(self, _flags: int, stream: int, _payload: bytes) -> None:
        if stream > self._last_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"a reset of stream {stream}, which isn't open")
        call = self._calls.pop(stream, None)
        if call is not None:
            self._cancel(call)

    def _on_settings(self, flags: int, _stream: int, payload: bytes) -> None:
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement of settings has settings")
            return
        window = frames.settings_of(payload).get(Setting.INITIAL_WINDOW_SIZE)
        if window is not None:
            self.out.first_window_changed(window, list(self._calls.values()))
        if not self._settled:
            self._settled = True
            self._deadline = math.inf
        self.out.write(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _on_ping(self, flags: int, _stream: int, payload: bytes) -> None:
        if not flags & frames.ACK:
            self.out.write(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif payload == _DRAIN_PING and self._leaving and not self._left:
            # It has read that we go: what it opened before that is known now, and nothing comes after it.
            self._left = True
            self._deadline = math.inf
            self.out.write(frames.go_away(self._last_stream, ErrorCode.NO_ERROR))
            if not self._calls:
                self._close()

    def _on_window_update(self, _flags: int, stream: int, payload: bytes) -> None:
        size_bytes = frames.increment_of(stream, payload)
        call = self._calls.get(stream)
        if call is not None:
            self.out.stream_window_grew(call, size_bytes)
        elif not stream:
            self.out.window_grew(size_bytes)
        elif stream > self._last_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"a window for stream {stream}, which isn't open")

    # -- inside ---------------------------------------------------------------------------------------------------

    def _count_idle_frame(self) -> None:
        self._idle_frames += 1
        if self._idle_frames > MAX_IDLE_FRAMES:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def _cancel(self, call: Call) -> None:
        """The client no longer waits; while the model has its rows the call still counts."""
        self.out.forget(call)
        call.cancelled()
        self._orphans += call.working

    def _reset(self, fault: StreamFault) -> None:
        self._cut(fault.stream, fault.code)
        call = self._calls.pop(fault.stream, None)
        if call is not None:
            self._cancel(call)

    def _cut(self, stream: int, code: ErrorCode) -> None:
        """End a stream that the client may still be sending on, and overlook what it does."""
        self.out.write(frames.reset(stream, code))
        if len(self._cut_off) >= MAX_CUT_OFF:
            self._cut_off.clear()
        self._cut_off.add(stream)

    def _fail(self, fault: ConnectionFault) -> None:
        self.out.write(frames.go_away(self._last_stream, fault.code, str(fault)))
        self._close()

    def _close(self) -> None:
        """Say that nothing more comes, and wait for the client to close.

        Closing while it still sends would make the kernel send a reset, which can destroy an answer on its way.
        """
        if not self._closing:
            self._closing = True
            self._deadline = self._server.now() + self._limits.linger_s
            self.out.close()


def _ignore(_flags: int, _stream: int, _payload: bytes) -> None:
    """Of frames that ask for nothing (priorities, GOAWAY) and of those that were refused before."""


_NOT_HTTP_1 = (
    b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: 69\r\n\r\n"
    b'{"error":"gRPC (HTTP/2) is spoken here; REST has a port of its own"}\n'
)
