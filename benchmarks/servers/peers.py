"""The peers, each in the configurations that are known to be its fastest on one core, with quiet logs.

MLServer runs models in worker processes by default; in its own process it saves the way there and back. KServe's
batcher is another program beside the server and not part of this. MLflow has one configuration.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.servers.contenders import Contender, Endpoint
from benchmarks.servers.dialects import BENTOML, KSERVE_V1, KSERVE_V2, MLFLOW, MLSERVER
from benchmarks.servers.install import environment_of
from benchmarks.servers.launch import QUIET, Launch, free_ports
from benchmarks.servers.models import Model
from benchmarks.servers.places import PARTS

SERVICES = PARTS / "services"

_GATHERS = {
    "batches for 2 ms": {"max_batch_size": 64, "max_batch_time": 0.002},
    "plain": {},
    "batches for 100 ms": {"max_batch_size": 64, "max_batch_time": 0.1},
}
"""MLServer's settings of a model. Many clients fill a batch long before 100 ms; few are better served by 2 ms."""


def contenders(peer: str, models: Sequence[Model], archives: Path, folder: Path) -> list[Contender]:
    """The peer's configurations, the one that is good at most first; nothing is started.

    `archives` holds `<model>/model.joblib`.
    """
    make = {"mlserver": _mlserver, "kserve": _kserve, "bentoml": _bentoml, "mlflow": _mlflow}[peer]
    return list(make([model.name for model in models], archives, folder))


def _mlserver(models: Sequence[str], archives: Path, folder: Path) -> Iterator[Contender]:
    repository = folder / "mlserver"
    for model in models:
        for way, gathering in _GATHERS.items():
            place = repository / _served(model, way)
            place.mkdir(parents=True, exist_ok=True)
            settings = {
                "name": place.name,
                "implementation": "mlserver_sklearn.SKLearnModel",
                "parameters": {"uri": str(archives / model / "model.joblib")},
                **gathering,
            }
            (place / "model-settings.json").write_text(json.dumps(settings))
    for workers, ways in ((0, tuple(_GATHERS)), (1, ("batches for 100 ms",))):
        http, grpc, metrics = free_ports(3)
        variables = {
            "MLSERVER_HOST": "127.0.0.1",
            "MLSERVER_HTTP_PORT": str(http),
            "MLSERVER_GRPC_PORT": str(grpc),
            "MLSERVER_METRICS_PORT": str(metrics),
            "MLSERVER_METRICS_DIR": str(folder / f"mlserver-metrics-{workers}"),
            "MLSERVER_PARALLEL_WORKERS": str(workers),
            "MLSERVER_DEBUG": "false",
        }
        launch = _launch("mlserver", f"mlserver-{workers}", ["mlserver", "start", str(repository)], variables, folder)
        said = ", a worker process" if workers else ""
        for way in ways:
            paths = {model: Endpoint(launch, http, f"/v2/models/{_served(model, way)}/infer") for model in models}
            yield Contender("mlserver", way + said, MLSERVER, paths)


def _served(model: str, way: str) -> str:
    return f"{model}-{way.replace(' ', '-')}"


def _kserve(models: Sequence[str], archives: Path, folder: Path) -> Iterator[Contender]:
    (port,) = free_ports(1)
    command = ["python", str(SERVICES / "kserve_sklearn.py"), "--model_dir", str(archives), "--http_port", str(port)]
    command += ["--enable_grpc", "false", "--enable_latency_logging", "false"]
    command += ["--log_config_file", str(SERVICES / "quiet_kserve.yaml")]
    launch = _launch("kserve", "kserve", command, {}, folder)
    v1 = {model: Endpoint(launch, port, f"/v1/models/{model}:predict") for model in models}
    yield Contender("kserve", "protocol v1", KSERVE_V1, v1)
    v2 = {model: Endpoint(launch, port, f"/v2/models/{model}/infer") for model in models}
    yield Contender("kserve", "protocol v2", KSERVE_V2, v2)


def _bentoml(models: Sequence[str], archives: Path, folder: Path) -> Iterator[Contender]:
    (port,) = free_ports(1)
    command = ["bentoml", "serve", "bentoml_models:Models", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--working-dir", str(SERVICES)]
    variables = {"MODELS": str(archives), "BENTOML_HOME": str(folder / "bentoml"), "PYTHONDONTWRITEBYTECODE": "1"}
    launch = _launch("bentoml", "bentoml", command, variables, folder)
    for way in ("batched", "inline", "threaded"):
        paths = {model: Endpoint(launch, port, f"/{model}/{way}") for model in models}
        yield Contender("bentoml", way, BENTOML, paths)


def _mlflow(models: Sequence[str], archives: Path, folder: Path) -> Iterator[Contender]:
    saved = folder / "mlflow"
    python = environment_of("mlflow") / "bin" / "python"
    command = [str(python), str(SERVICES / "mlflow_models.py"), str(archives), str(saved)]
    subprocess.run(command, check=True, env={**os.environ, **QUIET})
    endpoints = {}
    for model, port in zip(models, free_ports(len(models)), strict=True):
        command = ["mlflow", "models", "serve", "--model-uri", str(saved / model), "--env-manager", "local"]
        command += ["--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
        launch = _launch("mlflow", f"mlflow-{model}", command, {"UVICORN_ACCESS_LOG": "false"}, folder)
        endpoints[model] = Endpoint(launch, port, "/invocations")
    yield Contender("mlflow", "uvicorn", MLFLOW, endpoints)


def _launch(peer: str, name: str, command: Sequence[str], variables: dict[str, str], folder: Path) -> Launch:
    programs = environment_of(peer) / "bin"
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return Launch(name, [str(programs / command[0]), *command[1:]], {**variables, "PATH": path}, folder)
