"""The chart as helm renders it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "modelwright"
DIGEST = "sha256:" + "a" * 64
IMAGES = [
    f"images.{name}=registry.example.org/modelwright/{name}@{DIGEST}" for name in ("operator", "worker", "server")
]

JsonObject = dict[str, Any]


class HelmRefused(Exception):
    """helm ended with an error; the text is what it said."""


def helm_program() -> str:
    """The helm in PATH, or the newest that `hack/cluster build` made; an AssertionError where there is none."""
    if found := shutil.which("helm"):
        return found
    cache = os.environ.get("MODELWRIGHT_CACHE") or os.environ.get("XDG_CACHE_HOME", "~/.cache") + "/modelwright"
    built = sorted(Path(cache).expanduser().glob("programs/helm-*/helm"), key=lambda path: path.stat().st_mtime)
    assert built, "there is no helm: install it, or run `hack/cluster build`, which builds it"
    return str(built[-1])


def helm(*arguments: str) -> str:
    """What helm says; raises HelmRefused."""
    done = subprocess.run([helm_program(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmRefused(done.stderr + done.stdout)
    return done.stdout


def values(*settings: str, images: bool = True) -> list[str]:
    """helm's options for these values, JSON on the right-hand side of those that hold a bracket or brace."""
    chosen = [*(IMAGES if images else []), *settings]
    return [f"--set-json={one}" if one.partition("=")[2][:1] in '[{"' else f"--set={one}" for one in chosen]


def render(*settings: str, images: bool = True, more: tuple[str, ...] = ()) -> list[JsonObject]:
    """Every object of a release called `modelwright` in `modelwright-system`."""
    said = helm(
        "template",
        "modelwright",
        str(CHART),
        "--namespace=modelwright-system",
        "--kube-version=1.36.0",
        *more,
        *values(*settings, images=images),
    )
    return [document for document in yaml.safe_load_all(said) if document]


def of_kind(objects: list[JsonObject], *kinds: str) -> list[JsonObject]:
    """Those of these kinds."""
    return [obj for obj in objects if obj["kind"] in kinds]


def pod_specs(objects: list[JsonObject]) -> Iterator[tuple[str, JsonObject]]:
    """Each Pod and each Pod template, with a name for messages."""
    for obj in objects:
        if obj["kind"] == "Pod":
            yield obj["metadata"]["name"], obj["spec"]
        elif "template" in obj.get("spec", {}):
            yield obj["metadata"]["name"], obj["spec"]["template"]["spec"]
