"""A real API server with our CustomResourceDefinitions, for this folder's tests."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config

from modelwright import access
from modelwright.kube import KubeClient
from modelwright.resources import ResourceType
from operator_process import Operator

ROOT = Path(__file__).parents[2]
KUBECONFIG = "MODELWRIGHT_TEST_KUBECONFIG"
"""Names the kubeconfig of a cluster to test on; its CRDs are replaced by ours."""
NAMESPACES = ResourceType("", "v1", "namespaces", "Namespace")


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[str]:
    """The kubeconfig of the cluster that KUBECONFIG names, or of a control plane of our own, gone afterwards."""
    if given := os.environ.get(KUBECONFIG):
        yield given
        return
    name = f"api-test-{os.getpid()}"
    hack_cluster("up", "--name", name, "--control-plane-only")
    try:
        lines = hack_cluster("env", "--name", name).splitlines()
        yield next(line.partition("=")[2] for line in lines if line.startswith("export KUBECONFIG="))
    finally:
        hack_cluster("down", "--name", name)


@pytest.fixture(scope="session")
def api_server(kubeconfig: str) -> client.ApiClient:
    """A client of an API server that serves our four kinds; the CRDs were applied server-side."""
    api = config.new_client_from_config(kubeconfig)
    definitions = client.ApiextensionsV1Api(api)
    names = []
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        crd = yaml.safe_load(path.read_text())
        names.append(crd["metadata"]["name"])
        api.call_api(
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names[-1]}",
            "PATCH",
            query_params=[("fieldManager", "crds"), ("force", "true"), ("fieldValidation", "Strict")],
            header_params={"Content-Type": "application/apply-patch+yaml"},
            body=crd,
            auth_settings=["BearerToken"],
            response_types_map={},
        )
    until = time.monotonic() + 30
    for name in names:
        while not established(definitions.read_custom_resource_definition(name)):
            assert time.monotonic() < until, f"{name} is not established after 30 s"
            time.sleep(0.1)
    wait_until_current(client.CustomObjectsApi(api), until)
    return api


@pytest.fixture
async def kube(
    api_server: client.ApiClient, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubeClient]:
    assert api_server is not None
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    async with KubeClient(access.discover(), agent="test") as found:
        yield found


@pytest.fixture
async def namespace(kube: KubeClient) -> AsyncIterator[str]:
    name = f"engine-{uuid.uuid4().hex[:8]}"
    await kube.create(NAMESPACES, None, {"metadata": {"name": name}})
    yield name
    await kube.delete(NAMESPACES, None, name, None)


@pytest.fixture
def operator(tmp_path: Path, kubeconfig: str, namespace: str, unused_tcp_port: int) -> Iterator[Operator]:
    found = Operator(tmp_path, kubeconfig, namespace, unused_tcp_port)
    yield found
    found.end(signal.SIGKILL)


def established(crd: client.V1CustomResourceDefinition) -> bool:
    """Whether the API server serves it, with no complaint about its schema."""
    conditions = {condition.type: condition.status for condition in crd.status.conditions or []}
    assert conditions.get("NonStructuralSchema", "False") == "False", crd.metadata.name
    return conditions.get("Established") == "True"


def wait_until_current(objects: client.CustomObjectsApi, until: float) -> None:
    """Established comes a moment before all kinds are served."""
    for plural in ("datasets", "trainingruns", "modelversions", "modeldeployments"):
        while not served(objects, plural):
            assert time.monotonic() < until, f"{plural} are not served after 30 s"
            time.sleep(0.1)


def served(objects: client.CustomObjectsApi, plural: str) -> bool:
    """Whether the API server lists this kind."""
    try:
        objects.list_namespaced_custom_object("modelwright.dev", "v1alpha1", "default", plural)
    except client.ApiException as error:
        if error.status != 404:
            raise
        return False
    return True


def hack_cluster(*arguments: str) -> str:
    """The output of hack/cluster; fails the test with its own words."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "hack" / "cluster"), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"hack/cluster {' '.join(arguments)}:\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout
