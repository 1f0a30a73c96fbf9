"""The command `push`: the base image and one layer with the model, in the registry, by digest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from modelwright_contract.canonical import Json, digest_of
from modelwright_contract.manifests import MANIFEST_FILE, ModelManifest, TensorSpec
from modelwright_contract.results import ModelDigest, PackageSummary, Signature, Sizes, Tensor
from modelwright_contract.tasks import PackageTask
from modelwright_worker.context import Context, Outcome
from modelwright_worker.failures import Told
from modelwright_worker.fetch import parse_manifest
from modelwright_worker.image import BaseImage, append_layer, read_base
from modelwright_worker.layer import write_layer
from modelwright_worker.oci import OCI_CONFIG, OCI_LAYER, Descriptor, Registry, descriptor_of
from modelwright_worker.references import Reference, login_for, parse_reference, read_logins
from modelwright_worker.store import hash_file


def push(task: PackageTask, context: Context) -> Outcome:
    """Append, push, tag. Raises Told."""
    stages, scratch = context.stages, context.places.scratch
    manifest = _checked_manifest(task, context.places.model)
    base_reference, target = parse_reference(task.base_image), parse_reference(task.image)
    logins = read_logins(context.places.push_config)
    registry = Registry(target.host, login_for(logins, target), insecure=task.insecure)
    base_registry = registry
    if base_reference.host != target.host or login_for(logins, base_reference) != login_for(logins, target):
        base_registry = Registry(base_reference.host, login_for(logins, base_reference), insecure=task.insecure)
    with stages.stage("base"):
        base = read_base(base_registry, base_reference)
    with stages.stage("layer"):
        path = scratch / "layer.tar"
        write_layer(context.places.model, path, (MANIFEST_FILE, *manifest.files))
        layer = descriptor_of(OCI_LAYER, path)
    labels = {"dev.modelwright.model.digest": task.model.digest, "org.opencontainers.image.base.digest": base.digest}
    config, document = append_layer(base, layer, labels)
    with stages.stage("push"):
        _copy_layers(base, base_registry, base_reference, registry, target)
        if not registry.has_blob(target.repository, layer.digest):
            registry.upload(target.repository, layer, lambda: path.open("rb"))
        described = Descriptor(OCI_CONFIG, digest_of(config), len(config))
        if not registry.has_blob(target.repository, described.digest):
            registry.upload(target.repository, described, config)
        digest = digest_of(document)
        if registry.manifest_digest(target.repository, task.tag) != digest:
            registry.put_manifest(target.repository, task.tag, document)
    golden_rows = len(json.loads((context.places.model / "golden.json").read_bytes())["rows"])
    image_bytes = sum(item.size for item in base.layers) + layer.size
    summary = PackageSummary(
        image=f"{task.image}@{digest}",
        model=ModelDigest(digest=task.model.digest),
        sizes=Sizes(model=manifest.model.bytes, layer=layer.size, image=image_bytes),
        signature=Signature(inputs=_tensors(manifest.inputs), outputs=_tensors(manifest.outputs)),
        golden_rows=golden_rows,
    )
    details: dict[str, Json] = {"base": task.base_image, "baseDigest": base.digest, "layer": layer.to_json()}
    return Outcome(summary, details)


def _checked_manifest(task: PackageTask, model: Path) -> ModelManifest:
    """The manifest that `fetch` left, with the files still what it says."""
    try:
        content = (model / MANIFEST_FILE).read_bytes()
        manifest = parse_manifest(content, task.model.digest)
        held = {name: hash_file(model / name).digest for name in manifest.files}
    except FileNotFoundError as error:
        raise Told("ModelNotFound", f"fetch has not left {error.filename}", retry=True) from error
    wanted = {name: blob.digest for name, blob in manifest.files.items()}
    if digest_of(content) != task.model.digest or held != wanted:
        raise Told("ModelNotFound", f"the files of the model {task.model.digest} were altered in scratch", retry=True)
    return manifest


def _copy_layers(
    base: BaseImage, source: Registry, source_reference: Reference, registry: Registry, target: Reference
) -> None:
    """Make the base's layers known to the target repository: they are there, or mounted, or copied through."""
    for layer in base.layers:
        if registry.has_blob(target.repository, layer.digest):
            continue
        if source.host == registry.host and registry.mount(
            target.repository, layer.digest, source_reference.repository
        ):
            continue
        registry.upload(target.repository, layer, partial(source.open_blob, source_reference.repository, layer.digest))


def _tensors(tensors: Sequence[TensorSpec]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape) for tensor in tensors)
