"""The whole chain on a real cluster: from a file in S3 to predictions over HTTP, and what is left when objects go."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from . import flights, manifests
from .answers import assert_served, predicted
from .api_server import OURS, JsonObject, kubectl
from .client import Client
from .digests import digests
from .manifests import NAME
from .place import READY_S, Place, World, condition, eventually

pytestmark = pytest.mark.timeout(900)

ROWS = 10_000
FEW = 600
LABELS = {"team": "ops"}
ANNOTATIONS = {"example.org/note": "keep me"}
ASKED = flights.rows(20, seed=99)
"""Flights that no model has seen."""


@pytest.fixture(scope="module")
def chain(world: World) -> Iterator[Place]:
    """A chain over 10,000 rows that is Ready, applied as a user does."""
    with Place(world, "chain") as place:
        place.apply(*(labelled(one) for one in manifests.chain(place.put_flights(ROWS))))
        timeout = f"--timeout={2 * READY_S}s"
        waited = kubectl(
            "wait", "--for=condition=Ready", f"mdeploy/{NAME}", "-n", place.name, timeout, timeout_s=2 * READY_S + 30
        )
        assert waited.returncode == 0, f"{waited.stderr}\n{place.story()}"
        yield place


def labelled(manifest: JsonObject) -> JsonObject:
    """The manifest with labels and annotations of the user's own."""
    return {**manifest, "metadata": {**manifest["metadata"], "labels": LABELS, "annotations": ANNOTATIONS}}


def test_served_answers_are_scikit_learns_own(chain: Place) -> None:
    assert_served(chain, NAME, NAME, ASKED)


def test_each_kind_tells_what_it_has_made(chain: Place) -> None:
    dataset = chain.get("Dataset", NAME)["status"]
    assert dataset["version"]["rows"] == ROWS
    assert sum(dataset["version"]["splits"].values()) == ROWS
    run = chain.get("TrainingRun", NAME)["status"]
    assert run["run"]["dataset"] == dataset["version"]["digest"]
    assert float(run["metrics"]["test"]["roc_auc"]) > 0.7
    assert [(gate["name"], gate["passed"]) for gate in run["gates"]] == [("floor", True)]
    version = chain.get("ModelVersion", run["modelVersion"])["status"]
    assert version["lineage"]["dataset"] == dataset["version"]["digest"]
    assert version["metrics"] == run["metrics"]["test"]
    assert {one["name"] for one in version["signature"]["inputs"]} == set(flights.TYPES)
    served = chain.get("Deployment", NAME)["status"]
    assert served["stable"]["image"] == version["image"]
    assert served["stable"]["readyReplicas"] == 1
    assert [record["version"] for record in served["history"]] == [run["modelVersion"]]


def test_users_objects_are_the_users(chain: Place) -> None:
    for manifest in manifests.chain(chain.get("Dataset", NAME)["spec"]["source"]["uri"]):
        live = chain.get(manifest["kind"], NAME)
        assert live["metadata"]["labels"] == LABELS
        assert {k: v for k, v in live["metadata"]["annotations"].items() if "last-applied" not in k} == ANNOTATIONS
        assert live["metadata"]["generation"] == 1
        assert "finalizers" not in live["metadata"]
        assert within(manifest["spec"], live["spec"])
        for entry in live["metadata"]["managedFields"]:
            if not entry["manager"].startswith("kubectl"):
                assert entry["subresource"] == "status", entry["manager"]
                assert set(entry["fieldsV1"]) == {"f:status"}


def within(written: object, live: object) -> bool:
    """Whether all that was written is there; the API server may have added defaults."""
    if isinstance(written, dict):
        return isinstance(live, dict) and all(
            name in live and within(value, live[name]) for name, value in written.items()
        )
    if isinstance(written, list):
        return isinstance(live, list) and len(live) == len(written) and all(map(within, written, live))
    return written == live


