"""What is counted of canary and stable: by generation, over processes, and over the deaths of some."""

from __future__ import annotations

from time import monotonic

from modelwright_server.board import Board, Field, Slot
from modelwright_server.counters import Counters
from modelwright_server.metrics import exposition
from modelwright_server.pod_figures import PodFigures
from modelwright_server.routing_counts import RoutingCounts
from modelwright_server.routing_figures import routing_document


def process(board: Board, index: int, generation: int) -> RoutingCounts:
    """A process that answers, counting in a slot of the board."""
    slot = board.slots[index]
    counts = starting(slot)
    counts.apply(generation)
    slot.set(Field.READY, 1.0)
    return counts


def starting(slot: Slot) -> RoutingCounts:
    """A process that was just forked."""
    now = monotonic()
    for field, value in ((Field.PID, 7.0), (Field.STARTED_AT, now), (Field.HEARTBEAT_AT, now)):
        slot.set(field, value)
    Counters(slot, 5.0)
    return RoutingCounts(slot)


def ended(slot: Slot) -> None:
    """As the supervisor leaves the slot of a process that died."""
    for field in (Field.PID, Field.READY):
        slot.set(field, 0.0)


def document(board: Board) -> dict[str, object]:
    """What GET /live says of it."""
    return routing_document(PodFigures(board, 30.0, monotonic()).routing())


def figures(board: Board) -> tuple[object, ...]:
    """Generations, and requests of canary and stable."""
    found = document(board)
    sides = [found[side] for side in ("canary", "stable")]
    requests = [side["requests"] for side in sides if isinstance(side, dict)]
    return found["generation"], found["newest"], *requests


def serve(counts: RoutingCounts, canary: int, stable: int) -> None:
    """Count so many requests."""
    for _ in range(canary):
        counts.canary(0.002, error=False, slow=False)
    for _ in range(stable):
        counts.stable(0.001, error=False, slow=False)


def test_all_that_is_told() -> None:
    board = Board(1)
    counts = process(board, 0, 7)
    counts.canary(0.25, error=False, slow=True)
    counts.canary(0.5, error=True, slow=True)
    counts.canary(0.001, error=True, slow=False)
    counts.stable(0.00005, error=False, slow=False)
    counts.stable(99.0, error=True, slow=True)
    counts.unreachable()
    counts.breaker_opened()
    counts.compared(agreed=True)
    counts.compared(agreed=False)
    assert document(board) == {
        "generation": 7,
        "newest": 7,
        "breaker_opened": 1,
        "unreachable": 1,
        "canary": {"requests": 3, "errors": 2, "slow": 2, "seconds": 0.751, "latency": [[24, 1], [80, 1], [88, 1]]},
        "stable": {"requests": 2, "errors": 1, "slow": 1, "seconds": 99.00005, "latency": [[0, 1], [129, 1]]},
        "compared": 2,
        "agreed": 1,
    }


def test_without_a_routing() -> None:
    board = Board(2)
    assert figures(board) == (0, 0, 0, 0)
    starting(board.slots[0])
    assert figures(board) == (0, 0, 0, 0)


def test_a_generation_begins_at_nothing() -> None:
    board = Board(1)
    counts = process(board, 0, 7)
    serve(counts, 3, 5)
    counts.apply(7)
    assert figures(board) == (7, 7, 3, 5)
    counts.apply(8)
    assert figures(board) == (8, 8, 0, 0)
    serve(counts, 1, 0)
    assert figures(board) == (8, 8, 1, 0)


def test_only_what_was_counted_under_the_newest_generation_is_told() -> None:
    board = Board(3)
    first, second = process(board, 0, 7), process(board, 1, 7)
    serve(first, 3, 5)
    serve(second, 2, 1)
    assert figures(board) == (7, 7, 5, 6)
    first.apply(8)
    assert figures(board) == (7, 8, 0, 0)
    serve(first, 1, 1)
    serve(second, 4, 4)
    assert figures(board) == (7, 8, 1, 1)
    second.apply(8)
    serve(second, 1, 1)
    assert figures(board) == (8, 8, 2, 2)


def test_the_counts_of_a_process_that_died_stay() -> None:
    board = Board(3)
    first, second = process(board, 0, 7), process(board, 1, 7)
    serve(first, 3, 5)
    serve(second, 2, 1)
    ended(board.slots[0])
    assert figures(board) == (7, 7, 5, 6)
    again = process(board, 0, 7)
    serve(again, 1, 1)
    assert figures(board) == (7, 7, 6, 7)


def test_a_process_that_died_holds_up_no_generation() -> None:
    board = Board(3)
    process(board, 0, 7)
    second = process(board, 1, 7)
    ended(board.slots[0])
    second.apply(8)
    assert figures(board)[:2] == (8, 8)
    starting(board.slots[0]).apply(8)
    assert figures(board)[:2] == (8, 8)


def test_a_process_that_is_begun_does_not_count_before_it_answers() -> None:
    board = Board(2)
    process(board, 0, 8)
    starting(board.slots[1])
    assert figures(board)[:2] == (8, 8)


def test_a_generation_may_go_back() -> None:
    board = Board(1)
    counts = process(board, 0, 9)
    serve(counts, 1, 1)
    counts.apply(0)
    assert figures(board) == (0, 0, 0, 0)


def test_a_process_that_died_while_it_applied_one_is_put_right() -> None:
    board = Board(1)
    counts = process(board, 0, 7)
    serve(counts, 3, 5)
    slot = board.slots[0]
    # As between the first and the last line of `apply`.
    slot.set(Field.FOLDS, slot.get(Field.FOLDS) + 1)
    slot.set(Field.GENERATION, -1.0)
    ended(slot)
    serve(process(board, 0, 8), 1, 2)
    assert figures(board) == (8, 8, 1, 2)
    assert slot.get(Field.FOLDS) % 2 == 0


def test_the_metrics_go_on_over_generations() -> None:
    board = Board(1)
    counts = process(board, 0, 7)
    counts.canary(0.25, error=True, slow=False)
    counts.unreachable()
    counts.breaker_opened()
    counts.compared(agreed=True)
    counts.apply(8)
    serve(counts, 2, 5)
    told = exposition(PodFigures(board, 30.0, monotonic()), "m", "v").decode()
    for series in (
        'canary_requests_total{model="m",version="v",outcome="answered"} 2',
        'canary_requests_total{model="m",version="v",outcome="error"} 1',
        'canary_requests_total{model="m",version="v",outcome="unreachable"} 1',
        'canary_seconds_total{model="m",version="v"} 0.254',
        'canary_breaker_opened_total{model="m",version="v"} 1',
        'canary_compared_total{model="m",version="v"} 1',
        'canary_agreed_total{model="m",version="v"} 1',
        'routing_generation{model="m",version="v"} 8',
    ):
        assert f"\nmodelwright_server_{series}\n" in told
