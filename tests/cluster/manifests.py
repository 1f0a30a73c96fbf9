"""The four manifests as a user writes them; `**spec` replaces or adds fields of the spec."""

from .api_server import JsonObject

API_VERSION = "modelwright.dev/v1alpha1"
NAME = "flights"
"""The name of each object of a chain, and of its model."""
ESTIMATOR = "sklearn.ensemble.HistGradientBoostingClassifier"
TARGET = {"name": "late", "role": "target", "type": "boolean", "expression": "arr_delay > 15"}
FEATURES = [
    {"name": "carrier", "role": "feature", "type": "string"},
    {"name": "origin", "role": "feature", "type": "string"},
    {"name": "hour", "role": "feature", "type": "integer"},
    {"name": "distance", "role": "feature", "type": "number"},
    {"name": "temp", "role": "feature", "type": "number"},
]


def dataset(uri: str, name: str = NAME, **spec: object) -> JsonObject:
    """Flights that are late or not, split by flight number."""
    return _object(
        "Dataset",
        name,
        {
            "source": {"uri": uri},
            "columns": [TARGET, *FEATURES],
            "checks": [{"name": "enough", "rowCount": {"min": 10}}],
            "split": {"key": "flight", "seed": 7},
            **spec,
        },
    )


def training_run(name: str = NAME, **spec: object) -> JsonObject:
    """A classifier with one gate."""
    return _object(
        "TrainingRun",
        name,
        {
            "dataset": {"name": NAME},
            "task": "classification",
            "trainer": {"estimator": [{"class": ESTIMATOR, "params": {"max_iter": 40}}]},
            "evaluation": {"metrics": ["accuracy"], "gates": [{"name": "floor", "metric": "roc_auc", "min": "0.6"}]},
            "seed": 42,
            **spec,
        },
    )


def model_version(name: str = NAME, **spec: object) -> JsonObject:
    """The run's model, whatever its digest will be."""
    return _object("ModelVersion", name, {"model": NAME, "source": {"trainingRun": NAME}, **spec})


def deployment(name: str = NAME, version: str = "latest", **spec: object) -> JsonObject:
    """A model behind HTTP."""
    return _object("Deployment", name, {"model": {"name": NAME, "version": version}, **spec})


def chain(uri: str) -> list[JsonObject]:
    """Three manifests: the run makes the ModelVersion."""
    return [dataset(uri), training_run(), deployment()]


def whole_chain(uri: str) -> list[JsonObject]:
    """All four manifests at once: the run makes no version, the Deployment names the one that is written."""
    run = training_run(output={"createModelVersion": False})
    return [dataset(uri), run, model_version(), deployment(version=NAME)]


def namespace_config(text: str) -> JsonObject:
    """A namespace's own word on store and registry."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "modelwright", "labels": {"modelwright.dev/namespace-config": "true"}},
        "data": {"config.yaml": text},
    }


def _object(kind: str, name: str, spec: JsonObject) -> JsonObject:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
