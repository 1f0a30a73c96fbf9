"""Heads that were parsed before, by their bytes.

Reading a head is a function of its bytes alone when it is the first thing after a whole message, so its result may be
kept. Kept are heads of requests that came in one piece, framed by Content-Length or without a body, on a connection
that stays open.
"""

from __future__ import annotations

from modelwright_server.http_message import Head, Request, Response

MAX_HEAD_BYTES = 2048
MAX_HEADS = 512
_OWN_EACH_TIME = (b"x-request-id", b"traceparent", b"tracestate", b"date")
_NOT_PLAIN = (b"transfer-encoding", b"expect", b"upgrade")


class KnownHeads:
    """At most MAX_HEADS heads; when that is not enough it begins anew."""

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[Head, int]] = {}

    def get(self, head: bytes, body_bytes: int) -> Head | None:
        """What `head` says, if it was learned and its body has just so many bytes."""
        known = self._heads.get(head)
        if known is None or known[1] != body_bytes:
            return None
        return known[0]

    def learn(self, data: bytes, end: int, parsed: Request | Response) -> None:
        """Remember the head data[:end] if `parsed`, made from all of `data`, allows it."""
        if isinstance(parsed, Response):
            return
        head = parsed.head
        if not head.plain or any(name in head.headers for name in (*_OWN_EACH_TIME, *_NOT_PLAIN)):
            return
        length = int(head.headers.get(b"content-length", b"0"))
        if length != len(data) - end or length != len(parsed.body):
            return
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        self._heads[data[:end]] = (head, length)
