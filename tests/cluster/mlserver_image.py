"""The image of an MLServer from PyPI, built as the product's own are, and only where what it is made of has changed."""

import sys
from dataclasses import dataclass
from pathlib import Path

from .live_cluster import ROOT

sys.path.insert(0, str(ROOT / "hack"))

from builds.base_image import base_image
from builds.engine import choose
from builds.sources import Image
from clusters import images

FOLDER = "tests/cluster/mlserver"


@dataclass(frozen=True)
class _MlserverImage(Image):
    @property
    def dockerfile(self) -> Path:
        return ROOT / FOLDER / "Containerfile"


_MLSERVER = _MlserverImage(
    "mlserver", (FOLDER, "benchmarks/peers/mlserver.lock", "requirements/model.lock", "images/install", ".dockerignore")
)


def mlserver_image(registry: str) -> str:
    """Builds it, unless the same is in the local store, pushes it, and returns its reference by digest."""
    engine = choose(None)
    engine.build(_MLSERVER, base_image(engine))
    named, digest = images.push(_MLSERVER.tag, registry).split("@")
    return f"{named.rpartition(':')[0]}@{digest}"
