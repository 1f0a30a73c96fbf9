"""Process 1 of the container: binds, loads the model, forks, watches, and ends the others in good order.

It has no event loop and no thread, so it may fork at any time, and nothing that a request brings reaches it.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from modelwright_server.board import Board, Field, Slot
from modelwright_server.children import Child, Signals, describe, ended, fork
from modelwright_server.cpus import begin_with_one_thread, threads_of, usable_cpus
from modelwright_server.identity import with_version
from modelwright_server.logs import fields
from modelwright_server.management import manage
from modelwright_server.memory import limit_bytes, resident_bytes, share_bytes
from modelwright_server.settings import Settings
from modelwright_server.sockets import PortTaken, Sockets, bind_all, port_of
from modelwright_server.tls import Certificate, CertificateUnusable
from modelwright_server.tokens import Tokens, TokensUnusable
from modelwright_server.watch import PAUSED_S, Bounds, Signs, trouble_of
from modelwright_server.worker_pool import SPARE_SLOTS, CrashLoop, WorkerPool

if TYPE_CHECKING:
    # NumPy comes after the management process was forked, and after its threads were switched off.
    from modelwright_server.endpoint import Endpoint

LOGGER = logging.getLogger(__name__)

TICK_S = 0.1
STARTING_TICK_S = 0.01
MANAGEMENT_REST_S = 1.0
"""The management process is started at most so often."""


def supervise(settings: Settings, started_s: float) -> str | None:
    """Serve until SIGTERM or SIGINT; returns None, or the sentence that says why it can't, or can't any longer.

    `started_s` is when the process was started, on `time.perf_counter()`'s clock.
    """
    _allow_many_connections()
    cpus = usable_cpus()
    processes = settings.processes or cpus
    try:
        sockets = bind_all(settings.host, settings.port, settings.grpc_port, settings.management_port, processes)
        certificate = None if settings.tls_dir is None else Certificate(settings.tls_dir)
        tokens = None if settings.tokens_dir is None else Tokens(settings.tokens_dir)
    except (PortTaken, CertificateUnusable, TokensUnusable) as problem:
        return str(problem)
    LOGGER.info("listening", extra=fields(**_ports(sockets)))
    settings = with_version(settings)
    board = Board(processes + SPARE_SLOTS, settings.window_s)
    management = _Management(settings, board, sockets)
    management.start(monotonic())
    threads = threads_of(os.environ, cpus, processes)
    begin_with_one_thread(os.environ)
    endpoint = load(settings)
    if isinstance(endpoint, str):
        return endpoint
    if endpoint.profile is not None:
        board.features.publish(endpoint.profile.document)
    # Imported, like the model, before the processes that use it are forked: they share its pages.
    from modelwright_server.worker_process import Service, work

    service = Service(settings, board, endpoint, certificate, tokens, threads)

    def start(place: int, slot: Slot) -> Child:
        return fork(lambda: work(service, slot, sockets.keep(place)))

    bounds = Bounds(settings.hang_s, settings.max_memory_bytes or _memory_share(management.pid, processes))
    pool = WorkerPool(board, processes, start, bounds, settings.grace_s)
    watch = _Watch(pool, management, Signals())
    gc.freeze()
    sockets.listen()
    try:
        if watch.until_ready():
            seconds = round(perf_counter() - started_s, 3)
            LOGGER.info("ready", extra=fields(model=endpoint.name, version=endpoint.version, seconds=seconds))
            watch.until_told_to_end()
    except CrashLoop as problem:
        return str(problem)
    board.drain()
    sockets.close_places()
    LOGGER.info("draining", extra=fields(seconds=settings.drain_s))
    watch.drain()
    management.end()
    LOGGER.info("stopped")
    return None


def load(settings: Settings) -> Endpoint | str:
    """The model, loaded, checked and warmed up, or the sentence that says why there is none."""
    from modelwright_server.loading import load_or_say_why

    # Collections while it loads would only walk over what lives as long as the process.
    gc.disable()
    return load_or_say_why(settings)


class _Watch:
    """Waits for what happens to the child processes, and has it put right."""

    def __init__(self, pool: WorkerPool, management: _Management, signals: Signals) -> None:
        self._pool = pool
        self._management = management
        self._signals = signals
        self._seen_at = monotonic()
        self._since = self._seen_at

    def until_ready(self) -> bool:
        """Return when all worker processes are ready, or, with False, when told to end. Raises CrashLoop."""
        while not self._pool.complete:
            if not self._turn(STARTING_TICK_S):
                return False
        return True

    def until_told_to_end(self) -> None:
        """Return on SIGTERM or SIGINT. Raises CrashLoop."""
        while self._turn(TICK_S):
            pass

    def drain(self) -> None:
        """Return when no worker process is left."""
        self._pool.drain(monotonic())
        while self._pool:
            self._turn(TICK_S)

    def _turn(self, timeout_s: float) -> bool:
        came = self._signals.next(timeout_s)
        now = monotonic()
        if now - self._seen_at > timeout_s + PAUSED_S:
            self._since = now
        self._seen_at = now
        for pid, status in ended():
            if not self._pool.ended(pid, status, now):
                self._management.ended(pid, status)
        self._pool.watch(now, self._since)
        self._management.watch(now, self._since)
        return came in (None, signal.SIGCHLD)


class _Management:
    """The management process, started again whenever it ends or stands still."""

    def __init__(self, settings: Settings, board: Board, sockets: Sockets) -> None:
        self._settings = settings
        self._board = board
        self._sockets = sockets
        self._slot = Board(1).slots[0]
        self._bounds = Bounds(settings.hang_s)
        self._child: Child | None = None
        self._started_at = 0.0

    @property
    def pid(self) -> int:
        """Its process id; 0 when there is none."""
        return 0 if self._child is None else self._child.pid

    def start(self, now: float) -> None:
        """Fork it. Raises OSError."""
        self._started_at = now
        self._slot.set(Field.STARTED_AT, now)
        self._child = fork(self._run)

    def ended(self, pid: int, status: int) -> None:
        """A child ended, maybe this one."""
        if self._child is not None and pid == self._child.pid:
            ended_with = describe(status, self._child.last_words())
            self._child = None
            LOGGER.error("management process replaced", extra=fields(pid=pid, ended=ended_with))

    def watch(self, now: float, since: float) -> None:
        """Start it when there is none, and end it when it stands still."""
        if self._child is None:
            if now - self._started_at >= MANAGEMENT_REST_S:
                try:
                    self.start(now)
                except OSError:
                    LOGGER.exception("no process can be started")
        elif trouble_of(Signs.of(self._slot), self._bounds, now, since) is not None:
            os.kill(self._child.pid, signal.SIGKILL)

    def end(self) -> None:
        """End it, as the last."""
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGKILL)
            os.waitpid(self._child.pid, 0)

    def _run(self) -> None:
        self._sockets.close_places()
        manage(self._settings, self._board, self._slot, self._sockets.management)


def _allow_many_connections() -> None:
    # Each is a file descriptor, of which many container runtimes give 1,024 unless one asks for more.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _memory_share(management: int, processes: int) -> int | None:
    limit = limit_bytes()
    if limit is None:
        return None
    return share_bytes(limit, resident_bytes(os.getpid()) + resident_bytes(management), processes)


def _ports(sockets: Sockets) -> dict[str, int | None]:
    first = sockets.places[0]
    return {
        "port": port_of(first.http),
        "grpc_port": None if first.grpc is None else port_of(first.grpc),
        "management_port": port_of(sockets.management),
    }
