"""A model with an ONNX form is fetched, packaged and guarded like one without: file by file, by digest."""

from __future__ import annotations

import io
import json
import platform
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from modelwright_contract.canonical import Digest, digest_of
from modelwright_contract.manifests import Blob, ModelManifest
from modelwright_contract.results import Failure, PackageSummary, TrainSummary

from .registry import Registry, serving
from .steps import Run, Steps

HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
FORM = b"as far as a packager knows, these bytes are ONNX"


@pytest.fixture(scope="module")
def with_form(packaged: tuple[Steps, TrainSummary]) -> tuple[Steps, Digest]:
    """The packaged model's files, and one more, under a manifest of its own."""
    steps, model = packaged
    hexdigits = digest_of(FORM).removeprefix("sha256:")
    (steps.store / "blobs" / "sha256" / hexdigits).write_bytes(FORM)
    manifests = steps.store / "manifests" / "sha256"
    without = ModelManifest.parse((manifests / f"{model.digest.removeprefix('sha256:')}.json").read_bytes())
    content = replace(without, onnx=Blob(digest_of(FORM), len(FORM))).to_bytes()
    (manifests / f"{digest_of(content).removeprefix('sha256:')}.json").write_bytes(content)
    return steps, digest_of(content)


def fetched(steps: Steps, digest: Digest, registry: Registry, key: str) -> tuple[dict[str, object], Run]:
    """A package task, and its fetch."""
    host = registry.address
    base = registry.add_base(architecture=HERE)
    task: dict[str, object] = {
        "step": "package",
        "model": {"digest": digest},
        "image": f"{host}/models/late",
        "tag": "v1",
        "baseImage": f"{host}/base/server@{base}",
        "insecure": True,
        "key": key * 64,
    }
    return task, steps.run("fetch", task)


def test_all_files_travel(with_form: tuple[Steps, Digest]) -> None:
    steps, digest = with_form
    with serving(Registry()) as registry:
        task, run = fetched(steps, digest, registry, "d")
        assert (run.scratch / "model" / "model.onnx").read_bytes() == FORM
        report = steps.run("push", task, scratch=run.scratch).report
        assert isinstance(report, PackageSummary), report
        layer = json.loads(registry.manifests["models/late", "v1"][1])["layers"][-1]
        with tarfile.open(fileobj=io.BytesIO(registry.blobs["models/late", layer["digest"]])) as tar:
            names = [member.name for member in tar.getmembers()]
    files = ("golden.json", "manifest.json", "model.onnx", "model.skops", "profile.json")
    assert names == ["model", *(f"model/{file}" for file in files)]


def _altered(model: Path) -> None:
    (model / "model.onnx").write_bytes(FORM[::-1])


def _removed(model: Path) -> None:
    (model / "model.onnx").unlink()


@pytest.mark.parametrize(("spoil", "says"), [(_altered, "were altered"), (_removed, "has not left")])
def test_a_form_that_was_altered_is_not_pushed(
    with_form: tuple[Steps, Digest], spoil: Callable[[Path], None], says: str
) -> None:
    steps, digest = with_form
    with serving(Registry()) as registry:
        task, run = fetched(steps, digest, registry, "e")
        spoil(run.scratch / "model")
        report = steps.run("push", task, scratch=run.scratch).report
    assert isinstance(report, Failure)
    assert report.reason == "ModelNotFound"
    assert says in report.message


def test_a_form_that_the_store_has_not_is_told(with_form: tuple[Steps, Digest]) -> None:
    steps, digest = with_form
    path = steps.store / "blobs" / "sha256" / digest_of(FORM).removeprefix("sha256:")
    path.rename(path.with_suffix(".away"))
    try:
        with serving(Registry()) as registry:
            report = fetched(steps, digest, registry, "f")[1].report
    finally:
        path.with_suffix(".away").rename(path)
    assert isinstance(report, Failure)
    assert "model.onnx" in report.message
