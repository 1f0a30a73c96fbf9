"""A canary's objects beside those of the servers that serve; golden manifests have the rest."""

import json
from collections.abc import Iterator, Mapping
from typing import cast

import pytest

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.configmap import ROUTING_KEY, Forwarding, routing_config_map
from modelwright.children.deployment import serving_deployment
from modelwright.children.horizontalpodautoscaler import serving_autoscaler
from modelwright.children.networkpolicy import canary_network_policy, serving_network_policy
from modelwright.children.poddisruptionbudget import serving_disruption_budget
from modelwright.children.role import CANARY, STABLE, Role
from modelwright.children.service import canary_service, serving_service
from modelwright.config import ServingPolicy
from modelwright.plan import Child, JsonObject
from pure import samples

LONGEST = "a" * 40
Labels = Mapping[str, str]


def a_deployment(name: str = "late-flights", **spec: object) -> Deployment:
    """A Deployment with a UID."""
    manifest = samples.deployment(name, **spec)
    return Deployment.parse({**manifest, "metadata": {**cast(JsonObject, manifest["metadata"]), "uid": "the-uid"}})


def servers(resource: Deployment, role: Role) -> Child:
    """The apps/v1 Deployment of a role."""
    return serving_deployment(
        resource, "m", "v", "r.test/m@sha256:1", samples.config(), copied=False, autoscaled=False, role=role
    )


def stables(resource: Deployment) -> list[Child]:
    """Everything that selects stable's Pods."""
    return [
        servers(resource, STABLE),
        serving_service(resource),
        serving_disruption_budget(resource),
        serving_autoscaler(resource),
        serving_network_policy(resource, ServingPolicy()),
        routing_config_map(resource, 1, None),
    ]


def canaries(resource: Deployment) -> list[Child]:
    """Everything that is there while a canary is."""
    return [
        servers(resource, CANARY),
        canary_service(resource),
        serving_autoscaler(resource, CANARY),
        canary_network_policy(resource, ServingPolicy()),
    ]


def selectors(child: Child) -> Iterator[Labels]:
    """Which Pods the child is for, in whatever form its kind has."""
    spec = cast(Mapping[str, JsonObject], child.manifest.get("spec", {}))
    match child.manifest["kind"]:
        case "Service":
            yield cast(Labels, spec["selector"])
        case "NetworkPolicy":
            yield cast(Labels, spec["podSelector"]["matchLabels"])
        case "Deployment":
            yield cast(Labels, spec["selector"]["matchLabels"])
            pod = cast(Mapping[str, list[Mapping[str, Mapping[str, Labels]]]], spec["template"]["spec"])
            yield from (one["labelSelector"]["matchLabels"] for one in pod["topologySpreadConstraints"])
        case "PodDisruptionBudget":
            yield cast(Labels, spec["selector"]["matchLabels"])
        case _:
            pass


def pod_labels(child: Child) -> Labels:
    """The labels of a template's Pods."""
    spec = cast(Mapping[str, Mapping[str, Mapping[str, Labels]]], child.manifest["spec"])
    return spec["template"]["metadata"]["labels"]


def routing(resource: Deployment, generation: int, forwarding: Forwarding | None) -> JsonObject:
    """What stable's servers read."""
    data = cast(Mapping[str, str], routing_config_map(resource, generation, forwarding).manifest["data"])
    assert set(data) == {ROUTING_KEY}
    return cast(JsonObject, json.loads(data[ROUTING_KEY]))


def test_no_selector_of_one_finds_a_pod_of_the_other() -> None:
    resource = a_deployment(scaling={"maxReplicas": 3})
    for mine, others, role in ((stables, CANARY, STABLE), (canaries, STABLE, CANARY)):
        found = [selector for child in mine(resource) for selector in selectors(child)]
        assert found
        own, foreign = pod_labels(servers(resource, role)), pod_labels(servers(resource, others))
        for selector in found:
            assert selector.items() <= own.items()
            assert not selector.items() <= foreign.items()