def test_events_tell_the_story(chain: Place) -> None:
    version = chain.get("TrainingRun", NAME)["status"]["modelVersion"]
    expected = {
        ("Dataset", NAME): {"Ingesting", "Succeeded"},
        ("TrainingRun", NAME): {"DependencyNotReady", "Training", "Succeeded"},
        ("ModelVersion", version): {"Packaging", "Packaged"},
        ("Deployment", NAME): {"NoVersion", "RollingOut", "Serving"},
    }
    for (kind, name), reasons in expected.items():
        assert set(chain.events(kind, name)) >= reasons, f"{kind}: {set(chain.events(kind, name))}"
        assert all(event["type"] == "Normal" for event in chain.events(kind, name).values())


def test_one_job_a_step_and_no_pod_with_a_token(chain: Place) -> None:
    jobs = chain.world.witness.made("Job", chain.name).values()
    assert sorted(job["metadata"]["labels"]["modelwright.dev/step"] for job in jobs) == ["ingest", "package", "train"]
    for pod in chain.world.witness.made("Pod", chain.name).values():
        assert not pod["spec"]["automountServiceAccountToken"]
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
            if container["name"] in ("check", "server"):
                assert "envFrom" not in container, "a container that loads a model holds no keys"


def test_kubectl_shows_the_chain_in_one_table(chain: Place) -> None:
    shown = kubectl("get", "modelwright", "-n", chain.name)
    assert shown.returncode == 0
    assert shown.stdout.count(" True ") >= len(OURS)
    assert str(ROWS) in shown.stdout


def test_the_lint_had_nothing_to_say_at_any_moment(chain: Place) -> None:
    seen = [
        sighting
        for kind in OURS
        for all_of in chain.world.witness.everything(kind, chain.name).values()
        for sighting in all_of
    ]
    assert len(seen) > 2 * len(OURS)
    assert chain.world.witness.complaints(chain.name) == []


def test_a_new_seed_is_rolled_out_and_deletions_take_only_their_own(world: World) -> None:
    """The life of a served model: retrained under a client's eyes, then left by its makers, then taken down."""
    with Place(world, "life") as place:
        place.make(*manifests.chain(place.put_flights(FEW)))
        place.ready("Deployment", NAME, 2 * READY_S)
        first = place.get("TrainingRun", NAME)["status"]["modelVersion"]
        assert_served(place, NAME, NAME, ASKED)
        with Client(place.address(NAME), ASKED[0]) as client:
            second = retrained(place, first)
            eventually(lambda: client.answers[second] > 20, "answer of the new version")
            old_pods_gone(place)
        assert client.failures == []
        assert set(client.answers) == {first, second}
        assert_served(place, NAME, NAME, ASKED)
        answers = predicted(place.address(NAME), ASKED)

        place.delete("Dataset", NAME)
        place.delete("TrainingRun", NAME)
        place.gone("TrainingRun", NAME)
        eventually(lambda: steps_of_jobs(place) <= {"package"}, "end of the deleted objects' Jobs")
        assert {one["metadata"]["name"] for one in place.api.list("ModelVersion", place.name)} == {first, second}
        place.ready("ModelVersion", second)
        place.ready("Deployment", NAME)
        assert predicted(place.address(NAME), ASKED) == answers

        place.delete("Deployment", NAME)
        eventually(lambda: nothing_served(place), "end of Deployment, Pods and Service")
        assert len(place.api.list("ModelVersion", place.name)) == 2
        for name in (first, second):
            place.delete("ModelVersion", name)
        eventually(lambda: not steps_of_jobs(place), "end of the last Jobs")
        eventually(lambda: not place.api.list("Pod", place.name), "end of the last Pods")


def retrained(place: Place, first: str) -> str:
    """Edits the seed and waits until the new version is served and stable; gives its name."""
    estimator = {"class": manifests.ESTIMATOR, "params": {"max_iter": 40, "max_features": 0.5}}
    place.edit("TrainingRun", NAME, {"seed": 7, "trainer": {"estimator": [estimator]}})
    place.until(
        "Deployment", NAME, "serving another version",
        lambda obj: obj["status"]["stable"]["version"] != first and condition(obj, "Ready")["status"] == "True",  # type: ignore[index]
        2 * READY_S,
    )  # fmt: skip
    second: str = place.get("TrainingRun", NAME)["status"]["modelVersion"]
    assert place.get("Deployment", NAME)["status"]["stable"]["version"] == second
    history = place.get("Deployment", NAME)["status"]["history"]
    assert [record["version"] for record in history] == [second, first]
    assert len(place.get("TrainingRun", NAME)["status"]["history"]) == 2
    return second


