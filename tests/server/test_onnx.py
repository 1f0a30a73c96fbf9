"""Models that bring an ONNX form: ONNX Runtime gives the same answers, or scikit-learn does and a reason is told."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelwright_contract.canonical import digest_of
from modelwright_contract.manifests import ModelManifest
from modelwright_server.loading import load
from modelwright_server.onnx_predictor import OnnxPredictor
from modelwright_server.predictor import Predictor
from modelwright_server.problems import ModelUnusable, Problem
from modelwright_server.settings import Settings

from .model_directories import ModelDirectory, flights, rewrite_golden, score, write_model
from .processes import Server, server_environment

ROWS = flights(300)
FULL_ROWS = [row for row in ROWS if None not in row.values()]


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """A forest with text classes."""
    targets = ["early" if score(row) < 1 else "late" if score(row) > 2 else "on time" for row in ROWS]
    estimator = make_pipeline(RandomForestClassifier(20, random_state=0))
    return write_model(tmp_path_factory.mktemp("forest"), estimator, targets, ROWS, onnx=True)


@pytest.fixture(scope="module")
def boosting(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """Boosting with boolean classes."""
    estimator = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=10, random_state=0))
    path = tmp_path_factory.mktemp("boosting")
    return write_model(path, estimator, [score(row) > 1.5 for row in ROWS], ROWS, onnx=True)


@pytest.fixture(scope="module")
def delay(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """A regression."""
    estimator = HistGradientBoostingRegressor(max_iter=10, random_state=0)
    return write_model(tmp_path_factory.mktemp("delay"), estimator, [score(row) for row in ROWS], ROWS, onnx=True)


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """A model that takes no missing values."""
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    path = tmp_path_factory.mktemp("linear")
    return write_model(path, estimator, [score(row) > 1.5 for row in FULL_ROWS], FULL_ROWS, onnx=True)


def settings_for(path: Path) -> Settings:
    """Settings of a model directory."""
    return Settings.from_environment({"MODELWRIGHT_MODEL_DIR": str(path)})


def predictor_of(model: ModelDirectory) -> OnnxPredictor:
    """The predictor that is loaded, which must be of the ONNX form."""
    predictor: object = load(settings_for(model.path)).predictor
    assert isinstance(predictor, OnnxPredictor)
    return predictor


def expected(model: ModelDirectory, rows: list[Any]) -> list[Any]:
    """scikit-learn's labels or values."""
    answers: list[Any] = model.estimator.predict(model.matrix(rows)).tolist()  # type: ignore[attr-defined]
    return answers


@pytest.mark.parametrize("size", [1, 7, 300])
def test_labels_and_probabilities_are_scikit_learns(forest: ModelDirectory, size: int) -> None:
    predictor, matrix = predictor_of(forest), forest.matrix(ROWS)[:size]
    prediction = predictor.predict(matrix)
    assert prediction.labels is not None
    assert prediction.labels.dtype == np.intp
    assert [predictor.classes[index] for index in prediction.labels.tolist()] == expected(forest, ROWS[:size])
    probabilities = forest.estimator.predict_proba(matrix)  # type: ignore[attr-defined]
    assert prediction.probabilities is not None
    assert prediction.probabilities.tobytes() == probabilities.tobytes()
    assert prediction.values is None


def test_values_are_scikit_learns(delay: ModelDirectory) -> None:
    prediction = predictor_of(delay).predict(delay.matrix(ROWS))
    assert prediction.values is not None
    assert prediction.values.tolist() == expected(delay, ROWS)
    assert (prediction.labels, prediction.probabilities) == (None, None)


def test_rows_that_the_model_does_not_take_are_a_problem(linear: ModelDirectory) -> None:
    predictor = predictor_of(linear)
    with pytest.raises(Problem, match="takes no missing values") as caught:
        predictor.predict(np.full((1, 5), np.nan))
    assert caught.value.status == 422
    with pytest.raises(Problem, match="no numbers as large"):
        predictor.predict(np.full((1, 5), np.inf))


def test_bytes_that_are_no_form_are_unusable() -> None:
    with pytest.raises(ModelUnusable, match="holds no graph"):
        OnnxPredictor(b"", "regression", (), 3)


# -- which form is served -------------------------------------------------------------------------------------------


def _no_file(path: Path, _other: bytes) -> None:
    (path / "model.onnx").unlink()


def _other_digest(path: Path, _other: bytes) -> None:
    content = (path / "model.onnx").read_bytes()
    (path / "model.onnx").write_bytes(content[:-1])


def rewrite_onnx(path: Path, content: bytes) -> None:
    """Replace the form and its digest in the manifest."""
    manifest = json.loads((path / "manifest.json").read_bytes())
    manifest["onnx"] = {"digest": digest_of(content), "bytes": len(content)}
    (path / "manifest.json").write_text(json.dumps(manifest))
    (path / "model.onnx").write_bytes(content)


def _no_onnx(path: Path, _other: bytes) -> None:
    rewrite_onnx(path, b"ORTM" * 100)


