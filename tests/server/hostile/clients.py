"""Clients that misbehave in time rather than in bytes: too slow, never reading, gone without a word."""

import contextlib
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from .wire import connect

_DEAF_PATIENCE_S = 0.3
_DEAF_MOST_S = 10.0


@dataclass(frozen=True)
class Slow:
    """Sends `begin` at once and then one byte of `more` after another, over and over, every few milliseconds.

    `answers` is a pattern of the answers' codes; the connection must end between `at_least_s` and `at_most_s`.
    """

    name: str
    begin: bytes
    more: bytes
    answers: str
    at_least_s: float = 0.4
    at_most_s: float = 3.0


def drip(port: int, slow: Slow, interval_s: float = 0.02) -> tuple[bytes, float]:
    """Be that client until the server closes; returns what it answered and after how many seconds it closed."""
    received = bytearray()
    began = time.monotonic()
    with connect(port) as connection:
        connection.sendall(slow.begin)
        sent = 0
        while time.monotonic() - began < 2 * slow.at_most_s:
            if select.select([connection], [], [], interval_s)[0]:
                with contextlib.suppress(ConnectionResetError):
                    if part := connection.recv(65536):
                        received += part
                        continue
                break
            if slow.more:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.send(slow.more[sent % len(slow.more) :][:1])
                sent += 1
    return bytes(received), time.monotonic() - began


def deafen(
    port: int, request: bytes, count: int, meanwhile: Callable[[], None], opening: bytes = b""
) -> list[socket.socket]:
    """Clients that send requests without end and read no answer, until the server takes no more from any of them.

    `meanwhile` is called a few times a second. Raises AssertionError when the server goes on and on.
    """
    sent: dict[socket.socket, int] = {}
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(opening)
        connection.setblocking(False)
        sent[connection] = 0
    began = taken_at = called_at = time.monotonic()
    while (now := time.monotonic()) - taken_at < _DEAF_PATIENCE_S:
        for connection, size in sent.items():
            with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
                # The next piece begins where the last one was cut.
                sent[connection] += connection.send(request[size % len(request) :])
                taken_at = now
        assert now - began < _DEAF_MOST_S, f"the server went on taking requests: {max(sent.values())} bytes"
        if now - called_at > 0.1:
            meanwhile()
            called_at = time.monotonic()
    return list(sent)
