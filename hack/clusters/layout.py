"""One native cluster's folders, addresses and keys: what the daemons' descriptions are made from."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from .addresses import Addresses
from .build import binary
from .certificates import Certificate
from .places import state_root
from .programs import ALL

RUN_ROOT = Path("/run/modelwright")
PAUSE_IMAGE = "mw.local/pause:1"
AWS_REGION = "us-east-1"
BUCKET = "modelwright"


@dataclass(frozen=True)
class Folders:
    """Where a cluster of this name keeps what outlives a restart (`state`) and what does not (`run`)."""

    name: str

    @property
    def state(self) -> Path:
        """On disk: etcd's data, images, volumes, keys, logs."""
        return state_root() / self.name

    @property
    def run(self) -> Path:
        """In memory: sockets, the network namespace, containers' mounts. A restart of the machine empties it."""
        return RUN_ROOT / self.name

    @property
    def namespace(self) -> Path:
        """The network namespace, as nsenter takes it."""
        return self.run / "netns"

    @property
    def containerd_socket(self) -> Path:
        """Where the kubelet and ctr reach containerd."""
        return self.run / "containerd.sock"

    @property
    def logs(self) -> Path:
        """The daemons' logs and the audit log."""
        return self.state / "logs"

    @property
    def bin(self) -> Path:
        """Links to kubectl and helm, for people's PATH."""
        return self.state / "bin"

    @property
    def runtime_bin(self) -> Path:
        """Links to what containerd looks for by name; on a person's PATH they would hide the machine's own."""
        return self.state / "runtime-bin"

    @property
    def records(self) -> Path:
        """The running daemons' process ids."""
        return self.state / "daemons"

    @property
    def config(self) -> Path:
        """The daemons' configuration files."""
        return self.state / "config"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def audit_log(self) -> Path:
        """Each write that the API server got, as one line of JSON."""
        return self.logs / "audit.log"


@dataclass(frozen=True)
class Layout:
    """All that a daemon's description asks about its cluster."""

    folders: Folders
    addresses: Addresses

    @property
    def name(self) -> str:
        """The cluster's and its node's name."""
        return self.folders.name

    def program(self, executable: str) -> str:
        """The path of an executable in the cache."""
        owner = next(program for program in ALL if executable in program.executables)
        return str(binary(owner, executable))

    def key_pair(self, name: str) -> tuple[str, str]:
        """A certificate's and its key's path."""
        return str(self.folders.pki / f"{name}.crt"), str(self.folders.pki / f"{name}.key")

    @property
    def authority(self) -> str:
        """The certificate of the cluster's authority."""
        return str(self.folders.pki / "ca.crt")

    def kubeconfig_path(self, user: str) -> Path:
        """A user's kubeconfig; `admin` is the one for people."""
        return self.folders.config / f"{user}.kubeconfig"

    def kubeconfig(self, user: str) -> str:
        """A kubeconfig's text; JSON is YAML, and needs no library."""
        certificate, key = self.key_pair(user)
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": self.name,
                "clusters": [
                    {
                        "name": self.name,
                        "cluster": {"server": self.addresses.api, "certificate-authority": self.authority},
                    }
                ],
                "users": [{"name": user, "user": {"client-certificate": certificate, "client-key": key}}],
                "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": user}}],
            },
            indent=1,
        )

    def certificates(self) -> list[Certificate]:
        """Every leaf certificate of the cluster."""
        node, kubernetes = self.addresses.node, "kubernetes.default.svc.cluster.local"
        api_hosts = (
            node,
            self.addresses.first_service,
            "127.0.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            kubernetes,
        )
        metrics = "metrics-server.kube-system.svc"
        return [
            Certificate("kube-apiserver", "kube-apiserver", hosts=api_hosts),
            Certificate("kube-apiserver-kubelet", "kube-apiserver-kubelet", "system:masters"),
            Certificate("front-proxy", "front-proxy-client", authority="front-proxy-ca"),
            Certificate("admin", "kubernetes-admin", "system:masters"),
            Certificate("kube-controller-manager", "system:kube-controller-manager"),
            Certificate("kube-scheduler", "system:kube-scheduler"),
            Certificate("kube-proxy", "system:kube-proxy"),
            Certificate("kubelet", f"system:node:{self.name}", "system:nodes", hosts=(node, self.name)),
            Certificate("coredns", "system:coredns"),
            Certificate("metrics-server", "system:metrics-server", hosts=(metrics, f"{metrics}.cluster.local", node)),
            Certificate("volumes", "system:modelwright-volumes"),
        ]

    def credentials(self) -> tuple[str, str]:
        """The S3 store's access key and secret, made once."""
        path = self.folders.pki / "s3.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(json.dumps(["modelwright", secrets.token_hex(20)]))
        access_key, secret_key = json.loads(path.read_text())
        return str(access_key), str(secret_key)

    def link_programs(self) -> None:
        """Fills both folders with what is built now; a control plane alone may lack helm."""
        people, runtime = self.folders.bin, self.folders.runtime_bin
        for folder, names in {people: ("kubectl", "helm"), runtime: ("containerd-shim-runc-v2", "ctr", "runc")}.items():
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                if Path(self.program(name)).exists():
                    scratch = folder / f".{name}"
                    scratch.unlink(missing_ok=True)
                    scratch.symlink_to(self.program(name))
                    scratch.rename(folder / name)
