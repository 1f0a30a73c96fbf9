"""`train` with a champion: asked about the new model's test rows through its own contract, or told why it can't be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelwright_contract.results import GateResult, IngestSummary, TrainSummary

from .steps import LATE, Steps, flights, training

ID = {"name": "id", "role": "id"}
POOR = {"pipeline": [{"class": "sklearn.dummy.DummyClassifier"}]}


def against(champion: TrainSummary | None, metric: str = "log_loss", **more: str) -> dict[str, Any]:
    """A gate against a model, or against none."""
    served = {"deployment": "late-flights"}
    if champion is not None:
        served |= {"version": "late-flights-1", "digest": champion.digest}
    return {"gates": [{"name": "champion", "metric": metric, "against": served, **more}]}


def learnable(rows: int = 600, **columns: str) -> str:
    """Rows whose target depends on `x`; more columns by name, made of the row's number by `format`."""
    names = ["id", "x", *columns, "y"]
    lines = [
        ",".join([str(i), str(i * 37 % 100), *(how.format(i % 7) for how in columns.values()), str(i * 37 % 100 > 50)])
        for i in range(rows)
    ]
    return "\n".join([",".join(names), *lines]) + "\n"


TARGET = {"name": "y", "role": "target", "type": "boolean"}


@pytest.fixture
def dataset(steps: Steps) -> IngestSummary:
    return steps.ingest(steps.write("a.csv", learnable()), columns=[TARGET, ID])


def gate_of(summary: TrainSummary) -> GateResult:
    (gate,) = summary.gates
    return gate


def test_without_a_champion_the_gate_passes(steps: Steps, dataset: IngestSummary) -> None:
    gate = gate_of(steps.train(dataset, **against(None)))
    assert gate.passed
    assert gate.value is not None
    assert (gate.champion, gate.p_value) == (None, None)


def test_a_better_model_passes_and_a_worse_or_equal_one_does_not(steps: Steps, dataset: IngestSummary) -> None:
    poor, good = steps.train(dataset, **POOR), steps.train(dataset)
    better = steps.train(dataset, **against(poor))
    assert better.passed
    gate = gate_of(better)
    assert gate.champion == poor.metrics.test["log_loss"]
    assert gate.value == better.metrics.test["log_loss"]
    assert gate.gain is not None
    assert gate.gain_at_least is not None
    assert gate.p_value is not None
    assert 0 < float(gate.gain_at_least) < float(gate.gain)
    assert float(gate.p_value) < 0.01
    assert better.digest == good.digest
    equal, worse = steps.train(dataset, **against(good)), steps.train(dataset, **POOR, **against(good))
    assert (equal.passed, gate_of(equal).gain, gate_of(equal).p_value) == (False, "0", "1")
    assert not worse.passed
    assert float(gate_of(worse).p_value or 0) > 0.9
    document = json.loads(max(steps.store.glob("results/*.json"), key=lambda path: path.stat().st_mtime).read_bytes())
    assert set(document["details"]["comparisons"]["champion"]) == {
        "challenger", "champion", "gain", "gain_at_least", "p_value"
    }  # fmt: skip


def test_a_champion_reads_columns_that_the_new_model_does_not(steps: Steps) -> None:
    """And is asked about the rows of the newer version only, whatever its type was guessed to be before."""
    first = steps.ingest(steps.write("a.csv", learnable(z="{}")), columns=[TARGET, ID])
    champion = steps.train(first, **POOR)
    columns = [TARGET, {"name": "x"}, ID, {"name": "z", "role": "id"}]
    second = steps.ingest(steps.write("b.csv", learnable(900, z="{}.0")), columns=columns)
    gate = gate_of(steps.train(second, **against(champion)))
    assert gate.passed
    alone = steps.train(second, **POOR).metrics.test["log_loss"]
    assert float(gate.champion or 0) == pytest.approx(float(alone), rel=0.05)


def test_a_regression_against_its_champion(steps: Steps) -> None:
    target = {"name": "x", "role": "target"}
    dataset = steps.ingest(steps.write("a.csv", learnable(z="{}")), columns=[target, ID])
    task = {"task": "regression"}
    champion = steps.train(dataset, **task, pipeline=[{"class": "sklearn.dummy.DummyRegressor"}])
    better = [{"class": "sklearn.ensemble.HistGradientBoostingRegressor", "params": {"max_iter": 20}}]
    summary = steps.train(dataset, **task, pipeline=better, **against(champion, "rmse", confidence="0.99"))
    assert summary.passed
    assert float(gate_of(summary).champion or 0) > float(gate_of(summary).value or 0)


