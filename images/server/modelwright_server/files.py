"""Whether the files of a folder changed, such as a mounted Secret, which is replaced as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

Signature: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size in bytes and time of change of each file."""


def signature_of(directory: Path) -> Signature:
    """What changes when a file of `directory` does. Names that begin with a dot don't count. Raises OSError."""
    found = []
    for path in sorted(directory.iterdir()):
        if not path.name.startswith(".") and path.is_file():
            status = path.stat()
            found.append((path.name, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
