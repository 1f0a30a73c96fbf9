"""The table of what goes wrong: what is applied, what the object then says, what cures it.

Rows of a `Shared` place find there a Dataset `flights` that is Ready, and a ModelVersion `flights` of it; each row has
objects and files of its own names, and runs that differ: the result of an equal one would be found in the store. The
other rows have a place of their own.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from . import flights, manifests
from .api_server import JsonObject
from .live_cluster import STORE_SECRET
from .manifests import NAME
from .place import Place, s3, store_secret

FEW = 300
GOOD = flights.csv_bytes(flights.rows(FEW))
HEADER, _, LINE_3 = GOOD.split(b"\n")[:3]
DEAD_PORT = 9

Act = Callable[[Place], None]


@dataclass(frozen=True)
class Fault:
    """One row. `begin` applies it; `kind`/`name` then says `reason`, with `words`; `cure` takes the cause away.

    `jobs` is how many Jobs the object may have had before the cure, five seconds after it said the reason.
    """

    case: str
    begin: Act
    kind: str
    name: str
    reason: str
    words: tuple[str, ...]
    cure: Act | None
    jobs: int = 1
    alone: bool = False
    keys: bool = True


def dataset(name: str, **spec: object) -> Act:
    """Applies a Dataset of the file `name`.csv."""
    return lambda place: place.make(manifests.dataset(uri(place, name), name, **spec))


def uri(place: Place, name: str) -> str:
    """Where the file of a row lies."""
    return f"s3://{os.environ['MODELWRIGHT_BUCKET']}/raw/{place.name}/{name}.csv"


def put(name: str, content: bytes = GOOD) -> Act:
    """Puts the file of a row, or replaces it."""
    return lambda place: void(place.put(f"{name}.csv", content))


def run(name: str, **spec: object) -> Act:
    """Applies a TrainingRun on the place's Dataset, from which no version is made."""
    quick = {"estimator": [{"class": manifests.ESTIMATOR, "params": {"max_iter": 5}}]}
    whole = {"trainer": quick, "evaluation": {}, "output": {"createModelVersion": False}, "retries": 0, **spec}
    return lambda place: place.make(manifests.training_run(name, **whole))


def edit(kind: str, name: str, **spec: object) -> Act:
    """Corrects a spec."""
    return lambda place: place.edit(kind, name, spec)


def each(*acts: Act) -> Act:
    """One after the other."""
    return lambda place: [act(place) for act in acts].clear()


def void(_: object) -> None:
    """Forgets a result."""


def estimator(class_: str, **params: object) -> JsonObject:
    """A trainer with one class."""
    return {"estimator": [{"class": class_, "params": params}]}


def resources(memory: str) -> JsonObject:
    """So much memory and no more."""
    return {"requests": {"memory": memory}, "limits": {"memory": memory}}


def target(expression: str) -> list[JsonObject]:
    """The columns, with another target."""
    return [{**manifests.TARGET, "expression": expression}, *manifests.FEATURES]


def configure(text: str) -> Act:
    """The namespace's own configuration."""
    return lambda place: place.make(manifests.namespace_config(text))


def unconfigure(place: Place) -> None:
    """Back to the operator's configuration."""
    place.delete("ConfigMap", "modelwright")


def dead(url: str) -> str:
    """The same host, at a port where nobody listens."""
    return f"{urlsplit(url).hostname}:{DEAD_PORT}"


def store_at_a_dead_port(place: Place) -> None:
    """The store's address is wrong, and then a Dataset is applied."""
    where = f"http://{dead(os.environ['AWS_ENDPOINT_URL'])}"
    store = {"uri": "s3://modelwright/artifacts", "endpoint": where, "region": "us-east-1", "secretName": STORE_SECRET}
    configure(json.dumps({"store": store}))(place)
    each(put("unreachable"), dataset("unreachable"))(place)


def registry_at_a_dead_port(place: Place) -> None:
    """The registry's address is wrong, and then a whole chain is applied."""
    repository = f"{dead('//' + os.environ['MODELWRIGHT_REGISTRY'])}/models"
    configure(json.dumps({"registry": {"repository": repository, "insecure": True}}))(place)
    packaged(place)


def packaged(place: Place) -> None:
    """A chain up to a ModelVersion of the name `flights`."""
    place.make(manifests.dataset(place.put_flights(FEW)), manifests.model_version())
    run(NAME)(place)


