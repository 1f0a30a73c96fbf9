"""What holds of the server's reading of any byte stream; each function raises AssertionError that shows the stream."""

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from modelwright_server.http_message import Request

from .in_process import Outcome, Peer
from .reference import Seen, requests_in

_AUTHORITY = re.compile(rb"\A[a-zA-Z][a-zA-Z0-9+.-]*://[^/?]*")


def executes_only_what_is_there(stream: bytes, outcome: Outcome) -> None:
    """Each executed request stands in the stream, in this order; all of them are answered, each with its own id."""
    seen = requests_in(stream)
    assert len(outcome.executed) <= len(seen), (
        f"{len(outcome.executed)} requests were executed of {len(seen)}: {stream!r}"
    )
    for request, expected in zip(outcome.executed, seen, strict=False):
        assert _same(request, expected), (
            f"{request.method} {request.path} {request.headers} {request.body!r} was executed, "
            f"not {expected}: {stream!r}"
        )
    answered = outcome.answers[: len(outcome.executed)]
    assert [answer.request_id.encode() for answer in answered] == [request.request_id for request in outcome.executed]
    refusals = outcome.answers[len(outcome.executed) :]
    assert len(refusals) <= 1, f"two refusals: {stream!r}"
    if refusals:
        assert refusals[0].status >= 400
        # What our own code raises while it is called by the parser comes out as one of its errors.
        assert b"callback error" not in refusals[0].body, f"an exception on {stream!r}"
        assert refusals[0].headers["connection"] == "close"
        assert outcome.ended, f"open after a refusal: {stream!r}"


def executes_all(stream: bytes, outcome: Outcome) -> None:
    """Every request of a valid stream is executed."""
    seen = requests_in(stream)
    assert len(outcome.executed) == len(seen), f"{len(outcome.executed)} of {len(seen)} were executed: {stream!r}"


def does_not_depend_on_pieces(stream: bytes, whole: Outcome, peer: Peer, pieces: Sequence[bytes]) -> None:
    """`peer` answers the stream in `pieces` as it was answered in one piece, ids and dates aside.

    Of several faults in one request another one may be found first, so refusals may say different things.
    """
    other = peer.outcome(pieces)
    count = len(whole.executed)
    alike = (
        len(other.executed) == count
        and other.told()[:count] == whole.told()[:count]
        and len(other.answers) == len(whole.answers)
        and other.ended == whole.ended
    )
    if not alike:
        raise AssertionError(f"{_brief(whole)} in one piece, {_brief(other)} in {pieces!r}")


def _same(request: Request, seen: Seen) -> bool:
    target = _AUTHORITY.sub(b"", seen.target, count=1)
    path = unquote_to_bytes(target.partition(b"?")[0]) or b"/"
    return (request.method, request.path.encode(), dict(request.headers), request.body) == (
        seen.method,
        path,
        seen.headers,
        seen.body,
    )


def _brief(outcome: Outcome) -> str:
    codes = " ".join(str(answer.status) for answer in outcome.answers)
    last = outcome.answers[-1].body[:200] if outcome.answers else b""
    return f"{codes} {last!r} {'and the end' if outcome.ended else 'and open'}"
