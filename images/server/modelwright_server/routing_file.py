"""Where the routing is read: `routing.json` in the folder of a mounted ConfigMap, which is replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

from modelwright_server.routing import Routing, RoutingUnusable, routing_of

NAME = "routing.json"
MAX_BYTES = 64 * 1024


class RoutingFile:
    """The file in a folder. Without one there is no canary, and its generation is 0."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._read: tuple[int, int, int] | None = None
        self._known = False

    def refresh(self) -> Routing | None:
        """The routing if it changed since the last call, None if it did not; the first call always has one.

        Raises RoutingUnusable once for each content that can't be used.
        """
        try:
            found = _signature(self._path.stat())
            if self._known and found == self._read:
                return None
            with self._path.open("rb") as file:
                # Of the file that is read: the link may lead to another one by now.
                self._read = _signature(os.fstat(file.fileno()))
                content = file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return self._absent()
        except OSError as problem:
            known, self._read = self._read, _NOWHERE
            if known == _NOWHERE:
                return None
            raise RoutingUnusable(f"{self._path} can't be read: {problem.strerror}") from None
        self._known = True
        if len(content) > MAX_BYTES:
            raise RoutingUnusable(f"{self._path} is over the limit of {MAX_BYTES} bytes")
        try:
            return routing_of(content)
        except RoutingUnusable as problem:
            raise RoutingUnusable(f"{self._path}: {problem}") from None

    def _absent(self) -> Routing | None:
        if self._known and self._read is None:
            return None
        self._known, self._read = True, None
        return Routing()


_NOWHERE = (0, 0, 0)
"""Stands for a file that is there and can't be read."""


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
