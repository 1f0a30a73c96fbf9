"""Keys are what results are found by: golden hashes, and proof of what changes them and what does not.

A golden hash that must change means that every result in every store is made again: raise the step's version by hand
(`modelwright/keys.py`) and say so in the release notes.
"""

from typing import Any

import pytest

from modelwright import keys, names
from modelwright.api.v1alpha1 import Dataset, TrainingRun
from modelwright.plan import JsonObject
from pure import samples

PINNED = samples.digest("data")

FULL_DATASET: dict[str, Any] = {
    "source": {"uri": "s3://raw/flights.csv", "secretRef": {"name": "raw-keys"}},
    "refresh": {"token": "2026-05-01"},
    "columns": [
        {"name": "late", "role": "target", "type": "boolean", "expression": "dep_delay > 15"},
        {"name": "carrier", "type": "string", "allowed": ["AA", "UA", "DL"], "maxNullFraction": "0.01"},
        {"name": "größe", "type": "number"},
    ],
    "checks": [
        {"name": "enough", "rowCount": {"min": 1000}},
        {"name": "few", "rowCount": {"max": 9000}, "severity": "warn"},
    ],
    "split": {"train": 80, "validation": 10, "test": 10, "key": "flight_id", "seed": 7},
}
FULL_RUN: dict[str, Any] = {
    "dataset": {"name": "flights"},
    "task": "classification",
    "trainer": {
        "estimator": [
            {"class": "sklearn.preprocessing.StandardScaler"},
            {
                "class": "sklearn.ensemble.HistGradientBoostingClassifier",
                "params": {"max_iter": 200, "max_depth": {"value": None}, "l2_regularization": 0.5},
            },
        ]
    },
    "evaluation": {
        "metrics": ["roc_auc", "f1"],
        "gates": [
            {"name": "floor", "metric": "roc_auc", "min": "0.70"},
            {"name": "loss", "metric": "log_loss", "max": "0.5"},
        ],
    },
    "seed": 42,
    "output": {"model": "late-flights"},
}


def ingest(spec: JsonObject) -> str:
    """The key of a Dataset of this spec."""
    return keys.ingest(Dataset.parse(samples.manifest("Dataset", "flights", spec)).spec.semantic())


def train(spec: JsonObject, name: str = "run", digest: str = PINNED) -> str:
    """The key of a TrainingRun of this spec."""
    run = TrainingRun.parse(samples.manifest("TrainingRun", name, spec))
    return keys.train(run.spec.semantic(name), run.spec.dataset.name, digest)


PLAIN_DATASET: JsonObject = {"source": {"uri": "s3://raw/flights.csv"}}
PLAIN_RUN: JsonObject = {
    "dataset": {"name": "flights"},
    "task": "regression",
    "trainer": {"estimator": [{"class": "sklearn.linear_model.Ridge"}]},
}


@pytest.mark.parametrize(
    ("key", "golden"),
    [
        pytest.param(
            ingest(PLAIN_DATASET),
            "991d29012498dbc02ec78245bcd32c837d44f94b9896570fd74681b571b717e8",
            id="a plain Dataset",
        ),
        pytest.param(
            ingest(FULL_DATASET),
            "9224c659af414d1aec819b132219af07f4d3d2b9323751ec743dbe20a51d9de6",
            id="a full Dataset",
        ),
        pytest.param(
            train(PLAIN_RUN),
            "6a3bbd21be8bf0d9ef09c834165b649bc79d797f303bdd4d618ba49ca1d6e6fe",
            id="a plain TrainingRun",
        ),
        pytest.param(
            train(FULL_RUN),
            "e8337d1e9997f263cdb622c52d96a4ef8a5ef52facfa2e5e476f2058a7ceaff7",
            id="a full TrainingRun",
        ),
        pytest.param(
            keys.package(samples.digest("model"), "registry.test/models/team/late-flights"),
            "c4c608eb986418b822c5201e2ceb667eef92e3df893c8c6ec6a57b537661ccd6",
            id="package",
        ),
        pytest.param(
            keys.score(samples.digest("model"), PINNED, "late-flights", "s3://scores/late"),
            "b308fdda4cf0fd9ac88c7b5efdf42876000654e3551177dfaa5ee3412a6ec2dc",
            id="score",
        ),
    ],
)
def test_golden_keys(key: str, golden: str) -> None:
    assert key == golden


