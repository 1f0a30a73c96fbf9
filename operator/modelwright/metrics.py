"""What Prometheus can ask of the operator: one registry, every metric declared here."""

import platform
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

REGISTRY: Final = CollectorRegistry()

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
REQUESTS: Final = Counter(
    "modelwright_api_requests", "Requests to the API server.", ("verb", "kind", "code"), registry=REGISTRY
)
RELISTS: Final = Counter(
    "modelwright_reflector_relists", "Lists of a reflector after its first one.", ("kind",), registry=REGISTRY
)
WATCH_FAILURES: Final = Counter(
    "modelwright_reflector_failures", "Lists and watches that ended in an error.", ("kind",), registry=REGISTRY
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


def exposition() -> bytes:
    """All of it, in Prometheus' text format."""
    return generate_latest(REGISTRY)
