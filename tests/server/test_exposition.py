"""What the figures of several processes look like together: Prometheus text, live windows, readiness."""

from __future__ import annotations

import json
from bisect import bisect_left
from datetime import UTC, datetime

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from modelwright_server import counters as counters_module
from modelwright_server.board import CLASSES, CODES, ROUTES, WINDOWS, Board, Field
from modelwright_server.counters import Counters
from modelwright_server.latency import BOUNDS_S, ROUND_BOUNDS_S
from modelwright_server.live import live_document
from modelwright_server.metrics import exposition
from modelwright_server.pod_figures import SETTLE_S, PodFigures
from modelwright_server.prediction import Prediction

WINDOW_S = 5.0
HANG_S = 30.0
WALL = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Pod:
    """A board of which two of three slots have a process, and the clock that they count by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(counters_module, "monotonic", lambda: self.now)
        self.board = Board(3, WINDOW_S)
        for number, slot in enumerate(self.board.slots[:2]):
            slot.set(Field.PID, 100 + number)
            slot.set(Field.STARTED_AT, self.now)
            slot.set(Field.READY, 1.0)
        self.first, self.second = (Counters(slot, WINDOW_S) for slot in self.board.slots[:2])
        self.tick()

    def tick(self) -> None:
        """Both processes are alive at this moment."""
        self.first.tick()
        self.second.tick()

    def figures(self) -> PodFigures:
        """As they stand at this moment."""
        return PodFigures(self.board, HANG_S, self.now)

    def sample(self, name: str, **labels: str) -> float:
        """One sample of the exposition as Prometheus' own parser reads it; its labels are these and no others."""
        text = exposition(self.figures(), "late", "v7").decode()
        wanted = {"model": "late", "version": "v7", **labels}
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        (value,) = [s.value for s in samples if s.name == f"modelwright_server_{name}" and s.labels == wanted]
        return value

    def live(self) -> dict[str, object]:
        """The live document."""
        document: dict[str, object] = json.loads(live_document(self.figures(), "late", "v7", self.now, WALL))
        return document

    def windows(self) -> list[dict[str, object]]:
        """Its closed windows."""
        windows = self.live()["windows"]
        assert isinstance(windows, list)
        return windows


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> Pod:
    """Two processes."""
    return Pod(monkeypatch)


def test_requests_are_summed_over_processes(pod: Pod) -> None:
    for counters in (pod.first, pod.second, pod.second):
        counters.request("predict", 200)
    pod.second.request("infer", 422)
    assert pod.sample("requests_total", route="predict", code="200") == 3
    assert pod.sample("requests_total", route="infer", code="422") == 1


def test_what_an_ended_process_counted_stays(pod: Pod) -> None:
    pod.second.request("predict", 200)
    pod.second.prediction(200, 0.01)
    pod.board.slots[1].set(Field.PID, 0.0)
    pod.board.slots[1].set(Field.ENDED, 1.0)
    assert pod.sample("requests_total", route="predict", code="200") == 1
    assert pod.sample("prediction_seconds_count") == 1
    assert pod.sample("processes") == 1
    assert pod.sample("process_restarts_total", reason="ended") == 1
    assert pod.sample("process_restarts_total", reason="stood still") == 0


def test_predictions_of_all_windows_are_in_the_histogram(pod: Pod) -> None:
    seconds = [10.0**exponent for exponent in np.linspace(-5, 2, 200)]
    for second in seconds:
        pod.first.prediction(200, second)
        pod.second.prediction(503, second)
        pod.now += WINDOW_S / 3
    bounds = [f"{bound:g}" for bound in ROUND_BOUNDS_S]
    counts = [pod.sample("prediction_seconds_bucket", le=bound) for bound in bounds]
    assert counts == [2 * sum(second <= bound for second in seconds) for bound in ROUND_BOUNDS_S]
    assert pod.sample("prediction_seconds_bucket", le="+Inf") == pod.sample("prediction_seconds_count") == 400
    assert pod.sample("prediction_seconds_sum") == pytest.approx(2 * sum(seconds))
    assert pod.sample("errors_total") == 200


def test_batches(pod: Pod) -> None:
    for rows in (1, 2, 3, 4, 5, 1024, 1025):
        pod.first.batch(rows, 0.25, Prediction(values=np.zeros(rows)))
    counts = [pod.sample("batch_rows_bucket", le=bound) for bound in ("1", "2", "4", "8", "512", "1024", "+Inf")]
    assert counts == [1, 2, 4, 5, 5, 6, 7]
    assert pod.sample("batch_rows_sum") == pod.sample("rows_total") == 2064
    assert pod.sample("model_seconds_total") == 1.75


