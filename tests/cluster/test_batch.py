"""A batch on a real cluster: the example's manifests, a Pod with a server beside its worker, and one file in S3."""

import io
import json
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
import yaml

from .api_server import JsonObject
from .place import READY_S, Place, World, bucket, condition, eventually, read

pytestmark = pytest.mark.timeout(900)

EXAMPLE = Path(__file__).parents[2] / "examples" / "recommendation"
NAME = "recommendation"
ASKED = 50
"""Rows that are asked over HTTP as well."""


def test_the_example_scores_every_pair_once(world: World) -> None:
    with Place(world, "batch") as place:
        manifests = [one for file in sorted(EXAMPLE.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]
        output = f"s3://{bucket()}/scores/{place.name}"
        deployment = next(one for one in manifests if one["kind"] == "Deployment")
        deployment["spec"]["batch"]["output"]["uri"] = output
        place.apply(*manifests)
        place.until("Deployment", NAME, "scored", is_scored, 2 * READY_S)
        record = the_record(place)
        assert record["uri"].startswith(f"{output}/{NAME}-")
        rows = next(one for one in manifests if one["kind"] == "ConfigMap")["data"]["unseen.csv"].splitlines()
        table = pq.read_table(io.BytesIO(read(record["uri"])))
        assert len(table) == record["rows"] == len(rows) - 1
        assert_as_served(place, table, rows)
        assert set(table.column("model").to_pylist()) == {record["model"]}
        assert_keys_and_model_apart(place)
        place.ready("Deployment", NAME)

        place.edit("Deployment", NAME, {"batch": {**deployment["spec"]["batch"], "once": "again"}})
        place.until("Deployment", NAME, "told of the same", lambda obj: taken_up(obj) == "again", READY_S)
        assert len(jobs(place)) == 1, "the same batch is done once"

        place.edit("Deployment", NAME, {"batch": {**deployment["spec"]["batch"], "output": {"uri": f"s3://{bucket()}"
                   f"/scores/{place.name}.parquet"}, "once": "a file"}})  # fmt: skip
        place.until("Deployment", NAME, "scored elsewhere", lambda obj: is_scored(obj) and taken_up(obj) == "a file",
                    READY_S)  # fmt: skip
        assert read(f"s3://{bucket()}/scores/{place.name}.parquet") == read(record["uri"]), "byte for byte"
        eventually(lambda: not running(place), "end of the batches' Pods, servers and all")


def test_a_dataset_without_a_column_is_told_and_the_model_serves_on(world: World) -> None:
    with Place(world, "unfit") as place:
        manifests = [one for file in sorted(EXAMPLE.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]
        deployment = next(one for one in manifests if one["kind"] == "Deployment")
        deployment["spec"]["batch"]["output"]["uri"] = f"s3://{bucket()}/scores/{place.name}"
        unseen = next(one for one in manifests if one["metadata"]["name"] == "films-unseen")
        unseen["spec"]["columns"] = [one for one in unseen["spec"]["columns"] if one["name"] != "year"]
        place.apply(*manifests)
        told = place.until("Deployment", NAME, "told", lambda obj: reason(obj) == "DatasetUnfit", 2 * READY_S)
        assert '"year"' in cast(JsonObject, condition(told, "Batch"))["message"]
        place.ready("Deployment", NAME)


def is_scored(obj: JsonObject) -> bool:
    """Whether the last batch that was due is written."""
    found = condition(obj, "Batch")
    fresh = obj.get("status", {}).get("observedGeneration") == obj["metadata"]["generation"]
    return fresh and found is not None and found["status"] == "True"


def reason(obj: JsonObject) -> str:
    """What the condition Batch says."""
    found = condition(obj, "Batch")
    return "" if found is None else str(found["reason"])


def taken_up(obj: JsonObject) -> str:
    """The value of `once` that was looked at last."""
    return str(obj.get("status", {}).get("batch", {}).get("once", ""))


def the_record(place: Place) -> JsonObject:
    """The newest batch in status."""
    record: JsonObject = place.get("Deployment", NAME)["status"]["batch"]["records"][0]
    return record


def jobs(place: Place) -> list[JsonObject]:
    """All Jobs of batches that were ever there."""
    made = place.world.witness.made("Job", place.name).values()
    return [job for job in made if job["metadata"]["labels"]["modelwright.dev/step"] == "score"]


def running(place: Place) -> list[JsonObject]:
    """Pods of batches that have not ended."""
    found = place.api.list("Pod", place.name, labelSelector="modelwright.dev/step=score")
    return [pod for pod in found if pod["status"].get("phase") not in ("Succeeded", "Failed")]


def assert_as_served(place: Place, table: pa.Table, rows: list[str]) -> None:
    """The served model gives the same answers over HTTP, to the last bit."""
    names = rows[0].split(",")
    whole = {"age": int, "minutes": int, "year": int, "evenings": float, "region": str, "genre": str}
    asked = {}
    for line in rows[1:]:
        row = dict(zip(names, line.split(","), strict=True))
        asked[int(row["customer"]), row["film"]] = {name: kind(row[name]) for name, kind in whole.items()}
    said = table.slice(0, ASKED).to_pylist()
    body = {"rows": [asked[one["customer"], one["film"]] for one in said]}
    answer = requests.post(f"{place.address(NAME)}/v2/models/{NAME}/predict", json=body, timeout=10)
    answer.raise_for_status()
    served = json.loads(answer.text)["predictions"]
    assert [one["probabilities"] for one in said] == [one["probabilities"] for one in served]
    assert [one["prediction"] for one in said] == [one["label"] for one in served]


def assert_keys_and_model_apart(place: Place) -> None:
    """What loads the model holds no key, what holds keys loads none, and neither has a token."""
    (job,) = jobs(place)
    spec = job["spec"]["template"]["spec"]
    (server,), (worker,) = spec["initContainers"], spec["containers"]
    assert not spec["automountServiceAccountToken"]
    assert "envFrom" not in server
    assert "envFrom" in worker
    assert server["image"] == place.get("Deployment", NAME)["status"]["stable"]["image"]
    assert worker["image"] != server["image"]
