"""The cache: the newest wins, everything is found by owner and by topic, and news reach whom they concern."""

import itertools
from datetime import datetime

import pytest

from modelwright.api.v1alpha1 import Dataset, Deployment, ModelVersion, Resource
from modelwright.cache import Cache
from modelwright.config import Config
from modelwright.kinds import Kind, Subject, Unreadable, kind
from modelwright.objects import KubeObject
from modelwright.plan import Plan
from modelwright.resources import (
    APPS_DEPLOYMENTS,
    CONFIG_MAPS,
    FAILED_MOUNTS,
    JOBS,
    PODS,
    REFUSALS,
    REPLICA_SETS,
    ROUTINGS,
    SERVICES,
    Key,
    ResourceType,
)
from modelwright.view import Cluster, Topic, View
from pure.cluster_objects import dataset, deployment, job, model_version, obj, override, pod, refusal


def nothing(_: Resource, __: View, ___: datetime) -> Plan:
    return Plan({})


def on_its_model(resource: Deployment) -> frozenset[Topic]:
    return frozenset({("Model", resource.metadata.namespace, resource.spec.model.name)})


def of_its_model(resource: ModelVersion) -> frozenset[Topic]:
    return frozenset({("Model", resource.metadata.namespace, resource.spec.model)})


KINDS: dict[str, Kind] = {
    one.type.kind: one
    for one in (
        kind(Dataset, lambda _: frozenset(), nothing),
        kind(ModelVersion, lambda _: frozenset(), nothing, of_its_model),
        kind(Deployment, on_its_model, nothing),
    )
}
DATASETS, VERSIONS, DEPLOYMENTS = (KINDS[name].type for name in ("Dataset", "ModelVersion", "Deployment"))


@pytest.fixture
def cache() -> Cache:
    return Cache(KINDS, Config())


def key(kind_: str, name: str) -> Key:
    return Key(kind_, "n", name)


def view(cache: Cache, of: Key) -> View:
    entry = cache.get(of)
    assert entry is not None
    assert isinstance(entry.subject, Subject)
    return cache.view(entry.subject, Config())


def test_the_newest_version_wins_in_whatever_order_they_come(cache: Cache) -> None:
    old, new = (dataset("a", version=version, metadata={"generation": version}) for version in (9, 10))
    assert cache.observe(DATASETS, new) == {key("Dataset", "a")}
    assert cache.observe(DATASETS, old) == set()
    entry = cache.get(key("Dataset", "a"))
    assert entry is not None
    assert entry.obj["metadata"].get("generation") == 10


def test_a_version_that_says_nothing_new_wakes_nobody(cache: Cache) -> None:
    cache.observe(DATASETS, dataset("a"))
    assert cache.observe(DATASETS, dataset("a", metadata={"managedFields": [{"manager": "another"}]})) == set()


def test_what_is_gone_stays_gone_though_older_news_come_late(cache: Cache) -> None:
    first = dataset("a")
    late = dataset("a", metadata={"generation": 2})
    cache.observe(DATASETS, first)
    assert cache.forget(DATASETS, dataset("a")) == {key("Dataset", "a")}
    assert cache.observe(DATASETS, late) == set()
    assert cache.get(key("Dataset", "a")) is None
    again = dataset("a", uid="another")
    assert cache.observe(DATASETS, again) == {key("Dataset", "a")}
    assert cache.forget(DATASETS, first) == set(), "the end of the first is no news of the second"


def test_what_a_selector_no_longer_saw_comes_back_with_newer_news_and_not_what_is_gone_for_good(cache: Cache) -> None:
    owner = dataset("a")
    cache.observe(DATASETS, owner)
    hidden, shown, late, last = (job("a-1", owner, version=10_000 + n) for n in (1, 2, 1, 3))
    cache.observe(JOBS, job("a-1", owner, version=10_000))
    assert cache.forget(JOBS, hidden) == {key("Dataset", "a")}
    assert cache.observe(JOBS, shown) == {key("Dataset", "a")}
    assert cache.forget(JOBS, late) == set(), "its end is older than what is known"
    known = cache.child(JOBS, "n", "a-1")
    assert known is not None
    assert cache.forget(JOBS, known) == {key("Dataset", "a")}
    assert cache.observe(JOBS, last) == set()


