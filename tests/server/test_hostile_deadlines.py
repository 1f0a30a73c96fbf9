"""Time on one connection, by a clock that the test moves: what ends a connection, and what must not."""

from modelwright_server.settings import HttpLimits

from .hostile.honest import LIVE, PREDICT, ROWS, head, post
from .hostile.in_process import Line, Peer, When

LIMITS = HttpLimits(head_timeout_s=10, body_timeout_s=20, idle_timeout_s=30, linger_s=1, pipeline=4)
REQUEST = post(PREDICT, ROWS)


def statuses(line: Line) -> list[int]:
    """The codes answered so far."""
    return [answer.status for answer in line.answers()]


def test_a_silent_connection_is_closed() -> None:
    line = Line(Peer(limits=LIMITS))
    line.wait(29)
    assert not line.has_ended()
    line.wait(2)
    assert line.has_ended()
    assert statuses(line) == []


def test_time_between_requests_begins_with_the_answer() -> None:
    line = Line(Peer(limits=LIMITS))
    for _ in range(3):
        line.send(REQUEST)
        line.wait(29)
        assert not line.has_ended()
    line.wait(2)
    assert line.has_ended()
    assert statuses(line) == [200] * 3


def test_slow_head() -> None:
    line = Line(Peer(limits=LIMITS))
    for at in range(11):
        line.send(LIVE[at : at + 1])
        line.wait(1)
    assert statuses(line) == [408]
    assert line.has_ended()


def test_slow_body() -> None:
    line = Line(Peer(limits=LIMITS))
    line.send(head(b"content-length: 100"))
    for _ in range(21):
        line.send(b" ")
        line.wait(1)
    assert statuses(line) == [408]
    assert line.has_ended()


def test_a_long_prediction_is_not_cut_off() -> None:
    peer = Peer(When.NEVER, LIMITS)
    for round_trip in range(3):
        # From the second time on the head is known.
        line = Line(peer)
        line.wait(20)
        line.send(REQUEST)
        line.wait(100)
        assert not line.has_ended(), f"request {round_trip} was cut off"
        peer.echo.answer()
        line.settle()
        assert statuses(line) == [200]
        line.end()


def test_what_the_server_does_not_read_is_not_late() -> None:
    peer = Peer(When.NEVER, LIMITS)
    line = Line(peer)
    line.send(REQUEST * 6 + REQUEST[:40])
    assert not line.is_read()
    line.wait(100)
    assert statuses(line) == []
    for _ in range(6):
        peer.echo.answer()
        line.settle()
    assert line.is_read()
    line.send(REQUEST[40:])
    peer.echo.answer()
    line.settle()
    assert statuses(line) == [200] * 7
    line.end()


def test_a_body_that_the_server_does_not_read_is_not_late() -> None:
    peer = Peer(When.NEVER, LIMITS)
    line = Line(peer)
    line.send(REQUEST * 6 + REQUEST[:-5])
    line.wait(100)
    for _ in range(6):
        peer.echo.answer()
        line.settle()
    line.send(REQUEST[-5:])
    peer.echo.answer()
    line.settle()
    assert statuses(line) == [200] * 7
    line.end()


def test_a_request_after_an_unfinished_one_is_still_late() -> None:
    peer = Peer(When.NEVER, LIMITS)
    line = Line(peer)
    line.send(REQUEST + LIVE[:10])
    peer.echo.answer()
    line.wait(11)
    assert statuses(line) == [200, 408]
    assert line.has_ended()
