"""The command `fetch`: a model from the store into scratch, for `check` to load without keys and `push` to package."""

from __future__ import annotations

from modelwright_contract.manifests import MANIFEST_FILE, Blob, ManifestError, ModelManifest
from modelwright_contract.profile import MAX_PROFILE_BYTES
from modelwright_contract.results import Summary
from modelwright_contract.tasks import PackageTask
from modelwright_worker.context import Context
from modelwright_worker.failures import Told
from modelwright_worker.store import fetch_blob, read_manifest

MAX_GOLDEN_BYTES = 16 << 20


def fetch(task: PackageTask, context: Context, earlier: Summary | None) -> None:
    """Fill the model directory; when the step was done before, only leave the marks that say so. Raises Told."""
    model = context.places.model
    model.mkdir(mode=0o755, parents=True, exist_ok=True)
    if earlier is not None:
        context.places.done.write_text(earlier.to_json(), encoding="utf-8")
        (model / ".done").touch()
        return
    with context.stages.stage("download"):
        content = read_manifest(context.store, task.model.digest)
        if content is None:
            message = f"the model {task.model.digest} is not in the store {context.store.uri}: was it removed there?"
            raise Told("ModelNotFound", message, retry=True)
        manifest = parse_manifest(content, task.model.digest)
        if manifest.golden.bytes > MAX_GOLDEN_BYTES:
            raise Told("ModelNotFound", f"the model {task.model.digest} has too many golden rows", retry=False)
        if manifest.profile is not None and manifest.profile.bytes > MAX_PROFILE_BYTES:
            raise Told("ModelNotFound", f"the model {task.model.digest} has too large a profile", retry=False)
        (model / MANIFEST_FILE).write_bytes(content)
        for name, blob in manifest.files.items():
            _bring(blob, name, context)
    for path in model.iterdir():
        path.chmod(0o644)


def parse_manifest(content: bytes, digest: str) -> ModelManifest:
    """A model's manifest. Raises Told: ModelNotFound."""
    try:
        return ModelManifest.parse(content)
    except ManifestError as error:
        raise Told("ModelNotFound", f"the model {digest}: {error}", retry=False) from error


def _bring(blob: Blob, name: str, context: Context) -> None:
    if not fetch_blob(context.store, blob, context.places.model / name):
        message = f"{name} ({blob.digest}) is not in the store {context.store.uri}, or was altered there"
        raise Told("ModelNotFound", message, retry=True)
