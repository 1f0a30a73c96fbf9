"""What the API admits is a task for a Job: their bounds are the same, so that no Job refuses what it is asked."""

import re
from typing import Any, get_args

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from modelwright import keys
from modelwright.api.v1alpha1 import dataset, shared, trainingrun
from modelwright.api.v1alpha1.schema import Matches
from modelwright.cli.admission import findings
from modelwright.plan import JsonObject
from modelwright.reconcilers import dataset as datasets
from modelwright.reconcilers import model_version as model_versions
from modelwright.reconcilers import training_run as training_runs
from modelwright.view import View
from modelwright_contract import tasks
from modelwright_contract.metrics import CLASSIFICATION_METRICS, DEFAULT_METRICS, REGRESSION_METRICS, MetricName
from pure import samples

KEY, DIGEST = "0" * 64, "sha256:" + "0" * 64
LONGEST = 2**63 - 1
CHAMPION = trainingrun.Champion(deployment="late-flights", version="v1", digest=DIGEST)
RUN = trainingrun.Run(key=KEY, dataset=DIGEST, champions=(CHAMPION,))


def texts(kind: Any) -> st.SearchStrategy[str]:
    """What a string type of the API takes: short and of any kind, or as long as may be."""
    pattern = next(mark.pattern for mark in get_args(kind) if isinstance(mark, Matches))
    longest = next(
        m.max_length for mark in get_args(kind) if isinstance(mark, FieldInfo) for m in mark.metadata if m.max_length
    )
    whole = re.compile(pattern.removesuffix("$") + r"\Z", re.ASCII)
    short = st.from_regex(whole, fullmatch=True).filter(lambda text: len(text) <= longest)
    return short | short.map(lambda text: text[0] * (longest - len(text)) + text).filter(whole.match)


columns = st.fixed_dictionaries(
    {"name": texts(dataset.ColumnName)},
    optional={
        "expression": st.text(min_size=1, max_size=tasks.MAX_EXPRESSION_CHARS),
        "allowed": st.lists(st.text(max_size=tasks.MAX_ALLOWED_CHARS), max_size=4, unique=True),
        "maxNullFraction": texts(shared.Fraction),
    },
)
checks = st.fixed_dictionaries(
    {"name": texts(shared.EntryName), "rowCount": st.fixed_dictionaries({"min": st.integers(0, LONGEST)})}
)
splits = st.tuples(st.integers(1, 98), st.integers(1, 98), st.integers(0, tasks.MAX_SEED)).map(
    lambda drawn: {"train": drawn[0], "validation": drawn[1], "test": 100 - drawn[0] - drawn[1], "seed": drawn[2]}
)
uris = st.from_regex(r"(s3://raw|pvc://claim)/[a-z./*]{1,20}\.csv", fullmatch=True)
bounds = texts(shared.Decimal)
gates = st.fixed_dictionaries(
    {"name": texts(shared.EntryName), "metric": st.sampled_from(CLASSIFICATION_METRICS), "min": bounds}
) | st.fixed_dictionaries(
    {
        "name": texts(shared.EntryName),
        "metric": st.sampled_from(CLASSIFICATION_METRICS),
        "against": st.just({"deployment": "late-flights"}),
    },
    optional={"confidence": texts(trainingrun.Confidence)},
)
classes = st.from_regex(r"[a-z_][a-z0-9_]{0,9}(\.[a-z_][a-z0-9_]{0,9}){0,12}\.[A-Z][A-Za-z0-9_]{0,20}", fullmatch=True)
parameters = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=9), below, max_size=3),
    max_leaves=6,
)
estimators = st.fixed_dictionaries(
    {"class": classes}, optional={"params": st.dictionaries(st.text(max_size=9), parameters, max_size=3)}
)