def test_nothing_belongs_to_an_object_of_another_namespace(cache: Cache) -> None:
    owner = dataset("a")
    cache.observe(DATASETS, owner)
    forged = job("a-1", owner, metadata={"namespace": "elsewhere"})
    told = refusal("e", job("a-1", owner), "no", metadata={"namespace": "elsewhere"})
    assert cache.observe(JOBS, forged) == set()
    cache.observe(JOBS, job("a-1", owner))
    assert cache.observe(REFUSALS, told) == set()
    seen = view(cache, key("Dataset", "a"))
    assert ([one["metadata"]["namespace"] for one in seen.children], seen.refusals) == (["n"], {})


def test_one_object_that_makes_no_sense_takes_no_other_with_it(cache: Cache) -> None:
    broken = obj("Job", "broken", "batch/v1", metadata={"ownerReferences": ["nonsense"]})
    assert cache.replace(JOBS, None, [broken, job("a-1", dataset("a"))], 10**9) == set()
    assert cache.child(JOBS, "n", "a-1") is not None
    assert cache.child(JOBS, "n", "broken") is None


def test_a_pod_wakes_the_object_that_its_job_belongs_to(cache: Cache) -> None:
    owner = dataset("a")
    cache.observe(DATASETS, owner)
    work = job("a-1", owner)
    assert cache.observe(JOBS, work) == {key("Dataset", "a")}
    assert cache.observe(PODS, pod("a-1-x", work)) == {key("Dataset", "a")}
    assert [p["metadata"]["name"] for p in view(cache, key("Dataset", "a")).pods] == ["a-1-x"]


def test_a_pod_wakes_the_object_that_its_replica_sets_deployment_belongs_to(cache: Cache) -> None:
    owner = deployment("d", "m")
    cache.observe(DEPLOYMENTS, owner)
    child = obj("Deployment", "d", "apps/v1", owner, uid="child")
    cache.observe(APPS_DEPLOYMENTS, child)
    replica_set = obj("ReplicaSet", "d-1", "apps/v1", child)
    cache.observe(REPLICA_SETS, replica_set)
    assert cache.observe(PODS, pod("d-1-x", replica_set)) == {key("Deployment", "d")}
    seen = view(cache, key("Deployment", "d"))
    assert [c["kind"] for c in seen.children] == ["Deployment"]
    assert [p["metadata"]["name"] for p in seen.pods] == ["d-1-x"]


def test_the_links_of_a_chain_may_come_in_any_order() -> None:
    owner = dataset("a")
    work = job("a-1", owner)
    one_pod = pod("a-1-x", work)
    parts: list[tuple[ResourceType, KubeObject]] = [(DATASETS, owner), (JOBS, work), (PODS, one_pod)]
    for order in itertools.permutations(parts):
        cache = Cache(KINDS, Config())
        woken = [cache.observe(type_, part) for type_, part in order]
        assert key("Dataset", "a") in woken[-1] or order[-1][0] == PODS
        seen = view(cache, key("Dataset", "a"))
        assert ([c["metadata"]["name"] for c in seen.children], [p["metadata"]["name"] for p in seen.pods]) == (
            ["a-1"],
            ["a-1-x"],
        )


def test_a_foreigners_pod_wakes_nobody(cache: Cache) -> None:
    cache.observe(DATASETS, dataset("a"))
    assert cache.observe(PODS, pod("x", obj("Job", "theirs", "batch/v1"))) == set()


QUOTA = 'Error creating: pods "a-1-x7k2p" is forbidden: exceeded quota: small'
ACCOUNT = 'Error creating: pods "a-1-" is forbidden: error looking up service account n/robot'


