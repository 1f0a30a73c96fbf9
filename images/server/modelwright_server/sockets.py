"""The server's sockets: all bound before anything else is done, so that a taken port is told at once.

The supervisor keeps them open. What waits in the queue of a socket whose process died is answered by the process that
takes its place.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

BACKLOG = 1024


class PortTaken(Exception):
    """A port can't be bound; the text is one plain sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """The listening sockets of one worker process; `grpc` is None where gRPC is switched off."""

    http: socket.socket
    grpc: socket.socket | None

    @property
    def all(self) -> tuple[socket.socket, ...]:
        """Those that there are."""
        return (self.http,) if self.grpc is None else (self.http, self.grpc)


@dataclass(frozen=True, slots=True)
class Sockets:
    """Bound sockets: the management's, and those of each worker process, which share their ports."""

    places: tuple[Place, ...]
    management: socket.socket

    def listen(self) -> None:
        """Let connections queue up for the worker processes."""
        for place in self.places:
            for listening in place.all:
                listening.listen(BACKLOG)

    def keep(self, index: int) -> Place:
        """One place; everything else is closed, in the process that serves there."""
        self.management.close()
        for place in (*self.places[:index], *self.places[index + 1 :]):
            for other in place.all:
                other.close()
        return self.places[index]

    def close_places(self) -> None:
        """Close what this process has of the worker processes' sockets, so that they end with those."""
        for place in self.places:
            for listening in place.all:
                listening.close()


def bind_all(host: str, port: int, grpc_port: int | None, management_port: int, places: int) -> Sockets:
    """Bind everything; port 0 is any free one, "" all addresses. Raises PortTaken."""
    management = _bind(host, management_port, shared=False)
    management.listen(BACKLOG)
    http = _bind_shared(host, port, places)
    grpc = [None] * places if grpc_port is None else _bind_shared(host, grpc_port, places)
    return Sockets(tuple(Place(*pair) for pair in zip(http, grpc, strict=True)), management)


def port_of(bound: socket.socket) -> int:
    """The port that a socket is bound to."""
    port: int = bound.getsockname()[1]
    return port


def _bind_shared(host: str, port: int, times: int) -> list[socket.socket]:
    if port:
        # Any number of processes may share a port with SO_REUSEPORT, another server's too: ask without it first.
        _bind(host, port, shared=False).close()
    first = _bind(host, port, shared=True)
    return [first, *(_bind(host, port_of(first), shared=True) for _ in range(1, times))]


def _bind(host: str, port: int, *, shared: bool) -> socket.socket:
    if host:
        choices = [(socket.AF_INET6 if ":" in host else socket.AF_INET, host)]
    else:
        choices = [(socket.AF_INET6, ""), (socket.AF_INET, "")]
    reason = ""
    for family, address in choices:
        try:
            return _bound(family, address, port, shared=shared)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            if problem.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                break
    raise PortTaken(f"the server can't listen on port {port}: {reason}")


def _bound(family: socket.AddressFamily, address: str, port: int, *, shared: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made