@pytest.mark.parametrize("child", [*stables(a_deployment(LONGEST)), *canaries(a_deployment(LONGEST))])
def test_every_name_fits_with_what_kubernetes_adds_to_it(child: Child) -> None:
    longest = {"Deployment": len("-0123456789")}.get(str(child.manifest["kind"]), 0)
    assert len(child.name) + longest <= 63
    assert child.name.startswith(LONGEST)


def test_stable_reads_its_routing_whether_there_is_a_canary_or_not_and_a_canary_reads_none() -> None:
    plain, trying = a_deployment(), a_deployment(rollout={"strategy": "canary"})
    assert servers(plain, STABLE) == servers(trying, STABLE)
    assert "MODELWRIGHT_ROUTING_DIR" in json.dumps(servers(plain, STABLE).manifest)
    assert "routing" not in json.dumps(servers(trying, CANARY).manifest)


def test_another_server_has_no_routing() -> None:
    other = a_deployment(server={"image": "mlserver:1.7"})
    assert "routing" not in json.dumps(servers(other, STABLE).manifest)
    assert "canary" not in json.dumps(serving_network_policy(other, ServingPolicy()).manifest)


def test_a_canary_differs_from_stable_in_nothing_but_its_name_its_label_and_the_routing() -> None:
    resource = a_deployment()
    text = json.dumps(servers(resource, STABLE).manifest["spec"])
    as_canary = text.replace('"modelwright.dev/step": "serve"', '"modelwright.dev/step": "canary"')
    stable, canary = json.loads(as_canary), cast(JsonObject, servers(resource, CANARY).manifest["spec"])
    pod = stable["template"]["spec"]
    pod["volumes"] = [one for one in pod["volumes"] if one["name"] != "routing"]
    (container,) = pod["containers"]
    container["volumeMounts"] = [one for one in container["volumeMounts"] if one["name"] != "routing"]
    container["env"] = [one for one in container["env"] if one["name"] != "MODELWRIGHT_ROUTING_DIR"]
    assert stable == canary


def test_without_a_canary_there_is_a_generation_only() -> None:
    assert routing(a_deployment(), 8, None) == {"generation": 8}


def test_a_canary_is_described_for_those_who_ask_it() -> None:
    resource = a_deployment(
        rollout={"deadline": "800ms", "stickyHeader": "x-user-id", "analysis": {"sample": "0.25"}, "strategy": "canary"}
    )
    assert routing(resource, 7, Forwarding("v2", 5, slow_s=0.012)) == {
        "generation": 7,
        "canary": {
            "url": "http://late-flights-canary.team.svc:80",
            "version": "v2",
            "weight": "0.05",
            "deadlineSeconds": 0.8,
            "stickyHeader": "x-user-id",
            "compare": "0.25",
            "slowSeconds": 0.012,
        },
    }


@pytest.mark.parametrize(("weight", "text"), [(1, "0.01"), (10, "0.1"), (33, "0.33"), (100, "1")])
def test_a_weight_is_a_share(weight: int, text: str) -> None:
    canary = cast(JsonObject, routing(a_deployment(), 1, Forwarding("v2", weight))["canary"])
    assert (canary["weight"], canary["slowSeconds"]) == (text, 0)


def test_where_callers_speak_tls_stable_does_too() -> None:
    resource = a_deployment(server={"tls": {"secretName": "flights-tls"}})
    canary = cast(JsonObject, routing(resource, 1, Forwarding("v2", 10))["canary"])
    assert canary["url"] == "https://late-flights-canary.team.svc:443"
    (port,) = cast(list[JsonObject], cast(JsonObject, canary_service(resource).manifest["spec"])["ports"])
    assert (port["port"], port["targetPort"]) == (443, "http")


def test_only_stable_asks_a_canary_and_a_canary_asks_nobody() -> None:
    resource = a_deployment(server={"callers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]})
    policy = cast(JsonObject, canary_network_policy(resource, ServingPolicy()).manifest["spec"])
    asking, *_ = cast(list[Mapping[str, object]], policy["ingress"])
    (peer,) = cast(list[Mapping[str, Mapping[str, Labels]]], asking["from"])
    assert peer["podSelector"]["matchLabels"]["modelwright.dev/step"] == "serve"
    assert "egress" not in policy
    assert policy["policyTypes"] == ["Ingress", "Egress"]