def unique(entries: st.SearchStrategy[dict[str, Any]], most: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(entries, max_size=most, unique_by=lambda entry: str(entry["name"]))


def admitted(manifest: JsonObject) -> JsonObject:
    """The manifest, if the API server would take it."""
    assume(not findings(manifest))
    return manifest


@settings(max_examples=40, deadline=None)
@given(uri=uris, columns=unique(columns, 3), checks=unique(checks, 2), split=splits)
def test_an_admitted_dataset_is_a_task(uri: str, **spec: Any) -> None:
    resource = dataset.Dataset.parse(admitted(samples.manifest("Dataset", "d", {"source": {"uri": uri}, **spec})))
    asked = datasets.task(resource, KEY, samples.config())
    assert tasks.parse_task(asked.to_json()) == asked


@settings(max_examples=40, deadline=None)
@given(
    estimator=st.lists(estimators, min_size=1, max_size=3), gates=unique(gates, 2), seed=st.integers(0, tasks.MAX_SEED)
)
def test_an_admitted_run_is_a_task(estimator: Any, gates: Any, seed: int) -> None:
    more = {"trainer": {"estimator": estimator}, "evaluation": {"gates": gates}, "seed": seed}
    resource = trainingrun.TrainingRun.parse(admitted(samples.training_run(**more)))
    asked = training_runs.task(resource, KEY, RUN, View(samples.config()))
    assert tasks.parse_task(asked.to_json()) == asked


@settings(max_examples=40, deadline=None)
@given(name=texts(shared.ObjectName), image=texts(shared.ImageRepository))
def test_an_admitted_version_is_a_task(name: str, image: str) -> None:
    manifest = admitted(samples.model_version(name, package={"image": image}))
    resource = samples.MODELS["ModelVersion"].parse(manifest)
    asked = model_versions.task(resource, KEY, DIGEST, image, samples.config())
    assert tasks.parse_task(asked.to_json()) == asked


def test_as_much_as_is_admitted_is_a_task() -> None:
    """The largest of everything that is counted; one more is refused on both sides by the same constant."""
    path = "a." * 60 + "A" * (tasks.MAX_CLASS_CHARS - 120)
    params = {f"p{index}": index for index in range(tasks.MAX_PARAMS)}
    gates = [{"name": f"g{index}", "metric": "f1", "min": "-1e-300"} for index in range(tasks.MAX_GATES)]
    run = samples.training_run(
        trainer={"estimator": [{"class": path, "params": params}] * tasks.MAX_STEPS},
        evaluation={"metrics": list(CLASSIFICATION_METRICS), "gates": gates},
        seed=tasks.MAX_SEED,
    )
    assert findings(run) == []
    asked = training_runs.task(trainingrun.TrainingRun.parse(run), KEY, RUN, View(samples.config()))
    assert len(asked.gates) == tasks.MAX_GATES
    allowed = [str(index) * 50 for index in range(100, 100 + tasks.MAX_ALLOWED)]
    read = samples.dataset(
        columns=[
            {"name": f"c{index}", "expression": "x" * tasks.MAX_EXPRESSION_CHARS} for index in range(tasks.MAX_COLUMNS)
        ],
        checks=[{"name": f"c{index}", "rowCount": {"min": LONGEST}} for index in range(tasks.MAX_CHECKS)],
    )
    assert findings(read) == []
    assert len(datasets.task(dataset.Dataset.parse(read), KEY, samples.config()).columns) == tasks.MAX_COLUMNS
    few = samples.dataset(columns=[{"name": "a", "allowed": allowed}])
    assert findings(few) == []
    assert datasets.task(dataset.Dataset.parse(few), KEY, samples.config()).columns[0].allowed


def test_a_source_with_a_secret_is_read_with_its_keys_only() -> None:
    for secret, own in ((None, False), ({"name": "raw-keys"}, True)):
        source = {"uri": "s3://raw/flights.csv"} | ({"secretRef": secret} if secret else {})
        resource = dataset.Dataset.parse(samples.dataset(source=source))
        assert datasets.task(resource, keys.ingest(resource.spec.semantic()), samples.config()).source.own_keys is own


def test_the_metrics_are_those_of_a_task_and_the_defaults_are_among_them() -> None:
    assert get_args(MetricName) == CLASSIFICATION_METRICS + REGRESSION_METRICS
    assert set(DEFAULT_METRICS["classification"]) <= set(CLASSIFICATION_METRICS)
    assert set(DEFAULT_METRICS["regression"]) <= set(REGRESSION_METRICS)
