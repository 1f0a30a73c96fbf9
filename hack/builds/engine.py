"""The two builders: Buildah, which needs no daemon, and Docker."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clusters import packages
from clusters.command import run, succeeds
from clusters.report import ClusterError, say

from .pip_settings import write_secrets
from .sources import BUILD, ROOT, Image


@dataclass(frozen=True)
class Engine:
    """Builds images into its own local store."""

    name: Literal["buildah", "docker"]

    def build(self, image: Image, base: str) -> str:
        """Builds the image unless the same is there already; returns its fingerprint."""
        fingerprint = image.fingerprint(f"{self.name} {self.identity(base)}")
        stamp = BUILD / "images" / f"{image.name}.{self.name}"
        built = self.identity(image.tag)
        if built and stamp.exists() and stamp.read_text().split() == [fingerprint, built]:
            return fingerprint
        began = time.monotonic()
        with _secrets() as secrets:
            run(*self._command(image, base, secrets))
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(f"{fingerprint} {self.identity(image.tag)}\n")
        say(f"image {image.name} built", began)
        return fingerprint

    def identity(self, reference: str) -> str:
        """The id of an image of the local store; empty when it is not there."""
        if not self.has(reference):
            return ""
        if self.name == "docker":
            return run("docker", "image", "inspect", "--format", "{{.Id}}", reference).strip()
        return run("buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", reference).strip()

    def has(self, reference: str) -> bool:
        """Whether the local store has it."""
        if self.name == "docker":
            return succeeds("docker", "image", "inspect", reference)
        return succeeds("buildah", "inspect", "--type", "image", reference)

    def _command(self, image: Image, base: str, secrets: Path) -> list[str]:
        options = [f"--file={image.dockerfile}", f"--tag={image.tag}", f"--build-arg=BASE={base}", "--network=host"]
        options += [f"--secret=id={file.name},src={file}" for file in sorted(secrets.iterdir())]
        if self.name == "docker":
            return ["docker", "build", "--quiet", "--build-arg=SOURCE_DATE_EPOCH=0", *options, str(ROOT)]
        # A fixed time makes the digest one of content; chroot is the isolation that works inside a container too.
        return ["buildah", "bud", "--isolation=chroot", "--layers", "--timestamp=0", *options, str(ROOT)]


def choose(name: str | None) -> Engine:
    """The builder asked for; otherwise Docker where its daemon answers and Buildah is not there, else Buildah."""
    if name == "docker" or (name is None and not shutil.which("buildah") and succeeds("docker", "info")):
        if not succeeds("docker", "info"):
            raise ClusterError("`docker info` does not answer: start the Docker engine, or say `--engine buildah`")
        return Engine("docker")
    packages.require_for_images()
    return Engine("buildah")


@contextmanager
def _secrets() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        write_secrets(Path(folder))
        yield Path(folder)
