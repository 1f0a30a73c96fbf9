"""The Prometheus text exposition (format 0.0.4) of what the processes of a Pod have counted together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from modelwright_server import __version__
from modelwright_server.board import BATCH_SIZES, Field, Figure
from modelwright_server.latency import BOUNDS_S, ROUND_BOUNDS_S
from modelwright_server.pod_figures import PodFigures
from modelwright_server.routing_counts import CANARY_AT, Count, SideCount
from modelwright_server.routing_figures import RoutingFigures

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

PREFIX = "modelwright_server_"
_GAUGES = (
    ("requests_in_flight", Field.IN_FLIGHT, "Prediction requests read and not yet answered."),
    ("queue_length", Field.QUEUED, "Predictions waiting for the model."),
    ("connections", Field.CONNECTIONS, "Open connections."),
    ("body_bytes", Field.BODY_BYTES, "Bytes of request bodies held."),
)
_COUNTERS = (
    ("errors_total", Figure.ERRORS, "Prediction requests answered with code 500 or above."),
    ("refused_total", Figure.REFUSED, "Prediction requests answered with code 400 to 499 but 429."),
    ("rejected_total", Figure.REJECTED, "Prediction requests answered with code 429 because too much was waiting."),
    ("rows_total", Figure.ROWS, "Rows predicted."),
    ("model_seconds_total", Figure.MODEL_SECONDS, "Seconds spent in calls of the model."),
)
_RESTARTS = (("ended", Field.ENDED), ("stood still", Field.STOOD_STILL), ("too large", Field.TOO_LARGE))
_FINE_OF_ROUND = [bisect_left(BOUNDS_S, bound) + 1 for bound in ROUND_BOUNDS_S]
_BATCH_BOUNDS = [2**power for power in range(BATCH_SIZES - 1)]


def exposition(pod: PodFigures, model: str, version: str) -> bytes:
    """All series as text; `model` and `version` are labels of each."""
    text = _Text(f'model="{_escaped(model)}",version="{_escaped(version)}"')
    totals = pod.totals()
    requests = [(f'route="{route}",code="{code}"', number) for route, code, number in pod.requests()]
    text.add("requests_total", "counter", "Requests answered.", requests)
    for name, figure, meaning in _COUNTERS:
        text.single(name, "counter", meaning, totals.get(figure))
    latency = totals.latency
    text.histogram(
        "prediction_seconds",
        "Seconds from a prediction request's last byte to its answer.",
        [(f"{bound:g}", sum(latency[:end])) for bound, end in zip(ROUND_BOUNDS_S, _FINE_OF_ROUND, strict=True)],
        totals.get(Figure.SECONDS),
        sum(latency),
    )
    sizes = totals.batch_sizes
    text.histogram(
        "batch_rows",
        "Rows of a call of the model.",
        [(f"{bound}", sum(sizes[: index + 1])) for index, bound in enumerate(_BATCH_BOUNDS)],
        totals.get(Figure.ROWS),
        sum(sizes),
    )
    for name, field, meaning in _GAUGES:
        text.single(name, "gauge", meaning, pod.sum(field))
    restarts = [(f'reason="{reason}"', pod.sum(field)) for reason, field in _RESTARTS]
    text.add("process_restarts_total", "counter", "Worker processes replaced, by what was wrong with them.", restarts)
    _add_routing(text, pod.routing())
    dropped = pod.sum(Field.LOG_DROPPED)
    text.single("log_dropped_total", "counter", "Access log lines left out because there were too many.", dropped)
    text.single("processes", "gauge", "Worker processes alive.", pod.processes)
    text.single("ready", "gauge", "1 when requests to this Pod are answered and wanted.", int(pod.ready))
    text.add("info", "gauge", "The server's own version.", [(f'server="{__version__}"', 1)])
    return text.encode()


def _add_routing(text: _Text, figures: RoutingFigures) -> None:
    totals = figures.totals
    errors = totals[CANARY_AT + SideCount.ERRORS]
    outcomes = {
        "answered": totals[CANARY_AT + SideCount.REQUESTS] - errors,
        "error": errors,
        "unreachable": totals[Count.UNREACHABLE],
    }
    series = [(f'outcome="{outcome}"', number) for outcome, number in outcomes.items()]
    text.add("canary_requests_total", "counter", "Prediction requests that were to be the canary's.", series)
    for name, meaning, number in (
        ("canary_seconds_total", "Seconds that they took there.", totals[CANARY_AT + SideCount.SECONDS]),
        ("canary_breaker_opened_total", "Times that the canary was left alone.", totals[Count.BREAKER_OPENED]),
        ("canary_compared_total", "Requests that were also predicted here.", totals[Count.COMPARED]),
        ("canary_agreed_total", "Of them, those that were predicted alike.", totals[Count.AGREED]),
    ):
        text.single(name, "counter", meaning, number)
    meaning = "Generation of the routing that all processes apply."
    text.single("routing_generation", "gauge", meaning, figures.generation)


class _Text:
    """Lines of an exposition; `labels` stand on each series."""

    def __init__(self, labels: str) -> None:
        self._labels = labels
        self._lines: list[str] = []

    def single(self, name: str, kind: str, meaning: str, value: float) -> None:
        self.add(name, kind, meaning, [("", value)])

    def add(self, name: str, kind: str, meaning: str, values: Iterable[tuple[str, float]]) -> None:
        self._begin(name, kind, meaning)
        for labels, value in values:
            self._line(name, labels, value)

    def histogram(
        self, name: str, meaning: str, buckets: Sequence[tuple[str, float]], total: float, number: float
    ) -> None:
        """`buckets` are upper bounds and the numbers up to each, without the last one, which has no bound."""
        self._begin(name, "histogram", meaning)
        for bound, below in (*buckets, ("+Inf", number)):
            self._line(f"{name}_bucket", f'le="{bound}"', below)
        self._line(f"{name}_sum", "", total)
        self._line(f"{name}_count", "", number)

    def encode(self) -> bytes:
        return ("\n".join(self._lines) + "\n").encode("utf-8")

    def _begin(self, name: str, kind: str, meaning: str) -> None:
        self._lines += [f"# HELP {PREFIX}{name} {meaning}", f"# TYPE {PREFIX}{name} {kind}"]

    def _line(self, name: str, labels: str, value: float) -> None:
        labels = f"{self._labels},{labels}" if labels else self._labels
        number = f"{value:.0f}" if value == int(value) else repr(value)
        self._lines.append(f"{PREFIX}{name}{{{labels}}} {number}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
