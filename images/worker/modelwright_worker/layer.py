"""The layer that carries a model: an uncompressed tar whose bytes depend on the files' content and names alone."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path


def write_layer(model: Path, target: Path, names: Sequence[str]) -> None:
    """Write `/model` and its files of these names to a tar: owner 0:0, mode 0644, time 0, sorted.

    Uncompressed, so that the digest of the layer is that of its content, and no compressor's version changes it.
    """
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        folder = tarfile.TarInfo("model")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for name in sorted(names):
            path = model / name
            member = tarfile.TarInfo(f"model/{name}")
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(member, file)
