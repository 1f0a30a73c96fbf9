"""The sentence that a container leaves behind for the operator (Kubernetes' termination message)."""

import contextlib
import sys
from pathlib import Path

MAX_BYTES = 3072


def tell(path: Path, sentence: str) -> None:
    """Write `sentence` to the termination log and to standard error; a log that can't be written is no failure."""
    text = sentence.encode("utf-8")[:MAX_BYTES].decode("utf-8", "ignore")
    print(text, file=sys.stderr, flush=True)
    # Outside Kubernetes there may be no such file; standard error has the sentence.
    with contextlib.suppress(OSError):
        path.write_text(text, encoding="utf-8")
