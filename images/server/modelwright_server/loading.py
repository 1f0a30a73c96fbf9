"""From a model directory to a warmed-up endpoint.

A model may be there twice: as scikit-learn's own archive, and in ONNX, which starts and answers faster. The ONNX form
was proven equal where the model was packaged; here it must answer the golden rows, and if it does not, or can't be
used at all, the archive is served and the log says why.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from modelwright_contract.features import ContractError, FeatureContract
from modelwright_contract.manifests import MANIFEST_FILE, Blob, ManifestError, ModelManifest
from modelwright_contract.profile import PROFILE_FILE, ProfileError
from modelwright_server.golden import GoldenRows, parse_golden
from modelwright_server.identity import version_of
from modelwright_server.logs import fields
from modelwright_server.model_endpoint import LoadedPredictor, ModelEndpoint
from modelwright_server.prediction import Class, Task
from modelwright_server.problems import ModelUnusable
from modelwright_server.profile_bins import ProfileBins
from modelwright_server.settings import Settings

LOGGER = logging.getLogger(__name__)

ONNX_TOLERANCE = 1e-6
"""Of golden answers; what the form was proven to where the model was packaged."""


@dataclass(frozen=True, slots=True)
class _Model:
    """What a model directory says before a model is loaded from it."""

    directory: Path
    version: str
    manifest: ModelManifest
    contract: FeatureContract
    golden: GoldenRows
    profile: ProfileBins | None

    @property
    def task(self) -> Task:
        return "classification" if self.manifest.task == "classification" else "regression"

    @property
    def classes(self) -> tuple[Class, ...]:
        return self.manifest.classes or ()


def load(settings: Settings, *, all_forms: bool = False) -> ModelEndpoint:
    """Load, check and warm up the model in `settings.model_dir`; raises ModelUnusable with one plain sentence.

    `all_forms`: what is served in another form must be fit to be served from its archive too, and a profile that the
    model brings must be sound.
    """
    model = _open(settings.model_dir, all_forms=all_forms)
    served = _from_onnx(model, settings)
    if served is not None and not all_forms:
        return served
    archive = _endpoint(model, _archive_predictor(model), model.golden, settings)
    return served or archive


def load_or_say_why(settings: Settings, *, all_forms: bool = False) -> ModelEndpoint | str:
    """As `load`; the sentence instead of ModelUnusable, or of what else may happen."""
    try:
        return load(settings, all_forms=all_forms)
    except ModelUnusable as problem:
        return str(problem)
    except Exception as failure:
        # A damaged or hostile archive may fail in any way that its libraries know.
        LOGGER.exception("loading failed")
        return f"the model in {settings.model_dir} can't be loaded: {type(failure).__name__}: {failure}"


def _open(directory: Path, *, all_forms: bool) -> _Model:
    path = directory / MANIFEST_FILE
    content = _read(path)
    try:
        manifest = ModelManifest.parse(content)
        contract = FeatureContract.from_json(manifest.contract)
    except (ManifestError, ContractError) as problem:
        raise ModelUnusable(f"{path}: {problem}") from problem
    golden = parse_golden(_blob(directory / "golden.json", manifest.golden))
    try:
        profile = _profile(directory, manifest, contract)
    except ModelUnusable as problem:
        if all_forms:
            raise
        LOGGER.warning("features are not counted", extra=fields(reason=str(problem)))
        profile = None
    return _Model(directory, version_of(content), manifest, contract, golden, profile)


def _profile(directory: Path, manifest: ModelManifest, contract: FeatureContract) -> ProfileBins | None:
    if manifest.profile is None:
        return None
    path = directory / PROFILE_FILE
    try:
        return ProfileBins(_blob(path, manifest.profile), contract.features)
    except ProfileError as problem:
        raise ModelUnusable(f"{path}: {problem}") from problem


def _from_onnx(model: _Model, settings: Settings) -> ModelEndpoint | None:
    """The endpoint of the ONNX form; None when there is none, or when it can't be served, which the log tells."""
    expected = model.manifest.onnx
    if expected is None:
        return None
    try:
        # ONNX Runtime is imported for models that need it; scikit-learn, which takes longer, is not for these.
        from modelwright_server.onnx_predictor import OnnxPredictor

        content = _blob(model.directory / "model.onnx", expected)
        predictor = OnnxPredictor(content, model.task, model.classes, len(model.contract.features))
        golden = replace(model.golden, tolerance=ONNX_TOLERANCE)
        return _endpoint(model, predictor, golden, settings)
    except ModelUnusable as problem:
        LOGGER.warning("the ONNX form is not served", extra=fields(reason=str(problem)))
    except Exception:
        # Whatever is wrong with a form that is there for speed, the archive is the model.
        LOGGER.exception("the ONNX form is not served")
    return None


def _archive_predictor(model: _Model) -> LoadedPredictor:
    from modelwright_contract.model_archive import ArchiveError, load_model
    from modelwright_server.predictor import Predictor

    path = model.directory / "model.skops"
    try:
        estimator = load_model(_blob(path, model.manifest.model))
    except ArchiveError as problem:
        raise ModelUnusable(f"{path}: {problem}") from problem
    return Predictor(estimator, model.task, model.classes)


def _endpoint(model: _Model, predictor: LoadedPredictor, golden: GoldenRows, settings: Settings) -> ModelEndpoint:
    predictor.settle_in_thread()
    endpoint = ModelEndpoint(
        name=settings.model_name,
        version=settings.model_version or model.version,
        contract=model.contract,
        predictor=predictor,
        inputs=model.manifest.inputs,
        outputs=model.manifest.outputs,
        max_rows=settings.max_rows,
        profile=model.profile,
    )
    endpoint.warm_up(golden)
    return endpoint


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
