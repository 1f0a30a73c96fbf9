"""The CustomResourceDefinitions on a real API server: what it admits, and what it says of the rest."""

import json
from typing import Any

import pytest
from kubernetes import client

from api.admission_table import Case, cases
from modelwright.api.v1alpha1 import KINDS, parse

GROUP, VERSION = "modelwright.dev", "v1alpha1"
PLURALS = {kind.__name__: kind.names.plural for kind in KINDS}
DIGEST = "sha256:" + "0" * 64


def create(api: client.ApiClient, manifest: dict[str, Any], *, dry_run: bool = True) -> dict[str, Any]:
    objects = client.CustomObjectsApi(api)
    plural = PLURALS[manifest["kind"]]
    options = {"field_validation": "Strict"} | ({"dry_run": "All"} if dry_run else {})
    created: dict[str, Any] = objects.create_namespaced_custom_object(
        GROUP, VERSION, "default", plural, manifest, **options
    )
    return created


def said(error: client.ApiException) -> frozenset[str]:
    """The causes of a refusal, each as `field: message`."""
    status = json.loads(error.body)
    causes = status.get("details", {}).get("causes")
    if causes is None:
        return frozenset({status["message"].split("cannot be handled as a ")[-1].partition(": ")[2]})
    return frozenset(f"{cause['field']}: {cause['message']}" for cause in causes)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_an_object_gets_the_messages_of_the_table(api_server: client.ApiClient, case: Case) -> None:
    if not case.errors:
        parse(create(api_server, case.manifest))
        return
    with pytest.raises(client.ApiException) as refusal:
        create(api_server, case.manifest)
    assert said(refusal.value) == case.errors


def minimal(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": {"name": name}, "spec": spec}


def test_a_new_object_says_that_nobody_has_seen_it(api_server: client.ApiClient) -> None:
    created = create(api_server, minimal("Dataset", "new", source={"uri": "s3://raw/flights.csv"}))
    assert created["status"] == {"observedGeneration": -1}


def test_defaults_are_written_out(api_server: client.ApiClient) -> None:
    created = create(api_server, minimal("Dataset", "new", source={"uri": "s3://raw/flights.csv"}))
    assert created["spec"] == {
        "source": {"uri": "s3://raw/flights.csv"},
        "split": {"train": 70, "validation": 15, "test": 15, "by": "hash", "seed": 0},
    }
    assert parse(created).kind == "Dataset"


def test_parameters_of_an_estimator_are_kept(api_server: client.ApiClient) -> None:
    params = {"max_iter": 200, "nested": {"deep": [1, "a", {"value": None}]}, "C": 0.5, "fit_intercept": False}
    run = minimal(
        "TrainingRun",
        "new",
        dataset={"name": "flights"},
        task="classification",
        trainer={"estimator": [{"class": "sklearn.linear_model.LogisticRegression", "params": params}]},
    )
    assert create(api_server, run)["spec"]["trainer"]["estimator"][0]["params"] == params


def test_a_model_version_cannot_be_changed(api_server: client.ApiClient) -> None:
    objects = client.CustomObjectsApi(api_server)
    at = (GROUP, VERSION, "default", "modelversions", "fixed")
    version = minimal("ModelVersion", "fixed", model="flights", source={"trainingRun": "flights", "digest": DIGEST})
    create(api_server, version, dry_run=False)
    try:
        for patch in (
            {"spec": {"model": "others"}},
            {"spec": {"package": {"image": "example.org/models/flights"}}},
            {"spec": {"source": {"digest": None}}},
            {"spec": {"resources": {"limits": {"memory": "1Gi"}}}},
            {"spec": {"imagePullSecrets": [{"name": "regcred"}]}},
        ):
            with pytest.raises(client.ApiException) as refusal:
                objects.patch_namespaced_custom_object(*at, patch)
            fact = "a ModelVersion is a fact, of which only the approval can be changed; create one of another name"
            assert said(refusal.value) == {f"spec: Invalid value: {fact}"}
        objects.patch_namespaced_custom_object(*at, {"metadata": {"labels": {"team": "blue"}}})
        for approval in ({"approved": True, "approvedBy": "ana", "imageDigest": DIGEST}, {"approved": False}, None):
            patched = objects.patch_namespaced_custom_object(*at, {"spec": {"approval": approval}})
        assert "approval" not in patched["spec"]
    finally:
        objects.delete_namespaced_custom_object(*at)


def test_a_status_is_the_operators_and_leaves_the_spec_alone(api_server: client.ApiClient) -> None:
    objects = client.CustomObjectsApi(api_server)
    at = (GROUP, VERSION, "default", "modeldeployments", "served")
    created = create(api_server, minimal("Deployment", "served", model={"name": "flights"}), dry_run=False)
    try:
        patch = {"spec": {"model": {"name": "other"}}, "status": {"observedGeneration": 1, "url": "http://served"}}
        patched = objects.patch_namespaced_custom_object_status(*at, patch)
        assert patched["spec"] == created["spec"]
        assert patched["metadata"]["generation"] == created["metadata"]["generation"]
        assert parse(patched).status.observed_generation == 1
    finally:
        objects.delete_namespaced_custom_object(*at)


def test_discovery_leaves_deployments_to_apps(api_server: client.ApiClient) -> None:
    resources = client.CustomObjectsApi(api_server).get_api_resources(GROUP, VERSION).resources
    served = {resource.name: resource for resource in resources if "/" not in resource.name}
    assert served.keys() == {"datasets", "trainingruns", "modelversions", "modeldeployments"}
    assert all(resource.categories == ["modelwright"] for resource in served.values())
    assert served["modeldeployments"].short_names == ["mdeploy"]
