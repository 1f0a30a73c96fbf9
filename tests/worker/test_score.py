"""`score` beside a real server of ours: every row is answered, in order, as the model itself would; faults are told."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from modelwright_contract.features import FeatureContract
from modelwright_contract.manifests import SPLITS, DatasetManifest, ModelManifest
from modelwright_contract.model_archive import load_model
from modelwright_contract.results import Failure, IngestSummary, ScoreSummary, TrainSummary
from modelwright_worker import answers_file, model_server, score
from modelwright_worker.arrow_columns import kind_of, to_vectors
from server.processes import Server

from .objects import KEYS, Objects, object_server
from .steps import LATE, Run, Steps, flights

ID = {"name": "id", "role": "id"}
OUTPUT = "s3://scores/late/today.parquet"
PATH = "/scores/late/today.parquet"


@dataclass
class Place:
    """A dataset version, a model that is served, and an S3 server."""

    steps: Steps
    dataset: IngestSummary
    model: TrainSummary
    server: Server
    objects: Objects

    def task(self, **task: object) -> dict[str, object]:
        store = {"uri": "pvc://claim/store", "endpoint": self.objects.endpoint}
        common: dict[str, object] = {
            "step": "score",
            "store": store,
            "model": {"digest": self.model.digest},
            "served": "late",
            "image": "r.test/late@sha256:" + "0" * 64,
            "dataset": {"digest": self.dataset.digest, "uri": self.dataset.uri},
            "output": OUTPUT,
            "serverSeconds": 5,
        }
        return {**common, **task}

    def run(self, port: int | None = None, **task: object) -> Run:
        self.steps.keys = {**KEYS, model_server.PORT_VARIABLE: str(port or self.server.port)}
        return self.steps.run("score", self.task(**task))

    def failure(self, port: int | None = None, **task: object) -> Failure:
        run = self.run(port, **task)
        assert isinstance(run.report, Failure), run
        assert run.code == 3
        return run.report

    def written(self) -> bytes:
        return self.objects.held[PATH][0]


EXAMPLE = Path(__file__).parents[2] / "examples" / "recommendation"


def model_directory(steps: Steps, model: TrainSummary, path: Path) -> Path:
    """The files of a model image."""
    fetched = steps.run("fetch", {"step": "package", "model": {"digest": model.digest}, "image": "r.test/x", "tag": "v",
                                  "baseImage": "r.test/b@sha256:" + "0" * 64}, scratch=path)  # fmt: skip
    assert fetched.code == 0, fetched
    return path / "model"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    steps = Steps(tmp_path_factory.mktemp("scored"))
    steps.volume.mkdir(parents=True)
    dataset = steps.ingest(steps.write("flights.csv", flights(3000)), columns=[LATE, ID])
    model = steps.train(dataset)
    path = model_directory(steps, model, tmp_path_factory.mktemp("image"))
    with object_server() as objects, Server(path, model_name="late") as server:
        yield Place(steps, dataset, model, server, objects)


@pytest.fixture
def place(made: Place) -> Place:
    made.objects.held.clear()
    made.objects.puts = 0
    made.objects.refuse = False
    return made


def expected(place: Place) -> tuple[list[str], list[bool], np.ndarray]:
    """Ids, labels and probabilities of all rows, in order, by the model in this process."""
    store = place.steps.store
    manifest = DatasetManifest.parse((store / "manifests" / "sha256" / f"{place.dataset.digest[7:]}.json").read_bytes())
    model = ModelManifest.parse((store / "manifests" / "sha256" / f"{place.model.digest[7:]}.json").read_bytes())
    contract = FeatureContract.from_json(model.contract)
    estimator = load_model(store / "blobs" / "sha256" / model.model.digest[7:])
    ids, rows = [], []
    types = {column.name: kind_of(column) for column in manifest.columns}
    for label in SPLITS:
        table = pq.read_table(store / "blobs" / "sha256" / manifest.splits[label].digest[7:])
        ids += table.column("id").to_pylist()
        names = [item.name for item in contract.inputs]
        rows.append(contract.features_of(to_vectors(table, [(name, types[name]) for name in names])))
    matrix = np.concatenate(rows)
    return ids, estimator.predict(matrix).tolist(), estimator.predict_proba(matrix)  # type: ignore[attr-defined]


def test_every_row_is_answered_in_order_as_the_model_itself_does(place: Place) -> None:
    run = place.run()
    assert isinstance(run.report, ScoreSummary), run
    ids, labels, probabilities = expected(place)
    table = pq.read_table(io.BytesIO(place.written()))
    assert table.column_names == ["id", "prediction", "probabilities", "model"]
    assert (run.report.rows, run.report.uri, run.report.bytes) == (3000, OUTPUT, len(place.written()))
    assert table.column("id").to_pylist() == ids
    assert table.column("prediction").to_pylist() == labels
    shares = table.column("probabilities").combine_chunks()
    assert [field.name for field in shares.type] == ["False", "True"]
    assert np.array_equal(np.column_stack([shares.field(0), shares.field(1)]), probabilities), "to the last bit"
    assert set(table.column("model").to_pylist()) == {place.model.digest}
    said = pq.ParquetFile(io.BytesIO(place.written())).metadata.metadata
    assert said[b"modelwright.model"].decode() == place.model.digest
    assert said[b"modelwright.dataset"].decode() == place.dataset.digest


def test_the_same_again_is_the_same_bytes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first = place.run(key="1" * 64)
    before = place.written()
    # More row groups than one, and requests that are halved: neither changes what is said.
    monkeypatch.setattr(score, "MAX_REQUEST_BYTES", 20_000)
    assert place.run(key="2" * 64).report == first.report
    assert place.written() == before
    monkeypatch.setattr(answers_file, "ROW_GROUP_ROWS", 700)
    assert isinstance(place.run(key="3" * 64).report, ScoreSummary)
    assert pq.ParquetFile(io.BytesIO(place.written())).metadata.num_row_groups == 5
    assert pq.read_table(io.BytesIO(place.written())).equals(pq.read_table(io.BytesIO(before)))


def test_a_finished_batch_is_only_repeated_while_its_output_is_there(place: Place) -> None:
    first = place.run(key="4" * 64)
    again = place.run(key="4" * 64)
    assert (again.report, place.objects.puts) == (first.report, 1)
    assert '"repeated": true' in again.output
    before = place.objects.held.pop(PATH)
    place.run(key="4" * 64)
    assert place.objects.held[PATH] == before
    place.run(key="5" * 64)
    assert place.objects.held[PATH] != before, "the object says whose it is"
    place.run(key="4" * 64)
    assert place.objects.held[PATH] == before


def test_without_an_id_a_row_is_known_by_where_it_stands(place: Place) -> None:
    # A dataset for scoring only: no target, and its columns under the types that the model reads.
    uri = place.steps.write("few.csv", flights(40))
    dataset = place.steps.ingest(uri)
    run = place.run(dataset={"digest": dataset.digest, "uri": dataset.uri})
    assert isinstance(run.report, ScoreSummary), run
    rows = pq.read_table(io.BytesIO(place.written())).column("row").to_pylist()
    assert len(rows) == 40
    assert rows[0] == "train/0"
    assert rows == [
        f"{label}/{number}" for label in SPLITS for number in range(sum(row.startswith(label) for row in rows))
    ]


def test_a_dataset_without_what_the_model_reads_says_what_is_missing(place: Place) -> None:
    text = "\n".join(line.rpartition(",")[0] for line in flights(40).splitlines())
    dataset = place.steps.ingest(place.steps.write("narrow.csv", text + "\n"))
    failure = place.failure(dataset={"digest": dataset.digest, "uri": dataset.uri})
    assert (failure.reason, failure.retry) == ("DatasetUnfit", False)
    assert 'the column "cancelled", which the dataset has not' in failure.message


def test_an_id_of_a_name_that_the_output_needs_is_refused(place: Place) -> None:
    source = flights(40).replace("id,", "model,", 1)
    columns = [{"name": "model", "role": "id"}]
    dataset = place.steps.ingest(place.steps.write("named.csv", source), columns=columns)
    failure = place.failure(dataset={"digest": dataset.digest, "uri": dataset.uri})
    assert failure.reason == "DatasetUnfit"
    assert 'id column "model"' in failure.message


def test_a_server_that_does_not_answer_is_told(place: Place) -> None:
    failure = place.failure(port=9, serverSeconds=1)
    assert (failure.reason, failure.retry) == ("ModelServerFailed", True)
    assert "not ready after 1 s (ConnectionRefusedError)" in failure.message
    assert not place.objects.held


def test_rows_that_the_server_refuses_are_told_in_its_words(place: Place) -> None:
    failure = place.failure(served="other")
    assert (failure.reason, failure.retry) == ("RowsRefused", False)
    assert "refuses rows of the dataset (404)" in failure.message


def test_a_store_that_refuses_the_output_is_told_and_nothing_is_recorded(place: Place) -> None:
    place.objects.refuse = True
    failure = place.failure(key="6" * 64)
    assert (failure.reason, failure.retry) == ("StoreForbidden", True)
    assert f"the output {OUTPUT}" in failure.message
    place.objects.refuse = False
    assert isinstance(place.run(key="6" * 64).report, ScoreSummary)


def test_the_example_passes_its_gate_and_scores_every_pair(steps: Steps, tmp_path: Path) -> None:
    rows, *manifests = (
        manifest for file in sorted(EXAMPLE.glob("*.yaml")) for manifest in yaml.safe_load_all(file.read_text())
    )
    specs = {manifest["metadata"]["name"]: manifest["spec"] for manifest in manifests}
    made = {
        name: steps.ingest(
            steps.write(f"{name}.csv", rows["data"][specs[name]["source"]["uri"].rpartition("/")[2]]),
            **{field: specs[name][field] for field in ("columns", "checks", "split") if field in specs[name]},
        )
        for name in ("films-seen", "films-unseen")
    }
    run = next(manifest for manifest in manifests if manifest["kind"] == "TrainingRun")["spec"]
    model = steps.train(made["films-seen"], pipeline=run["trainer"]["estimator"], seed=run["seed"], **run["evaluation"])
    assert model.passed, model.metrics
    path = model_directory(steps, model, tmp_path / "image")
    with object_server() as objects, Server(path, model_name="late") as server:
        place = Place(steps, made["films-unseen"], model, server, objects)
        place.run()
        table = pq.read_table(io.BytesIO(place.written()))
    assert table.column_names == ["customer", "film", "prediction", "probabilities", "model"]
    pairs = set(zip(table.column("customer").to_pylist(), table.column("film").to_pylist(), strict=True))
    unseen = [line.split(",")[:2] for line in rows["data"]["unseen.csv"].splitlines()[1:]]
    assert pairs == {(int(customer), film) for customer, film in unseen}


def test_the_examples_rows_are_those_that_its_script_makes() -> None:
    made = subprocess.run([sys.executable, str(EXAMPLE / "rows.py")], capture_output=True, text=True, check=True)
    assert made.stdout == (EXAMPLE / "configmap.yaml").read_text()
