"""What a process counts, and that no count is lost or doubled when windows close and processes die."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

import numpy as np
import pytest

from modelwright_server import counters as counters_module
from modelwright_server.board import (
    CLASSES,
    CLASSES_AT,
    CODE_INDEX,
    LATENCY_AT,
    ROUTE_INDEX,
    WINDOWS,
    Board,
    Field,
    Figure,
)
from modelwright_server.counters import SAMPLED_ROWS_PER_S, Counters
from modelwright_server.latency import BOUNDS_S, BUCKETS, ROUND_BOUNDS_S
from modelwright_server.prediction import Prediction

WINDOW_S = 5.0


class Clock:
    """CLOCK_MONOTONIC in the test's hands."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands still until told."""
    clock = Clock()
    monkeypatch.setattr(counters_module, "monotonic", clock)
    return clock


@pytest.fixture
def board() -> Board:
    """One slot."""
    return Board(1, WINDOW_S)


def _sum(board: Board, figure: int) -> float:
    slot = board.slots[0].copy()
    return slot.totals()[figure] + sum(window[figure] for window in slot.windows())


def test_round_bounds_are_among_the_fine_ones() -> None:
    assert set(ROUND_BOUNDS_S) <= set(BOUNDS_S)
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
    assert max(high / low for low, high in pairwise(BOUNDS_S)) < 1.15


@pytest.mark.parametrize(
    ("code", "figure"),
    [
        pytest.param(200, None, id="an answer"),
        pytest.param(422, Figure.REFUSED, id="what the client must put right"),
        pytest.param(429, Figure.REJECTED, id="too much was waiting"),
        pytest.param(500, Figure.ERRORS, id="what the server owes"),
    ],
)
def test_a_prediction_is_counted_by_what_was_answered(
    board: Board, clock: Clock, code: int, figure: Figure | None
) -> None:
    Counters(board.slots[0], WINDOW_S).prediction(code, 0.003)
    kinds = (Figure.ERRORS, Figure.REFUSED, Figure.REJECTED)
    assert _sum(board, Figure.REQUESTS) == 1
    assert [_sum(board, kind) for kind in kinds] == [float(kind == figure) for kind in kinds]
    assert _sum(board, Figure.SECONDS) == pytest.approx(0.003)
    assert _sum(board, LATENCY_AT + bisect_left(BOUNDS_S, 0.003)) == 1


def test_durations_beyond_the_last_bound_have_a_bucket(board: Board, clock: Clock) -> None:
    Counters(board.slots[0], WINDOW_S).prediction(200, 1e6)
    assert _sum(board, LATENCY_AT + BUCKETS - 1) == 1


def test_every_request_stands_in_one_window_and_in_the_sum_for_ever(board: Board, clock: Clock) -> None:
    counters = Counters(board.slots[0], WINDOW_S)
    for second in range(WINDOWS * 3 * int(WINDOW_S)):
        clock.now = 1000.0 + second
        counters.prediction(200, 0.001)
    slot = board.slots[0].copy()
    closed = [window for window in slot.windows() if window[Figure.ID] < clock.now // WINDOW_S]
    assert len(closed) == WINDOWS - 1
    assert {window[Figure.REQUESTS] for window in closed} == {WINDOW_S}
    assert _sum(board, Figure.REQUESTS) == WINDOWS * 3 * WINDOW_S


def test_a_window_that_closed_is_never_written_again(board: Board, clock: Clock) -> None:
    counters = Counters(board.slots[0], WINDOW_S)
    counters.prediction(200, 0.001)
    first = int(clock.now // WINDOW_S)
    before = bytes(board.slots[0].window(first % WINDOWS))
    clock.now += WINDOW_S
    counters.prediction(500, 0.001)
    counters.batch(3, 0.001, Prediction(labels=np.array([0, 1, 1])))
    assert bytes(board.slots[0].window(first % WINDOWS)) == before


def test_an_idle_process_leaves_no_old_window_open(board: Board, clock: Clock) -> None:
    counters = Counters(board.slots[0], WINDOW_S)
    counters.prediction(200, 0.001)
    clock.now += WINDOW_S * (WINDOWS + 2)
    counters.tick()
    assert board.slots[0].get(Field.HEARTBEAT_AT) == clock.now
    assert _sum(board, Figure.REQUESTS) == 1


def test_a_batch_counts_its_rows_and_classes(board: Board, clock: Clock) -> None:
    counters = Counters(board.slots[0], WINDOW_S)
    counters.batch(4, 0.002, Prediction(labels=np.array([2, 0, 2, CLASSES + 7])))
    counters.batch(1, 0.001, Prediction(labels=np.array([0])))
    counters.batch(2, 0.001, Prediction(values=np.array([0.5, 0.25])))
    assert _sum(board, Figure.ROWS) == 7
    assert _sum(board, Figure.BATCHES) == 3
    assert _sum(board, Figure.MODEL_SECONDS) == pytest.approx(0.004)
    assert [_sum(board, CLASSES_AT + place) for place in (0, 1, 2, CLASSES - 1)] == [2, 0, 2, 1]


def test_classes_are_sampled_where_there_are_many_rows(board: Board, clock: Clock) -> None:
    counters = Counters(board.slots[0], WINDOW_S)
    rows = 600
    for _ in range(100):
        counters.batch(rows, 0.001, Prediction(labels=np.zeros(rows, dtype=np.intp)))
    sampled = _sum(board, Figure.SAMPLED_ROWS)
    assert SAMPLED_ROWS_PER_S * WINDOW_S <= sampled < SAMPLED_ROWS_PER_S * WINDOW_S + rows
    assert _sum(board, CLASSES_AT) == sampled
    assert _sum(board, Figure.ROWS) == 100 * rows


def test_who_takes_the_place_of_a_dead_process_goes_on_counting(board: Board, clock: Clock) -> None:
    slot = board.slots[0]
    dead = Counters(slot, WINDOW_S)
    dead.prediction(200, 0.001)
    dead.request("infer", 200)
    dead.set(Field.BUSY_SINCE, 1.0)
    dead.set(Field.IN_FLIGHT, 3.0)
    dead.set(Field.FOLDS, 5.0)
    heir = Counters(slot, WINDOW_S)
    heir.prediction(200, 0.001)
    heir.request("infer", 200)
    heir.request("infer", 299)
    assert _sum(board, Figure.REQUESTS) == 2
    assert slot.counted(ROUTE_INDEX["infer"], CODE_INDEX[200]) == 2
    assert slot.counted(ROUTE_INDEX["infer"], CODE_INDEX[500]) == 1
    assert [slot.get(field) for field in (Field.BUSY_SINCE, Field.IN_FLIGHT)] == [0, 0]
    assert slot.get(Field.FOLDS) % 2 == 0


def test_a_copy_is_not_taken_while_a_window_is_folded(board: Board, clock: Clock) -> None:
    slot = board.slots[0]
    slot.set(Field.FOLDS, 1.0)
    assert slot.copy().get(Field.FOLDS) == 1
    slot.set(Field.FOLDS, 2.0)
    assert slot.copy().get(Field.FOLDS) == 2
