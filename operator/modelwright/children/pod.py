"""Pods that pass the `restricted` Pod Security Standard, whoever they are for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from modelwright.config import Resources
from modelwright.plan import JsonObject

USER_ID = 65532
SCRATCH = "/scratch"
MOUNTS = "/mnt"


@dataclass(frozen=True, slots=True)
class ServerPod:
    """What of a server's Pod depends on which server it is; `env` may be overridden by the user's."""

    image: str
    env: Mapping[str, str]
    mounts: tuple[JsonObject, ...]
    volumes: tuple[JsonObject, ...]
    init_containers: tuple[JsonObject, ...] = ()
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


def container(
    name: str,
    image: str,
    *,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    env_from: Iterable[JsonObject] = (),
    mounts: Iterable[JsonObject] = (),
    resources: Resources,
    pull_policy: str,
    **more: object,
) -> JsonObject:
    """One container without privileges, on a read-only root file system."""
    sources = list(env_from)
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        **({"args": list(args)} if args else {}),
        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        **({"envFrom": sources} if sources else {}),
        "resources": {"requests": dict(resources.requests), "limits": dict(resources.limits)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": list(mounts),
        **more,
    }


def pod_spec(
    *,
    containers: Sequence[JsonObject],
    init_containers: Sequence[JsonObject] = (),
    volumes: Iterable[JsonObject] = (),
    service_account: str,
    pull_secrets: Sequence[str],
    **more: object,
) -> JsonObject:
    """A Pod's spec: no service-account token, no root, the runtime's seccomp profile."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": service_account,
        **({"imagePullSecrets": [{"name": name} for name in pull_secrets]} if pull_secrets else {}),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"initContainers": list(init_containers)} if init_containers else {}),
        "containers": list(containers),
        "volumes": list(volumes),
        **more,
    }


def scratch() -> tuple[JsonObject, JsonObject]:
    """Room for temporary files: the volume and its mount."""
    return {"name": "scratch", "emptyDir": {}}, {"name": "scratch", "mountPath": SCRATCH}
