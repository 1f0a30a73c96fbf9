"""Waits until something answers, and looks meanwhile whether the daemon behind it still lives."""

import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from .daemons import Supervisor
from .report import ClusterError, tail

_POLL_S = 0.05


def wait(what: str, ready: Callable[[], bool], supervisor: Supervisor, daemon: str, timeout_s: float = 60) -> None:
    """Returns when `ready` does so; raises ClusterError with the daemon's last words when it dies or takes too long."""
    until = time.monotonic() + timeout_s
    while not ready():
        died = supervisor.running(daemon) is None
        if died or time.monotonic() > until:
            log = supervisor.log(daemon)
            reason = f"{daemon} ended" if died else f"{what} was not ready after {timeout_s:.0f} s"
            raise ClusterError(f"{reason}; the last lines of {log}:\n{tail(log)}")
        time.sleep(_POLL_S)


def answers(url: str, authority: str | None = None) -> Callable[[], bool]:
    """Whether the URL answers 200; for https, by a certificate that the authority signed."""

    def ready() -> bool:
        context = ssl.create_default_context(cafile=authority) if authority else None
        handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
        try:
            with urllib.request.build_opener(*handlers).open(url, timeout=3) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return ready


def accepts(path: Path) -> Callable[[], bool]:
    """Whether somebody listens on the Unix socket."""

    def ready() -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(path))
            except OSError:
                return False
            return True

    return ready


def says(*command: str, words: str = "") -> Callable[[], bool]:
    """Whether the command ends with 0 and its output holds these words; any words where none are given."""

    def ready() -> bool:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode == 0 and words in done.stdout and bool(done.stdout.strip())

    return ready
