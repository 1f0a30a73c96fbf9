"""One JSON object a line on standard error."""

import logging
import sys
from datetime import UTC, datetime
from time import monotonic

import orjson

TRACEBACKS_PER_S = 10
"""A client can have a model fail as often as it can ask."""


class JsonLines(logging.Formatter):
    """time, level, process, message, the mapping passed as `extra={"fields": …}`, and an exception's text if any."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": record.process,
            "message": record.getMessage(),
        }
        fields: object = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line.update(fields)
        if record.exc_info is not None:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode("utf-8")


class Allowance:
    """So many of something each second."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._second = 0
        self._taken = 0

    def take(self) -> bool:
        """One more; False when this second has had its number."""
        second = int(monotonic())
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        return self._taken <= self._per_s


class FewTracebacks(logging.Filter):
    """Passes TRACEBACKS_PER_S records with an exception a second, and all others."""

    def __init__(self) -> None:
        super().__init__()
        self._allowance = Allowance(TRACEBACKS_PER_S)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        return record.exc_info is None or self._allowance.take()


def start_logging(level: str) -> None:
    """Send records of `level` and above to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(FewTracebacks())
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)


def fields(**values: object) -> dict[str, object]:
    """The `extra` argument that adds `values` to a log line."""
    return {"fields": values}