DATASET_SAME = [
    pytest.param(FULL_DATASET | {"columns": FULL_DATASET["columns"][::-1]}, id="the order of columns"),
    pytest.param(FULL_DATASET | {"checks": FULL_DATASET["checks"][::-1]}, id="the order of checks"),
    pytest.param(FULL_DATASET | {"source": {"uri": "s3://raw/flights.csv"}}, id="where the keys come from"),
    pytest.param(FULL_DATASET | {"source": {"uri": "s3://raw/flights.csv", "format": "csv"}}, id="the ending's format"),
    pytest.param(
        FULL_DATASET | {"split": {**FULL_DATASET["split"], "by": "hash"}},
        id="a default of the split written out",
    ),
    pytest.param(
        FULL_DATASET | {"columns": [
            {"name": "late", "role": "target", "type": "boolean", "expression": "dep_delay > 15", "allowed": []},
            {"name": "carrier", "role": "feature", "type": "string", "allowed": ["DL", "AA", "UA"],
             "maxNullFraction": "0.01"},
            {"name": "größe", "type": "number"},
        ]}, id="defaults of columns written out, and the order of allowed values",
    ),
    pytest.param(
        FULL_DATASET | {"checks": [
            {"name": "enough", "rowCount": {"min": 1000}, "severity": "error"},
            {"name": "few", "rowCount": {"max": 9000}, "severity": "warn"},
        ]}, id="the default severity written out",
    ),
    pytest.param(FULL_DATASET | {"resources": {"limits": {"memory": "9Gi"}}}, id="resources"),
    pytest.param(FULL_DATASET | {"serviceAccountName": "robot"}, id="the service account"),
    pytest.param(FULL_DATASET | {"imagePullSecrets": [{"name": "pull"}]}, id="pull secrets"),
]  # fmt: skip

DATASET_OTHER = [
    pytest.param(FULL_DATASET | {"source": {"uri": "s3://raw/trains.csv"}}, id="another file"),
    pytest.param(FULL_DATASET | {"source": {"uri": "s3://raw/flights.csv", "format": "parquet"}}, id="another format"),
    pytest.param(FULL_DATASET | {"refresh": {"token": "2026-05-02"}}, id="another token"),
    pytest.param(FULL_DATASET | {"columns": []}, id="no columns"),
    pytest.param(FULL_DATASET | {"checks": []}, id="no checks"),
    pytest.param(FULL_DATASET | {"split": {"train": 80, "validation": 10, "test": 10, "seed": 7}}, id="no split key"),
    pytest.param(
        FULL_DATASET | {"checks": [{"name": "enough", "rowCount": {"min": 1001}}]}, id="another bound of a check"
    ),
]


@pytest.mark.parametrize("spec", DATASET_SAME)
def test_a_dataset_key_is_not_changed_by(spec: JsonObject) -> None:
    assert ingest(spec) == ingest(FULL_DATASET)


@pytest.mark.parametrize("spec", DATASET_OTHER)
def test_a_dataset_key_is_changed_by(spec: JsonObject) -> None:
    assert ingest(spec) != ingest(FULL_DATASET)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"split": {}}, id="an empty split"),
        pytest.param({"split": {"train": 70, "validation": 15, "test": 15, "by": "hash", "seed": 0}}, id="the split"),
        pytest.param({"refresh": {}}, id="an empty refresh"),
        pytest.param({"refresh": {"token": ""}}, id="an empty token"),
        pytest.param({"columns": [], "checks": []}, id="empty lists"),
    ],
)
def test_a_plain_datasets_key_is_not_changed_by_a_default_written_out(more: JsonObject) -> None:
    assert ingest(PLAIN_DATASET | more) == ingest(PLAIN_DATASET)


def gated(**gate: object) -> JsonObject:
    """An evaluation with one gate."""
    return {"metrics": ["roc_auc", "f1"], "gates": [{"name": "champion", "metric": "roc_auc", **gate}]}


RUN_SAME = [
    pytest.param(FULL_RUN | {"retries": 7}, id="retries"),
    pytest.param(FULL_RUN | {"activeDeadline": "2h"}, id="the deadline"),
    pytest.param(FULL_RUN | {"suspend": True}, id="suspend"),
    pytest.param(FULL_RUN | {"resources": {"requests": {"cpu": "4"}}}, id="resources"),
    pytest.param(FULL_RUN | {"serviceAccountName": "robot"}, id="the service account"),
    pytest.param(
        FULL_RUN | {"output": {"model": "late-flights", "createModelVersion": False,
                               "package": {"image": "r.test/m", "pushSecretRef": {"name": "push"}}}},
        id="where the image goes, and with which secret",
    ),
    pytest.param(
        FULL_RUN | {"evaluation": {"metrics": ["f1", "roc_auc"], "gates": FULL_RUN["evaluation"]["gates"][::-1]}},
        id="the order of metrics and gates",
    ),
    pytest.param(FULL_RUN | {"dataset": {"name": "flights", "digest": PINNED}}, id="the digest that is pinned anyway"),
]  # fmt: skip

