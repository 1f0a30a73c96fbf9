"""One cluster for all tests of this folder, with the images of this checkout and the chart; a namespace for each test.

`MODELWRIGHT_TEST_CLUSTER=current` takes the cluster `modelwright` as it runs, and leaves it; `installed` takes the
operator and images that are in it, too. Otherwise a cluster called `test` is brought up and taken down.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from conditions_lint import lint

from .api_server import ApiServer, access
from .live_cluster import SYSTEM, Cluster, CommandFailed, run, variables
from .place import World
from .witness import Witness

_NAME = "test"
_PATIENCE = ("--set=retry.initial=2s", "--set=retry.max=10s", "--set=serving.liveFigures.duringRollouts=1s")
"""Failed steps are tried again, and canaries looked at, sooner than users need it, so that tests need not wait."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster, with the chart of this checkout installed and ready."""
    choice = os.environ.get("MODELWRIGHT_TEST_CLUSTER", "")
    current = choice in ("current", "installed")
    options = () if current else (f"--name={_NAME}",)
    if choice != "installed":
        run("hack/cluster", "up", *options, timeout_s=2400)
    try:
        found = variables(*options)
        os.environ.update(found)
        if choice != "installed":
            run("hack/images", "push", timeout_s=1800)
            run("hack/install", f"--namespace={SYSTEM}", "--", *_PATIENCE, timeout_s=600)
        yield Cluster(found)
    finally:
        if not current:
            run("hack/cluster", "down", *options)


@pytest.fixture(scope="session")
def world(cluster: Cluster) -> Iterator[World]:
    """The API server, and a witness of every version of every object while tests run."""
    allowed = access()
    with Witness(allowed, lint) as witness:
        yield World(ApiServer(allowed), witness)


@pytest.fixture
def namespace(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[str]:
    """A fresh namespace; when the test fails, what is in it is printed before it goes."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.make_namespace(name)
    failures = request.session.testsfailed
    yield name
    if request.session.testsfailed > failures:
        _show(cluster, name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def _show(cluster: Cluster, namespace: str) -> None:
    wanted = (
        ("get", "modelwright,jobs,pods,deployments.apps,services", "--output=wide"),
        ("get", "modelwright", "--output=yaml"),
        ("get", "events", "--sort-by=.lastTimestamp"),
    )
    for arguments in wanted:
        try:
            print(cluster.kubectl(*arguments, f"--namespace={namespace}"))
        except (CommandFailed, subprocess.TimeoutExpired) as failure:
            print(failure)
    print(cluster.operator_log())
