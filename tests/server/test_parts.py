"""Parts of the server that need no process of their own."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from modelwright_server.answers import Answers
from modelwright_server.cpus import limit_threads, usable_cpus
from modelwright_server.http_target import path_of
from modelwright_server.predictor import Prediction, Predictor


def test_not_a_number_is_null_in_json() -> None:
    answers = Answers("m", "1", {"label": "INT64", "probability": "FP64"}, [3, 4])
    prediction = Prediction(labels=np.array([1]), probabilities=np.array([[np.nan, np.inf]]))
    assert json.loads(answers.objects(prediction))["predictions"] == [
        {"label": 4, "probabilities": {"3": None, "4": None}}
    ]
    tensors = json.loads(answers.tensors(prediction, ["probability"], None))
    assert tensors["outputs"][0]["data"] == [None, None]


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        pytest.param({"cpu.max": "50000 100000"}, 1, id="v2, half a processor"),
        pytest.param({"cpu.max": "max 100000"}, None, id="v2, no quota"),
        pytest.param({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, id="v1, no quota"),
        pytest.param({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1, id="v1, one processor"),
        pytest.param({}, None, id="no cgroup"),
    ],
)
def test_processors_of_a_container(tmp_path: Path, files: dict[str, str], cpus: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    available = usable_cpus(tmp_path / "absent")
    assert usable_cpus(tmp_path) == (available if cpus is None else cpus)


def test_threads_that_somebody_set_are_left() -> None:
    environment = {"OMP_NUM_THREADS": "7"}
    limit_threads(environment, 2)
    assert environment == {"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a?b=/c", "/a"),
        (b"/%2e/%C3%9C", "/./Ü"),
        (b"http://h:1/a?b", "/a"),
        (b"http://h", "/"),
        (b"*", "*"),
        (b"/%c3", None),
    ],
)
def test_request_targets(target: bytes, path: str | None) -> None:
    assert path_of(target) == path


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=5),
        RandomForestClassifier(n_estimators=4, max_depth=2, random_state=0),
        LogisticRegression(C=1e-9),
        KNeighborsClassifier(4),
        RidgeClassifier(),
        SVC(random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_labels_are_those_of_scikit_learn(estimator: object, classes: int) -> None:
    rng = np.random.default_rng(5)
    # Coarse features and few trees: many rows whose classes are equally probable.
    matrix = rng.integers(0, 3, (400, 2)).astype(np.float64)
    estimator.fit(matrix, rng.integers(0, classes, 400) * 10)  # type: ignore[attr-defined]
    predictor = Predictor(estimator, "classification", list(range(classes)))
    labels = predictor.predict(matrix).labels
    assert labels is not None
    assert (labels * 10).tolist() == estimator.predict(matrix).tolist()  # type: ignore[attr-defined]
