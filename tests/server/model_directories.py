"""Small real models in the layout of a model image, for tests of the server."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.canonical import Digest, Json
from modelwright_contract.features import FeatureContract, Input, Step, fit_categories
from modelwright_contract.manifests import Blob, ModelManifest, TensorSpec
from modelwright_contract.parse import parse_expression
from modelwright_worker.archive import write_archive
from modelwright_worker.fitting import judged
from modelwright_worker.labels import Classes
from modelwright_worker.onnx_form import OnnxForm, attempt
from modelwright_worker.profile import profile_of

Row = dict[str, str | int | float | bool | None]
DATATYPES = {"string": "BYTES", "integer": "INT64", "number": "FP64", "boolean": "BOOL", "timestamp": "BYTES"}
INPUTS = (
    Input("carrier", "string"),
    Input("distance", "number"),
    Input("seats", "integer"),
    Input("holiday", "boolean"),
    Input("sched_dep", "timestamp"),
)
FEATURES = ("carrier", "distance", "seats", "holiday", "dep_hour")


@dataclass(frozen=True)
class ModelDirectory:
    """A model on disk, and the same model in this process to compare with."""

    path: Path
    estimator: object
    contract: FeatureContract
    rows: list[Row]

    def matrix(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """The feature matrix of raw rows."""
        return self.contract.matrix({i.name: [row[i.name] for row in rows] for i in self.contract.inputs})


def flights(count: int, seed: int = 3) -> list[Row]:
    """Rows of five columns, some values missing."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows: list[Row] = []
    for number in range(count):
        rows.append(
            {
                "carrier": None if rng.random() < 0.05 else ["AA", "DL", "UA", "Üb"][int(rng.integers(4))],
                "distance": None if rng.random() < 0.1 else round(float(rng.gamma(2, 500)), 3),
                "seats": int(rng.integers(50, 400)),
                "holiday": bool(rng.random() < 0.2),
                "sched_dep": (start + timedelta(minutes=int(rng.integers(500_000)))).isoformat(),
                "flight": number,
            }
        )
    return rows


def score(row: Row) -> float:
    """What the models are to learn."""
    hour = datetime.fromisoformat(str(row["sched_dep"])).hour
    return hour / 12 + (row["carrier"] == "UA") + float(row["distance"] or 800) / 1000 - float(row["seats"] or 0) / 300


def contract_of(rows: Sequence[Row]) -> FeatureContract:
    """The contract of `flights`, with one computed column."""
    counts: dict[str, int] = {}
    for row in rows:
        if isinstance(row["carrier"], str):
            counts[row["carrier"]] = counts.get(row["carrier"], 0) + 1
    step = Step("dep_hour", "integer", parse_expression("hour(sched_dep)"))
    return FeatureContract(INPUTS, (step,), FEATURES, None, {"carrier": fit_categories(counts)})


def write_model(
    path: Path,
    estimator: object,
    targets: Sequence[bool] | Sequence[str] | Sequence[int] | Sequence[float],
    rows: list[Row],
    *,
    onnx: bool = False,
    profile: bool = True,
) -> ModelDirectory:
    """Fit `estimator` and write manifest, archive, golden rows and training profile below `path`.

    And its ONNX form if asked for. The profile's answers are of the same rows as its features.
    """
    contract = contract_of(rows)
    directory = ModelDirectory(path, estimator, contract, rows)
    estimator.fit(directory.matrix(rows), np.array(targets))  # type: ignore[attr-defined]
    classes = estimator.classes_.tolist() if hasattr(estimator, "classes_") else None
    golden_rows = [{i.name: row[i.name] for i in contract.inputs} for row in rows[:32]]
    golden = json.dumps({"rows": golden_rows, "outputs": _outputs(directory, rows[:32])}).encode()
    path.mkdir(parents=True, exist_ok=True)
    write_archive(estimator, path / "model.skops")
    if onnx:
        form = attempt(estimator, classes or (), directory.matrix(rows))
        assert isinstance(form, OnnxForm), form
        (path / "model.onnx").write_bytes(form.content)
    known = None if classes is None else Classes(np.array(classes))
    said = judged(estimator, directory.matrix(rows), np.array(targets), known)
    spread = profile_of(contract, directory.matrix(rows), said, "train", known).to_bytes()
    manifest = ModelManifest(
        task="regression" if classes is None else "classification",
        model=_blob((path / "model.skops").read_bytes()),
        golden=_blob(golden),
        contract=contract.to_json(),
        inputs=tuple(TensorSpec(i.name, DATATYPES[i.type], (-1,)) for i in contract.inputs),
        outputs=_signature(classes, has_probabilities=hasattr(estimator, "predict_proba")),
        classes=None if classes is None else tuple(classes),
        dataset=Digest("sha256:" + "0" * 64),
        trainer={},
        seed=0,
        tools={},
        onnx=_blob((path / "model.onnx").read_bytes()) if onnx else None,
        profile=_blob(spread) if profile else None,
    )
    if profile:
        (path / "profile.json").write_bytes(spread)
    (path / "manifest.json").write_bytes(manifest.to_bytes())
    (path / "golden.json").write_bytes(golden)
    return directory


def rewrite_golden(path: Path, document: Mapping[str, Json]) -> None:
    """Replace the golden rows and their digest in the manifest."""
    _rewrite(path, "golden", json.dumps(document).encode())


def rewrite_profile(path: Path, content: bytes) -> None:
    """Replace the training profile and its digest in the manifest."""
    _rewrite(path, "profile", content)


def _rewrite(path: Path, name: str, content: bytes) -> None:
    manifest = json.loads((path / "manifest.json").read_bytes())
    manifest[name] = _blob(content).to_json()
    (path / "manifest.json").write_text(json.dumps(manifest))
    (path / f"{name}.json").write_bytes(content)


def _outputs(directory: ModelDirectory, rows: Sequence[Row]) -> dict[str, object]:
    matrix = directory.matrix(rows)
    predicted = directory.estimator.predict(matrix).tolist()  # type: ignore[attr-defined]
    if not hasattr(directory.estimator, "classes_"):
        return {"prediction": predicted}
    outputs: dict[str, object] = {"label": predicted}
    if hasattr(directory.estimator, "predict_proba"):
        outputs["probability"] = directory.estimator.predict_proba(matrix).tolist()
    return outputs


def _signature(classes: list[object] | None, *, has_probabilities: bool) -> tuple[TensorSpec, ...]:
    if classes is None:
        return (TensorSpec("prediction", "FP64", (-1,)),)
    datatype = {bool: "BOOL", int: "INT64", str: "BYTES"}[type(classes[0])]
    label = TensorSpec("label", datatype, (-1,))
    return (label, TensorSpec("probability", "FP64", (-1, len(classes)))) if has_probabilities else (label,)


def _blob(content: bytes) -> Blob:
    return Blob(Digest(f"sha256:{hashlib.sha256(content).hexdigest()}"), len(content))
