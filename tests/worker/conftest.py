"""A volume for each test, and one with a dataset and a model for all tests that only read them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sklearn

from modelwright_contract.results import TrainSummary

from .steps import LATE, Steps, flights


@pytest.fixture(autouse=True)
def _settings_of_a_fresh_process() -> Iterator[None]:
    """Steps run in this process here, where tests of the server may have turned scikit-learn's checks off."""
    with sklearn.config_context(assume_finite=False, skip_parameter_validation=False):
        yield


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    """A volume of the test's own."""
    made = Steps(tmp_path)
    made.volume.mkdir(parents=True)
    return made


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Steps, TrainSummary]:
    """A volume with a dataset version and a model on it; tests only read it, or write under keys of their own."""
    made = Steps(tmp_path_factory.mktemp("packaged"))
    made.volume.mkdir(parents=True)
    dataset = made.ingest(made.write("flights.csv", flights()), columns=[LATE, {"name": "id", "role": "id"}])
    return made, made.train(dataset)
