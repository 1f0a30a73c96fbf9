"""Tasks and results at the border: names in JSON, bounds, and reports that are none of ours."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from modelwright_contract.canonical import canonical_bytes, digest_of, hex_of
from modelwright_contract.results import Failure, IngestSummary, PackageSummary, TrainSummary, parse_summary
from modelwright_contract.tasks import EstimatorStep, IngestTask, PackageTask, Split, TrainTask, parse_task

DIGEST = "sha256:" + "a" * 64
COMMON = {"stepVersion": 1, "key": "b" * 64, "namespace": "ns", "name": "n", "store": {"uri": "s3://bucket"}}


def test_a_task_reads_its_own_json() -> None:
    tasks = [
        IngestTask(
            key="b" * 64, namespace="ns", name="n", store={"uri": "pvc://claim/x"}, source={"uri": "s3://b/k.csv"},
            columns=[{"name": "late", "role": "target", "expression": "delay > 15"}], split={"key": "id"},
        ),
        TrainTask(
            key="b" * 64, namespace="ns", name="n", store={"uri": "s3://b"}, dataset={"digest": DIGEST, "uri": "s3://b/m"},
            task="regression",
            pipeline=[EstimatorStep(class_path="sklearn.linear_model.Ridge", params={"alpha": None})],
        ),
        PackageTask(
            key="b" * 64, namespace="ns", name="n", store={"uri": "s3://b"}, model={"digest": DIGEST}, image="host/r",
            tag="v1", base_image="host/server@" + DIGEST,
        ),
    ]  # fmt: skip
    for task in tasks:
        assert parse_task(task.to_json()) == task


def test_names_in_json_are_camel_case_and_nulls_in_parameters_stay() -> None:
    step = {"class": "sklearn.impute.SimpleImputer", "params": {"fill_value": {"value": None}}}
    task = parse_task(
        json.dumps({**COMMON, "step": "train", "dataset": {"digest": DIGEST, "uri": "u"}, "task": "classification",
                    "pipeline": [step]})
    )  # fmt: skip
    document = json.loads(task.to_json())
    assert document["stepVersion"] == 1
    assert document["pipeline"] == [step]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key": "short"}, "key"),
        ({"surprise": 1}, "surprise"),
        ({"split": {"train": 90, "validation": 15, "test": 5}}, r"train \+ validation \+ test is 110, must be 100"),
        ({"columns": [{"name": "c", "role": "label"}]}, "role"),
        ({"columns": [{"name": f"c{i}"} for i in range(257)]}, "columns"),
    ],
)
def test_a_wrong_task_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        parse_task(json.dumps({**COMMON, "step": "ingest", "source": {"uri": "s3://b/k.csv"}, **change}))


def test_a_split_that_is_all_training_is_one() -> None:
    assert Split(train=100, validation=0, test=0).train == 100


@pytest.mark.parametrize(
    "report",
    [
        IngestSummary(digest=DIGEST, uri="u", rows=1, bytes=2, splits={"train": 1}, columns=3),
        TrainSummary(digest=DIGEST, uri="u", bytes=2, metrics={"test": {"r2": "0.5"}}, passed=True),
        PackageSummary(
            image="h/r@" + DIGEST, model={"digest": DIGEST}, sizes={"model": 1, "layer": 2, "image": 3},
            signature={"inputs": [{"name": "a", "datatype": "FP64", "shape": [-1]}]}, golden_rows=32,
        ),
        Failure(reason="CheckFailed", message="too few", retry=True, violations={"total": 1, "first": ["x"]}),
    ],
    ids=["ingest", "train", "package", "failure"],
)  # fmt: skip
def test_a_report_reads_its_own_json(report: IngestSummary | TrainSummary | PackageSummary | Failure) -> None:
    assert parse_summary(report.to_json()) == report


@pytest.mark.parametrize(
    "text", ["", "Killed", "{}", '{"outcome":"failed","reason":"Boredom","message":"","retry":true}']
)
def test_words_of_another_program_are_no_report(text: str) -> None:
    assert parse_summary(text) is None


def test_a_report_of_a_later_release_is_understood() -> None:
    report = Failure(reason="CheckFailed", message="m", retry=True)
    later = {**json.loads(report.to_json()), "hint": "more"}
    assert parse_summary(json.dumps(later)) == report


def test_canonical_json_is_sorted_compact_and_utf8() -> None:
    assert canonical_bytes({"b": [1, None, True], "a": "é"}) == '{"a":"é","b":[1,null,true]}'.encode()
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_bytes({"a": float("nan")})


def test_a_digest_is_checked() -> None:
    assert hex_of(digest_of(b"")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(ValueError, match="write sha256"):
        hex_of("md5:abc")
