"""The training profile as training writes it: where bins lie, what they count, and that it travels with the model."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright_contract.binning import Binning
from modelwright_contract.features import FeatureContract, Input, Step
from modelwright_contract.manifests import ModelManifest
from modelwright_contract.parse import parse_expression
from modelwright_contract.profile import MAX_EDGES, MAX_PROFILE_BYTES, Column, Profile, Ranges, Values
from modelwright_contract.results import TrainSummary
from modelwright_worker.labels import Classes
from modelwright_worker.metrics import Judged
from modelwright_worker.profile import MAX_LISTED, profile_of
from modelwright_worker.ranges import BINS, MAX_ALONE, ranges_of

from .steps import LATE, Steps, flights

NAN = math.nan
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _counts(values: list[float] | np.ndarray) -> list[int]:
    """Rows in the bins that the values themselves lead to."""
    column = np.array(values, dtype=np.float64)
    bins = ranges_of(column)
    binning = Binning([Column("a", "number", bins, (0,) * (bins.number + 1))], [0])
    return binning.count(column.reshape(-1, 1)).tolist()


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        pytest.param([NAN, NAN], (), [0, 2], id="all missing"),
        pytest.param([], (), [0, 0], id="no rows"),
        pytest.param([0.0, 1.0, 1.0, NAN], (-0.5, 0.5, 1.5), [0, 1, 2, 0, 1], id="two values"),
        pytest.param([1.0, 2.0, 4.0], (0.5, 1.5, 3.0, 5.0), [0, 1, 1, 1, 0, 0], id="uneven gaps"),
        pytest.param([5.0, math.nextafter(5.0, 6.0)], None, [0, 1, 1, 0, 0], id="neighbours"),
        pytest.param([-1e308, 1e308], (0.0,), [1, 1, 0], id="the gap is beyond all floats"),
    ],
)
def test_few_values_have_a_bin_each(values: list[float], edges: tuple[float, ...] | None, counts: list[int]) -> None:
    if edges is not None:
        assert ranges_of(np.array(values)).edges == edges
    assert _counts(values) == counts


@pytest.mark.parametrize("value", [0.0, 3.7, -1e-310, 5e-324, 1e308, -1.7976931348623157e308])
def test_whatever_is_not_a_constants_value_is_in_another_bin(value: float) -> None:
    assert sum(_counts([value, value])[:-1]) == 2
    low, high = ranges_of(np.array([value])).edges if abs(value) < 1e308 else (value, math.inf)
    assert low <= value < high
    assert abs(value) > 1e38 or np.float32(value) == 0 or low <= np.float32(value) < high


def test_many_values_have_ten_bins_with_equally_many_rows() -> None:
    values = np.random.default_rng(1).gamma(2.0, 500.0, 10_007)
    assert all(abs(count - 1000.7) <= 1 for count in _counts(values)[:-1])
    assert len(_counts(values)) == BINS + 1


def test_a_frequent_value_has_a_bin_of_its_own() -> None:
    rng = np.random.default_rng(2)
    values = np.concatenate([np.zeros(4000), rng.exponential(10.0, 5000), np.full(1500, 7.0)])
    counts = _counts(values)
    assert {4000, 1500} <= set(counts)
    edges = ranges_of(values).edges
    assert any(low <= 7.0 < high for low, high in pairwise(edges) if high - low < 0.1)


def test_whole_numbers_are_divided_as_evenly_as_they_can_be() -> None:
    hours = np.repeat(np.arange(24.0), 100)
    counts = _counts(hours)
    assert sum(counts) == 2400
    assert all(count in (200, 300, 400) for count in counts[:-1])
    months = np.repeat(np.arange(1.0, 13.0), 5)
    assert _counts(months) == [0, *[5] * MAX_ALONE, 0, 0]


@given(st.lists(st.one_of(FINITE, st.sampled_from([0.0, -0.0, 1.0, math.inf, NAN])), max_size=60))
def test_whatever_the_values_edges_rise_and_all_rows_are_counted(values: list[float]) -> None:
    edges = ranges_of(np.array(values)).edges
    assert len(edges) <= MAX_EDGES
    assert all(math.isfinite(edge) for edge in edges)
    assert all(low < high for low, high in pairwise(edges))
    assert sum(_counts(values)) == len(values)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=80))
def test_no_bin_with_several_values_has_far_more_than_its_share(numbers: list[int]) -> None:
    values = np.array(numbers, dtype=np.float64) / 7
    bins = ranges_of(values)
    at = np.searchsorted(bins.edges, values, side="right")
    for place in set(at.tolist()):
        inside = values[at == place]
        if len(set(inside.tolist())) > 1:
            assert len(inside) < 2.5 * max(1.0, len(values) / BINS)


@given(st.lists(st.floats(-1e30, 1e30, width=64).filter(lambda v: v == 0 or abs(v) > 1e-30), min_size=1, max_size=40))
def test_what_is_rounded_to_float32_stays_in_its_bin(values: list[float]) -> None:
    column = np.array(values)
    rounded = column.astype(np.float32).astype(np.float64)
    if len(set(rounded.tolist())) < len(set(values)):
        return  # two values have become one: no bins can keep them apart
    distinct = np.unique(column)
    gaps = np.diff(distinct) / np.maximum(np.abs(distinct[:-1]), np.abs(distinct[1:]))
    if len(gaps) and gaps.min() < 1e-6:
        return
    edges = ranges_of(column).edges
    np.testing.assert_array_equal(
        np.searchsorted(edges, column, side="right"), np.searchsorted(edges, rounded, side="right")
    )


CONTRACT = FeatureContract(
    (Input("carrier", "string"), Input("distance", "number"), Input("holiday", "boolean"), Input("at", "timestamp")),
    (Step("hour", "integer", parse_expression("hour(at)")),),
    ("carrier", "distance", "holiday", "at", "hour"),
    None,
    {"carrier": tuple(f"C{i:03d}" for i in range(100))},
)


def _matrix(rows: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    columns: dict[str, list[object]] = {
        "carrier": [None if i % 50 == 0 else f"C{min(int(rng.geometric(0.06)), 120):03d}" for i in range(rows)],
        "distance": [None if i % 10 == 0 else float(rng.gamma(2, 500)) for i in range(rows)],
        "holiday": [bool(i % 3 == 0) for i in range(rows)],
        "at": [f"2026-01-{i % 28 + 1:02d}T{i % 24:02d}:00:00Z" for i in range(rows)],
    }
    return CONTRACT.matrix(columns)


def _judged(rows: int) -> tuple[Judged, Classes]:
    positive = np.random.default_rng(4).random(rows)
    return (
        Judged(np.zeros(rows, dtype=int), (positive > 0.9).astype(int), 2, np.column_stack([1 - positive, positive])),
        Classes(np.array([False, True])),
    )


def test_each_kind_of_column_has_bins_of_its_own() -> None:
    judged, classes = _judged(300)
    profile = profile_of(CONTRACT, _matrix(2000), judged, "validation", classes)
    carrier, distance, holiday, at, hour = profile.features
    assert [column.kind for column in profile.features] == ["string", "number", "boolean", "timestamp", "integer"]
    assert [sum(column.counts) for column in profile.features] == [2000] * 5
    assert isinstance(carrier.bins, Values)
    assert len(carrier.bins.codes) == MAX_LISTED
    assert carrier.bins.values[0] == "C001"
    assert min(carrier.counts[:MAX_LISTED]) >= 1
    assert carrier.counts[-2] > 0, "all others, those that the contract does not know included"
    assert carrier.counts[-1] == 40, "missing"
    assert distance.counts[-1] == 200
    assert isinstance(distance.bins, Ranges)
    assert len(distance.bins.edges) == BINS - 1
    assert (holiday.bins, holiday.counts) == (Values((0, 1), (False, True)), (1333, 667, 0, 0))
    assert isinstance(at.bins, Ranges)
    assert isinstance(hour.bins, Ranges)
    label, probability = profile.outputs
    assert (label.kind, label.bins) == ("boolean", Values((0, 1), (False, True)))
    assert label.counts == (int((judged.predicted == 0).sum()), int((judged.predicted == 1).sum()), 0, 0)
    assert (probability.name, sum(probability.counts)) == ("probability", 300)
    assert Profile.parse(profile.to_bytes()) == profile


def test_many_classes_and_none() -> None:
    names = np.array([f"class {'x' * 60}{i:03d}" for i in range(50)])
    judged = Judged(np.zeros(100, dtype=int), np.repeat(np.arange(50), 2), 50)
    (label,) = profile_of(CONTRACT, _matrix(50), judged, "test", Classes(names)).outputs
    assert isinstance(label.bins, Values)
    assert label.bins.codes == tuple(range(MAX_LISTED)), "of equally frequent ones the first"
    assert all(len(str(value)) <= 40 for value in label.bins.values)
    assert label.counts == (*[2] * MAX_LISTED, 40, 0)
    values = np.random.default_rng(5).normal(size=500)
    (prediction,) = profile_of(CONTRACT, _matrix(50), Judged(values, values, 0), "test", None).outputs
    assert (prediction.name, prediction.kind, len(prediction.counts)) == ("prediction", "number", BINS + 1)


def test_the_document_is_bounded_and_tells_what_is_left_out() -> None:
    names = [f"column {'ö' * 100} {i}" for i in range(3000)]
    contract = FeatureContract(tuple(Input(name, "number") for name in names), (), tuple(names), None, {})
    matrix = np.random.default_rng(6).normal(size=(40, 3000))
    profile = profile_of(contract, matrix, _judged(40)[0], "validation", _judged(40)[1])
    assert len(profile.to_bytes()) <= MAX_PROFILE_BYTES
    assert 300 < len(profile.features) == 3000 - profile.omitted
    assert [column.name for column in profile.features] == names[: len(profile.features)]


def _profile(steps: Steps, summary: TrainSummary) -> tuple[ModelManifest, Profile]:
    name = summary.digest.removeprefix("sha256:")
    manifest = ModelManifest.parse((steps.store / "manifests" / "sha256" / f"{name}.json").read_bytes())
    assert manifest.profile is not None
    content = (steps.store / "blobs" / "sha256" / manifest.profile.digest.removeprefix("sha256:")).read_bytes()
    assert len(content) == manifest.profile.bytes
    return manifest, Profile.parse(content)


def test_it_travels_with_the_model(packaged: tuple[Steps, TrainSummary]) -> None:
    steps, summary = packaged
    manifest, profile = _profile(steps, summary)
    assert "profile.json" in manifest.files
    assert [column.name for column in profile.features] == list(FeatureContract.from_json(manifest.contract).features)
    rows = {sum(column.counts) for column in profile.features}
    assert len(rows) == 1
    assert [column.name for column in profile.outputs] == ["label", "probability"]
    assert profile.split == "validation"
    assert 0 < sum(profile.outputs[0].counts) < rows.pop()


@pytest.mark.parametrize(
    ("split", "answered"),
    [
        pytest.param({"train": 80, "validation": 0, "test": 20}, "test", id="no validation"),
        pytest.param({"train": 100, "validation": 0, "test": 0}, "train", id="nothing but train"),
    ],
)
def test_answers_are_of_rows_that_the_model_does_not_know_where_there_are_some(
    steps: Steps, split: dict[str, int], answered: str
) -> None:
    columns = [{"name": "arr_delay", "role": "target"}, {"name": "id", "role": "id"}]
    dataset = steps.ingest(steps.write("flights.csv", flights()), columns=columns, split=split)
    pipeline = [{"class": "sklearn.ensemble.HistGradientBoostingRegressor", "params": {"max_iter": 5}}]
    _, profile = _profile(steps, steps.train(dataset, task="regression", pipeline=pipeline))
    assert profile.split == answered
    assert [column.name for column in profile.outputs] == ["prediction"]
    share = sum(profile.outputs[0].counts) / sum(profile.features[0].counts)
    assert share == 1 if answered == "train" else share < 0.5


def test_only_rows_with_a_target_are_the_models(steps: Steps) -> None:
    dataset = steps.ingest(steps.write("flights.csv", flights()), columns=[LATE, {"name": "id", "role": "id"}])
    _, profile = _profile(steps, steps.train(dataset))
    assert sum(profile.features[0].counts) < dataset.splits.train