@pytest.mark.parametrize(
    ("events", "told"),
    [
        pytest.param([], None, id="none"),
        pytest.param([(QUOTA, None)], "forbidden: exceeded quota: small", id="without the Pod's name"),
        pytest.param(
            [(QUOTA, "2026-05-01T12:00:01Z"), (ACCOUNT, "2026-05-01T12:00:00Z")], "forbidden: exceeded quota: small",
            id="the newest by its own time",
        ),
        pytest.param(
            [(QUOTA, None), (ACCOUNT, "2026-05-01T12:00:00Z")],
            "forbidden: error looking up service account n/robot", id="one without a time is older",
        ),
        pytest.param(
            [("Error creating: admission webhook denied", None)], "Error creating: admission webhook denied",
            id="another sentence as it is",
        ),
    ],
)  # fmt: skip
def test_a_refusal_is_told_to_the_object_whose_job_it_is_about(
    cache: Cache, events: list[tuple[str, str | None]], told: str | None
) -> None:
    owner = dataset("a")
    cache.observe(DATASETS, owner)
    work = job("a-1", owner)
    cache.observe(JOBS, work)
    for number, (message, at) in enumerate(events):
        assert cache.observe(REFUSALS, refusal(f"a-1.{number}", work, message, at)) == {key("Dataset", "a")}
    seen = view(cache, key("Dataset", "a"))
    assert seen.refusal_of(seen.jobs()[0]) == told


def test_a_refusal_that_is_no_news_or_a_foreigners_wakes_nobody_and_ends_with_its_event(cache: Cache) -> None:
    owner = dataset("a")
    cache.observe(DATASETS, owner)
    work = job("a-1", owner)
    cache.observe(JOBS, work)
    assert cache.observe(REFUSALS, refusal("theirs", obj("Job", "theirs", "batch/v1"), QUOTA)) == set()
    cache.observe(REFUSALS, refusal("ours", work, QUOTA))
    assert cache.observe(REFUSALS, refusal("ours", work, QUOTA)) == set()
    assert cache.forget(REFUSALS, refusal("ours", work, QUOTA)) == {key("Dataset", "a")}
    assert not view(cache, key("Dataset", "a")).refusals


def test_what_is_said_of_a_pod_of_a_server_reaches_its_deployment(cache: Cache) -> None:
    owner = deployment("d", "m")
    live = obj("Deployment", "d", "apps/v1", owner=owner, uid="live")
    replica_set = obj("ReplicaSet", "d-1", "apps/v1", owner=live)
    server = pod("d-1-x", replica_set)
    for type_, one in ((DEPLOYMENTS, owner), (APPS_DEPLOYMENTS, live), (REPLICA_SETS, replica_set)):
        cache.observe(type_, one)
    words = 'MountVolume.SetUp failed for volume "tls" : secret "s" not found'
    assert cache.observe(FAILED_MOUNTS, refusal("early", server, words)) == set()
    assert cache.observe(PODS, server) == {key("Deployment", "d")}
    assert view(cache, key("Deployment", "d")).refusals == {server["metadata"]["uid"]: words}
    assert cache.observe(FAILED_MOUNTS, refusal("late", server, words)) == {key("Deployment", "d")}


def test_what_the_cluster_can_do_is_news_once_and_for_everybody(cache: Cache) -> None:
    cache.observe(DEPLOYMENTS, deployment("d", "m"))
    cache.observe(DATASETS, dataset("a"))
    able = Cluster(frozenset({"HTTPRoute"}))
    assert cache.learn(able) == {key("Deployment", "d"), key("Dataset", "a")}
    assert cache.learn(able) == set()
    assert view(cache, key("Deployment", "d")).cluster == able


def test_a_version_of_a_model_wakes_whom_it_concerns(cache: Cache) -> None:
    cache.observe(DEPLOYMENTS, deployment("d", "m"))
    cache.observe(DEPLOYMENTS, deployment("other", "another-model"))
    woken = cache.observe(VERSIONS, model_version("m-1", "m"))
    assert woken == {key("ModelVersion", "m-1"), key("Deployment", "d")}
    related = view(cache, key("Deployment", "d")).related
    assert [v.metadata.name for v in related["Model", "n", "m"]] == ["m-1"]
    assert cache.forget(VERSIONS, model_version("m-1", "m")) == woken
    assert view(cache, key("Deployment", "d")).related["Model", "n", "m"] == ()


