"""Every program that a native cluster runs: where its source comes from, and at which version."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass

KUBERNETES = "1.36.3"
MULTICALL = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl")

_VERSION = "k8s.io/component-base/version"
_KUBERNETES_LDFLAGS = " ".join(
    [
        "-s -w",
        f"-X {_VERSION}.gitVersion=v{KUBERNETES}",
        f"-X {_VERSION}.gitMajor=1",
        f"-X {_VERSION}.gitMinor={KUBERNETES.split('.')[1]}",
        f"-X {_VERSION}.gitTreeState=clean",
        f"-X {_VERSION}.buildDate=2026-01-01T00:00:00Z",
    ]
)


@dataclass(frozen=True)
class Program:
    """One `go build` or `go install`, and the executables that come out of it.

    `module` is a folder under `go/` that holds a go.mod of ours; None means `go install PACKAGE@VERSION`.
    `names` are the executables; a program that is several in one is linked once for each name.
    `weight` orders the builds, largest first: about the seconds one takes alone on two cores.
    """

    name: str
    version: str
    packages: tuple[str, ...]
    weight: int
    module: str | None = None
    names: tuple[str, ...] = ()
    tags: str = ""
    ldflags: str = "-s -w"
    cgo: bool = False

    @property
    def executables(self) -> tuple[str, ...]:
        """What a user of this program starts."""
        return self.names or (self.name,)

    def key(self, module_digest: str) -> str:
        """The folder's name in the cache: it changes with the version, the flags and our module's files."""
        facts = json.dumps([asdict(self), module_digest, platform.machine()], sort_keys=True)
        return f"{self.name}-{self.version}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


_CNI = "github.com/containernetworking/plugins/plugins"
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
CNI_PLUGINS = ("bridge", "host-local", "portmap")

KUBERNETES_PROGRAM = Program(
    "kubernetes", KUBERNETES, (".",), 260, module="kubernetes", names=MULTICALL, ldflags=_KUBERNETES_LDFLAGS
)
ETCD = Program("etcd", "3.6.16", (".",), 17, module="etcd")
CONTROL_PLANE: tuple[Program, ...] = (KUBERNETES_PROGRAM, ETCD)

NODE: tuple[Program, ...] = (
    Program(
        "metrics-server",
        "0.9.0",
        ("sigs.k8s.io/metrics-server/cmd/metrics-server",),
        93,
        module="addons",
        ldflags="-s -w -X sigs.k8s.io/metrics-server/pkg/version.gitVersion=v0.9.0",
    ),
    Program(
        "helm",
        "3.22.0",
        ("helm.sh/helm/v3/cmd/helm",),
        60,
        module="addons",
        ldflags="-s -w -X helm.sh/helm/v3/internal/version.version=v3.22.0",
    ),
    Program("coredns", "1.14.1", ("./coredns",), 40, module="addons"),
    Program(
        "containerd",
        "2.4.2",
        tuple(f"{_CONTAINERD}/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")),
        49,
        names=("containerd", "containerd-shim-runc-v2", "ctr"),
        ldflags="-s -w -X github.com/containerd/containerd/v2/version.Version=2.4.2",
    ),
    Program(
        "versitygw", "1.8.0", ("github.com/versity/versitygw/cmd/versitygw",), 47, ldflags="-s -w -X main.Version=1.8.0"
    ),
    Program(
        "registry",
        "3.1.2",
        (".",),
        30,
        module="registry",
        ldflags="-s -w -X github.com/distribution/distribution/v3/version.version=v3.1.2",
    ),
    Program(
        "runc",
        "1.5.2",
        ("github.com/opencontainers/runc",),
        9,
        tags="seccomp",
        cgo=True,
        ldflags="-s -w -X main.version=1.5.2",
    ),
    Program(
        "cni-plugins",
        "1.9.1",
        (f"{_CNI}/main/bridge", f"{_CNI}/ipam/host-local", f"{_CNI}/meta/portmap"),
        7,
        names=CNI_PLUGINS,
    ),
    Program("pause", "1", (".",), 1, module="pause"),
)

ALL: tuple[Program, ...] = (*CONTROL_PLANE, *NODE)
