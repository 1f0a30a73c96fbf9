"""One logging setup: JSON lines for machines, plain lines for a terminal."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Final

import orjson

from modelwright.resources import Key

_FIELDS: Final = ("kind", "namespace", "name")
_HANDED_ON: Final = "modelwright_key"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(_key_of(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        key = "/".join(_key_of(record).values())
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        text = f"{time} {record.levelname:7} {key + ': ' if key else ''}{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Adapter(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: object, kwargs: MutableMapping[str, object]) -> tuple[object, MutableMapping[str, object]]:
        kwargs["extra"] = self.extra
        return msg, kwargs


def of(logger: logging.Logger, key: Key) -> logging.LoggerAdapter[logging.Logger]:
    """A logger whose lines carry the object's kind, namespace and name."""
    return _Adapter(logger, {_HANDED_ON: key})


def configure(human: bool = False) -> None:
    """Logs to standard error; kopf is heard from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain() if human else _Json())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _key_of(record: logging.LogRecord) -> Mapping[str, str]:
    key: Key | None = getattr(record, _HANDED_ON, None)
    return {} if key is None else dict(zip(_FIELDS, key, strict=True))