def test_an_object_that_cannot_be_read_is_kept_with_the_reason(cache: Cache) -> None:
    broken = obj("Dataset", "a", body={"spec": {"source": {"uri": "ftp://x"}}})
    assert cache.observe(DATASETS, broken) == {key("Dataset", "a")}
    entry = cache.get(key("Dataset", "a"))
    assert entry is not None
    assert isinstance(entry.subject, Unreadable)
    assert "spec.source.uri" in entry.subject.message


def test_a_list_lets_go_of_what_is_not_in_it_but_not_of_what_is_newer(cache: Cache) -> None:
    gone, stays = dataset("gone", version=1001), dataset("stays", version=1002)
    newer = dataset("newer", version=1010)
    for one in (gone, stays, newer):
        cache.observe(DATASETS, one)
    assert cache.replace(DATASETS, None, [stays], 1005) == {key("Dataset", "gone")}
    assert {k.name for k in cache.subjects()} == {"stays", "newer"}
    assert cache.replace(DATASETS, "another", [], 2000) == set(), "a list of one namespace is silent on the others"


def test_a_namespaces_configuration_wakes_all_its_objects_and_changes_what_they_see(cache: Cache) -> None:
    cache.observe(DATASETS, dataset("a"))
    cache.observe(DATASETS, dataset("b"))
    everybody = {key("Dataset", "a"), key("Dataset", "b")}
    assert cache.observe(CONFIG_MAPS, override("store: {uri: pvc://claim/here}")) == everybody
    seen = cache.configuration("n")
    assert isinstance(seen, Config)
    assert seen.store.uri == "pvc://claim/here"
    assert cache.observe(CONFIG_MAPS, override("stores: {}")) == everybody
    broken = cache.configuration("n")
    assert isinstance(broken, Unreadable)
    assert "stores" in broken.message
    assert cache.forget(CONFIG_MAPS, override("")) == everybody
    assert cache.configuration("n") == Config()


def test_a_config_map_of_ours_is_a_child_and_no_configuration_whatever_its_name(cache: Cache) -> None:
    served = deployment("a", "m")
    cache.observe(DEPLOYMENTS, served)
    cache.observe(DATASETS, dataset("b"))
    told = {"data": {"routing.json": '{"generation":1}', "config.yaml": "stores: {}"}}
    routing = obj("ConfigMap", "modelwright", "v1", served, told)
    assert cache.observe(ROUTINGS, routing) == {key("Deployment", "a")}
    (child,) = view(cache, key("Deployment", "a")).children
    assert dict(child)["data"] == told["data"]
    assert cache.configuration("n") == Config()
    assert cache.forget(ROUTINGS, routing) == {key("Deployment", "a")}


def test_pod_specs_and_other_ballast_are_not_kept(cache: Cache) -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "x"}
    owner = dataset("a", metadata={"annotations": annotations})
    cache.observe(DATASETS, owner)
    work = job("a-1", owner)
    cache.observe(JOBS, work)
    body = {"spec": {"containers": [{"name": "c", "image": "i"}]}}
    ended = {"name": "c", "state": {"terminated": {"exitCode": 0, "message": "{}"}}, "imageID": "long"}
    status = {"phase": "Succeeded", "hostIP": "10.0.0.1", "containerStatuses": [ended]}
    cache.observe(PODS, obj("Pod", "p", "v1", work, body, status=status))
    kept = dict(view(cache, key("Dataset", "a")).pods[0])
    assert "spec" not in kept
    assert kept["status"] == {
        "phase": "Succeeded",
        "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0, "message": "{}"}}}],
    }
    entry = cache.get(key("Dataset", "a"))
    assert entry is not None
    assert entry.obj["metadata"].get("annotations") == {"mine": "x"}
    assert "managedFields" not in entry.obj["metadata"]


def test_children_come_in_one_order(cache: Cache) -> None:
    owner = deployment("d", "m")
    cache.observe(DEPLOYMENTS, owner)
    cache.observe(SERVICES, obj("Service", "d", "v1", owner))
    cache.observe(JOBS, job("z", owner))
    cache.observe(JOBS, job("a", owner))
    names = [(c["kind"], c["metadata"]["name"]) for c in view(cache, key("Deployment", "d")).children]
    assert names == [("Job", "a"), ("Job", "z"), ("Service", "d")]
