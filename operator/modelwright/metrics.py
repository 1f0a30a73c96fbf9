"""What Prometheus can ask of the operator: one registry, every metric declared here."""

import platform
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from modelwright.api.v1alpha1.monitoring import DriftFigures
from modelwright.live import VersionFigures

REGISTRY: Final = CollectorRegistry()

_SERVED: Final = ("namespace", "deployment", "version", "side")
_DRIFT: Final = ("namespace", "deployment")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

QUEUE_DEPTH: Final = Gauge("modelwright_queue_depth", "Objects that wait for a pass.", registry=REGISTRY)
QUEUE_WAIT: Final = Histogram(
    "modelwright_queue_wait_seconds", "From news of an object to its pass.", buckets=_SECONDS, registry=REGISTRY
)
RECONCILE: Final = Histogram(
    "modelwright_reconcile_seconds", "One pass over one object.", ("kind",), buckets=_SECONDS, registry=REGISTRY
)
ERRORS: Final = Counter(
    "modelwright_reconcile_errors", "Passes that ended in an exception.", ("kind",), registry=REGISTRY
)
REFUSALS: Final = Counter(
    "modelwright_refused_writes",
    "Writes of children that the API server refused.",
    ("kind", "reason"),
    registry=REGISTRY,
)
POSTED: Final = Counter(
    "modelwright_events",
    "Events of our objects, each once: `Promoted` and `RolloutRejected` count the verdicts on canaries.",
    ("kind", "type", "reason"),
    registry=REGISTRY,
)
REQUESTS: Final = Counter(
    "modelwright_api_requests", "Requests to the API server.", ("verb", "kind", "code"), registry=REGISTRY
)
RELISTS: Final = Counter(
    "modelwright_reflector_relists", "Lists of a reflector after its first one.", ("kind",), registry=REGISTRY
)
WATCH_FAILURES: Final = Counter(
    "modelwright_reflector_failures", "Lists and watches that ended in an error.", ("kind",), registry=REGISTRY
)
UNREAD: Final = Counter(
    "modelwright_server_readings_failed",
    "Servers that did not tell their live figures when asked, by why.",
    ("failure",),
    registry=REGISTRY,
)
LEADER: Final = Gauge("modelwright_leader", "1 while this replica holds the Lease.", registry=REGISTRY)


def release() -> str:
    """The installed release, or `dev` in a checkout."""
    try:
        return version("modelwright")
    except PackageNotFoundError:
        return "dev"


Info("modelwright_build", "What runs here.", registry=REGISTRY).info(
    {"version": release(), "python": platform.python_version()}
)


class Objects(Collector):
    """`modelwright_objects{kind, ready}`, counted when asked; `count` gives the number by kind and readiness."""

    def __init__(self, count: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._count = count

    def collect(self) -> Iterable[Metric]:
        """The one family."""
        family = GaugeMetricFamily("modelwright_objects", "Objects by kind and by Ready.", labels=("kind", "ready"))
        for labels, number in sorted(self._count().items()):
            family.add_metric(labels, number)
        yield family


class Served(Collector):
    """What each Deployment's servers did in the last minute; `figures` gives it by `_SERVED`'s labels."""

    def __init__(self, figures: Callable[[], Iterable[tuple[tuple[str, str, str, str], VersionFigures]]]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """The three families."""
        rate = GaugeMetricFamily(
            "modelwright_served_requests_per_second", "Prediction requests in the last minute.", labels=_SERVED
        )
        errors = GaugeMetricFamily(
            "modelwright_served_error_ratio", "Share of them answered with 500 and above.", labels=_SERVED
        )
        latency = GaugeMetricFamily(
            "modelwright_served_latency_seconds", "Quantiles of their duration.", labels=(*_SERVED, "quantile")
        )
        for labels, told in self._figures():
            rate.add_metric(labels, told.requests_per_s)
            errors.add_metric(labels, told.error_rate)
            for quantile, seconds in (("0.5", told.p50_s), ("0.99", told.p99_s)):
                if seconds is not None:
                    latency.add_metric((*labels, quantile), seconds)
        yield from (rate, errors, latency)


class Drift(Collector):
    """How far each Deployment's input is from its training data, as status has it; `figures` by `_DRIFT`'s labels."""

    def __init__(self, figures: Callable[[], Iterable[tuple[tuple[str, str], bool, DriftFigures]]]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """The two families."""
        drifted = GaugeMetricFamily("modelwright_drifted", "1 while the condition Drifted is True.", labels=_DRIFT)
        effect = GaugeMetricFamily(
            "modelwright_drift_effect",
            "Bias-corrected Cohen's w in the last window, of the columns that differ most.",
            labels=(*_DRIFT, "version", "of", "column"),
        )
        for labels, holds, told in self._figures():
            drifted.add_metric(labels, float(holds))
            for of, columns in (("features", told.features), ("predictions", told.predictions)):
                for column in columns:
                    effect.add_metric((*labels, told.version, of, column.name), float(column.effect))
        yield from (drifted, effect)


def exposition() -> bytes:
    """All of it, in Prometheus' text format."""
    return generate_latest(REGISTRY)
