"""What a person reads: one line a step with its time, and errors that say what to do."""

import sys
import time
from pathlib import Path


class ClusterError(Exception):
    """Something that the user must know or do; its text is all that is printed."""


def say(text: str, began: float | None = None) -> None:
    """Prints one line on stderr, with the seconds since `began` (of time.monotonic) where given."""
    spent = f"{time.monotonic() - began:6.1f} s  " if began is not None else " " * 10
    print(f"{spent}{text}", file=sys.stderr, flush=True)


def tail(path: Path, lines: int = 25) -> str:
    """The last lines of a log, or a word that there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 65536))
            text = log.read().decode(errors="replace")
    except OSError:
        return f"(no log at {path})"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
