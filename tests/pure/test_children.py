"""Every child kind for a plain and a full spec, held against a golden manifest, the Pod standard and the rule of keys.

`UPDATE_GOLDEN=1 pytest tests/pure/test_children.py` writes the golden manifests anew; read the difference then.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
import yaml

from modelwright import durations, quantities
from modelwright.api.v1alpha1 import Deployment, TrainingRun
from modelwright.children import volumes
from modelwright.children.deployment import serving_deployment
from modelwright.children.modelversion import model_version
from modelwright.children.service import serving_service
from modelwright.config import Config, Resources
from modelwright.plan import Child, JsonObject
from pure import samples
from pure.pod_security import breaches, containers
from pure.world import World

GOLDEN = Path(__file__).parent / "golden"
MODEL_LOADERS = ("check", "server")
IMAGE = "registry.test/models/team/late-flights@sha256:" + "c" * 64

COMMON: JsonObject = {
    "serviceAccountName": "robot",
    "imagePullSecrets": [{"name": "pull"}],
    "resources": {"requests": {"cpu": "500m", "memory": "3Gi"}, "limits": {"cpu": "2", "ephemeral-storage": "5Gi"}},
}
FULL_CONFIG = samples.config(
    store={"uri": "pvc://artifacts/mw", "secretName": ""},
    registry={"repository": "registry.test/models", "insecure": True, "pushSecretName": "push"},
    defaults={"jobDeadline": "90m", "imagePullSecrets": ["ours"]},
)
KEYED_CONFIG = samples.config(store={"uri": "s3://bucket/mw", "endpoint": "http://s3:9000"})


def job_of(manifest: JsonObject, config: Config) -> Child:
    """The Job that the object's reconciler makes first."""
    world = World(config)
    if manifest["kind"] == "TrainingRun":
        world.apply(samples.dataset())
        world.chain()
    world.apply(manifest)
    id_ = str(manifest["kind"]), str(cast(Mapping[str, object], manifest["metadata"])["name"])
    world.objects[id_]["metadata"]["uid"] = "the-uid"
    (child,) = world.decide(*id_).children
    return child


def deployment_of(manifest: JsonObject) -> Deployment:
    """The Deployment, with a UID."""
    metadata = {**cast(JsonObject, manifest["metadata"]), "uid": "the-uid"}
    return Deployment.parse({**manifest, "metadata": metadata})


FULL_SERVING = samples.deployment(
    version="v1",
    scaling={"minReplicas": 3},
    server={"env": [{"name": "OMP_NUM_THREADS", "value": "1"}], "resources": COMMON["resources"]},
    serviceAccountName="robot",
    imagePullSecrets=[{"name": "pull"}],
)
FULL_RUN = samples.training_run(
    **COMMON,
    activeDeadline="1h30m",
    seed=7,
    output={"model": "delays", "package": {"image": "r.test/delays", "pushSecretRef": {"name": "push"}}},
)
FULL_DATA = samples.dataset(
    **COMMON,
    source={"uri": "s3://raw/flights.csv", "secretRef": {"name": "raw-keys"}},
    columns=[{"name": "late", "role": "target", "expression": "price_$$ > 15 and note = '$(HOME)'"}],
)
CLAIM_DATA = samples.dataset(source={"uri": "pvc://raw/flights.csv"})
MAP_DATA = samples.dataset(source={"uri": "configmap://seed.data/flights.csv"})
FULL_VERSION = samples.model_version(**COMMON, package={"image": "r.test/mine", "pushSecretRef": {"name": "mine"}})

CHILDREN = {
    "ingest-plain": job_of(samples.dataset(), KEYED_CONFIG),
    "ingest-full": job_of(FULL_DATA, KEYED_CONFIG),
    "ingest-claims": job_of(CLAIM_DATA, FULL_CONFIG),
    "ingest-configmap": job_of(MAP_DATA, FULL_CONFIG),
    "train-plain": job_of(samples.training_run(), KEYED_CONFIG),
    "train-full": job_of(FULL_RUN, FULL_CONFIG),
    "package-plain": job_of(samples.model_version(), KEYED_CONFIG),
    "package-full": job_of(FULL_VERSION, FULL_CONFIG),
    "deployment-plain": serving_deployment(
        deployment_of(samples.deployment()), "late-flights", "v1", IMAGE, KEYED_CONFIG
    ),
    "deployment-full": serving_deployment(deployment_of(FULL_SERVING), "late-flights", "v1", IMAGE, FULL_CONFIG),
    "service": serving_service(deployment_of(samples.deployment())),
    "modelversion-plain": model_version(TrainingRun.parse(samples.training_run()), samples.digest("model")),
    "modelversion-full": model_version(TrainingRun.parse(FULL_RUN), samples.digest("model")),
}
PODS = [name for name, child in CHILDREN.items() if child.manifest["kind"] in ("Job", "Deployment")]


