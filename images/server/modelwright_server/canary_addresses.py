"""The addresses of the canary's Service, looked up off the event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TypeAlias

FRESH_S = 5.0
"""After so long they are looked up again; until that has an answer the ones from before are used."""

Address: TypeAlias = tuple[str, int]


class Addresses:
    """Of one host and port. Each call begins with another one, where there are several."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
        self._loop = loop
        self._host = host
        self._port = port
        self._known: Sequence[Address] = ()
        self._known_at = 0.0
        self._lookup: asyncio.Task[Sequence[Address]] | None = None
        self._turn = 0

    async def get(self) -> Sequence[Address]:
        """At least one. Raises OSError when the name has none, or can't be looked up."""
        known = self._known
        if not known or self._loop.time() - self._known_at > FRESH_S:
            lookup = self._looked_up()
            if not known:
                # Others may wait for it too: who is cancelled leaves it to them.
                known = await asyncio.shield(lookup)
        self._turn += 1
        begin = self._turn % len(known)
        return [*known[begin:], *known[:begin]]

    def forget(self) -> None:
        """None of them was of use."""
        self._known = ()

    def _looked_up(self) -> asyncio.Task[Sequence[Address]]:
        if self._lookup is None:
            self._lookup = self._loop.create_task(self._look_up())
            self._lookup.add_done_callback(self._noted)
        return self._lookup

    async def _look_up(self) -> Sequence[Address]:
        found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        self._known = list(dict.fromkeys((str(entry[4][0]), self._port) for entry in found))
        self._known_at = self._loop.time()
        return self._known

    def _noted(self, lookup: asyncio.Task[Sequence[Address]]) -> None:
        self._lookup = None
        if not lookup.cancelled():
            # Who waits for it is told; where nobody does, the addresses from before are used a while longer.
            lookup.exception()
            self._known_at = self._loop.time()
