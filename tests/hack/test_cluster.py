"""hack/cluster keeps what a cluster holds when all of it is killed at once, and leaves nothing behind when it goes."""

import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMAND = Path(__file__).resolve().parents[2] / "hack" / "cluster"


@dataclass(frozen=True)
class Cluster:
    """A control plane of a name that nobody else uses."""

    name: str

    def call(self, command: str, *options: str) -> str:
        """Runs one command of hack/cluster; fails the test with all that it said."""
        words = [str(COMMAND), command, f"--name={self.name}", "--provider=native", *options]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def up(self) -> None:
        """Starts or repairs the control plane."""
        self.call("up", "--control-plane-only")

    def pids(self) -> dict[str, int]:
        """The process id of every running daemon."""
        status = subprocess.run(
            [str(COMMAND), "status", f"--name={self.name}", "--provider=native"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return {found[1]: int(found[2]) for found in re.finditer(r"^(\S+) +running +(\d+)", status, re.MULTILINE)}

    def kubectl(self, *arguments: str) -> str:
        """What kubectl says, with the variables that `env` gives."""
        script = f'eval "$({COMMAND} env --name={self.name} --provider=native)" && exec kubectl "$@"'
        return subprocess.run(
            ["bash", "-c", script, "kubectl", *arguments], capture_output=True, text=True, check=True
        ).stdout


def traces(cluster: Cluster, node_address: str) -> dict[str, list[str]]:
    """All that this machine shows of the cluster, by where it shows it."""
    subnet = node_address.rpartition(".")[0] + "."
    index = node_address.split(".")[2]
    return {
        "mounts": [line for line in _lines("/proc/self/mountinfo") if f"/{cluster.name}/" in line],
        "links": [path.name for path in Path("/sys/class/net").iterdir() if path.name == f"mwh{index}"],
        "routes": [line for line in _said("ip", "route") if f"mwh{index} " in f"{line} " or subnet in line],
        "processes": [line for line in _said("ps", "-ww", "-eo", "stat,args") if f"/{cluster.name}/" in line],
        "control groups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/modelwright/{cluster.name}")],
        "files": [
            str(path)
            for root in ("/run/modelwright", os.environ.get("MODELWRIGHT_STATE", "/var/lib/modelwright") + "/clusters")
            for path in Path(root).glob(f"*{cluster.name}*")
        ],
    }


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A running control plane, removed at the end whatever happened."""
    made = Cluster(f"test-{secrets.token_hex(4)}")
    try:
        made.up()
        yield made
    finally:
        made.call("down")


def test_survives_the_death_of_every_process_and_leaves_nothing_behind(cluster: Cluster) -> None:
    cluster.kubectl("create", "configmap", "kept", "--from-literal=answer=42")
    before = cluster.pids()
    assert set(before) == {"etcd", "kube-apiserver", "kube-controller-manager"}
    server = cluster.kubectl("config", "view", "--output=jsonpath={.clusters[0].cluster.server}")
    node_address = server.removeprefix("https://").rpartition(":")[0]

    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    _wait_until(lambda: not cluster.pids())

    began = time.monotonic()
    cluster.up()
    assert time.monotonic() - began < 30
    assert set(cluster.pids()) == set(before)
    assert cluster.kubectl("get", "configmap", "kept", "--output=jsonpath={.data.answer}") == "42"
    there = traces(cluster, node_address)
    assert all(there.values()), f"the test looks for traces in a place where a running cluster has none: {there}"

    cluster.call("down")
    _wait_until(lambda: not any(traces(cluster, node_address).values()), lambda: str(traces(cluster, node_address)))


def test_up_on_a_running_cluster_starts_nothing_anew(cluster: Cluster) -> None:
    cluster.up()
    before = cluster.pids()
    cluster.up()
    assert cluster.pids() == before


def test_up_restarts_the_one_daemon_that_died(cluster: Cluster) -> None:
    cluster.up()
    before = cluster.pids()
    os.kill(before["kube-controller-manager"], signal.SIGKILL)
    _wait_until(lambda: "kube-controller-manager" not in cluster.pids())
    cluster.up()
    after = cluster.pids()
    assert after.keys() == before.keys()
    assert {name for name in before if before[name] != after[name]} == {"kube-controller-manager"}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _said(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _wait_until(condition: Callable[[], bool], told: Callable[[], str] = str, timeout_s: float = 10) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, told()
        time.sleep(0.05)