def old_pods_gone(place: Place) -> None:
    """Waits until the version before has no Pod any more, so that its drain is over."""
    eventually(
        lambda: len(place.api.list("Pod", place.name, labelSelector="modelwright.dev/step=serve")) == 1, "one Pod"
    )


def steps_of_jobs(place: Place) -> set[str]:
    """Which steps have Jobs now."""
    return {job["metadata"]["labels"]["modelwright.dev/step"] for job in place.api.list("Job", place.name)}


def nothing_served(place: Place) -> bool:
    """Whether the Deployment's children are gone, to the last Pod."""
    pods = place.api.list("Pod", place.name, labelSelector="modelwright.dev/step=serve")
    return not pods and not place.api.list("apps/Deployment", place.name) and not place.api.list("Service", place.name)


def test_every_order_of_applying_ends_the_same(world: World) -> None:
    """All four manifests: at once, at once in reverse, one by one before what they need, and from a ConfigMap."""
    ways: list[Callable[[Place], None]] = [at_once, in_reverse, operands_first, without_any_store_but_a_claim]
    places = [Place(world, way.__name__.replace("_", "-")[:24]) for way in ways]
    try:
        with ThreadPoolExecutor(len(ways)) as together:
            list(together.map(lambda pair: gone_through(*pair), zip(ways, places, strict=True)))
        made = [digests(place) for place in places]
        assert made == [made[0]] * len(ways)
        told = [conditions(place) for place in places]
        assert told == [told[0]] * len(ways)
        answers = [predicted(place.address(NAME), ASKED) for place in places]
        assert answers == [answers[0]] * len(ways)
        for place in places:
            assert len(place.world.witness.made("Job", place.name)) == 3
            assert not world.witness.complaints(place.name), world.witness.complaints(place.name)
    finally:
        for place in places:
            world.api.delete("Namespace", "", place.name)


def gone_through(way: Callable[[Place], None], place: Place) -> None:
    """Enters the place, applies the manifests in this way, and waits until the model is served."""
    place.__enter__()
    way(place)
    place.ready("Deployment", NAME, 2 * READY_S)


def at_once(place: Place) -> None:
    """`kubectl apply` of a list of four."""
    place.apply(*manifests.whole_chain(place.put_flights(FEW)))


def in_reverse(place: Place) -> None:
    """The same list from its end."""
    place.apply(*reversed(manifests.whole_chain(place.put_flights(FEW))))


def operands_first(place: Place) -> None:
    """Each object has said what it waits for before that is made."""
    dataset, run, version, deployment = manifests.whole_chain(place.put_flights(FEW))
    for manifest in (deployment, version, run):
        place.make(manifest)
        place.told(manifest["kind"], NAME, "DependencyNotReady")
    place.make(dataset)


def without_any_store_but_a_claim(place: Place) -> None:
    """The rows in a ConfigMap, datasets and models on a volume, by the namespace's own configuration."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    rows = flights.csv_bytes(flights.rows(FEW)).decode()
    place.make(
        manifests.namespace_config("store: {uri: pvc://store/artifacts, secretName: ''}"),
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "store"}, "spec": claim},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rows"}, "data": {"flights.csv": rows}},
        *manifests.whole_chain("configmap://rows/flights.csv"),
    )


def conditions(place: Place) -> dict[str, set[tuple[str, str, str]]]:
    """What the objects say in the end, by kind."""
    return {
        kind: {(c["type"], c["status"], c["reason"]) for c in place.get(kind, NAME)["status"]["conditions"]}
        for kind in OURS
    }
