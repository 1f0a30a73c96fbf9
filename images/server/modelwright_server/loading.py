"""From a model directory to a warmed-up endpoint."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from modelwright_contract.features import ContractError, FeatureContract
from modelwright_contract.manifests import Blob, ManifestError, ModelManifest, manifest_digest
from modelwright_contract.model_archive import ArchiveError, load_model
from modelwright_server.golden import parse_golden
from modelwright_server.model_endpoint import ModelEndpoint
from modelwright_server.predictor import Predictor
from modelwright_server.problems import ModelUnusable
from modelwright_server.settings import Settings

LOGGER = logging.getLogger(__name__)

DEFAULT_NAME = "model"
VERSION_DIGITS = 12


def load(settings: Settings) -> ModelEndpoint:
    """Load, check and warm up the model in `settings.model_dir`; raises ModelUnusable with one plain sentence."""
    directory = settings.model_dir
    manifest_bytes = _read(directory / "manifest.json")
    try:
        manifest = ModelManifest.parse(manifest_bytes)
        contract = FeatureContract.from_json(manifest.contract)
    except (ManifestError, ContractError) as problem:
        raise ModelUnusable(f"{directory / 'manifest.json'}: {problem}") from problem
    golden = parse_golden(_blob(directory / "golden.json", manifest.golden))
    archive = _blob(directory / "model.skops", manifest.model)
    try:
        estimator = load_model(archive)
    except ArchiveError as problem:
        raise ModelUnusable(f"{directory / 'model.skops'}: {problem}") from problem
    predictor = Predictor(
        estimator,
        "classification" if manifest.task == "classification" else "regression",
        manifest.classes or (),
    )
    predictor.settle_in_thread()
    endpoint = ModelEndpoint(
        name=settings.model_name or DEFAULT_NAME,
        version=settings.model_version or manifest_digest(manifest_bytes).removeprefix("sha256:")[:VERSION_DIGITS],
        contract=contract,
        predictor=predictor,
        inputs=manifest.inputs,
        outputs=manifest.outputs,
    )
    endpoint.warm_up(golden)
    return endpoint


def load_or_say_why(settings: Settings) -> ModelEndpoint | str:
    """The endpoint, or the sentence that says why there is none; raises nothing."""
    try:
        return load(settings)
    except ModelUnusable as problem:
        return str(problem)
    except Exception as failure:
        # A damaged or hostile archive may fail in any way that its libraries know.
        LOGGER.exception("loading failed")
        return f"the model in {settings.model_dir} can't be loaded: {type(failure).__name__}: {failure}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ModelUnusable(f"{path} can't be read: {problem.strerror}") from problem


def _blob(path: Path, expected: Blob) -> bytes:
    content = _read(path)
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != expected.digest:
        raise ModelUnusable(f"{path} is not the file that the manifest names: its digest differs")
    return content
