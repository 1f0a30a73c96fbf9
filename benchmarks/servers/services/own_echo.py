"""Our own HTTP stack with nothing behind it: `python own_echo.py PORT SIZE` answers SIZE bytes to anything."""

import asyncio
import socket
import sys
from collections.abc import Callable

import uvloop

from modelwright_server.http_message import Request, Response
from modelwright_server.http_server import HttpServer
from modelwright_server.settings import HttpLimits


class Echo:
    """Implements `http_server.Application`."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def handle(self, _request: Request, reply: Callable[[Response], None]) -> None:
        """Answers at once; a response is made for each request, as any application has to."""
        reply(Response(200, self._body))

    def refused(self, _response: Response) -> None:
        """Nothing is counted."""

    def tick(self, _connections: int, _body_bytes: int) -> None:
        """Nothing is counted."""


async def main() -> None:
    """Serves until it is ended."""
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    await HttpServer(Echo(b"x" * int(sys.argv[2])), HttpLimits()).listen(listening)
    await asyncio.get_running_loop().create_future()


uvloop.run(main())
