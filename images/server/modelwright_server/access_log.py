"""A line of the log for some of the predictions, and for each that the server failed on."""

from __future__ import annotations

import logging

from modelwright_server.http_message import Request, Response
from modelwright_server.logs import Allowance, fields

LOGGER = logging.getLogger("modelwright_server.access")
MAX_LINES_PER_S = 100
_FAILED, _NOT_OFFERED = 500, 501


class AccessLog:
    """Every n-th request where `sample` is 1/n; failures always; never more than MAX_LINES_PER_S lines a second."""

    def __init__(self, sample: float) -> None:
        self._every = round(1 / sample) if sample > 0 else 0
        self._until_next = self._every
        self._allowance = Allowance(MAX_LINES_PER_S)
        self.dropped = 0

    def answered(
        self, request: Request, response: Response, route: str, seconds: float, version: str | None = None
    ) -> None:
        """Log this one, or not; `version` is who answered where that was not this server's own model."""
        failed = response.status >= _FAILED and response.status != _NOT_OFFERED
        if not failed:
            if not self._every:
                return
            self._until_next -= 1
            if self._until_next > 0:
                return
            self._until_next = self._every
        if not self._allowance.take():
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
            "sample": 1 if failed else self._every,
        }
        if version is not None:
            line["answered_by"] = version
        if head.trace is not None:
            line["trace_id"] = head.trace[3:35].decode("ascii")
        if failed:
            LOGGER.error("prediction failed", extra=fields(**line, answer=response.body.decode("utf-8", "replace")))
        else:
            LOGGER.info("answered", extra=fields(**line))
