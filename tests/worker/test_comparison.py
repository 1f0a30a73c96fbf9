"""Comparing two models on the same rows: metrics under weightings, and tests that keep their level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelwright_contract.metrics import CLASSIFICATION_METRICS, LOWER_IS_BETTER, NOT_COMPARED, REGRESSION_METRICS
from modelwright_contract.tasks import Gate
from modelwright_worker import comparison
from modelwright_worker.comparison import Comparison, compare
from modelwright_worker.gates import judge
from modelwright_worker.metrics import Judged, NotApplicable, value_of
from modelwright_worker.weighted import weighted

ROWS = 61
TWO_CLASSES_ONLY = frozenset({"brier", "average_precision", "false_positive_rate"})


def classified(
    rng: np.random.Generator, classes: int, rows: int = ROWS, unknown: int = 3, skill: float = 0.5
) -> Judged:
    """Answers of some skill, with equal scores and with labels that the model does not know."""
    truth = rng.integers(0, classes, rows)
    probability = rng.random((rows, classes)) + skill * (np.arange(classes) == truth[:, None])
    probability /= probability.sum(axis=1, keepdims=True)
    if classes == 2:
        second = np.round(probability[:, 1], 1)
        probability = np.column_stack([1 - second, second])
    truth[:unknown] = classes
    score = probability[:, 1] if classes == 2 else None
    return Judged(truth, probability.argmax(axis=1), classes, probability, score)


def measured(rng: np.random.Generator, rows: int = ROWS, error: float = 1.0) -> Judged:
    """Values with errors."""
    truth = rng.standard_normal(rows)
    return Judged(truth, truth + error * rng.standard_normal(rows), 0)


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("name", [*CLASSIFICATION_METRICS, *REGRESSION_METRICS])
def test_a_weighting_by_whole_numbers_is_a_repetition_of_rows(name: str, classes: int) -> None:
    task = "regression" if name in REGRESSION_METRICS else "classification"
    if (task == "regression") == (classes > 0) or name in NOT_COMPARED or (classes == 3 and name in TWO_CLASSES_ONLY):
        return
    rng = np.random.default_rng(7)
    judged = measured(rng) if task == "regression" else classified(rng, classes)
    drawn = rng.integers(0, ROWS, (20, ROWS))
    weights = np.stack([np.bincount(rows, minlength=ROWS) for rows in drawn]).astype(np.float64)
    expected = [value_of(task, name, judged.of_rows(rows)) for rows in drawn]
    np.testing.assert_allclose(weighted(task, name, judged)(weights), expected, rtol=1e-9)


def test_a_weighting_without_a_value_has_none() -> None:
    judged = classified(np.random.default_rng(1), 2, unknown=0)
    only_first = (judged.truth == 0).astype(np.float64)[None, :]
    for name in ("roc_auc", "average_precision"):
        assert np.isnan(weighted("classification", name, judged)(only_first)).all()
    assert np.isnan(weighted("regression", "mae", measured(np.random.default_rng(1)))(np.zeros((1, ROWS)))).all()


@pytest.mark.parametrize("name", [name for name in CLASSIFICATION_METRICS if name not in NOT_COMPARED])
def test_better_is_better_whichever_side_it_lies_on(name: str) -> None:
    rng = np.random.default_rng(3)
    poor = classified(rng, 2, 400, 0, skill=0.1)
    good = replace(poor, predicted=poor.truth, probability=np.eye(2)[poor.truth], score=poor.truth.astype(np.float64))
    found = compare("classification", name, poor, good, confidence=0.95, seed=1)
    assert found.gain > 0
    assert (found.challenger < found.champion) == (name in LOWER_IS_BETTER)
    assert found.gain_at_least is not None
    assert 0 < found.gain_at_least <= found.gain
    assert found.p_value < 0.01
    other = compare("classification", name, good, poor, confidence=0.95, seed=1)
    assert other.p_value > 0.95
    assert other.gain == pytest.approx(-found.gain)


@pytest.mark.parametrize("name", [name for name in REGRESSION_METRICS if name not in NOT_COMPARED])
def test_a_regression_is_compared_too(name: str) -> None:
    poor = measured(np.random.default_rng(3), 400)
    good = replace(poor, predicted=(poor.predicted + 3 * poor.truth) / 4)
    assert compare("regression", name, poor, good, confidence=0.95, seed=1).p_value < 0.01
    assert compare("regression", name, good, poor, confidence=0.95, seed=1).p_value > 0.95


def test_the_same_answers_are_no_better() -> None:
    same = classified(np.random.default_rng(3), 2, 300)
    found = compare("classification", "accuracy", same, same, confidence=0.95, seed=1)
    assert (found.gain, found.gain_at_least, found.p_value) == (0.0, 0.0, 1.0)


def test_the_same_seed_gives_the_same_figures() -> None:
    rng = np.random.default_rng(3)
    first, second = (replace(measured(rng, 200), truth=np.arange(200.0)) for _ in range(2))
    found = [compare("regression", "mae", first, second, confidence=0.9, seed=seed) for seed in (5, 5, 6)]
    assert found[0] == found[1]
    assert found[0].p_value != found[2].p_value
    assert found[0].gain == found[2].gain


def test_of_very_many_rows_some_are_tested_and_all_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    poor = measured(rng, 1000)
    good = replace(poor, predicted=(poor.predicted + poor.truth) / 2)
    everything = compare("regression", "mae", poor, good, confidence=0.95, seed=1)
    monkeypatch.setattr(comparison, "MAX_ROWS", 100)
    some = compare("regression", "mae", poor, good, confidence=0.95, seed=1)
    assert (some.challenger, some.champion, some.gain) == (everything.challenger, everything.champion, everything.gain)
    assert some.gain_at_least is not None
    assert everything.gain_at_least is not None
    assert some.gain_at_least < everything.gain_at_least
    assert some.p_value < 0.01


def test_scores_on_other_scales_are_the_same_order() -> None:
    poor = classified(np.random.default_rng(4), 2, 300, 0)
    assert poor.score is not None
    stretched = replace(poor, score=1000 * poor.score - 7)
    noisy = classified(np.random.default_rng(4), 2, 300, 0, skill=0.4)
    same = [compare("classification", "roc_auc", noisy, one, confidence=0.95, seed=1) for one in (poor, stretched)]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("champion", "says"),
    [
        pytest.param({"probability": None}, "of the champion: the model gives no probabilities", id="no probabilities"),
        pytest.param({"truth": np.zeros(0)}, "the split has no rows", id="no rows"),
    ],
)
def test_what_has_no_value_is_told(champion: dict[str, np.ndarray | None], says: str) -> None:
    judged = classified(np.random.default_rng(4), 2)
    challenger = replace(judged, truth=np.zeros(0)) if "truth" in champion else judged
    with pytest.raises(NotApplicable, match=says):
        compare("classification", "log_loss", replace(judged, **champion), challenger, confidence=0.95, seed=1)


def test_a_model_that_is_no_better_passes_as_rarely_as_is_stated() -> None:
    rng = np.random.default_rng(11)
    passed, runs, rows = 0, 300, 80
    for run in range(runs):
        truth = rng.standard_normal(rows)
        both = [Judged(truth, truth + rng.standard_normal(rows), 0) for _ in range(2)]
        passed += compare("regression", "mae", *both, confidence=0.9, seed=run).p_value <= 0.1
    # At 10 % the chance of more than 46 in 300 is under one in a thousand.
    assert passed <= 46


@pytest.mark.parametrize(
    ("gate", "passed"),
    [
        ({"min": "0.7"}, True),
        ({"min": "0.70001"}, False),
        ({"max": "0.7"}, True),
        ({"max": "0.69"}, False),
        ({"min": "0.5", "max": "0.6"}, False),
        ({}, True),
    ],
)
def test_both_bounds_of_a_gate_are_inclusive(gate: dict[str, str], passed: bool) -> None:
    (result,) = judge([Gate(name="g", metric="accuracy", **gate)], {"accuracy": 0.7}, {})
    assert (result.passed, result.value) == (passed, "0.7")


@pytest.mark.parametrize(
    ("p_value", "confidence", "passed"),
    [(0.05, "0.95", True), (0.0501, "0.95", False), (0.05, "0.99", False), (0.1, "0.9", True), (0.01, "0.99", True)],
)
def test_a_gate_against_a_champion_passes_at_its_level(p_value: float, confidence: str, passed: bool) -> None:
    gate = Gate(
        name="g", metric="f1", against={"deployment": "d", "digest": "sha256:" + "a" * 64}, confidence=confidence
    )
    found = Comparison(challenger=0.75, champion=0.7, gain=0.05, gain_at_least=None, p_value=p_value)
    (result,) = judge([gate], {"f1": 0.75}, {"g": found})
    assert (result.passed, result.champion, result.gain, result.gain_at_least) == (passed, "0.7", "0.05", None)
