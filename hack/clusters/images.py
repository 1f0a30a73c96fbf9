"""Images: the one that holds a Pod's namespaces, made here, and those of a local store, pushed to the registry."""

import hashlib
import io
import json
import platform
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

from . import packages
from .command import run, succeeds
from .report import ClusterError

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_OCI = "application/vnd.oci.image"


def single_binary_image(binary: Path, reference: str) -> bytes:
    """An OCI archive of an image that holds one static binary, `/pause`; the same bytes for the same binary.

    The format is the OCI image layout (github.com/opencontainers/image-spec, image-layout.md).
    """
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    layer = _tar({"pause": (binary.read_bytes(), 0o755)})
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor(f"{_OCI}.config.v1+json", config),
            "layers": [_descriptor(f"{_OCI}.layer.v1.tar", layer)],
        }
    )
    named = {
        **_descriptor(f"{_OCI}.manifest.v1+json", manifest),
        "platform": {"architecture": architecture, "os": "linux"},
        "annotations": {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": "1"},
    }
    index = _json({"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": [named]})
    blobs = {f"blobs/sha256/{_digest(blob)[7:]}": (blob, 0o644) for blob in (layer, config, manifest)}
    version = _json({"imageLayoutVersion": "1.0.0"})
    return _tar({"oci-layout": (version, 0o644), "index.json": (index, 0o644), **blobs})


def push(image: str, registry: str) -> str:
    """Pushes an image of the local Buildah or Docker store; returns its reference there, with tag and digest."""
    target = f"{registry}/{repository(image)}"
    with tempfile.NamedTemporaryFile() as digest:
        run(
            "skopeo",
            "copy",
            "--quiet",
            "--insecure-policy",
            "--dest-tls-verify=false",
            f"--digestfile={digest.name}",
            _source(image),
            f"docker://{target}",
        )
        return f"{target}@{Path(digest.name).read_text().strip()}"


def repository(image: str) -> str:
    """An image's name without the registry it is named after, and with a tag: what it is called in ours."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if slash and (re.search(r"[.:]", first) or first == "localhost"):
        name = rest
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _source(image: str) -> str:
    if shutil.which("buildah") or not shutil.which("docker"):
        packages.require_for_images()
        if succeeds("buildah", "inspect", "--type", "image", image):
            return f"containers-storage:{image}"
    if shutil.which("docker"):
        packages.require_for_images()
        if succeeds("docker", "image", "inspect", image):
            return f"docker-daemon:{image if ':' in image.rpartition('/')[2] else f'{image}:latest'}"
    raise ClusterError(
        f"{image} is in no local store: build it first (`buildah images` or `docker images` must list it)"
    )


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (data, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}
