"""Which predictions the canary answers, and that its failures are no client's: stable has read each request before.

A request is read first, so a client's own error never reaches the canary. Then a hash decides. What the canary doesn't
answer well and in half the deadline the stable model answers, from the rows that were read already.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Protocol
from urllib.parse import quote

from modelwright_server.answer_labels import AnswerUnreadable, labels_of
from modelwright_server.answers import class_name
from modelwright_server.batcher import Batcher
from modelwright_server.breaker import Breaker
from modelwright_server.canary_answer import Answer, Unanswered
from modelwright_server.canary_connection import Exchange, Outcome
from modelwright_server.canary_pool import CanaryPool
from modelwright_server.canary_share import Share, is_below
from modelwright_server.comparison import Comparisons
from modelwright_server.endpoint import Endpoint
from modelwright_server.forwarded_request import own_seconds, request_head, request_line, response_of
from modelwright_server.http_message import FORWARDED, VERSION, Request, Response
from modelwright_server.logs import Allowance, fields
from modelwright_server.problems import Problem
from modelwright_server.routing import Canary, Origin, Routing, RoutingUnusable
from modelwright_server.routing_counts import RoutingCounts
from modelwright_server.work import Work
from modelwright_server.worker_thread import WorkerThread

LOGGER = logging.getLogger(__name__)

LAST_LOOK_S = 0.002
"""At the end of its time the event loop looks once more for an answer: when it stood still that was its own fault."""

OVERHEAD_S = 0.25
"""The way to the canary and back should take less; what is longer than its own time and this is the canary's.

This server stands still now and then, on a busy node or at its CPU limit (for up to a tenth of a second at a time). A
forwarded request meets that twice, here and there: a canary that is just as quick would seem slower.
"""

ANSWER_BYTES = 64 * 1024
"""What an answer may take beside its rows."""

INLINE_BODY_BYTES = 64 * 1024
"""A longer answer is read on a thread."""

LINES_PER_S = 5
_OK, _CLIENT_ERROR, _UNAUTHORIZED, _REJECTED, _SERVER_ERROR = 200, 400, 401, 429, 500


class Call(Protocol):
    """One prediction request of a client."""

    request: Request
    route: str

    def done(self, result: Response | Problem) -> None:
        """Answer it with what this server's model says."""

    def forwarded(self, response: Response) -> None:
        """Answer it with what the canary says."""


class Course:
    """One generation of the routing, while it is applied."""

    def __init__(self, generation: int, canary: Canary, pool: CanaryPool, paths: list[str]) -> None:
        self.generation = b"%d" % generation
        self.canary = canary
        self.pool = pool
        self.share = Share(canary.version, canary.weight)
        self.breaker = Breaker()
        self.version = canary.version.encode("ascii")
        self.lines = {path: request_line(quote(path, safe="/:"), canary.origin) for path in paths}

    def slow(self, seconds: float) -> bool:
        """Whether so long is slow."""
        return 0.0 < self.canary.slow_s < seconds


