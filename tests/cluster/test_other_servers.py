"""Another server than ours: a real MLServer from PyPI serves our model, as docs/other-servers.md tells its reader."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import requests
import yaml
from tritonclient.grpc import InferenceServerClient, InferInput

from . import flights, manifests
from .answers import matrix, own
from .api_server import JsonObject
from .live_cluster import ROOT, Cluster
from .manifests import NAME
from .mlserver_image import FOLDER, mlserver_image
from .place import READY_S, Place, World, condition, eventually, read

pytestmark = pytest.mark.timeout(1200)

ASKED = flights.rows(20, seed=99)
"""Some of them lack a value, which is NaN in a matrix and null in JSON."""
SERVING = f"modelwright.dev/name={NAME},modelwright.dev/step=serve"
WRONG_PORT = 9000
UNPRIVILEGED = 65532
IMAGE_VOLUMES = (1, 36)
"""From this Kubernetes on the model's image is mounted; before, the model is copied out of it."""


def documented(language: str) -> str:
    """The example in this language from the document's section on MLServer."""
    section = (ROOT / "docs" / "other-servers.md").read_text().partition("\n## MLServer\n")[2].partition("\n## ")[0]
    return section.partition(f"```{language}\n")[2].partition("```\n")[0]


@pytest.fixture(scope="module")
def served(world: World, cluster: Cluster) -> Iterator[Place]:
    """A model that MLServer serves. The image is built while the model is trained."""
    with Place(world, "other") as place:
        dataset, run, deployment = manifests.chain(place.put_flights())
        place.make(dataset, run)
        server = yaml.safe_load(documented("yaml"))["spec"]["server"]
        server["image"] = mlserver_image(cluster.registry)
        deployment["spec"]["server"] = server
        place.make(deployment)
        place.ready("Deployment", NAME, 2 * READY_S)
        yield place


def test_the_document_shows_the_runtime_that_is_tested() -> None:
    assert documented("python") == "# skops_runtime.py\n" + (ROOT / FOLDER / "skops_runtime.py").read_text()


def test_it_answers_as_scikit_learn_does(served: Place, cluster: Cluster) -> None:
    version = json.loads(cluster.kubectl("get", "--raw", "/version"))
    mounted = (int(version["major"]), int(version["minor"].rstrip("+"))) >= IMAGE_VOLUMES
    assert ("initContainers" in only_pod(served)["spec"]) != mounted
    assert_answers(served)
    assert_answers_grpc(served)


def test_it_runs_without_privileges_and_is_asked_where_the_spec_says(served: Place) -> None:
    pod = only_pod(served)
    assert pod["status"]["containerStatuses"][0]["user"]["linux"]["uid"] == UNPRIVILEGED
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    container = pod["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    metrics = requests.get(f"http://{pod['status']['podIP']}:{ports['metrics']}/metrics", timeout=10)
    metrics.raise_for_status()
    assert f'model="{NAME}"' in metrics.text


def test_a_wrong_port_is_told_while_the_last_good_server_answers(served: Place) -> None:
    before = only_pod(served)["metadata"]["name"]
    served.edit("Deployment", NAME, {"server": {"port": WRONG_PORT, "startupDeadline": "5s"}})
    told = condition(served.told("Deployment", NAME, "CrashLoop"), "Ready")
    assert_answers(served)
    served.edit("Deployment", NAME, {"server": {"port": None, "startupDeadline": None}})
    served.ready("Deployment", NAME)
    eventually(lambda: [one["metadata"]["name"] for one in pods(served)] == [before], "end of the wrong server")
    assert_answers(served)
    assert told is not None
    for words in ("spec.server.startupDeadline", "spec.server.port", "spec.server.readiness"):
        assert words in told["message"]


def test_a_model_that_was_copied_before_the_control_planes_upgrade_is_copied_on(served: Place) -> None:
    """The init container tells the operator that the older control plane, which this cluster never had, had it so."""
    spec = only_pod(served)["spec"]
    image = served.get("Deployment", NAME)["status"]["stable"]["image"]
    earlier = {
        "name": "model",
        "image": image,
        "command": ["python", "-c", "pass"],
        "securityContext": spec["containers"][0]["securityContext"],
    }
    template = {"spec": {"initContainers": [earlier]}}
    served.api.patch("apps/Deployment", served.name, NAME, {"spec": {"template": template}})
    eventually(lambda: copies(served), "one Pod whose model was copied", READY_S)
    served.ready("Deployment", NAME)
    assert_answers(served)
    assert_answers_grpc(served)


def copies(place: Place) -> bool:
    """Whether the one Pod that there is serves a copy."""
    found = pods(place)
    volumes = {volume["name"]: volume for pod in found for volume in pod["spec"]["volumes"]}
    return len(found) == 1 and "emptyDir" in volumes["model"] and is_pod_ready(found[0])


def pods(place: Place) -> list[JsonObject]:
    """The servers' Pods, those that go among them."""
    return place.api.list("Pod", place.name, labelSelector=SERVING)


def only_pod(place: Place) -> JsonObject:
    """The one server."""
    (pod,) = pods(place)
    return pod


def is_pod_ready(pod: JsonObject) -> bool:
    """Whether it answers."""
    ready = condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def assert_answers(place: Place) -> None:
    """The Service gives scikit-learn's own answers by the Open Inference Protocol over HTTP."""
    expected, features = asked(place)
    numbers = [None if np.isnan(number) else number for number in features.ravel().tolist()]
    tensor = {"name": "features", "datatype": "FP64", "shape": list(features.shape), "data": numbers}
    url = f"{place.address(NAME)}/v2/models/{NAME}/infer"
    answer = requests.post(url, json={"inputs": [tensor]}, timeout=10)
    assert answer.ok, answer.text
    found = {one["name"]: np.reshape(one["data"], one["shape"]) for one in answer.json()["outputs"]}
    np.testing.assert_allclose(found["probability"][:, 1], expected, rtol=1e-9)
    assert found["label"].ravel().tolist() == [probability > 0.5 for probability in expected]


def assert_answers_grpc(place: Place) -> None:
    """So does its other port by gRPC."""
    expected, features = asked(place)
    tensor = InferInput("features", features.shape, "FP64")
    tensor.set_data_from_numpy(features)
    host = place.address(NAME).removeprefix("http://")
    with InferenceServerClient(f"{host}:8081") as client:
        found = client.infer(NAME, [tensor]).as_numpy("probability")
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-9)


def asked(place: Place) -> tuple[list[float], np.ndarray]:
    """What scikit-learn answers, and the matrix that it was asked for."""
    artifact = place.get("TrainingRun", NAME)["status"]["artifact"]["uri"]
    expected = own(artifact, ASKED)
    assert np.ptp(expected) > 0.1, "the rows all get the same answer: they prove nothing"
    return expected, matrix(json.loads(read(artifact)), ASKED)
