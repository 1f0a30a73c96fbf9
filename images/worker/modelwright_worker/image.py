"""A model's image: the base image's layers, one more, and a config that says so."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelwright_contract.canonical import Json, canonical_bytes, digest_of
from modelwright_worker.failures import Told
from modelwright_worker.oci import OCI_CONFIG, OCI_MANIFEST, Descriptor, Registry
from modelwright_worker.references import Reference

MODEL_DIRECTORY = "/model"
_EPOCH = "1970-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_DOCKER_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
}
_MAX_LAYERS = 120


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image to build on: its config's document and its layers, bottom first."""

    digest: str
    config: Mapping[str, Json]
    layers: tuple[Descriptor, ...]


def read_base(registry: Registry, reference: Reference) -> BaseImage:
    """The base image for this machine's architecture. Raises Told: BaseImageNotFound."""
    found = registry.manifest(reference.repository, reference.version or "latest")
    if found is None:
        raise _not_found(reference, "it is not in the registry")
    content, _ = found
    if reference.version.startswith("sha256:") and digest_of(content) != reference.version:
        raise _not_found(reference, "the registry gives other bytes than the digest says")
    document = _json(content, reference)
    variants = document.get("manifests")
    if isinstance(variants, list):
        digest = _of_platform(variants, reference)
        found = registry.manifest(reference.repository, digest)
        if found is None or digest_of(found[0]) != digest:
            raise _not_found(reference, f"its manifest {digest} is not in the registry, or altered")
        content, document = found[0], _json(found[0], reference)
    digest = digest_of(content)
    match document:
        case {"config": {"digest": str(config)}, "layers": list(layers)} if 0 < len(layers) < _MAX_LAYERS:
            held = registry.document(reference.repository, config)
        case _:
            raise _not_found(reference, "it is no image: config or layers are lacking")
    if held is None:
        raise _not_found(reference, f"its config {config} is not in the registry, or altered")
    return BaseImage(digest, _json(held, reference), tuple(_layer(layer, reference) for layer in layers))


def append_layer(base: BaseImage, layer: Descriptor, labels: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Config and manifest of the base image with a layer on top. Entrypoint, user and the rest stay the base's."""
    config = json.loads(json.dumps(base.config))
    config.setdefault("rootfs", {"type": "layers"}).setdefault("diff_ids", []).append(layer.digest)
    entry = {"created": _EPOCH, "created_by": "modelwright", "comment": f"model in {MODEL_DIRECTORY}"}
    config.setdefault("history", []).append(entry)
    inner = config.setdefault("config", {})
    name = "MODELWRIGHT_MODEL_DIR"
    inner["Env"] = [item for item in inner.get("Env") or [] if not item.startswith(f"{name}=")]
    inner["Env"].append(f"{name}={MODEL_DIRECTORY}")
    inner["Labels"] = {**(inner.get("Labels") or {}), **labels}
    content = canonical_bytes(config)
    layers: list[Json] = [item.to_json() for item in (*base.layers, layer)]
    manifest = canonical_bytes(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": Descriptor(OCI_CONFIG, digest_of(content), len(content)).to_json(),
            "layers": layers,
            "annotations": dict(labels),
        }
    )
    return content, manifest


def _of_platform(manifests: Sequence[Json], reference: Reference) -> str:
    wanted = _ARCHITECTURES.get(platform.machine(), platform.machine())
    for item in manifests:
        match item:
            case {"digest": str(digest), "platform": {"os": "linux", "architecture": str(found)}} if found == wanted:
                return digest
    raise _not_found(reference, f"it has no variant for linux/{wanted}")


def _layer(value: Json, reference: Reference) -> Descriptor:
    match value:
        case {"mediaType": str(media_type), "digest": str(digest), "size": int(size)}:
            return Descriptor(_DOCKER_LAYERS.get(media_type, media_type), digest, size)
        case _:
            raise _not_found(reference, "a layer has no digest or size")


def _json(content: bytes, reference: Reference) -> Mapping[str, Json]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    raise _not_found(reference, "its manifest or config is no JSON object")


def _not_found(reference: Reference, why: str) -> Told:
    message = f"the base image {reference} can't be used: {why}: check images.server in the configuration"
    return Told("BaseImageNotFound", message, retry=True)