def pod_spec(name: str) -> Mapping[str, object]:
    """The Pod's spec of a golden child."""
    spec = cast(Mapping[str, Mapping[str, Mapping[str, object]]], CHILDREN[name].manifest["spec"])
    return spec["template"]["spec"]


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_is_as_the_golden_manifest_has_it(name: str) -> None:
    child = CHILDREN[name]
    path = GOLDEN / f"{name}.yaml"
    now = {"mode": child.mode, "replicas": child.replicas, "manifest": child.manifest}
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(json.loads(json.dumps(now)), sort_keys=True, width=120, allow_unicode=True))
    assert now == yaml.safe_load(path.read_text())


def test_every_golden_manifest_is_of_a_child() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(CHILDREN)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_passes_the_restricted_standard(name: str) -> None:
    assert breaches(pod_spec(name)) == []


@pytest.mark.parametrize("name", PODS)
def test_a_pod_takes_no_token_and_writes_only_into_volumes(name: str) -> None:
    spec = pod_spec(name)
    assert spec["automountServiceAccountToken"] is False
    for container in containers(spec):
        context = cast(Mapping[str, object], container["securityContext"])
        assert context["readOnlyRootFilesystem"] is True, container["name"]


@pytest.mark.parametrize("name", PODS)
def test_keys_are_only_in_containers_that_load_no_model(name: str) -> None:
    spec = pod_spec(name)
    secrets = {volume["name"] for volume in cast(list[JsonObject], spec["volumes"]) if "secret" in volume}
    for container in containers(spec):
        if container["name"] not in MODEL_LOADERS:
            continue
        assert "envFrom" not in container
        assert not any("valueFrom" in one for one in cast(list[JsonObject], container["env"]))
        mounts = cast(list[JsonObject], container["volumeMounts"])
        assert not {mount["name"] for mount in mounts} & secrets
        assert {mount["name"] for mount in mounts} == {"scratch"}
        assert "MODELWRIGHT_TASK" not in {one["name"] for one in cast(list[JsonObject], container["env"])}


@pytest.mark.parametrize("name", PODS)
def test_every_mount_has_its_volume_and_every_volume_a_name_of_its_own(name: str) -> None:
    spec = pod_spec(name)
    named = [str(volume["name"]) for volume in cast(list[JsonObject], spec["volumes"])]
    assert len(set(named)) == len(named)
    for container in containers(spec):
        mounts = cast(list[JsonObject], container["volumeMounts"])
        assert {str(mount["name"]) for mount in mounts} <= set(named), container["name"]
        assert len({str(mount["mountPath"]) for mount in mounts}) == len(mounts)


@pytest.mark.parametrize("name", PODS)
def test_a_request_is_never_above_its_limit(name: str) -> None:
    for container in containers(pod_spec(name)):
        resources = cast(Mapping[str, Mapping[str, str]], container["resources"])
        for resource, limit in resources["limits"].items():
            assert quantities.parse(resources["requests"].get(resource, "0")) <= quantities.parse(limit), resource


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_says_whose_it_is(name: str) -> None:
    metadata = cast(JsonObject, CHILDREN[name].manifest["metadata"])
    labels = cast(Mapping[str, str], metadata["labels"])
    assert labels["app.kubernetes.io/managed-by"] == "modelwright"
    assert len(str(metadata["name"])) <= 40
    if CHILDREN[name].mode == "fact":
        assert "ownerReferences" not in metadata
    else:
        (owner,) = cast(list[JsonObject], metadata["ownerReferences"])
        assert owner["uid"] == "the-uid"
        assert owner["controller"] is True


def test_a_dollar_reaches_the_worker_as_it_was_written() -> None:
    (container,) = containers(pod_spec("ingest-full"))
    env = {one["name"]: one["value"] for one in cast(list[dict[str, str]], container["env"])}
    text = env["MODELWRIGHT_TASK"]
    assert "price_$$$$ > 15 and note = '$$(HOME)'" in text
    task = json.loads(text.replace("$$", "$"))
    assert task["columns"][0]["expression"] == "price_$$ > 15 and note = '$(HOME)'"


