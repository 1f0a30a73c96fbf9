"""The command line of hack/images."""

import argparse
import os
import sys

from clusters.report import ClusterError

from . import registry
from .base_image import base_image
from .engine import choose
from .sources import IMAGES, Image


def main(description: str) -> None:
    """Runs one command; ends with 1 and a sentence where it cannot."""
    parser = argparse.ArgumentParser(
        prog="hack/images", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("build", "push", "refs"))
    parser.add_argument("--engine", choices=("buildah", "docker"))
    arguments = parser.parse_args()
    try:
        _run(arguments.command, arguments.engine)
    except ClusterError as failure:
        sys.exit(f"hack/images: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(command: str, engine_name: str | None) -> None:
    if command == "refs":
        _print(registry.pushed())
        return
    target = os.environ.get("MODELWRIGHT_REGISTRY", "")
    if command == "push" and not target:
        raise ClusterError('MODELWRIGHT_REGISTRY is not set: name a registry, or run `eval "$(hack/cluster env)"`')
    engine = choose(engine_name)
    base = base_image(engine)
    built: dict[Image, str] = {image: engine.build(image, base) for image in IMAGES}
    if command == "push":
        _print(registry.push(built, target))


def _print(references: dict[str, str]) -> None:
    for name, reference in references.items():
        print(f"{name}={reference}")
