"""Our own server: model directories as they lie in a model image, and the server of this checkout in front of them."""

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.servers.contenders import OURS, Contender, Endpoint
from benchmarks.servers.dialects import OURS as DIALECT
from benchmarks.servers.launch import Launch, free_ports
from benchmarks.servers.models import Model
from benchmarks.servers.places import PARTS, ROOT
from benchmarks.servers.targets import SKLEARN

from modelwright_contract.canonical import Digest
from modelwright_contract.features import FeatureContract, Input
from modelwright_contract.manifests import Blob, ModelManifest, TensorSpec
from modelwright_worker.archive import write_archive
from modelwright_worker.fitting import judged
from modelwright_worker.labels import Classes
from modelwright_worker.onnx_form import NoForm, attempt
from modelwright_worker.profile import profile_of

GOLDEN_ROWS = 32
ASLEEP = {"hang_seconds": "3600"}
"""For a server that is stopped between its turns: it shall not find its own processes hung afterwards."""
_PACKAGES = os.pathsep.join(str(ROOT / "images" / part) for part in ("contract", "server"))


def onnx_form(model: Model) -> bytes | str:
    """The model in ONNX where it is proven equal, else the sentence that says why there is none."""
    form = attempt(model.estimator, sorted(set(model.labels)), model.rows)
    return form.reason if isinstance(form, NoForm) else form.content


def write_directory(model: Model, path: Path, onnx: bytes | None = None) -> Path:
    """Writes the model with a contract that takes its features as they are, and a profile that they are counted by."""
    path.mkdir(parents=True, exist_ok=True)
    inputs = tuple(Input(feature, "number") for feature in model.features)
    contract = FeatureContract(inputs, (), model.features, None, {})
    rows = [dict(zip(model.features, row, strict=True)) for row in model.rows[:GOLDEN_ROWS].tolist()]
    outputs = {
        "label": model.labels[:GOLDEN_ROWS],
        "probability": model.probabilities[:GOLDEN_ROWS].tolist(),
    }
    golden = json.dumps({"rows": rows, "outputs": outputs}).encode()
    write_archive(model.estimator, path / "model.skops")
    classes = tuple(sorted(set(model.labels)))
    known = Classes(np.array(classes))
    said = judged(model.estimator, model.rows, np.array(model.labels), known)
    profile = profile_of(contract, model.rows, said, "test", known).to_bytes()
    manifest = ModelManifest(
        task="classification",
        model=_blob((path / "model.skops").read_bytes()),
        golden=_blob(golden),
        contract=contract.to_json(),
        inputs=tuple(TensorSpec(feature, "FP64", (-1,)) for feature in model.features),
        outputs=(TensorSpec("label", "INT64", (-1,)), TensorSpec("probability", "FP64", (-1, len(classes)))),
        classes=classes,
        dataset=Digest("sha256:" + "0" * 64),
        trainer={},
        seed=0,
        tools={},
        onnx=None if onnx is None else _blob(onnx),
        profile=_blob(profile),
    )
    (path / "manifest.json").write_bytes(manifest.to_bytes())
    (path / "golden.json").write_bytes(golden)
    (path / "profile.json").write_bytes(profile)
    if onnx is not None:
        (path / "model.onnx").write_bytes(onnx)
    return path


@dataclass(frozen=True)
class Server:
    """One server of this checkout."""

    launch: Launch
    port: int
    management_port: int

    def endpoint(self, model: str) -> Endpoint:
        """Where its model is asked."""
        return Endpoint(self.launch, self.port, f"/v2/models/{model}/infer")


def server(name: str, model: str, directory: Path, folder: Path, **settings: str) -> Server:
    """A server with one process for a model directory. `settings` are MODELWRIGHT_<NAME>."""
    http, grpc, management = free_ports(3)
    variables = {
        "PYTHONPATH": _PACKAGES,
        "MODELWRIGHT_HOST": "127.0.0.1",
        "MODELWRIGHT_PORT": str(http),
        "MODELWRIGHT_GRPC_PORT": str(grpc),
        "MODELWRIGHT_MANAGEMENT_PORT": str(management),
        "MODELWRIGHT_PROCESSES": "1",
        "MODELWRIGHT_MODEL_DIR": str(directory),
        "MODELWRIGHT_MODEL_NAME": model,
        "MODELWRIGHT_TERMINATION_LOG": str(folder / f"{name}.termination"),
        **{f"MODELWRIGHT_{key.upper()}": value for key, value in settings.items()},
    }
    command = [sys.executable, "-m", "modelwright_server"]
    return Server(Launch(name, command, variables, folder), http, management)


def contender(directories: dict[str, Path], folder: Path, form: str = SKLEARN) -> Contender:
    """One server for each model directory."""
    endpoints = {
        model: server(f"modelwright-{model}-{form}", model, directory, folder, **ASLEEP).endpoint(model)
        for model, directory in directories.items()
    }
    return Contender(OURS, form, DIALECT, endpoints, form)


def echo(kind: str, model: str, size_bytes: int, folder: Path) -> Contender:
    """What answers fixed bytes: `own`, our HTTP stack, or `bare`, uvloop and httptools alone."""
    (port,) = free_ports(1)
    program = PARTS / "services" / f"{kind}_echo.py"
    command = [sys.executable, str(program), str(port), str(size_bytes)]
    started = Launch(f"{kind}-echo", command, {"PYTHONPATH": _PACKAGES}, folder)
    endpoints = {model: Endpoint(started, port, "/")}
    return Contender("echo", kind, DIALECT, endpoints, echoes=True)


def _blob(content: bytes) -> Blob:
    return Blob(Digest(f"sha256:{hashlib.sha256(content).hexdigest()}"), len(content))