def test_a_job_is_of_its_key_and_not_of_its_template() -> None:
    assert CHILDREN["ingest-plain"].name == job_of(samples.dataset(**COMMON), FULL_CONFIG).name
    assert CHILDREN["ingest-plain"].name != CHILDREN["ingest-full"].name


@pytest.mark.parametrize(
    ("store", "source", "mounts"),
    [
        pytest.param("s3://b/p", None, [], id="an object store needs no volume"),
        pytest.param("s3://b/p", "s3://c/d.csv", [], id="nor does a source in one"),
        pytest.param("pvc://c/p", None, [("/mnt/pvc/c", False)], id="a claim is written to"),
        pytest.param("s3://b/p", "pvc://c/d.csv", [("/mnt/pvc/c", True)], id="a source's claim is only read"),
        pytest.param("pvc://c/p", "pvc://c/d.csv", [("/mnt/pvc/c", False)], id="one claim is mounted once"),
        pytest.param(
            "pvc://c/p", "configmap://seed/d.csv", [("/mnt/pvc/c", False), ("/mnt/configmap/seed", True)], id="both"
        ),
    ],
)
def test_which_volumes_a_step_has(store: str, source: str | None, mounts: list[tuple[str, bool]]) -> None:
    _, found = volumes.volumes_for(store, source)
    assert [(mount["mountPath"], mount.get("readOnly", False)) for mount in found] == mounts


def test_two_claims_whose_names_differ_in_a_dot_are_two_volumes() -> None:
    found, _ = volumes.volumes_for("pvc://a.b/p", "pvc://a-b/d.csv")
    assert len({str(volume["name"]) for volume in found}) == 2
    long, _ = volumes.volumes_for("pvc://" + "a" * 63 + "/p", "pvc://" + "a" * 64 + "/d.csv")
    assert len({str(volume["name"]) for volume in long}) == 2
    assert all(len(str(volume["name"])) <= 63 for volume in long)


DEFAULT = Resources(requests={"cpu": "100m", "memory": "1Gi"}, limits={"memory": "2Gi"})


@pytest.mark.parametrize(
    ("requests", "limits", "both"),
    [
        pytest.param({}, {}, (dict(DEFAULT.requests), dict(DEFAULT.limits)), id="nothing said: the defaults"),
        pytest.param({"cpu": "2"}, {}, ({"cpu": "2", "memory": "1Gi"}, {"memory": "2Gi"}), id="one name said"),
        pytest.param(
            {}, {"memory": "512Mi"}, ({"cpu": "100m", "memory": "512Mi"}, {"memory": "512Mi"}),
            id="a lowered limit takes our request with it",
        ),
        pytest.param(
            {"memory": "8Gi"}, {}, ({"cpu": "100m", "memory": "8Gi"}, {"memory": "8Gi"}),
            id="a raised request takes our limit with it",
        ),
        pytest.param(
            {"memory": "3Gi"}, {"memory": "4Gi"}, ({"cpu": "100m", "memory": "3Gi"}, {"memory": "4Gi"}),
            id="both said: both kept",
        ),
    ],
)  # fmt: skip
def test_resources_over_the_defaults(
    requests: dict[str, str], limits: dict[str, str], both: tuple[dict[str, str], dict[str, str]]
) -> None:
    merged = DEFAULT.overridden(requests, limits)
    assert (merged.requests, merged.limits) == both


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("500m", "0.5", id="half a core"), pytest.param("2", "2", id="two cores"),
        pytest.param("1Gi", "1073741824", id="a binary suffix"), pytest.param("1.5G", "1500000000", id="a fraction"),
    ],
)  # fmt: skip
def test_quantities(text: str, number: str) -> None:
    assert quantities.parse(text) == quantities.parse(number)


@pytest.mark.parametrize("text", ["", "1 Gi", "-1", "1GB", "lots", "1Gi\n"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantities.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [pytest.param("90s", 90, id="s"), pytest.param("1h30m", 5400, id="hm"), pytest.param("500ms", 0.5, id="ms")],
)
def test_durations(text: str, seconds: float) -> None:
    assert durations.parse(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "1d", "5m!"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        durations.parse(text)
