"""Five predictions over HTTP, beside scikit-learn's own answers for the same rows."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
import skops.io

from modelwright_contract.features import FeatureContract
from modelwright_contract.manifests import ModelManifest

from .kubectl import kubectl
from .table import Failed

Value = int | float | str | None

COUNT = 5
TOLERANCE = 1e-9


def compare(flights: Path, namespace: str, name: str) -> None:
    """Prints both answers row by row; raises Failed where they differ."""
    status = json.loads(kubectl("get", "modeldeployment", name, "-n", namespace, "-ojson"))["status"]
    version = status["stable"]["version"]
    model = Model(json.loads(kubectl("get", "modelversion", version, "-n", namespace, "-ojson")), namespace)
    rows = sample(flights, COUNT)
    asked = [{column: _typed(row[column], kind) for column, kind in model.columns.items()} for row in rows]
    answer = requests.post(f"{address(name, namespace)}/v2/models/{name}/predict", json=asked, timeout=10)
    answer.raise_for_status()
    served = [prediction["probabilities"]["True"] for prediction in answer.json()["predictions"]]
    own = model.late(asked)
    print(f"  {'flight':<34}{'late?':<8}{'served':>12}{'scikit-learn':>14}")
    for row, ours, theirs in zip(rows, served, own, strict=True):
        flight = f"{row['carrier']} {row['flight']} {row['origin']} → {row['dest']}, {row['month']}/{row['day']}"
        late = "yes" if float(row["arr_delay"]) > 15 else "no"
        print(f"  {flight:<34}{late:<8}{ours:>12.6f}{theirs:>14.6f}")
    if any(abs(ours - theirs) > TOLERANCE for ours, theirs in zip(served, own, strict=True)):
        raise Failed("the served model and scikit-learn do not agree")


def address(name: str, namespace: str) -> str:
    """Where this machine reaches the Service: at its cluster address."""
    return f"http://{kubectl('get', 'service', name, '-n', namespace, '-ojsonpath={.spec.clusterIP}')}"


def sample(flights: Path, count: int) -> list[dict[str, str]]:
    """The first flights that have landed, each of another carrier."""
    rows: dict[str, dict[str, str]] = {}
    with flights.open(newline="") as file:
        for record in csv.DictReader(file):
            if record["arr_delay"]:
                rows.setdefault(record["carrier"], record)
            if len(rows) == count:
                break
    return list(rows.values())


def _typed(text: str, kind: str) -> Value:
    if text == "":
        return None
    match kind:
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case _:
            return text


class Model:
    """The model of a ModelVersion, read from the artifact store and run by scikit-learn in this process."""

    def __init__(self, version: dict[str, Any], namespace: str) -> None:
        run = json.loads(
            kubectl("get", "trainingrun", version["spec"]["source"]["trainingRun"], "-n", namespace, "-ojson")
        )
        uri = urlsplit(run["status"]["artifact"]["uri"])
        self._bucket = uri.netloc
        self._store = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        manifest = ModelManifest.parse(self._read(uri.path.lstrip("/")))
        root = uri.path.lstrip("/").partition("/manifests/")[0]
        self._contract = FeatureContract.from_json(manifest.contract)
        archive = self._read(f"{root}/blobs/sha256/{manifest.model.digest.removeprefix('sha256:')}")
        self._pipeline = skops.io.loads(archive, trusted=skops.io.get_untrusted_types(data=archive))
        self.columns = {column.name: column.type for column in self._contract.inputs}

    def late(self, rows: Sequence[dict[str, Value]]) -> list[float]:
        """The probability that each flight is late."""
        raw = {name: [row[name] for row in rows] for name in self.columns}
        return [float(p) for p in self._pipeline.predict_proba(self._contract.matrix(raw))[:, 1]]

    def _read(self, key: str) -> bytes:
        return bytes(self._store.get_object(Bucket=self._bucket, Key=key)["Body"].read())
