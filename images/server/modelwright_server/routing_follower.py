"""Keeps one worker process at the newest generation of the routing that can be read."""

from __future__ import annotations

import asyncio
import logging

from modelwright_server.app import App
from modelwright_server.forwarding import Forwarding
from modelwright_server.logs import fields
from modelwright_server.routing import Routing, RoutingUnusable
from modelwright_server.routing_file import RoutingFile

LOGGER = logging.getLogger(__name__)

EVERY_S = 0.25
"""How often the file is looked at."""


class RoutingFollower:
    """Looks at a file, and has what it says applied."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, file: RoutingFile, application: App, forwarding: Forwarding
    ) -> None:
        self._loop = loop
        self._file = file
        self._application = application
        self._forwarding = forwarding

    def follow(self) -> None:
        """Look now, and from now on."""
        self._loop.call_later(EVERY_S, self.follow)
        self._forwarding.sweep()
        problem = self._problem()
        if problem is not None:
            LOGGER.error("kept the routing that was there before", extra=fields(reason=problem))

    def _problem(self) -> str | None:
        """Apply what changed; returns why it can't be."""
        try:
            routing = self._file.refresh()
            if routing is not None:
                self._apply(routing)
        except RoutingUnusable as problem:
            return str(problem)
        return None

    def _apply(self, routing: Routing) -> None:
        self._application.forwarder = self._forwarding if self._forwarding.apply(routing) else None
        canary = routing.canary
        version, weight = (None, 0.0) if canary is None else (canary.version, canary.weight)
        said = fields(generation=routing.generation, canary=version, weight=weight)
        LOGGER.info("routing applied", extra=said)