def test_figures_of_the_moment(pod: Pod) -> None:
    for counters in (pod.first, pod.second):
        counters.set(Field.IN_FLIGHT, 3)
        counters.set(Field.QUEUED, 2)
    assert (pod.sample("requests_in_flight"), pod.sample("queue_length")) == (6, 4)


def test_labels_are_escaped(pod: Pod) -> None:
    text = exposition(pod.figures(), 'a"b\\c\nd', "v").decode()
    (family,) = [family for family in text_string_to_metric_families(text) if family.name == "modelwright_server_ready"]
    assert family.samples[0].labels["model"] == 'a"b\\c\nd'


@pytest.mark.parametrize(
    ("heartbeat_ago_s", "busy_for_s", "ready"),
    [
        pytest.param(0.0, 0.0, True, id="alive"),
        pytest.param(4.0, 0.0, False, id="stood still a while"),
        pytest.param(20.0, 20.0, True, id="in a long call of the model"),
        pytest.param(31.0, 31.0, False, id="in a call that hangs"),
    ],
)
def test_ready_while_a_process_answers(pod: Pod, heartbeat_ago_s: float, busy_for_s: float, ready: bool) -> None:
    pod.board.slots[0].set(Field.PID, 0.0)
    pod.second.set(Field.HEARTBEAT_AT, pod.now - heartbeat_ago_s)
    pod.second.set(Field.BUSY_SINCE, pod.now - busy_for_s if busy_for_s else 0.0)
    assert pod.figures().ready is ready
    assert pod.sample("ready") == int(ready)
    pod.board.drain()
    assert not pod.figures().ready


def test_not_ready_before_a_process_says_so(pod: Pod) -> None:
    for slot in pod.board.slots:
        slot.set(Field.READY, 0.0)
    assert not pod.figures().ready


def test_windows_are_told_once_they_are_closed_and_settled(pod: Pod) -> None:
    pod.first.prediction(200, 0.5)
    pod.second.prediction(503, 1.5)
    pod.second.batch(7, 0.25, Prediction(labels=np.array([0, 0, 1, 0, 0, 1, 63])))
    assert pod.windows() == []
    pod.now += WINDOW_S
    assert pod.windows() == []
    pod.now += SETTLE_S
    pod.tick()
    (window,) = pod.windows()
    slow = [[bisect_left(BOUNDS_S, 0.5), 1], [bisect_left(BOUNDS_S, 1.5), 1]]
    assert window == {
        "id": 200,
        # The clock reads 1006 at noon, so it read 1000 six seconds before.
        "start": "2026-11-21T11:59:54.000Z",
        "seconds": WINDOW_S,
        "requests": 2,
        "errors": 1,
        "refused": 0,
        "rejected": 0,
        "rows": 7,
        "batches": 1,
        "sampled_rows": 7,
        "request_seconds": 2.0,
        "model_seconds": 0.25,
        "latency": slow,
        "classes": [[0, 4], [1, 2], [63, 1]],
    }
    live = pod.live()
    assert (live["model_name"], live["model_version"], live["open_window"], live["time"]) == (
        *("late", "v7", 201, "2026-11-21T12:00:00.000Z"),
    )
    assert live["latency_bounds_seconds"] == list(BOUNDS_S)


def test_totals_have_the_open_window_and_those_that_left_the_ring(pod: Pod) -> None:
    for _ in range(2 * WINDOWS):
        pod.first.prediction(200, 0.01)
        pod.now += WINDOW_S
        pod.tick()
    pod.first.prediction(200, 0.01)
    live = pod.live()
    assert isinstance(live["totals"], dict)
    assert live["totals"]["requests"] == 2 * WINDOWS + 1
    assert sum(number for _, number in live["totals"]["latency"]) == 2 * WINDOWS + 1
    ids = [int(str(window["id"])) for window in pod.windows()]
    assert len(ids) == WINDOWS - 2
    assert ids == sorted(ids)


def test_windows_of_a_slot_without_a_process_grow_old(pod: Pod) -> None:
    pod.second.prediction(200, 0.01)
    pod.board.slots[1].set(Field.PID, 0.0)
    for _ in range(2 * WINDOWS):
        pod.now += WINDOW_S
        pod.first.tick()
    assert {window["requests"] for window in pod.windows()} == {0}
    assert pod.sample("prediction_seconds_count") == 1


def test_the_live_document_is_bounded(pod: Pod) -> None:
    for _ in range(WINDOWS + 1):
        for counters in (pod.first, pod.second):
            for bound in BOUNDS_S:
                counters.prediction(200, bound)
            counters.batch(CLASSES, 0.001, Prediction(labels=np.arange(CLASSES)))
        pod.now += WINDOW_S
    for route in ROUTES:
        for code in CODES:
            pod.first.request(route, code)
    # Digits grow slowly: a billion in each place would make it three times as long.
    assert len(live_document(pod.figures(), "m" * 253, "v" * 253, pod.now, WALL)) < 150_000
