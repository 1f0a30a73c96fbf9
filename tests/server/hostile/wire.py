"""Raw bytes to a server and its answers back, read more strictly than any client would."""

import re
import select
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [\x20-\x7e]*")
_FIELD = re.compile(rb"([a-z0-9-]+): ([\x20-\x7e]*)")
_FINAL = 200
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Answer:
    """One response; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """The id of the request that it answers; empty where none could be read."""
        return self.headers.get("x-request-id", "")


def answers_in(received: bytes, *, heads: Iterable[int] = (), head_refused: bool = False) -> list[Answer]:
    """All responses in `received`, which must hold nothing else; interim ones (1xx) are left out.

    `heads` are the indices of answers to HEAD, which have no body; with `head_refused` the last answer, a refusal, may
    have none or one, because nobody knows what it answers. Raises AssertionError for anything else.
    """
    return list(_read(received, frozenset(heads), head_refused))


def _read(received: bytes, heads: frozenset[int], head_refused: bool) -> Iterator[Answer]:
    at = number = 0
    while at < len(received):
        end = received.find(b"\r\n\r\n", at)
        assert end >= 0, f"a head without an end: {received[at : at + 200]!r}"
        status, headers = _head(received[at:end])
        at = end + 4
        if status < _FINAL:
            continue
        length = int(headers["content-length"])
        if head_refused and headers.get("connection") == "close" and len(received) - at in (0, length):
            length = len(received) - at
        elif number in heads:
            length = 0
        body = received[at : at + length]
        assert len(body) == length, f"{length} bytes were promised, {len(body)} came"
        at += length
        number += 1
        yield Answer(status, headers, body)


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    status_line = _STATUS_LINE.fullmatch(first)
    assert status_line, f"no status line: {first[:200]!r}"
    fields = [field for field in map(_FIELD.fullmatch, lines) if field]
    assert len(fields) == len(lines), f"malformed header fields: {lines!r}"
    headers = {field[1].decode(): field[2].decode() for field in fields}
    assert len(headers) == len(lines), f"a header field is there twice: {lines!r}"
    return int(status_line[1]), headers


def connect(port: int, timeout_s: float = TIMEOUT_S) -> socket.socket:
    """A new connection over loopback."""
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)


def exchange(port: int, *pieces: bytes, half_close: bool = False) -> bytes:
    """Send the pieces in turn, reading meanwhile, and return all that came until the server closed.

    A server may close before it has read everything: what it sent before that is returned.
    """
    with connect(port) as connection:
        received = bytearray()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                _send_and_read(connection, memoryview(piece), received)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return bytes(received) + received_until_end(connection)


def _send_and_read(connection: socket.socket, piece: memoryview, received: bytearray) -> None:
    poller = select.poll()
    poller.register(connection, select.POLLIN | select.POLLOUT)
    while piece:
        ready = poller.poll(TIMEOUT_S * 1000)
        assert ready, f"the server neither reads nor writes; {len(piece)} bytes are left to send"
        if ready[0][1] & ~select.POLLOUT:
            part = connection.recv(1 << 18)
            if not part:
                return  # closed: what is left will not be read
            received += part
        if ready[0][1] & select.POLLOUT:
            piece = piece[connection.send(piece[: 1 << 16], socket.MSG_DONTWAIT) :]


def received_until_end(connection: socket.socket) -> bytes:
    """All that comes until the other side closes or resets."""
    received = bytearray()
    try:
        while part := connection.recv(1 << 18):
            received += part
    except ConnectionResetError:
        pass
    return bytes(received)


def reset(connection: socket.socket) -> None:
    """Close with a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
