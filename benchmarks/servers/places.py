"""Where the benchmark of the servers keeps things: installed peers, models, and logs lie in the user's cache."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "benchmarks" / "peers"
PARTS = Path(__file__).resolve().parent


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/modelwright/bench`, below `~/.cache` where that variable is not set."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "modelwright" / "bench"
