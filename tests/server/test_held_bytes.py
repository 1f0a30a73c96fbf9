"""What the connections of a process hold of their clients' requests: it is counted, bounded, and given back."""

import tracemalloc

import pytest

from modelwright_server.settings import HttpLimits

from .hostile.honest import LIVE, MIB, PREDICT, ROWS, chunks, head, post
from .hostile.in_process import Line, Peer, When

LIMITS = HttpLimits(buffer_bytes=8 * len(ROWS), pipeline=4)
REQUEST = post(PREDICT, ROWS)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(REQUEST, id="length"),
        pytest.param(head(b"transfer-encoding: chunked") + chunks(ROWS[:20], ROWS[20:]), id="chunks"),
    ],
)
def test_a_client_that_always_has_one_more_request_holds_no_more_for_it(request_bytes: bytes) -> None:
    peer = Peer(When.NEVER, LIMITS)
    line = Line(peer)
    line.send(request_bytes)
    for _ in range(50):
        line.send(request_bytes)
        peer.echo.answer()
        line.settle()
        assert peer.server.held_bytes == len(ROWS)
    peer.echo.answer()
    line.settle()
    assert {answer.status for answer in line.answers()} == {200}
    line.end()


def test_what_a_client_asked_for_is_held_until_it_is_done_even_if_the_client_is_gone() -> None:
    peer = Peer(When.NEVER, LIMITS)
    line = Line(peer)
    line.send(REQUEST * 3 + REQUEST[:-5])
    line.vanish()
    assert peer.server.held_bytes == len(ROWS)
    peer.echo.answer()
    assert peer.server.held_bytes == 0


def test_a_request_with_a_known_head_is_held_too() -> None:
    peer = Peer(When.NEVER, LIMITS)
    lines = []
    for number in range(1, 9):
        lines.append(line := Line(peer))
        line.send(REQUEST)
        assert peer.server.held_bytes == number * len(ROWS)
    late = Line(peer)
    late.send(REQUEST)
    assert [answer.status for answer in late.answers()] == [429]
    late.vanish()
    for line in lines:
        line.vanish()
        peer.echo.answer()
    assert peer.server.held_bytes == 0


def test_a_flood_of_small_requests_stays_bytes_until_it_is_their_turn() -> None:
    peer = Peer(When.LATER)
    line = Line(peer)
    flood = LIVE * (MIB // 4 // len(LIVE))
    tracemalloc.start()
    try:
        line.send(flood)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(flood)
    finally:
        tracemalloc.stop()
    line.settle()
    assert len(line.answers()) == flood.count(b"GET")
    line.end()