def _another_model(path: Path, other: bytes) -> None:
    rewrite_onnx(path, other)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(_no_file, "model.onnx can't be read: No such file", id="no file"),
        pytest.param(_other_digest, "is not the file that the manifest names", id="digest"),
        pytest.param(_no_onnx, "is not known in an ONNX form", id="no ONNX"),
        pytest.param(
            _another_model, "the golden rows are refused: the model takes no missing values", id="another model"
        ),
    ],
)
def test_what_can_not_be_used_is_told_and_the_archive_served(
    boosting: ModelDirectory,
    linear: ModelDirectory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path, bytes], None],
    reason: str,
) -> None:
    path = tmp_path / "model"
    shutil.copytree(boosting.path, path)
    spoil(path, (linear.path / "model.onnx").read_bytes())
    with caplog.at_level(logging.WARNING):
        predictor: object = load(settings_for(path)).predictor
    assert isinstance(predictor, Predictor)
    (record,) = [record for record in caplog.records if record.message == "the ONNX form is not served"]
    assert reason in record.__dict__["fields"]["reason"]


def test_a_form_may_be_off_by_what_it_was_proven_to(boosting: ModelDirectory, tmp_path: Path) -> None:
    golden = json.loads((boosting.path / "golden.json").read_bytes())
    for factor, kind in ((1 + 1e-7, OnnxPredictor), (1 + 1e-5, None)):
        path = tmp_path / str(factor)
        shutil.copytree(boosting.path, path)
        changed = json.loads(json.dumps(golden))
        changed["outputs"]["probability"][3][0] *= factor
        rewrite_golden(path, changed)
        if kind is not None:
            assert isinstance(load(settings_for(path)).predictor, kind)
        # The archive is not off at all: that the form alone would do is not enough for the check.
        with pytest.raises(ModelUnusable, match="golden row 4: the probability"):
            load(settings_for(path), all_forms=True)


def test_the_check_looks_at_both_forms(boosting: ModelDirectory, tmp_path: Path) -> None:
    path = tmp_path / "model"
    shutil.copytree(boosting.path, path)
    (path / "model.skops").write_bytes(b"")
    assert isinstance(load(settings_for(path)).predictor, OnnxPredictor)
    with pytest.raises(ModelUnusable, match=r"model\.skops is not the file"):
        load(settings_for(path), all_forms=True)


def test_a_manifest_without_a_form_is_what_it_was(boosting: ModelDirectory) -> None:
    content = (boosting.path / "manifest.json").read_bytes()
    with_form = ModelManifest.parse(content)
    assert with_form.to_bytes() == content
    assert list(with_form.files) == ["model.skops", "golden.json", "model.onnx", "profile.json"]
    document = json.loads(content)
    del document["onnx"]
    without = ModelManifest.parse(json.dumps(document).encode())
    assert without.onnx is None
    assert b'"onnx"' not in without.to_bytes()


# -- processes ------------------------------------------------------------------------------------------------------

_FORKED = """
import os, sys, threading
from pathlib import Path
from modelwright_server.loading import load
from modelwright_server.settings import Settings

endpoint = load(Settings.from_environment({"MODELWRIGHT_MODEL_DIR": sys.argv[1]}))
print("scikit-learn" if "sklearn" in sys.modules else "none", len(os.listdir("/proc/self/task")))
import numpy as np
matrix = np.load(sys.argv[2])
here = endpoint.predictor.predict(matrix).probabilities.tobytes()
children = []
for _ in range(3):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        parts = [endpoint.predictor.predict(matrix[i : i + 1]).probabilities for i in range(len(matrix))]
        alike = np.concatenate(parts).tobytes() == here == endpoint.predictor.predict(matrix).probabilities.tobytes()
        os.write(writing, b"alike" if alike else b"not alike")
        os._exit(0)
    children.append((child, reading))
for child, reading in children:
    os.waitpid(child, 0)
    print(os.read(reading, 100).decode())
print("alike" if endpoint.predictor.predict(matrix).probabilities.tobytes() == here else "not alike")
"""


def test_a_session_works_after_a_fork_and_needs_no_scikit_learn(boosting: ModelDirectory, tmp_path: Path) -> None:
    np.save(tmp_path / "matrix.npy", boosting.matrix(ROWS))
    environment = {**server_environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _FORKED, str(boosting.path), str(tmp_path / "matrix.npy")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["none 1", "alike", "alike", "alike", "alike"], done.stderr


@pytest.fixture(scope="module")
def server(boosting: ModelDirectory) -> Iterator[Server]:
    """A server of two processes."""
    with Server(boosting.path, model_name="late", processes="2") as running:
        yield running


def test_a_server_answers_as_scikit_learn(server: Server, boosting: ModelDirectory) -> None:
    labels = expected(boosting, ROWS)
    answer = server.post("/v2/models/late/predict", ROWS)
    assert answer.status_code == 200, answer.text
    assert [row["label"] for row in answer.json()["predictions"]] == labels
    for number in range(0, 40, 4):
        # Not on one kept-alive connection, which is one process's.
        document = [ROWS[number]]
        answer = server.post("/v2/models/late/predict", document, headers={"connection": "close"})
        assert answer.json()["predictions"][0]["label"] == labels[number]


def test_check_passes(forest: ModelDirectory, tmp_path: Path) -> None:
    environment = server_environment(model_dir=str(forest.path), termination_log=str(tmp_path / "log"))
    command = [sys.executable, "-m", "modelwright_server", "check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not os.path.lexists(tmp_path / "log")