RUN_OTHER = [
    pytest.param(FULL_RUN | {"seed": 43}, id="another seed"),
    pytest.param(FULL_RUN | {"dataset": {"name": "trains"}}, id="another dataset"),
    pytest.param(FULL_RUN | {"output": {"model": "trains"}}, id="another model"),
    pytest.param(
        FULL_RUN | {"trainer": {"estimator": FULL_RUN["trainer"]["estimator"][::-1]}},
        id="the order of a pipeline",
    ),
    pytest.param(
        FULL_RUN | {"trainer": {"estimator": [{"class": "sklearn.svm.SVC", "params": {"C": {"value": None}}}]}},
        id="another estimator",
    ),
    pytest.param(FULL_RUN | {"evaluation": {"metrics": ["roc_auc", "f1"]}}, id="no gates"),
    pytest.param(FULL_RUN | {"evaluation": gated(against={"deployment": "d"})}, id="a gate against a Deployment"),
]


@pytest.mark.parametrize("spec", RUN_SAME)
def test_a_run_key_is_not_changed_by(spec: JsonObject) -> None:
    assert train(spec) == train(FULL_RUN)


@pytest.mark.parametrize("spec", RUN_OTHER)
def test_a_run_key_is_changed_by(spec: JsonObject) -> None:
    assert train(spec) != train(FULL_RUN)


def test_a_run_key_is_changed_by_the_data_and_not_by_a_default_model_written_out() -> None:
    assert train(FULL_RUN, digest=samples.digest("other")) != train(FULL_RUN)
    plain = {name: value for name, value in FULL_RUN.items() if name != "output"}
    assert train(FULL_RUN, name="late-flights") == train(plain, name="late-flights")


def test_a_default_confidence_written_out_changes_no_key() -> None:
    against: JsonObject = {"deployment": "late-flights"}
    plain, named, other = (
        train(FULL_RUN | {"evaluation": gated(against=against, **more)})
        for more in ({}, {"confidence": "0.95"}, {"confidence": "0.9"})
    )
    assert plain == named
    assert plain != other


def test_a_run_key_is_changed_by_the_champions_only_where_there_are_gates_against_them() -> None:
    semantic = TrainingRun.parse(samples.manifest("TrainingRun", "run", FULL_RUN)).spec.semantic("run")
    plain, none, one, other = (
        keys.train(semantic, "flights", PINNED, champions)
        for champions in ({}, {"d": ""}, {"d": samples.digest("a")}, {"d": samples.digest("b")})
    )
    assert plain == train(FULL_RUN)
    assert len({plain, none, one, other}) == 4


def test_labels_and_annotations_are_no_part_of_a_spec() -> None:
    manifest = samples.manifest("Dataset", "flights", PLAIN_DATASET)
    manifest["metadata"] = {"name": "flights", "labels": {"team": "a"}, "annotations": {"note": "b"}}
    assert keys.ingest(Dataset.parse(manifest).spec.semantic()) == ingest(PLAIN_DATASET)


def test_every_step_and_every_version_has_keys_of_its_own() -> None:
    found = {keys.step_key(step, version, {"a": 1}) for step in ("ingest", "train", "package") for version in (1, 2)}
    assert len(found) == 6
    assert all(len(key) == 64 for key in found)


def test_a_package_key_depends_on_model_and_repository_only() -> None:
    model = samples.digest("model")
    key = keys.package(model, "r.test/m")
    assert key != keys.package(samples.digest("other"), "r.test/m")
    assert key != keys.package(model, "r.test/n")


@pytest.mark.parametrize(
    ("root", "parts", "name"),
    [
        pytest.param("flights", ("Dataset", "k"), "flights-febef9e529", id="a short root"),
        pytest.param("a" * 40, ("Dataset", "k"), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa-3124d333e6", id="a long root is cut"),
        pytest.param("a" * 28 + "-b", (), "aaaaaaaaaaaaaaaaaaaaaaaaaaaa-2bd0fe771f", id="no two dashes in a row"),
    ],
)
def test_derived_names(root: str, parts: tuple[str, ...], name: str) -> None:
    assert names.derived(root, *parts) == name
    assert len(names.derived(names.derived(root, *parts), *parts)) <= 40