def source_keys(place: Place) -> None:
    """The Secret that the row's source names."""
    secret = store_secret()
    place.make({**secret, "metadata": {"name": "source-keys"}})


def quota(place: Place) -> None:
    """No Pod may be made."""
    hard = {"hard": {"pods": "0"}}
    place.make({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": hard})
    each(put("quota"), dataset("quota"))(place)


class Manifest:
    """The manifest of the place's model image, taken out of the registry and put back."""

    def __init__(self) -> None:
        self._content: bytes = b""
        self._type = ""

    def take(self, place: Place) -> None:
        """Takes it out, and only then applies a Deployment of it."""
        url = self._url(place)
        accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        answer = requests.get(url, headers={"Accept": accept}, timeout=10)
        answer.raise_for_status()
        self._content, self._type = answer.content, answer.headers["Content-Type"]
        requests.delete(url, timeout=10).raise_for_status()
        place.make(manifests.deployment("unpullable", version=NAME))

    def put_back(self, place: Place) -> None:
        """Byte for byte."""
        answer = requests.put(self._url(place), data=self._content, headers={"Content-Type": self._type}, timeout=10)
        answer.raise_for_status()

    @staticmethod
    def _url(place: Place) -> str:
        repository, _, digest = place.get("ModelVersion", NAME)["status"]["image"].partition("@")
        host, _, path = repository.partition("/")
        return f"http://{host}/v2/{path}/manifests/{digest}"


MANIFEST = Manifest()

FAULTS = [
    # Data
    Fault(
        "the file is missing", dataset("missing"), "Dataset", "missing",
        "SourceNotFound", ("missing.csv",), put("missing"), jobs=2,
    ),
    Fault(
        "a column is missing", each(put("column", GOOD.replace(b"temp", b"tmp", 1)), dataset("column")),
        "Dataset", "column", "ColumnNotFound", ("temp",), put("column"), jobs=2,
    ),
    Fault(
        "the target is missing",
        each(put("target"), dataset("target", columns=[{"name": "late", "role": "target"}])), "Dataset", "target",
        "TargetNotFound", ("late",), put("target", GOOD.replace(b"arr_delay", b"late", 1)), jobs=2,
    ),
    Fault(
        "a row is broken",
        each(put("broken", GOOD.replace(LINE_3, b"1,AA,JFK,7")), dataset("broken")), "Dataset", "broken",
        "SourceUnreadable", ("broken.csv", "3"), put("broken"), jobs=2,
    ),
    Fault(
        "a value is of another type", each(put("type", GOOD + b"300,AA,JFK,noon,100.0,50.0,3\n"), dataset("type")),
        "Dataset", "type", "ColumnTypeMismatch", ("hour", "noon"), put("type"), jobs=2,
    ),
    Fault(
        "there are no rows", each(put("empty", HEADER + b"\n"), dataset("empty")),
        "Dataset", "empty", "SourceEmpty", ("empty.csv",), put("empty"), jobs=2,
    ),
    Fault(
        "a check does not hold",
        each(put("few"), dataset("few", checks=[{"name": "many", "rowCount": {"min": FEW + 1}}])), "Dataset", "few",
        "CheckFailed", ("many", str(FEW)), put("few", flights.csv_bytes(flights.rows(FEW + 1))), jobs=2,
    ),
    # What the cluster lacks
    Fault(
        "the source's Secret is missing",
        each(put("locked"), lambda p: p.make(locked(p))), "Dataset", "locked",
        "SecretNotFound", ("source-keys",), source_keys,
    ),
    Fault(
        "the store's Secret is missing", each(put("keyless"), dataset("keyless")), "Dataset", "keyless",
        "SecretNotFound", (STORE_SECRET,), lambda p: p.make(store_secret()), alone=True, keys=False,
    ),
    Fault(
        "the store cannot be reached", store_at_a_dead_port, "Dataset", "unreachable",
        "StoreUnreachable", (f":{DEAD_PORT}",), unconfigure, jobs=2, alone=True,
    ),
    Fault(
        "a quota forbids the Pod", quota, "Dataset", "quota",
        "PodNotCreated", ("exceeded quota", "pods"), lambda p: p.delete("ResourceQuota", "none"), alone=True,
    ),
    # Training
    Fault(
        "the Dataset is missing", run("early", dataset={"name": "later"}), "TrainingRun", "early",
        "DependencyNotReady", ("Dataset later", "apply"), each(put("later"), dataset("later")), jobs=0,
    ),
    Fault(
        "the estimator does not exist", run("unknown", trainer=estimator("sklearn.ensemble.NoSuchForest")),
        "TrainingRun", "unknown", "EstimatorNotFound", ("NoSuchForest",),
        edit("TrainingRun", "unknown", trainer=estimator("sklearn.dummy.DummyClassifier", strategy="prior")),
    ),
    Fault(
        "the estimator is not allowed", run("foreign", trainer=estimator("subprocess.Popen", args="true")),
        "TrainingRun", "foreign", "EstimatorNotAllowed", ("subprocess.Popen",),
        edit("TrainingRun", "foreign", trainer=estimator("sklearn.dummy.DummyClassifier")),
    ),
    Fault(
        "the estimator does not take a parameter",
        run("parameter", trainer=estimator("sklearn.tree.DecisionTreeClassifier", max_depht=3)),
        "TrainingRun", "parameter", "EstimatorParameterInvalid", ("max_depht", "max_depth"),
        edit("TrainingRun", "parameter", trainer=estimator("sklearn.tree.DecisionTreeClassifier", max_depth=3)),
    ),
    Fault(
        "the target has one class",
        each(
            put("oneclass"), dataset("oneclass", columns=target("arr_delay > 100000")),
            run("oneclass", dataset={"name": "oneclass"}),
        ),
        "TrainingRun", "oneclass", "TargetSingleClass", ("two", "expression"),
        edit("Dataset", "oneclass", columns=target("arr_delay > 10")),
    ),
    Fault(
        "a gate does not hold",
        run("gate", evaluation={"gates": [{"name": "high", "metric": "roc_auc", "min": "0.9999"}]}),
        "TrainingRun", "gate", "GatesFailed", ("high", "roc_auc", "0.9999"),
        edit("TrainingRun", "gate", evaluation={"gates": [{"name": "high", "metric": "roc_auc", "min": "0.5"}]}),
    ),
    Fault(
        "the Job is killed at its memory limit", run("memory", seed=1, resources=resources("48Mi")),
        "TrainingRun", "memory", "OutOfMemory", ("train", "memory limit"),
        edit("TrainingRun", "memory", resources=resources("2Gi")),
    ),
    Fault(
        "the Job passes its deadline",
        run("deadline", activeDeadline="3s", trainer=estimator(manifests.ESTIMATOR, max_iter=1_000_000)), "TrainingRun",
        "deadline", "DeadlineExceeded", ("deadline",),
        edit("TrainingRun", "deadline", activeDeadline="10m", trainer=estimator(manifests.ESTIMATOR, max_iter=6)),
    ),
    # Images
    Fault(
        "the model is not in the store",
        lambda p: p.make(
            manifests.model_version("nowhere", source={"trainingRun": NAME, "digest": "sha256:" + "0" * 64})
        ),
        "ModelVersion", "nowhere", "ModelNotFound", ("0000",), None, jobs=2,
    ),
    Fault(
        "the image cannot be pushed", registry_at_a_dead_port, "ModelVersion", NAME,
        "RegistryUnreachable", (f":{DEAD_PORT}",), unconfigure, jobs=2, alone=True,
    ),
    Fault(
        "the image cannot be pulled", MANIFEST.take, "Deployment", "unpullable",
        "ImagePullFailed", ("server", "@sha256:"), MANIFEST.put_back, jobs=0,
    ),
    Fault(
        "the model has no version", lambda p: p.make(manifests.deployment("unborn", model={"name": "unborn"})),
        "Deployment", "unborn", "NoVersion", ("unborn", "TrainingRun"),
        run("unborn", output={"createModelVersion": True}), jobs=0,
    ),
]  # fmt: skip


def locked(place: Place) -> JsonObject:
    """A Dataset whose source has keys of its own."""
    manifest = manifests.dataset(uri(place, "locked"), "locked")
    manifest["spec"]["source"]["secretRef"] = {"name": "source-keys"}
    return manifest


def forget(place: Place) -> None:
    """Takes the place's files out of the store."""
    store, name = s3(), os.environ["MODELWRIGHT_BUCKET"]
    for found in store.list_objects_v2(Bucket=name, Prefix=f"raw/{place.name}/").get("Contents", []):
        store.delete_object(Bucket=name, Key=found["Key"])
