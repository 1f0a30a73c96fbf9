"""Pushed images: their references by digest, remembered in build/images.json for the chart."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

from clusters import images
from clusters.report import ClusterError, say

from .sources import BUILD, Image

_RECORD = BUILD / "images.json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


def pushed() -> dict[str, str]:
    """The references that were pushed last, by the image's name."""
    record = _record()
    if not record:
        raise ClusterError("nothing was pushed yet: run `hack/images push`")
    return {name: entry["reference"] for name, entry in record.items()}


def push(built: Mapping[Image, str], target: str) -> dict[str, str]:
    """Pushes what the registry does not have yet; `built` is each image's fingerprint. Returns the references."""
    known = _record()
    record: dict[str, dict[str, str]] = {}
    for image, fingerprint in built.items():
        entry = known.get(image.name, {})
        reference = entry.get("reference", "")
        if entry.get("fingerprint") != fingerprint or not reference.startswith(f"{target}/") or not _has(reference):
            began = time.monotonic()
            named, digest = images.push(image.tag, target).split("@")
            reference = f"{named.rpartition(':')[0]}@{digest}"
            say(f"image {image.name} pushed", began)
        record[image.name] = {"reference": reference, "fingerprint": fingerprint}
    BUILD.mkdir(exist_ok=True)
    _RECORD.write_text(json.dumps(record, indent=2) + "\n")
    return {name: entry["reference"] for name, entry in record.items()}


def _record() -> dict[str, dict[str, str]]:
    if not _RECORD.exists():
        return {}
    record: dict[str, dict[str, str]] = json.loads(_RECORD.read_text())
    return record


def _has(reference: str) -> bool:
    """Whether a plain-HTTP registry still has it; False where it cannot be told, so that it is pushed again."""
    host, _, rest = reference.partition("/")
    repository, _, digest = rest.partition("@")
    request = urllib.request.Request(
        f"http://{host}/v2/{repository}/manifests/{digest}", method="HEAD", headers={"Accept": _MANIFEST}
    )
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
