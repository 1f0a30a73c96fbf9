"""Counters of one process and their Prometheus text exposition (format 0.0.4)."""

from bisect import bisect_left

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Written by the event loop's thread only."""

    def __init__(self, model: str, version: str) -> None:
        self.name_model(model, version)
        self.in_flight = 0
        self.rows = 0
        self.rejected = 0
        self._requests: dict[tuple[str, int], int] = {}
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._seconds = 0.0

    def name_model(self, model: str, version: str) -> None:
        """Set the labels `model` and `version` of every series."""
        self._labels = f'model="{_escaped(model)}",version="{_escaped(version)}"'

    def count(self, route: str, status: int) -> None:
        """One request of `route` ended with `status`."""
        key = (route, status)
        self._requests[key] = self._requests.get(key, 0) + 1

    def observe_prediction(self, seconds: float, rows: int) -> None:
        """One prediction request took `seconds` from its last byte read to its answer and predicted `rows` rows."""
        self._buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self._seconds += seconds
        self.rows += rows

    def exposition(self, *, ready: bool, queue: int) -> bytes:
        """All series as text; `queue` is the number of predictions with the worker thread."""
        labels = self._labels
        lines = ["# HELP modelwright_server_requests_total Requests answered.",
                 "# TYPE modelwright_server_requests_total counter"]  # fmt: skip
        for (route, status), number in sorted(self._requests.items()):
            lines.append(f'modelwright_server_requests_total{{{labels},route="{route}",code="{status}"}} {number}')
        histogram = "modelwright_server_prediction_seconds"
        lines += [f"# HELP {histogram} Seconds from a prediction request's last byte to its answer.",
                  f"# TYPE {histogram} histogram"]  # fmt: skip
        total = 0
        for bound, number in zip((*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"), self._buckets, strict=True):
            total += number
            lines.append(f'{histogram}_bucket{{{labels},le="{bound}"}} {total}')
        lines += [f"{histogram}_sum{{{labels}}} {self._seconds:.9g}", f"{histogram}_count{{{labels}}} {total}"]
        for name, kind, text, value in (
            ("rows_total", "counter", "Rows predicted.", self.rows),
            ("rejected_total", "counter", "Predictions refused because the queue was full.", self.rejected),
            ("requests_in_flight", "gauge", "Requests read and not yet answered.", self.in_flight),
            ("queue_length", "gauge", "Predictions waiting for or running on the worker thread.", queue),
            ("ready", "gauge", "1 when the server is ready.", int(ready)),
        ):
            series = f"modelwright_server_{name}"
            lines += [f"# HELP {series} {text}", f"# TYPE {series} {kind}", f"{series}{{{labels}}} {value}"]
        return ("\n".join(lines) + "\n").encode("utf-8")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
