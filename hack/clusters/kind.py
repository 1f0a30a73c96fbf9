"""A cluster in Docker by kind, with a registry and an S3 store as containers beside its node.

Both have one name everywhere: their address on kind's network, which the host, the node and Pods reach alike.
"""

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import images, manifests, s3
from .addresses import REGISTRY_PORT, S3_PORT
from .command import run, succeeds
from .layout import AWS_REGION, BUCKET
from .places import cache_root
from .readiness import answers
from .report import ClusterError, say

CONFIG = Path(__file__).resolve().parents[2] / "kind-config.yaml"
NETWORK = "kind"
REGISTRY_IMAGE = "registry:3"
S3_IMAGE = "versity/versitygw:v1.8.0"
_NEEDED = {
    "docker": "https://docs.docker.com/engine/install/",
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "helm": "https://helm.sh/docs/intro/install/",
}
_S3_SCRIPT = (
    "mkdir -p /store/objects /store/versions /store/users && exec versitygw --port :7070 --health /healthz "
    f"--region {AWS_REGION} --quiet --iam-dir /store/users posix --versioning-dir /store/versions /store/objects"
)


class Kind:
    """The kind cluster of this name."""

    def __init__(self, name: str) -> None:
        """Looks at nothing yet."""
        self._name = name
        self._state = cache_root() / "kind" / name
        self._kubeconfig = self._state / "kubeconfig"
        self._registry, self._s3 = f"{name}-registry", f"{name}-s3"

    def build(self) -> None:
        """Fetches the two images; kind fetches its own."""
        self._require()
        for image in (REGISTRY_IMAGE, S3_IMAGE):
            if not succeeds("docker", "image", "inspect", image):
                run("docker", "pull", "--quiet", image)

    def up(self, control_plane_only: bool) -> None:
        """Creates or starts the cluster and its two containers; a control plane alone is the whole cluster here."""
        del control_plane_only
        self.build()
        began = time.monotonic()
        self._ensure_cluster()
        self._ensure_container(self._registry, REGISTRY_IMAGE, ["-e", "REGISTRY_STORAGE_DELETE_ENABLED=true"], [])
        access_key, secret_key = self._credentials()
        keys = ["-e", f"ROOT_ACCESS_KEY={access_key}", "-e", f"ROOT_SECRET_KEY={secret_key}"]
        script = ["-c", _S3_SCRIPT]
        self._ensure_container(self._s3, S3_IMAGE, [*keys, "--entrypoint", "sh", "-v", f"{self._s3}:/store"], script)
        self._tell_containerd()
        self._wait(f"http://{self._registry_address()}/v2/", self._registry)
        self._wait(f"{self._s3_address()}/healthz", self._s3)
        s3.make_bucket(self._s3_address(), AWS_REGION, access_key, secret_key, BUCKET)
        objects = "\n---\n".join(map(json.dumps, manifests.store(access_key, secret_key)))
        self._kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", text=objects)
        say(f'cluster {self._name} is up: eval "$(hack/cluster env --name {self._name})"', began)

    def down(self) -> None:
        """Deletes the cluster, the two containers and the store's volume."""
        self._require()
        for container in (self._registry, self._s3):
            if succeeds("docker", "container", "inspect", container):
                run("docker", "rm", "--force", "--volumes", container)
        if succeeds("docker", "volume", "inspect", self._s3):
            run("docker", "volume", "rm", self._s3)
        run("kind", "delete", "cluster", f"--name={self._name}", f"--kubeconfig={self._kubeconfig}")
        shutil.rmtree(self._state, ignore_errors=True)
        say(f"cluster {self._name} is gone")

    def status(self) -> bool:
        """Prints the containers and the node."""
        self._require()
        columns = "--format=table {{.Names}}\t{{.Status}}\t{{.Image}}"
        subprocess.run(["docker", "ps", "--all", f"--filter=name=^{self._name}-", columns], check=False)
        command = ["kubectl", f"--kubeconfig={self._kubeconfig}", "get", "nodes", "--output=wide"]
        return subprocess.run(command, check=False).returncode == 0

    def environment(self) -> Mapping[str, str]:
        """The contract's variables, but for the audit log and the network namespace: those are the node's own."""
        self._require()
        if not self._kubeconfig.exists():
            raise ClusterError(f"there is no cluster {self._name}: start it with `hack/cluster up --name {self._name}`")
        access_key, secret_key = self._credentials()
        return {
            "KUBECONFIG": str(self._kubeconfig),
            "PATH": str(Path(shutil.which("kubectl") or "").parent),
            "AWS_ENDPOINT_URL": self._s3_address(),
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_DEFAULT_REGION": AWS_REGION,
            "MODELWRIGHT_BUCKET": BUCKET,
            "MODELWRIGHT_REGISTRY": self._registry_address(),
        }

    def load(self, images_to_load: Sequence[str]) -> list[str]:
        """Pushes to the registry by skopeo; without it, puts Docker's images into the node under their own names."""
        if shutil.which("skopeo"):
            return [images.push(image, self._registry_address()) for image in images_to_load]
        run("kind", "load", "docker-image", f"--name={self._name}", *images_to_load)
        return list(images_to_load)

    def _require(self) -> None:
        missing = [f"  {command}: {where}" for command, where in _NEEDED.items() if shutil.which(command) is None]
        if missing:
            raise ClusterError("the provider kind needs these on the PATH:\n" + "\n".join(missing))

    def _ensure_cluster(self) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        kubeconfig = f"--kubeconfig={self._kubeconfig}"
        if self._name not in run("kind", "get", "clusters").split():
            began = time.monotonic()
            run("kind", "create", "cluster", f"--name={self._name}", f"--config={CONFIG}", "--wait=180s", kubeconfig)
            say("kind cluster", began)
            return
        run("docker", "start", self._node)
        run("kind", "export", "kubeconfig", f"--name={self._name}", kubeconfig)
        self._poll("the API server", lambda: succeeds("kubectl", kubeconfig, "get", "--raw=/readyz"))

    def _ensure_container(self, name: str, image: str, options: list[str], arguments: list[str]) -> None:
        if succeeds("docker", "container", "inspect", name):
            run("docker", "start", name)
            return
        run(
            "docker",
            "run",
            "--detach",
            "--restart=unless-stopped",
            f"--network={NETWORK}",
            f"--name={name}",
            *options,
            image,
            *arguments,
        )

    def _tell_containerd(self) -> None:
        """Plain http for the registry's address, which may have changed since Docker was last started."""
        registry = self._registry_address()
        hosts = f"server = 'http://{registry}'\n[host.'http://{registry}']\ncapabilities = ['pull', 'resolve']\n"
        folder = f"/etc/containerd/certs.d/{registry}"
        script = f"mkdir -p {folder} && cat > {folder}/hosts.toml"
        run("docker", "exec", "--interactive", self._node, "sh", "-c", script, text=hosts)

    @property
    def _node(self) -> str:
        return f"{self._name}-control-plane"

    def _registry_address(self) -> str:
        return f"{_address(self._registry)}:{REGISTRY_PORT}"

    def _s3_address(self) -> str:
        return f"http://{_address(self._s3)}:{S3_PORT}"

    def _credentials(self) -> tuple[str, str]:
        path = self._state / "s3.json"
        if not path.exists():
            self._state.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(json.dumps(["modelwright", secrets.token_hex(20)]))
        access_key, secret_key = json.loads(path.read_text())
        return str(access_key), str(secret_key)

    def _kubectl(self, *arguments: str, text: str) -> None:
        run("kubectl", f"--kubeconfig={self._kubeconfig}", *arguments, text=text)

    def _wait(self, url: str, container: str) -> None:
        self._poll(
            f"{url} (container {container}; `docker logs {container}` tells more, and if it listens, this machine does "
            "not reach containers by their addresses, as with Docker in a virtual machine: run this inside of it)",
            answers(url),
        )

    def _poll(self, what: str, ready: Callable[[], bool], timeout_s: float = 60) -> None:
        until = time.monotonic() + timeout_s
        while not ready():
            if time.monotonic() > until:
                raise ClusterError(f"not ready after {timeout_s:.0f} s: {what}")
            time.sleep(0.2)


def _address(container: str) -> str:
    template = f'--format={{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}'
    address = run("docker", "container", "inspect", template, container)
    if not address:
        raise ClusterError(f"the container {container} does not run: start it with `hack/cluster up`")
    return address
