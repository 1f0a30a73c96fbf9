"""What scikit-learn itself answers, from the artifact in the store; and what the served model answers over HTTP."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import requests
import skops.io

from modelwright_contract.features import FeatureContract

from .api_server import JsonObject
from .flights import TYPES, Row, features
from .place import Place, read

DATATYPES = {"string": "BYTES", "integer": "INT64", "number": "FP64"}


def own(artifact: str, flights: list[Row]) -> list[float]:
    """The probability that each flight is late, by the artifact whose manifest has this URI."""
    manifest = json.loads(read(artifact))
    archive = read(artifact.partition("/manifests/")[0] + "/blobs/sha256/" + hexadecimal(manifest["model"]["digest"]))
    model: Any = skops.io.loads(archive, trusted=skops.io.get_untrusted_types(data=archive))
    late = list(model.classes_).index(True)
    return [float(p) for p in model.predict_proba(matrix(manifest, flights))[:, late]]


def matrix(manifest: JsonObject, flights: list[Row]) -> npt.NDArray[np.float64]:
    """What the model itself takes: the flights' features as its manifest's contract makes them."""
    contract = FeatureContract.from_json(manifest["contract"])
    columns: dict[str, list[object]] = {name: [flight[name] for flight in flights] for name in TYPES}
    return contract.matrix(columns)


def predicted(address: str, flights: list[Row], model: str = "flights") -> list[float]:
    """The same by the plain predict, which takes raw rows."""
    rows = [features(flight) for flight in flights]
    answer = requests.post(f"{address}/v2/models/{model}/predict", json={"rows": rows}, timeout=10)
    answer.raise_for_status()
    return [probability_of(one) for one in answer.json()["predictions"]]


def probability_of(prediction: JsonObject) -> float:
    """The probability of being late in one answer of the plain predict."""
    by_class = {name.lower(): value for name, value in prediction["probabilities"].items()}
    return float(by_class["true"])


def inferred(address: str, flights: list[Row], model: str = "flights") -> list[float]:
    """The same by the Open Inference Protocol, one tensor a column."""
    inputs = [
        {"name": name, "datatype": DATATYPES[type_], "shape": [len(flights)], "data": [one[name] for one in flights]}
        for name, type_ in TYPES.items()
    ]
    answer = requests.post(f"{address}/v2/models/{model}/infer", json={"inputs": inputs}, timeout=10)
    answer.raise_for_status()
    tensor = next(one for one in answer.json()["outputs"] if one["name"] == "probability")
    return [float(p) for p in np.reshape(tensor["data"], tensor["shape"])[:, 1]]


def assert_served(place: Place, run: str, service: str, flights: list[Row], model: str = "flights") -> None:
    """Both ways to ask give scikit-learn's own answers."""
    artifact = place.get("TrainingRun", run)["status"]["artifact"]["uri"]
    expected, address = own(artifact, flights), place.address(service)
    assert np.ptp(expected) > 0.1, "the rows all get the same answer: they prove nothing"
    np.testing.assert_allclose(predicted(address, flights, model), expected, rtol=1e-9)
    np.testing.assert_allclose(inferred(address, flights, model), expected, rtol=1e-9)


def hexadecimal(digest: str) -> str:
    """The hash without its algorithm."""
    return digest.removeprefix("sha256:")
