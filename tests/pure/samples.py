"""Objects as users write them, and reports as workers do: plain JSON, small, and complete."""

import hashlib
import json
from collections.abc import Mapping

from modelwright.api.v1alpha1 import Dataset, Deployment, ModelVersion, TrainingRun
from modelwright.config import Config, Images, Registry
from modelwright.plan import JsonObject

NAMESPACE = "team"
SERVER = "registry.test/modelwright/server@sha256:" + "a" * 64
WORKER = "registry.test/modelwright/worker@sha256:" + "b" * 64
MODELS = {"Dataset": Dataset, "TrainingRun": TrainingRun, "ModelVersion": ModelVersion, "Deployment": Deployment}


def config(**more: object) -> Config:
    """A configuration with images and a repository, and `more` over it."""
    first = {"images": Images(server=SERVER, worker=WORKER), "registry": Registry(repository="registry.test/models")}
    return Config.model_validate({**first, **more})


def digest(text: str) -> str:
    """A digest that stands for `text`."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def manifest(kind: str, name: str, spec: Mapping[str, object]) -> JsonObject:
    """An object as a user applies it."""
    return {
        "apiVersion": "modelwright.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": dict(spec),
    }


def dataset(name: str = "flights", **more: object) -> JsonObject:
    """A Dataset of one CSV file."""
    columns = [{"name": "late", "role": "target", "type": "boolean"}]
    return manifest("Dataset", name, {"source": {"uri": "s3://raw/flights.csv"}, "columns": columns, **more})


def training_run(name: str = "late-flights", **more: object) -> JsonObject:
    """A TrainingRun of one estimator with one gate."""
    return manifest(
        "TrainingRun",
        name,
        {
            "dataset": {"name": "flights"},
            "task": "classification",
            "trainer": {"estimator": [{"class": "sklearn.linear_model.LogisticRegression"}]},
            "evaluation": {"metrics": ["roc_auc"], "gates": [{"name": "floor", "metric": "roc_auc", "min": "0.70"}]},
            **more,
        },
    )


def model_version(name: str = "late-flights-v1", model: str = "late-flights", **more: object) -> JsonObject:
    """A ModelVersion that a person wrote."""
    source = {"trainingRun": "late-flights", "digest": digest("model")}
    return manifest("ModelVersion", name, {"model": model, "source": source, **more})


def deployment(name: str = "late-flights", version: str = "latest", **more: object) -> JsonObject:
    """A Deployment of the newest version."""
    return manifest("Deployment", name, {"model": {"name": "late-flights", "version": version}, **more})


def success(task: Mapping[str, object], *, passed: bool = True, violations: int = 0) -> str:
    """What the worker reports of a task that went well; the same task gives the same words."""
    key, step = str(task["key"]), task["step"]
    report: JsonObject = {"outcome": "succeeded", "step": step}
    if step == "ingest":
        splits = {"train": 70, "validation": 15, "test": 15}
        told = {"total": violations, "first": ["no-jump: 1 is above 0"] if violations else []}
        report |= {"digest": digest(key), "uri": "s3://m/d.json", "rows": 100, "bytes": 1000, "columns": 3}
        report |= {"splits": splits, "violations": told, "validated": True}
    elif step == "train":
        gate = {"name": "floor", "metric": "roc_auc", "value": "0.81" if passed else "0.61", "min": "0.70"}
        report |= {"digest": digest(key), "uri": "s3://m/m.json", "bytes": 2000, "passed": passed, "classes": 2}
        report |= {"metrics": {"validation": {"roc_auc": "0.8"}, "test": {"roc_auc": gate["value"]}}}
        report |= {"gates": [{**gate, "passed": passed}]}
    elif step == "score":
        report |= {"uri": task["output"], "rows": 100, "bytes": 3000, "digest": digest(key)}
    else:
        inputs = [{"name": "distance", "datatype": "FP64", "shape": [-1, 1]}]
        outputs = [{"name": "label", "datatype": "BOOL", "shape": [-1, 1]}]
        report |= {"image": f"{task['image']}@{digest(key)}", "model": task["model"], "goldenRows": 32}
        report |= {"sizes": {"model": 1, "layer": 2, "image": 3}, "signature": {"inputs": inputs, "outputs": outputs}}
    return json.dumps(report)


def failure(reason: str, *, retry: bool, message: str = "it did not work", violations: int = 0) -> str:
    """What the worker reports of a task that it could not do."""
    told = {"total": violations, "first": ["no-jump: 1 is above 0"]} if violations else None
    return json.dumps({"outcome": "failed", "reason": reason, "message": message, "retry": retry, "violations": told})
