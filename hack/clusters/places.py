"""Where things lie on this machine: the cache of built programs, and each cluster's state."""

import os
from pathlib import Path


def cache_root() -> Path:
    """What is built once and shared by every cluster; safe to delete while no cluster runs."""
    if chosen := os.environ.get("MODELWRIGHT_CACHE"):
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "modelwright"


def state_root() -> Path:
    """The parent of every cluster's state."""
    return Path(os.environ.get("MODELWRIGHT_STATE") or "/var/lib/modelwright") / "clusters"
