"""The routing configuration as a value: whether there is a canary, which share of the requests is its, and since when.

The operator writes it into a ConfigMap; docs/serving.md describes the file field by field. Fields that aren't known are
passed over: a model image keeps its server when the operator becomes newer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

MAX_DEADLINE_S = 3600.0
_MOST = 2**53
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_-]{1,63})*\.?|[0-9a-f]*:[0-9a-f:.]+"
)
"""A name of DNS, or an address of IPv4 or IPv6."""

_VERSION = re.compile(r"[\x21-\x7e]{1,128}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")


class RoutingUnusable(Exception):
    """The routing can't be read; the text is one plain sentence."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the canary listens."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class Canary:
    """What the canary gets. `weight` and `compare` are shares from 0 to 1, the second of what is forwarded.

    Stable answers by itself at half of `deadline_s`. A request slower than `slow_s` counts as slow; 0: none does.
    """

    origin: Origin
    version: str
    weight: float
    deadline_s: float = 1.0
    sticky_header: bytes | None = None
    compare: float = 0.0
    slow_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Routing:
    """One generation of the configuration; each change of it has a greater one."""

    generation: int = 0
    canary: Canary | None = None


def routing_of(content: bytes) -> Routing:
    """Read `routing.json`. Raises RoutingUnusable."""
    try:
        document: object = orjson.loads(content)
    except orjson.JSONDecodeError as problem:
        raise RoutingUnusable(f"the routing is no JSON: {problem}") from None
    if not isinstance(document, dict):
        raise RoutingUnusable("the routing must be an object")
    generation = document.get("generation")
    if type(generation) is not int or not 0 <= generation <= _MOST:
        raise RoutingUnusable(f"generation is {_said(generation)}, must be a whole number, 0 or above")
    canary = document.get("canary")
    if canary is None:
        return Routing(generation)
    if not isinstance(canary, dict):
        raise RoutingUnusable(f"canary is {_said(canary)}, must be an object")
    return Routing(generation, _canary_of(canary))


def _canary_of(document: Mapping[str, object]) -> Canary:
    sticky = _text(document, "stickyHeader", _FIELD_NAME, "the name of a header")
    version = _text(document, "version", _VERSION, "a ModelVersion's name")
    if version is None:
        raise RoutingUnusable("canary.version is missing")
    return Canary(
        origin=_origin_of(document.get("url")),
        version=version,
        weight=_number(document, "weight", None, 1.0),
        deadline_s=_number(document, "deadlineSeconds", 1.0, MAX_DEADLINE_S),
        sticky_header=None if sticky is None else sticky.lower().encode("ascii"),
        compare=_number(document, "compare", 0.0, 1.0),
        slow_s=_number(document, "slowSeconds", 0.0, MAX_DEADLINE_S),
    )


def _origin_of(url: object) -> Origin:
    fault = RoutingUnusable(f"canary.url is {_said(url)}, must be http://<host>:<port> or https://<host>:<port>")
    if not isinstance(url, str):
        raise fault
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise fault from None
    host = parts.hostname
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment) and "@" not in parts.netloc
    if parts.scheme not in ("http", "https") or not plain or host is None or not _HOST.fullmatch(host) or port == 0:
        raise fault
    return Origin(host, port or (443 if parts.scheme == "https" else 80), parts.scheme == "https")


def _text(document: Mapping[str, object], name: str, form: re.Pattern[str], meaning: str) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not form.fullmatch(value):
        raise RoutingUnusable(f"canary.{name} is {_said(value)}, must be {meaning}")
    return value


def _number(document: Mapping[str, object], name: str, default: float | None, most: float) -> float:
    value = document.get(name)
    if value is None and default is not None:
        return default
    try:
        # Fractions are texts in Kubernetes' objects.
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else -1.0
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= most:
        raise RoutingUnusable(f"canary.{name} is {_said(value)}, must be a number from 0 to {most:g}")
    return number


def _said(value: object) -> str:
    return "missing" if value is None else repr(value)[:128]
