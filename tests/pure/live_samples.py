"""What servers say of themselves, as their GET /live does (docs/serving.md)."""

from collections.abc import Mapping

import orjson

from modelwright.live_document import LiveDocument, Routing
from modelwright.plan import JsonObject
from modelwright_contract.canonical import digest_of
from modelwright_contract.profile import Column, Profile, Ranges, Values

BOUNDS = (0.001, 0.01, 0.1, 1.0)


def window(number: int, requests: int = 0, errors: int = 0, seconds: float = 5.0, bucket: int = 1) -> JsonObject:
    """One closed window whose requests all took as long."""
    latency = [[bucket, requests]] if requests else []
    return {
        "id": number,
        "start": "2026-05-01T12:00:00.000Z",
        "seconds": seconds,
        "requests": requests,
        "errors": errors,
        "latency": latency,
    }


def side(requests: int = 0, errors: int = 0, slow: int = 0) -> JsonObject:
    """One of the two in a generation."""
    return {"requests": requests, "errors": errors, "slow": slow, "seconds": 0.5, "latency": [[1, requests]]}


def routing(
    generation: int, canary: JsonObject | None = None, stable: JsonObject | None = None, **more: int
) -> JsonObject:
    """A server all of whose processes apply the same generation."""
    counts = {"breaker_opened": 0, "unreachable": 0, "compared": 0, "agreed": 0}
    sides = {"canary": canary or side(), "stable": stable or side()}
    return {"generation": generation, "newest": generation, **counts, **sides, **more}


def routed(generation: int, requests: int = 0, errors: int = 0) -> Routing:
    """The same, read; its canary had so many requests, and so many errors."""
    return Routing.model_validate_json(orjson.dumps(routing(generation, side(requests, errors))))


def document(version: str = "v1", **more: object) -> JsonObject:
    """A whole answer."""
    return {
        "model_name": "m",
        "model_version": version,
        "time": "2026-05-01T12:00:05.000Z",
        "ready": True,
        "processes": 2,
        "in_flight": 0,
        "queued": 0,
        "latency_bounds_seconds": list(BOUNDS),
        "open_window": 101,
        "windows": [window(99, 10), window(100, 10, 1)],
        "totals": {"requests": 20, "errors": 1},
        "routing": routing(0),
        **more,
    }


PROFILE = Profile(
    features=(Column("distance", "number", Ranges((100.0,)), (6, 4, 0)),),
    outputs=(Column("label", "boolean", Values((0, 1), (False, True)), (7, 3, 0, 0)),),
    split="test",
)
PROFILED = digest_of(PROFILE.to_bytes())


def counted(rows: int, near: int = 0) -> JsonObject:
    """A whole answer of a server that counted so many rows by the bins of `PROFILE`, `near` of them in the first."""
    bins = {"features": {"distance": [near, rows - near, 0]}, "outputs": {"label": [rows, 0, 0, 0]}}
    return document(profile=PROFILED, totals={"profiled_rows": rows, **bins})


def read(told: Mapping[str, object]) -> LiveDocument:
    """An answer as it is believed."""
    return LiveDocument.model_validate_json(orjson.dumps(told))
