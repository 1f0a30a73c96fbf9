"""Child processes of the supervisor: how they are forked, how they end, and that none outlives it."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

LOGGER = logging.getLogger(__name__)

MAX_WORDS_BYTES = 1024
_PR_SET_PDEATHSIG = 1
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_SIGSET_BYTES, _SIGINFO_BYTES = 128, 128
"""Of sigset_t and of struct signalfd_siginfo (signalfd(2))."""


@dataclass(frozen=True, slots=True)
class Child:
    """A forked process, and the end of the pipe that its last words come out of."""

    pid: int
    words: int

    def last_words(self) -> str:
        """Why it ended, as far as it could tell; to be asked once, when it has ended."""
        try:
            return os.read(self.words, MAX_WORDS_BYTES).decode("utf-8", "replace")
        except BlockingIOError:
            # A process that it started holds the other end open.
            return ""
        finally:
            os.close(self.words)


def fork(run: Callable[[], None]) -> Child:
    """A child that calls `run` and ends with status 0, or with 1 when that raises. Raises OSError when there is none.

    It dies with this process, whatever kills it, and has the signals back that `Signals` keeps.
    """
    supervisor = os.getpid()
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        pid = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if pid:
        os.close(writing)
        return Child(pid, reading)
    status = 1
    try:
        _die_with(supervisor)
        # A terminal's interrupt goes to all processes at once: the supervisor alone tells the others what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        run()
        status = 0
    except BaseException as failure:
        # Nothing may leave a forked process by the stack of its parent.
        LOGGER.exception("a process of the server failed")
        _say(writing, f"{type(failure).__name__}: {failure}")
    finally:
        _end(status)


class Signals:
    """SIGTERM, SIGINT and SIGCHLD of this process, kept from when this is made until `next` asks for them.

    Read from a signalfd: `signal.sigtimedwait` of CPython 3.11 answers with a signal that never came when the process
    was stopped and continued meanwhile (SIGSTOP, a debugger, a paused container) for longer than the timeout.
    """

    def __init__(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        mask = sum(1 << (number - 1) for number in _HANDLED).to_bytes(_SIGSET_BYTES, "little")
        self._file = ctypes.CDLL(None, use_errno=True).signalfd(-1, mask, os.O_CLOEXEC | os.O_NONBLOCK)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "signalfd")

    def next(self, timeout_s: float) -> int | None:
        """The next of them, as soon as it comes; None when none does."""
        readable, _, _ = select.select([self._file], [], [], timeout_s)
        return int.from_bytes(os.read(self._file, _SIGINFO_BYTES)[:4], sys.byteorder) if readable else None


def ended() -> list[tuple[int, int]]:
    """Process ids and wait statuses of all children that ended since the last call, adopted ones among them."""
    found = []
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            found.append(child)
    return found


def describe(status: int, last_words: str = "") -> str:
    """A wait status in words."""
    if not os.WIFSIGNALED(status):
        code = f"exit code {os.waitstatus_to_exitcode(status)}"
        return f"{code}: {last_words}" if last_words else code
    number = os.WTERMSIG(status)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "unnamed"
    return f"signal {number}, {name}"


def _die_with(supervisor: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        # It died before it could be said.
        os.kill(os.getpid(), signal.SIGKILL)


def _say(writing: int, text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(writing, text.encode("utf-8", "replace")[:MAX_WORDS_BYTES])


def _end(status: int) -> NoReturn:
    # Not sys.exit: a prediction that outlived the grace period may still run in native code on another thread, and
    # tearing the interpreter down under it could end the process by a signal.
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
