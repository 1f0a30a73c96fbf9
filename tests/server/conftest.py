"""Models made once for all tests of the server, and one running server for those that only ask."""

from collections.abc import Iterator

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .model_directories import ModelDirectory, flights, score, write_model
from .processes import Server


@pytest.fixture(scope="session")
def late(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """A classifier with boolean classes that takes missing values."""
    rows = flights(600)
    estimator = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=20, random_state=0))
    return write_model(tmp_path_factory.mktemp("late"), estimator, [score(row) > 1.5 for row in rows], rows)


@pytest.fixture(scope="session")
def delay(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """A regression."""
    rows = flights(600)
    estimator = make_pipeline(HistGradientBoostingRegressor(max_iter=20, random_state=0))
    return write_model(tmp_path_factory.mktemp("delay"), estimator, [score(row) for row in rows], rows)


@pytest.fixture(scope="session")
def band(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """A classifier with three text classes that takes no missing values."""
    rows = [row for row in flights(600) if None not in row.values()]
    targets = ["early" if score(row) < 1 else "late" if score(row) > 2 else "on time" for row in rows]
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    return write_model(tmp_path_factory.mktemp("band"), estimator, targets, rows)


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """A forest that takes some hundred milliseconds for a few thousand rows."""
    rows = flights(600)
    estimator = make_pipeline(RandomForestClassifier(n_estimators=300, n_jobs=-1, random_state=0))
    return write_model(tmp_path_factory.mktemp("slow"), estimator, [int(score(row)) % 3 for row in rows], rows)


@pytest.fixture(scope="session")
def server(late: ModelDirectory) -> Iterator[Server]:
    """A server of `late` with small limits; tests must leave it as it was."""
    settings = {
        "model_name": "late",
        "model_version": "v7",
        "max_body_bytes": "200000",
        "max_head_bytes": "4096",
        "head_timeout_seconds": "0.6",
        "body_timeout_seconds": "0.6",
        "idle_timeout_seconds": "1.5",
    }
    with Server(late.path, **settings) as running:
        yield running


@pytest.fixture(scope="session")
def grpc_server(late: ModelDirectory) -> Iterator[Server]:
    """A server of `late` that speaks gRPC too; tests must leave it as it was."""
    settings = {"grpc_port": "0", "model_name": "late", "model_version": "v7", "max_body_bytes": str(4 << 20)}
    with Server(late.path, **settings) as running:
        yield running
