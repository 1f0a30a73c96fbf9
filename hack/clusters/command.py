"""Runs the machine's commands: quietly, and with a failure that a person can read."""

import os
import subprocess
from collections.abc import Mapping

from .report import ClusterError


def run(*command: str, text: str = "", environment: Mapping[str, str] | None = None) -> str:
    """What the command says on standard output; raises ClusterError with all that it said when it fails."""
    settings = {**os.environ, **(environment or {})}
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=settings, check=False)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()[-2000:]
        raise ClusterError(f"`{' '.join(command)}` failed: {said}")
    return done.stdout.strip()


def succeeds(*command: str) -> bool:
    """Whether the command is there and ends with 0."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