class Forwarding:
    """Predicts for one worker process while there is a canary. Everything runs on the event loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: Endpoint,
        batcher: Batcher,
        reader: WorkerThread,
        counts: RoutingCounts,
        tls: Callable[[], ssl.SSLContext] | None,
    ) -> None:
        """`tls` gives what a connection to the canary must trust; None where this server speaks plain HTTP."""
        self.loop = loop
        self.batcher = batcher
        self.reader = reader
        self.counts = counts
        self.course: Course | None = None
        self.comparisons = Comparisons(loop, batcher, regression=endpoint.predictor.task == "regression")
        self.log = Allowance(LINES_PER_S)
        self._tls = tls
        # Who names a version gets that one.
        named = f"/v2/models/{endpoint.name}/versions/"
        self._paths = [path for path in endpoint.decoders() if not path.startswith(named)]
        classes = [class_name(value).encode("utf-8") for value in endpoint.predictor.classes]
        self._row_bytes = 256 + sum(64 + 2 * len(name) for name in classes)

    def apply(self, routing: Routing) -> bool:
        """From now on decide by `routing`; True when there is a canary. What is under way ends as it began.

        Raises RoutingUnusable, and goes on as before, when the canary can't be asked as it says.
        """
        before, canary = self.course, routing.canary
        if canary is not None and canary.origin.tls and self._tls is None:
            raise RoutingUnusable("canary.url is https, for which this server needs a certificate of its own")
        self.counts.apply(routing.generation)
        self.course = None
        if canary is not None:
            self.course = Course(routing.generation, canary, self._pool_for(canary, before), self._paths)
        if before is not None and (self.course is None or self.course.pool is not before.pool):
            before.pool.close()
        return self.course is not None

    def sweep(self) -> None:
        """To be called now and then."""
        if self.course is not None:
            self.course.pool.sweep()

    def predict(self, work: Work[Response], call: Call) -> None:
        """Have a request answered by the canary or by the stable model."""
        course, request = self.course, call.request
        line = None if course is None else course.lines.get(request.head.path)
        headers = request.head.headers
        if course is None or line is None or FORWARDED in headers:
            # What a server passed on is never passed on again, wherever a Service leads.
            self.batcher.submit(work, call.done)
            return
        sticky = course.canary.sticky_header
        draw = course.share.draw((sticky and headers.get(sticky)) or request.request_id)
        ticket = None if draw is None else course.breaker.admit(self.loop.time())
        if draw is None or ticket is None:
            self.batcher.submit(work, partial(self._answered_by_stable, course, call))
        else:
            head = request_head(line, course.generation, request)
            _Attempt(self, course, work, call, draw, ticket).begin(head, self._max_bytes(work, request))

    def counts_for(self, course: Course) -> RoutingCounts | None:
        """Where to count what happened under `course`; None when it is over."""
        return self.counts if course is self.course else None

    def _answered_by_stable(self, course: Course, call: Call, result: Response | Problem) -> None:
        counts = self.counts_for(course)
        if counts is not None and not _is_clients_error(result.status):
            seconds = perf_counter() - call.request.received_s
            counts.stable(seconds, error=result.status != _OK, slow=course.slow(seconds))
        call.done(result)

    def _pool_for(self, canary: Canary, before: Course | None) -> CanaryPool:
        if before is not None and (before.canary.origin, before.canary.version) == (canary.origin, canary.version):
            return before.pool
        tls = self._tls is not None
        return CanaryPool(self.loop, Origin(canary.origin.host, canary.origin.port, tls), self._tls)

    def _max_bytes(self, work: Work[Response], request: Request) -> int:
        # A canary may know a few classes more than stable, and an `id` of any length comes back.
        return ANSWER_BYTES + len(request.body) + work.rows * self._row_bytes


class _Attempt:
    """One request in the canary's share, until its client has an answer."""

    __slots__ = ("_call", "_course", "_draw", "_exchange", "_forwarding", "_ticket", "_timer", "_work")

    def __init__(
        self, forwarding: Forwarding, course: Course, work: Work[Response], call: Call, draw: int, ticket: int
    ) -> None:
        self._forwarding = forwarding
        self._course = course
        self._work = work
        self._call = call
        self._draw = draw
        self._ticket = ticket
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, head: bytes, max_bytes: int) -> None:
        """Ask the canary, and set the clock."""
        course = self._course
        self._timer = self._forwarding.loop.call_later(course.canary.deadline_s / 2, self._look_once_more)
        self._exchange = course.pool.ask(head, self._call.request.body, max_bytes, self._heard)

    def _look_once_more(self) -> None:
        self._timer = self._forwarding.loop.call_later(LAST_LOOK_S, self._late)

    def _late(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        asked = exchange.asked
        exchange.give_up()
        seconds = f"{self._course.canary.deadline_s / 2:g} s"
        self._fall_back(
            Unanswered(f"it did not answer in {seconds}")
            if asked
            else Unanswered(f"no connection to it came to be in {seconds}", unreachable=True)
        )

    def _heard(self, outcome: Outcome) -> None:
        if self._timer is not None:
            self._timer.cancel()
        seconds = self._elapsed()
        if isinstance(outcome, Unanswered):
            self._fall_back(outcome)
        elif outcome.status != _OK:
            # A new token may reach this Pod sooner than the canary's.
            refused = outcome.status == _UNAUTHORIZED
            self._fall_back(Unanswered(f"it answered with status {outcome.status}", unreachable=refused))
        elif outcome.headers.get(VERSION, self._course.version) != self._course.version:
            said = outcome.headers[VERSION].decode("latin-1")[:128]
            self._fall_back(Unanswered(f"at its address version {said} answers", unreachable=True))
        elif outcome.headers.get(b"x-request-id") != self._call.request.request_id:
            self._fall_back(Unanswered("its answer is not to this request"))
        elif len(outcome.body) <= INLINE_BODY_BYTES:
            self._judge(outcome, seconds, self._read(outcome))
        else:
            self._forwarding.reader.put(partial(self._read, outcome), partial(self._judge, outcome, seconds))

    def _read(self, answer: Answer) -> tuple[object, bool] | Unanswered:
        """The label of the row that is drawn, and whether there is one; raises nothing."""
        try:
            labels = labels_of(self._call.route, answer.headers, answer.body, self._work.rows)
        except AnswerUnreadable as problem:
            return Unanswered(str(problem))
        except Exception as problem:
            LOGGER.exception("an answer of the canary could not be read")
            return Unanswered(f"its answer can't be read: {type(problem).__name__}")
        return (None, False) if labels is None else (labels[self._row], True)

    def _judge(self, answer: Answer, seconds: float, read: tuple[object, bool] | Unanswered) -> None:
        if isinstance(read, Unanswered):
            self._fall_back(read, seconds)
            return
        course, forwarding = self._course, self._forwarding
        own = own_seconds(answer.headers)
        if own is not None:
            # Measured as stable's own are: from a request's last byte to its answer, without the way between the two.
            seconds = max(own, seconds - OVERHEAD_S)
        course.breaker.succeeded(self._ticket)
        counts = forwarding.counts_for(course)
        if counts is not None:
            counts.canary(seconds, error=False, slow=course.slow(seconds))
        self._call.forwarded(response_of(answer, course.version, self._work.rows))
        label, there = read
        if there and is_below(self._draw, course.canary.compare):
            forwarding.comparisons.add(self._call.route, self._work, self._row, label, self._compared)

    def _fall_back(self, why: Unanswered, seconds: float | None = None) -> None:
        if seconds is None:
            seconds = self._elapsed()
        self._exchange = self._timer = None
        self._forwarding.batcher.submit(self._work, partial(self._answered_after_all, why, seconds))

    def _answered_after_all(self, why: Unanswered, seconds: float, result: Response | Problem) -> None:
        course, forwarding = self._course, self._forwarding
        if _is_clients_error(result.status):
            # Only the model could tell that these rows can't be predicted; the canary was right.
            course.breaker.left_open(self._ticket)
        else:
            self._count(why, seconds)
            if forwarding.log.take():
                said = fields(reason=why.reason, request_id=self._call.request.request_id.decode("ascii"))
                LOGGER.warning("canary failed", extra=said)
        self._call.done(result)

    def _count(self, why: Unanswered, seconds: float) -> None:
        course, forwarding = self._course, self._forwarding
        opened = course.breaker.failed(self._ticket, forwarding.loop.time(), seconds)
        counts = forwarding.counts_for(course)
        if counts is None:
            return
        if why.unreachable:
            counts.unreachable()
        else:
            counts.canary(seconds, error=True, slow=course.slow(seconds))
        if opened:
            counts.breaker_opened()

    def _compared(self, *, agreed: bool) -> None:
        counts = self._forwarding.counts_for(self._course)
        if counts is not None:
            counts.compared(agreed=agreed)

    def _elapsed(self) -> float:
        return perf_counter() - self._call.request.received_s

    @property
    def _row(self) -> int:
        return self._draw % self._work.rows


def _is_clients_error(status: int) -> bool:
    """Whether a request was answered so because of what its client sent."""
    return _CLIENT_ERROR <= status < _SERVER_ERROR and status != _REJECTED
