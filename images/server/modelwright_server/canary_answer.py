"""An answer of the canary, read from a connection's bytes: whole, bounded, and in HTTP that leaves no doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httptools

MAX_HEAD_BYTES = 32 * 1024
MAX_FRAMING_BYTES = 64 * 1024
"""Sizes, extensions and trailers of a chunked body may take so many bytes beside twice its own."""

_INFORMATIONAL = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What the canary said, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


@dataclass(frozen=True, slots=True)
class Unanswered:
    """There was no answer. `unreachable` where no connection could be made, so that nothing was asked either."""

    reason: str
    unreachable: bool = False


class Unreadable(Exception):
    """What came is no answer; the text says why."""


class Room:
    """Bytes that answers which are being read may take together."""

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = size_bytes

    def take(self, size_bytes: int) -> bool:
        """Take some; False when there is not so much left."""
        if size_bytes > self._free_bytes:
            return False
        self._free_bytes -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Give back what was taken."""
        self._free_bytes += size_bytes


class AnswerReader:
    """Reads one answer. A body must tell its length, or come in chunks: else an end cut off could not be seen."""

    def __init__(self, max_bytes: int, room: Room) -> None:
        """`max_bytes` bounds the body; what is read so far is taken from `room` until `close`."""
        self._max_bytes = max_bytes
        self._room = room
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._read_bytes = 0
        self._in_head = True
        self._fault: str | None = None
        self._answer: Answer | None = None
        self.no_room = False
        """Whether it is for want of room that it can't be read."""
        self.reusable = False
        """Whether the connection may carry another request after this answer."""

    @property
    def began(self) -> bool:
        """Whether any byte has come."""
        return self._read_bytes > 0

    def feed(self, data: bytes) -> Answer | None:
        """What the connection brought; returns the answer when it is whole. Raises Unreadable."""
        self._read_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            if self._answer is None:
                raise Unreadable(self._fault or f"its answer is no HTTP: {problem}") from None
            # Whatever follows an answer is none that was asked for.
            self.reusable = False
        if self._fault is not None and self._answer is None:
            raise Unreadable(self._fault)
        if self._in_head and self._read_bytes > MAX_HEAD_BYTES:
            raise Unreadable(f"its answer's head is over {MAX_HEAD_BYTES} bytes")
        if self._read_bytes > 2 * len(self._body) + MAX_HEAD_BYTES + MAX_FRAMING_BYTES:
            raise Unreadable("its answer's chunks are longer than their data")
        return self._answer

    def close(self) -> None:
        """Give back what the body took."""
        self._room.give_back(len(self._body))
        self._body = bytearray()

    # -- the parser's calls ---------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A second one is not wanted."""
        self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One whole field; trailers are passed over."""
        if self._in_head:
            self._headers[name.lower()] = value.rstrip(b" \t")

    def on_headers_complete(self) -> None:
        """Refuse now what would be refused after the body."""
        if self._answer is not None or self._fault is not None:
            return
        self._in_head = False
        if self._parser.get_status_code() < _INFORMATIONAL:
            self._fault = f"its answer is a status {self._parser.get_status_code()}, for which nobody asked"
        elif self._parser.get_http_version() not in ("1.1", "1.0"):
            self._fault = "its answer is in another version of HTTP"
        elif b"transfer-encoding" in self._headers:
            if self._headers[b"transfer-encoding"].lower() != b"chunked":
                self._fault = "its answer has a transfer coding for which nobody asked"
        elif b"content-length" not in self._headers:
            self._fault = "its answer does not tell its length"
        elif int(self._headers[b"content-length"]) > self._max_bytes:
            self._refuse_length()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._fault is not None or self._answer is not None:
            return
        if len(self._body) + len(body) > self._max_bytes:
            self._refuse_length()
        elif not self._room.take(len(body)):
            self.no_room = True
            self._fault = "too many bytes of answers are being read"
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._fault is None and self._answer is None:
            self._answer = Answer(self._parser.get_status_code(), self._headers, bytes(self._body))
            self.reusable = self._parser.should_keep_alive()

    def _refuse_length(self) -> None:
        self._fault = f"its answer's body is over {self._max_bytes} bytes"
