"""Model archives: the same bytes in any process, every allowed class comes back, and forged ones are refused."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import is_classifier, is_regressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

import modelwright_contract
import modelwright_worker
from modelwright_contract.estimators import ESTIMATORS
from modelwright_contract.model_archive import ArchiveError, load_model
from modelwright_worker.archive import write_archive

RANDOM = np.random.default_rng(0)
X = np.abs(RANDOM.normal(size=(80, 4)))
LABELS = np.where(X[:, 0] > 0.7, "late", "early")
VALUES = X[:, 0] * 2 + X[:, 1] + 0.5


def fitted(path: str) -> Any:
    """A pipeline of one class, or, when it only transforms, of it and a classifier."""
    module, _, name = path.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    params: dict[str, object] = {"random_state": 0} if "random_state" in kind().get_params() else {}
    if name.startswith("KNeighbors"):
        params["algorithm"] = "brute"
    if name == "MissingIndicator":
        params["features"] = "all"
    if name == "NMF":
        params["max_iter"] = 1000
    estimator = kind(**params)
    steps: list[tuple[str, object]] = [("0", estimator)]
    if not (is_classifier(estimator) or is_regressor(estimator)):
        steps.append(("1", LogisticRegression()))
    target = VALUES if is_regressor(estimator) else LABELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Pipeline(steps).fit(X, target)


@pytest.mark.parametrize("path", sorted(ESTIMATORS))
def test_every_allowed_class_comes_back_and_answers_the_same(path: str, tmp_path: Path) -> None:
    model = fitted(path)
    archive = tmp_path / "model.skops"
    write_archive(model, archive)
    again: Any = load_model(archive)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    if hasattr(model, "predict_proba"):
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("name", ["ensemble.HistGradientBoostingClassifier", "svm.SVC", "neural_network.MLPClassifier"])
def test_skops_itself_reads_our_archives(name: str, tmp_path: Path) -> None:
    model, archive = fitted(f"sklearn.{name}"), tmp_path / "model.skops"
    write_archive(model, archive)
    again = skops.io.load(archive, trusted=skops.io.get_untrusted_types(file=archive))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


PROGRAM = """
import hashlib, sys, warnings
import numpy as np
from pathlib import Path
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from modelwright_worker.archive import write_archive
warnings.simplefilter("ignore")
x = np.random.default_rng(0).normal(size=(300, 3)); y = np.where(x[:, 0] > 0, "a", "b")
path = Path(sys.argv[1])
for model in (
    HistGradientBoostingClassifier(max_iter=5, random_state=0),
    RandomForestClassifier(5, random_state=0, class_weight={"b": 1, "a": 2}),
    Pipeline([("0", StandardScaler()), ("1", OneHotEncoder(handle_unknown="ignore")), ("2", LogisticRegression())]),
):
    write_archive(model.fit(x, y), path)
    print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    roots = [str(Path(str(module.__file__)).parents[1]) for module in (modelwright_contract, modelwright_worker)]

    def digests(seed: str) -> str:
        environment = {"PYTHONPATH": ":".join(roots), "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / seed)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    first = digests("1")
    assert len(first.split()) == 3
    assert digests("2") == first


def rewritten(content: bytes, change: Callable[[dict[str, Any]], None], **members: bytes) -> bytes:
    """An archive with another schema, or other members."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        schema = json.loads(source.read("schema.json"))
        change(schema)
        for name in source.namelist():
            body = json.dumps(schema).encode() if name == "schema.json" else members.get(name, source.read(name))
            target.writestr(name, body)
    return out.getvalue()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("archive") / "model.skops"
    write_archive(Pipeline([("0", DecisionTreeClassifier(random_state=0))]).fit(X, LABELS), path)
    return path.read_bytes()


def renamed(module: str, name: str) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        schema["__module__"], schema["__class__"] = module, name

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(renamed("subprocess", "Popen"), "subprocess.Popen, which is not allowed", id="any class"),
        pytest.param(renamed("sklearn.ensemble", "StackingClassifier"), "not allowed", id="a class off the list"),
        pytest.param(
            renamed("sklearn.tree.evil", "DecisionTreeClassifier"), "not in this version", id="another module"
        ),
        pytest.param(lambda s: s.update(__loader__="MethodNode"), "MethodNode is not allowed", id="a method"),
        pytest.param(lambda s: s.update(__loader__="ConstructorFromReduceNode"), "not allowed", id="a constructor"),
        pytest.param(lambda s: s.update(protocol=0), "protocol is not 2", id="an old protocol"),
    ],
)
def test_a_forged_schema_is_refused(archive: bytes, change: Callable[[dict[str, Any]], None], says: str) -> None:
    with pytest.raises(ArchiveError, match=says):
        load_model(rewritten(archive, change))


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 10**6), ("left_child", 0), ("right_child", -5), ("feature", 99), ("feature", -3)],
)
def test_a_tree_that_points_outside_is_refused(archive: bytes, field: str, value: int) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        for name in source.namelist():
            if not name.endswith(".npy"):
                continue
            nodes = np.load(io.BytesIO(source.read(name)))
            if nodes.dtype.names is None or "left_child" not in nodes.dtype.names:
                continue
            nodes[field][0] = value
            forged = io.BytesIO()
            np.save(forged, nodes)
            with pytest.raises(ArchiveError, match="trees are not sound"):
                load_model(rewritten(archive, lambda _: None, **{name: forged.getvalue()}))
            return
    pytest.fail("the archive holds no tree")


@pytest.mark.parametrize(("field", "value"), [("left", 10**6), ("left", 0), ("feature_idx", 99), ("bitset_idx", 7)])
def test_a_histogram_tree_that_points_outside_is_refused(field: str, value: int) -> None:
    model = HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(X, LABELS)
    nodes = model._predictors[0][0].nodes
    if field == "bitset_idx":
        nodes["is_categorical"][0] = 1
    nodes[field][0] = value
    buffer = io.BytesIO()
    skops.io.dump(model, buffer)
    with pytest.raises(ArchiveError, match="trees are not sound"):
        load_model(buffer.getvalue())


def test_a_forest_whose_trees_take_more_features_is_refused() -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(X[:, :2], LABELS)
    forest.estimators_[1] = RandomForestClassifier(1, random_state=0).fit(X, LABELS).estimators_[0]
    buffer = io.BytesIO()
    skops.io.dump(forest, buffer)
    with pytest.raises(ArchiveError, match="another number of features"):
        load_model(buffer.getvalue())


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04N."])
def test_what_is_no_archive_is_told(content: bytes) -> None:
    with pytest.raises(ArchiveError, match="not a model archive"):
        load_model(content)


def test_compressed_members_are_refused(archive: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(ArchiveError, match="compressed"):
        load_model(out.getvalue())
