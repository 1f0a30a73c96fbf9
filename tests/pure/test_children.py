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

from modelwright import quantities
from modelwright.api.v1alpha1 import Deployment, TrainingRun
from modelwright.api.v1alpha1.deployment import StableVersion
from modelwright.api.v1alpha1.route import Route
from modelwright.children import volumes
from modelwright.children.configmap import Forwarding, routing_config_map
from modelwright.children.deployment import serving_deployment
from modelwright.children.endpoints import endpoints
from modelwright.children.horizontalpodautoscaler import serving_autoscaler
from modelwright.children.httproute import serving_http_route
from modelwright.children.ingress import serving_ingress
from modelwright.children.job import scoring_job
from modelwright.children.modelversion import model_version
from modelwright.children.networkpolicy import canary_network_policy, serving_network_policy
from modelwright.children.poddisruptionbudget import serving_disruption_budget
from modelwright.children.podmonitor import serving_pod_monitor
from modelwright.children.role import CANARY
from modelwright.children.service import canary_service, serving_service
from modelwright.config import Config
from modelwright.plan import Child, JsonObject
from modelwright.reconcilers import batch
from pure import samples
from pure.pod_security import breaches, containers
from pure.world import START, World

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
    serving={
        "podMonitor": {"interval": "5s", "labels": {"release": "monitoring"}},
        "networkPolicy": {
            "operator": {"podSelector": {"matchLabels": {"app": "operator"}}},
            "prometheus": [],
            "callers": [{"podSelector": {"matchLabels": {"app": "shop"}}}],
        },
    },
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
    scaling={
        "minReplicas": 3,
        "maxReplicas": 12,
        "metric": "memory",
        "target": 60,
        "behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 30},
            "scaleDown": {
                "selectPolicy": "Min",
                "policies": [
                    {"type": "Pods", "value": 1, "periodSeconds": 60},
                    {"type": "Percent", "value": 10, "periodSeconds": 60},
                ],
            },
        },
    },
    server={
        "env": [{"name": "OMP_NUM_THREADS", "value": "1"}, {"name": "MODELWRIGHT_MAX_ROWS", "value": "500"}],
        "resources": COMMON["resources"],
        "startupDeadline": "1h30m",
        "batching": {"maxSize": 64, "maxDelay": "2ms"},
        "tls": {"secretName": "flights-tls"},
        "auth": {"tokensSecretName": "flights-tokens"},
        "callers": [
            {"namespaceSelector": {"matchLabels": {"team": "web"}}, "podSelector": {}},
            {"ipBlock": {"cidr": "10.1.0.0/16"}},
        ],
    },
    rollout={
        "strategy": "canary",
        "steps": [{"setWeight": 5}, {"pause": "10m"}],
        "analysis": {"sample": "0.25"},
        "deadline": "800ms",
        "stickyHeader": "x-user-id",
    },
    route={
        "host": "models.example.org",
        "path": "/v2/models/late-flights",
        "ingressClassName": "nginx",
        "tls": {"secretName": "models-tls"},
        "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
    },
    serviceAccountName="robot",
    imagePullSecrets=[{"name": "pull"}],
)
OTHER_PLAIN = samples.deployment(
    scaling={"maxReplicas": 2}, server={"image": "mlserver:1.7"}, route={"host": "models.example.org"}
)
OTHER_FULL = samples.deployment(
    server={
        "image": "nvcr.io/nvidia/tritonserver:26.01-py3",
        "command": ["tritonserver"],
        "args": ["--model-repository=/mnt/models", "--http-port=8000"],
        "port": 8000,
        "grpcPort": 8001,
        "readiness": {"path": "/v2/health/ready"},
        "liveness": {"path": "/v2/health/live"},
        "metrics": {"port": 8002},
        "modelPath": "/mnt/models/late-flights/1",
        "env": [{"name": "HOME", "value": "/mnt/home"}],
        "resources": {"limits": {"nvidia.com/gpu": 1}},
    },
    route={
        "host": "models.example.org",
        "gatewayRef": {"name": "public", "namespace": "gateways", "sectionName": "https"},
        "annotations": {"example.org/team": "ana"},
    },
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

BATCH: JsonObject = {
    "schedule": "0 4 * * *", "input": {"dataset": "flights-today"}, "output": {"uri": "s3://scores/late"},
}  # fmt: skip
FULL_BATCH = {
    **FULL_SERVING,
    "spec": {
        **cast(JsonObject, FULL_SERVING["spec"]),
        "batch": {**BATCH, "output": {"uri": "s3://scores/late.parquet"}, "activeDeadline": "3h"},
    },
}

PLAIN, FULL = deployment_of(samples.deployment()), deployment_of(FULL_SERVING)
PLAIN_OTHER, FULL_OTHER = deployment_of(OTHER_PLAIN), deployment_of(OTHER_FULL)


def apps_deployment(resource: Deployment, config: Config, *, copied: bool = False) -> Child:
    """The Deployment's servers."""
    autoscaled = resource.spec.scaling.automatic
    return serving_deployment(resource, "late-flights", "v1", IMAGE, config, copied=copied, autoscaled=autoscaled)


def score_job(manifest: JsonObject, config: Config) -> Child:
    """The Job of a Deployment's batch."""
    resource = deployment_of(manifest)
    assert resource.spec.batch is not None
    model = StableVersion(
        model="late-flights", version="late-flights-v1", image=IMAGE, model_digest=samples.digest("model")
    )
    record = batch.record(resource, resource.spec.batch, model, samples.digest("data"), START)
    return scoring_job(resource, resource.spec.batch, batch.task(resource, record, config), record.version, config)


def canary_deployment(resource: Deployment, config: Config) -> Child:
    """The servers of a version that is tried beside the one that serves."""
    autoscaled = resource.spec.scaling.automatic
    return serving_deployment(
        resource, "late-flights", "v2", IMAGE, config, copied=False, autoscaled=autoscaled, role=CANARY, replicas=2
    )


def route_of(resource: Deployment) -> Route:
    """The Deployment's route."""
    assert resource.spec.route is not None
    return resource.spec.route


def http_route(resource: Deployment) -> Child:
    """The Deployment's HTTPRoute."""
    route = route_of(resource)
    assert route.gateway_ref is not None
    return serving_http_route(resource, route, route.gateway_ref)


def pod_monitor(resource: Deployment, config: Config) -> Child:
    """The Deployment's PodMonitor."""
    metrics = endpoints(resource).metrics
    assert metrics is not None
    return serving_pod_monitor(resource, metrics, config.serving.pod_monitor)


CHILDREN = {
    "ingest-plain": job_of(samples.dataset(), KEYED_CONFIG),
    "ingest-full": job_of(FULL_DATA, KEYED_CONFIG),
    "ingest-claims": job_of(CLAIM_DATA, FULL_CONFIG),
    "ingest-configmap": job_of(MAP_DATA, FULL_CONFIG),
    "train-plain": job_of(samples.training_run(), KEYED_CONFIG),
    "train-full": job_of(FULL_RUN, FULL_CONFIG),
    "package-plain": job_of(samples.model_version(), KEYED_CONFIG),
    "package-full": job_of(FULL_VERSION, FULL_CONFIG),
    "score-plain": score_job(samples.deployment(batch=BATCH), KEYED_CONFIG),
    "score-full": score_job(FULL_BATCH, FULL_CONFIG),
    "deployment-plain": apps_deployment(PLAIN, KEYED_CONFIG),
    "deployment-full": apps_deployment(FULL, FULL_CONFIG),
    "deployment-other-plain": apps_deployment(PLAIN_OTHER, KEYED_CONFIG, copied=True),
    "deployment-other-full": apps_deployment(FULL_OTHER, FULL_CONFIG),
    "service": serving_service(PLAIN),
    "service-tls": serving_service(FULL),
    "service-other-plain": serving_service(PLAIN_OTHER),
    "service-other-full": serving_service(FULL_OTHER),
    "poddisruptionbudget": serving_disruption_budget(PLAIN),
    "horizontalpodautoscaler-plain": serving_autoscaler(PLAIN_OTHER),
    "horizontalpodautoscaler-full": serving_autoscaler(FULL),
    "networkpolicy-plain": serving_network_policy(PLAIN, KEYED_CONFIG.serving.network_policy),
    "networkpolicy-full": serving_network_policy(FULL, FULL_CONFIG.serving.network_policy),
    "networkpolicy-other-plain": serving_network_policy(PLAIN_OTHER, KEYED_CONFIG.serving.network_policy),
    "networkpolicy-other-full": serving_network_policy(FULL_OTHER, FULL_CONFIG.serving.network_policy),
    "ingress-plain": serving_ingress(PLAIN_OTHER, route_of(PLAIN_OTHER)),
    "ingress-full": serving_ingress(FULL, route_of(FULL)),
    "httproute": http_route(FULL_OTHER),
    "podmonitor-plain": pod_monitor(PLAIN, KEYED_CONFIG),
    "podmonitor-other": pod_monitor(FULL_OTHER, FULL_CONFIG),
    "configmap-plain": routing_config_map(PLAIN, 0, None),
    "configmap-canary": routing_config_map(PLAIN, 7, Forwarding("v2", 10)),
    "configmap-full": routing_config_map(FULL, 8, Forwarding("v2", 5, slow_s=0.012)),
    "deployment-canary": canary_deployment(FULL, FULL_CONFIG),
    "service-canary": canary_service(PLAIN),
    "horizontalpodautoscaler-canary": serving_autoscaler(FULL, CANARY),
    "networkpolicy-canary": canary_network_policy(FULL, FULL_CONFIG.serving.network_policy),
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
    now |= {"autoscaled": True} if child.autoscaled else {}
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
        # A certificate and the callers' tokens are the server's own; all else that is secret is not.
        allowed = (
            {"scratch", "server-scratch", "model", "tls", "tokens", "routing"}
            if container["name"] == "server"
            else {"scratch"}
        )
        assert {mount["name"] for mount in mounts} <= allowed
        assert all(mount.get("readOnly") for mount in mounts if mount["name"] in secrets)
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
    assert len(str(metadata["name"])) <= 63
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
