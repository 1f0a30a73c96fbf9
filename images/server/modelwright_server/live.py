"""The live figures of a Pod as JSON, field by field as docs/serving.md describes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson

from modelwright_server.board import Field, Figure
from modelwright_server.feature_board import FeatureFigures
from modelwright_server.latency import BOUNDS_S
from modelwright_server.pod_figures import Figures, PodFigures
from modelwright_server.routing_figures import routing_document

_COUNTS = {
    "requests": Figure.REQUESTS,
    "errors": Figure.ERRORS,
    "refused": Figure.REFUSED,
    "rejected": Figure.REJECTED,
    "rows": Figure.ROWS,
    "batches": Figure.BATCHES,
    "sampled_rows": Figure.SAMPLED_ROWS,
}
_SECONDS = {"request_seconds": Figure.SECONDS, "model_seconds": Figure.MODEL_SECONDS}


def live_document(pod: PodFigures, model: str, version: str, monotonic_s: float, wall: datetime) -> bytes:
    """The answer to GET /live. `wall` is the time of day at `monotonic_s`, the board's clock."""
    zero = wall - timedelta(seconds=monotonic_s)
    windows = [
        {"id": number, "start": _time(zero + timedelta(seconds=number * pod.window_s)), "seconds": pod.window_s}
        | _figures(figures)
        for number, figures in pod.closed_windows()
    ]
    features = pod.features()
    document: dict[str, object] = {
        "model_name": model,
        "model_version": version,
        "time": _time(wall),
        "ready": pod.ready,
        "processes": pod.processes,
        "in_flight": int(pod.sum(Field.IN_FLIGHT)),
        "queued": int(pod.sum(Field.QUEUED)),
        "latency_bounds_seconds": BOUNDS_S,
        "open_window": pod.open_window,
        "windows": windows,
        "totals": _figures(pod.totals()) | _profiled(features),
        "routing": routing_document(pod.routing()),
    }
    if features is not None:
        document["profile"] = features.profile
    return orjson.dumps(document)


def _figures(figures: Figures) -> dict[str, object]:
    counts: dict[str, object] = {name: int(figures.get(figure)) for name, figure in _COUNTS.items()}
    seconds = {name: round(figures.get(figure), 9) for name, figure in _SECONDS.items()}
    latency = [[index, int(number)] for index, number in enumerate(figures.latency) if number]
    classes = [[index, int(number)] for index, number in enumerate(figures.classes) if number]
    return counts | seconds | {"latency": latency, "classes": classes}


def _profiled(figures: FeatureFigures | None) -> dict[str, object]:
    if figures is None:
        return {}
    return {"profiled_rows": figures.rows, "features": figures.features, "outputs": figures.outputs}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
