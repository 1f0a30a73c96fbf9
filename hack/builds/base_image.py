"""The image that all three stand on."""

import hashlib
import os
import subprocess
import time
from pathlib import Path

from clusters import packages
from clusters.command import run, succeeds
from clusters.places import cache_root
from clusters.report import ClusterError, say

from .engine import Engine
from .sources import ROOT

PUBLIC = "docker.io/library/python:3.11-slim-bookworm"
_RECIPE = ROOT / "hack" / "base-image"
_PULL_LIMIT_S = 180


def base_image(engine: Engine) -> str:
    """A reference that the engine has: the one that was asked for, the public one, or one made from packages."""
    if chosen := os.environ.get("MODELWRIGHT_BASE"):
        if not (engine.has(chosen) or _pull(engine, chosen)):
            raise ClusterError(f"MODELWRIGHT_BASE: {chosen} is neither in the local store nor in a registry")
        return chosen
    recipe = hashlib.sha256(_RECIPE.read_bytes()).hexdigest()[:12]
    made = f"localhost/modelwright/base:{recipe}"
    for reference in (made, PUBLIC):
        if engine.has(reference):
            return reference
    archive = cache_root() / "images" / f"base-{recipe}.tar"
    if not archive.exists():
        if _pull(engine, PUBLIC):
            return PUBLIC
        _make(archive)
    _import(engine, archive, made)
    return made


def _pull(engine: Engine, reference: str) -> bool:
    try:
        done = subprocess.run(
            [engine.name, "pull", "--quiet", reference], capture_output=True, timeout=_PULL_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _make(archive: Path) -> None:
    began = time.monotonic()
    say(f"no registry answers for {PUBLIC}: making a base image from Debian's packages")
    if not succeeds("debootstrap", "--version"):
        packages.install(["debootstrap"])
    run(str(_RECIPE), str(archive))
    say("base image made", began)


def _import(engine: Engine, archive: Path, reference: str) -> None:
    if engine.name == "docker":
        run("docker", "import", str(archive), reference)
        return
    container = run("buildah", "from", "scratch").strip()
    try:
        run("buildah", "add", "--quiet", container, str(archive), "/")
        run("buildah", "commit", "--quiet", "--timestamp=0", container, reference)
    finally:
        run("buildah", "rm", container)
