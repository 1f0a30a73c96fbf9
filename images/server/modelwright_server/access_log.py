"""A line of the log for some of the predictions, and for each that the server failed on."""

from __future__ import annotations

import logging
from time import monotonic

from modelwright_server.http_message import Request, Response
from modelwright_server.logs import fields

LOGGER = logging.getLogger("modelwright_server.access")
MAX_LINES_PER_S = 100
_FAILED = 500


class AccessLog:
    """Every n-th request where `sample` is 1/n; failures always; never more than MAX_LINES_PER_S lines a second."""

    def __init__(self, sample: float) -> None:
        self._every = round(1 / sample) if sample > 0 else 0
        self._until_next = self._every
        self._second = 0
        self._lines = 0
        self.dropped = 0

    def answered(self, request: Request, response: Response, route: str, seconds: float) -> None:
        """Log this one, or not."""
        if response.status < _FAILED:
            if not self._every:
                return
            self._until_next -= 1
            if self._until_next > 0:
                return
            self._until_next = self._every
        if not self._has_room():
            self.dropped += 1
            return
        head = request.head
        line = {
            "method": head.method,
            "path": head.path[:256],
            "route": route,
            "code": response.status,
            "rows": response.rows,
            "seconds": round(seconds, 6),
            "request_id": request.request_id.decode("ascii"),
            "sample": self._every or 1,
        }
        if head.trace is not None:
            line["trace_id"] = head.trace[3:35].decode("ascii")
        if response.status >= _FAILED:
            LOGGER.error("prediction failed", extra=fields(**line, answer=response.body))
        else:
            LOGGER.info("answered", extra=fields(**line))

    def _has_room(self) -> bool:
        second = int(monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        return self._lines <= MAX_LINES_PER_S