BAD = [
    pytest.param(
        {"z": "{}"}, [TARGET, ID], {}, [TARGET, ID],
        ['needs the column "z", which the dataset has no more', "role: id"], id="a column that is gone",
    ),
    pytest.param(
        {"z": "{}"}, [TARGET, ID], {"z": "a{}"}, [TARGET, ID],
        ['takes the column "z" as integer, and the dataset has string'], id="a column of another type",
    ),
    pytest.param(
        {"z": "{}"}, [TARGET, ID], {"z": "{}.5"}, [TARGET, ID],
        ['takes whole numbers in the column "z"'], id="numbers that are whole no more",
    ),
    pytest.param(
        {"z": "a{}"}, [{"name": "z", "role": "target"}, ID], {"z": "b{}"}, [{"name": "z", "role": "target"}, ID],
        ["its classes are a0, a1, a2, a3, a4, …, the new model's b0"], id="other classes",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "declared_before", "after", "declared_after", "says"), BAD)
def test_a_champion_that_can_not_be_asked_is_told(
    steps: Steps,
    before: dict[str, str],
    declared_before: list[dict[str, str]],
    after: dict[str, str],
    declared_after: list[dict[str, str]],
    says: list[str],
) -> None:
    first = steps.ingest(steps.write("a.csv", learnable(**before)), columns=declared_before)
    champion = steps.train(first)
    second = steps.ingest(steps.write("b.csv", learnable(**after)), columns=declared_after)
    failure = steps.failure("train", training(second, **against(champion)))
    assert (failure.reason, failure.retry) == ("ChampionNotComparable", False)
    for words in says:
        assert words in failure.message
    assert "late-flights" in failure.message or "classes" in says[0]


def test_a_champion_of_another_task_is_told(steps: Steps, dataset: IngestSummary) -> None:
    regression = steps.ingest(steps.write("a.csv", learnable()), columns=[{"name": "x", "role": "target"}, ID])
    dummy = [{"class": "sklearn.dummy.DummyRegressor"}]
    champion = steps.train(regression, task="regression", pipeline=dummy)
    failure = steps.failure("train", training(dataset, **against(champion)))
    assert failure.reason == "ChampionNotComparable"
    assert "is a regression, and spec.task is classification" in failure.message


def test_classes_that_come_and_go_are_answered_wrongly_not_refused(steps: Steps) -> None:
    declared = [{"name": "z", "role": "target"}, ID]
    first = steps.ingest(steps.write("a.csv", learnable(z="a{}", x2="{}")), columns=declared)
    champion = steps.train(first)
    renamed = learnable(z="a{}", x2="{}").replace(",a6,", ",b6,")
    second = steps.ingest(steps.write("b.csv", renamed), columns=declared)
    for metric in ("accuracy", "f1", "log_loss", "roc_auc"):
        gate = gate_of(steps.train(second, **against(champion, metric)))
        assert gate.passed, metric
        assert gate.champion is not None


def test_a_champion_that_was_altered_is_never_loaded(steps: Steps, dataset: IngestSummary) -> None:
    champion = steps.train(dataset, **POOR)
    path = steps.store / "manifests" / "sha256" / f"{champion.digest.removeprefix('sha256:')}.json"
    archive = json.loads(path.read_bytes())["model"]["digest"].removeprefix("sha256:")
    blob = steps.store / "blobs" / "sha256" / archive
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    failure = steps.failure("train", training(dataset, **against(champion)))
    assert (failure.reason, failure.retry) == ("ModelNotFound", True)
    path.unlink()
    failure = steps.failure("train", training(dataset, **against(champion), key="d" * 64))
    assert (failure.reason, failure.retry) == ("ModelNotFound", True)
    assert "was sha256:" in failure.message


def test_a_metric_that_the_champion_has_not_is_told(steps: Steps) -> None:
    dataset = steps.ingest(steps.write("flights.csv", flights()), columns=[LATE, ID])
    silent = [{"class": "sklearn.impute.SimpleImputer"}, {"class": "sklearn.linear_model.RidgeClassifier"}]
    champion = steps.train(dataset, pipeline=silent)
    failure = steps.failure("train", training(dataset, **against(champion)))
    assert (failure.reason, failure.retry) == ("MetricNotApplicable", False)
    assert "of the champion: the model gives no probabilities: name another metric" in failure.message
