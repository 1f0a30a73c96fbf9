"""Same input, same digests: of dataset version, model and image, in fresh Pods, whatever the namespace."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from . import manifests
from .api_server import JsonObject
from .digests import Digests, digests
from .manifests import NAME
from .place import Place, World

pytestmark = pytest.mark.timeout(900)

ROWS = 3000
FOREST = {
    "estimator": [
        {"class": "sklearn.impute.SimpleImputer"},
        {"class": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 30, "max_depth": 6}},
    ]
}
"""A model that needs its seed: each tree sees other rows."""


def test_two_namespaces_make_the_same_bytes_and_another_seed_makes_others(world: World) -> None:
    with Place(world, "digests") as one, Place(world, "digests") as other, ThreadPoolExecutor() as both:
        first, second = both.map(packaged, (one, other))
        assert first == second
        one.edit("TrainingRun", NAME, {"seed": 43})
        one.until("TrainingRun", NAME, "Ready with another model", lambda run: model(run) not in ("", first.model), 120)
        third = packaged(one, begin=False)
        assert third.dataset == first.dataset
        assert third.model != first.model
        assert third.image != first.image


def packaged(place: Place, begin: bool = True) -> Digests:
    """Runs a chain as far as the image."""
    if begin:
        place.make(manifests.dataset(place.put_flights(ROWS)), manifests.training_run(trainer=FOREST))
    run = place.until("TrainingRun", NAME, "Ready with a version", lambda r: bool(r["status"].get("modelVersion")), 150)
    place.ready("ModelVersion", run["status"]["modelVersion"])
    return digests(place)


def model(run: JsonObject) -> str:
    """The digest of a run's model; empty while there is none."""
    return str(run["status"].get("artifact", {}).get("digest", ""))
