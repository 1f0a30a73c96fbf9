"""gRPC on one listening socket: its connections, its services, and the clock that ends what takes too long."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Protocol

from modelwright_server.counters import Counters
from modelwright_server.grpc_call import Method
from modelwright_server.grpc_health import SERVICE as HEALTH
from modelwright_server.grpc_health import Health
from modelwright_server.grpc_inference import SERVICE as INFERENCE
from modelwright_server.grpc_inference import Inference, Predictions
from modelwright_server.grpc_reflection import SERVICES as REFLECTION
from modelwright_server.grpc_reflection import Reflection
from modelwright_server.http2_connection import Connection
from modelwright_server.http2_sending import Room
from modelwright_server.inference_proto import health_pb2, open_inference_pb2
from modelwright_server.settings import HttpLimits

TICK_S = 0.25
BACKLOG = 1024


class Application(Predictions, Protocol):
    """What answers, in one worker process. All methods are called on the event loop's thread."""

    counters: Counters

    def admits(self, authorization: bytes | None) -> bool:
        """Whether a call with this `authorization` may be answered."""


class GrpcServer:
    """Accepts connections on one socket and answers their calls; used like `HttpServer`.

    It needs no start of its own: what it imports (protobuf, 60 ms) is imported by the supervisor before it forks, as
    the model is, so its port is taken care of in the same moment as HTTP's.
    """

    def __init__(self, application: Application, limits: HttpLimits, room: Room) -> None:
        """`room` is what the connections of HTTP share, so that `limits.buffer_bytes` holds for both."""
        self.limits = limits
        self.room = room
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.connections: set[Connection] = set()
        self.admits = application.admits
        self.count = application.counters.request
        self._health = Health(lambda: application.ready, (INFERENCE,))
        reflection = Reflection((open_inference_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR))
        services = {
            INFERENCE: Inference(application).methods(),
            HEALTH: self._health.methods(),
            **{name: reflection.methods() for name in REFLECTION},
        }
        self.methods: dict[str, Method] = {
            f"/{service}/{name}": method for service, methods in services.items() for name, method in methods.items()
        }
        self._listener: asyncio.Server | None = None

    async def listen(self, listening: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Take connections of `listening`, which is bound; `tls` must offer h2 (ALPN). Raises OSError."""
        self._listener = await self.loop.create_server(
            lambda: Connection(self),
            sock=listening,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self.limits.head_timeout_s,
        )
        self._tick()

    def drain(self) -> None:
        """Say that this server is not ready, and ask those who are connected to call elsewhere.

        To be called once the application says that it is not ready. What still comes is answered.
        """
        self._health.changed()
        for connection in list(self.connections):
            connection.leave()

    def stop_accepting(self) -> None:
        """Take no new connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def stop_listening(self) -> None:
        """Take no new connection, and end each that has had its answers."""
        self.stop_accepting()
        self._health.end()
        for connection in list(self.connections):
            connection.leave()

    def _tick(self) -> None:
        now = self.now()
        for connection in list(self.connections):
            connection.check_deadlines(now)
        self.loop.call_later(TICK_S, self._tick)
